"""What QA knows of one annotator in one project: how their answers compared with what became final."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from services.qa.domain.skill import AnnotatorSkill, Tally
from shared.events.quality import AnnotatorAssessed, AnnotatorScored
from shared.ledger import Step


class FieldTally(BaseModel):
    """Scores of one field added up."""

    model_config = ConfigDict(frozen=True)

    right: float
    wrong: float


class AssessedAnnotator(BaseModel):
    """One annotator's answers in one project, added up by field."""

    model_config = ConfigDict(frozen=True)

    annotator_id: str
    project_id: str
    assessed: int = 0
    """Samples of which an answer was compared with the final label."""
    tallies: dict[str, FieldTally] = Field(default_factory=dict)
    told_assessed: int = 0
    """What ``AnnotatorScored`` told last."""
    told_accuracy: float = 0.0

    @property
    def is_news(self) -> bool:
        """Whether what was told last is off by more than 2 % of the answers, or by more than 0.005 of the accuracy."""
        more = abs(self.assessed - self.told_assessed)
        return more > 0.02 * self.told_assessed or abs(self.mean_accuracy - self.told_accuracy) > 0.005

    @property
    def skill(self) -> AnnotatorSkill:
        """The same as QA's domain reckons with it."""
        tallies = {name: Tally(tally.right, tally.wrong) for name, tally in self.tallies.items()}
        return AnnotatorSkill(self.annotator_id, tallies)

    @property
    def mean_accuracy(self) -> float:
        """Mean over the fields of the share that was right, 0 to 1; 0 before anything was assessed."""
        shares = [tally.right / (tally.right + tally.wrong) for tally in self.tallies.values()]
        return math.fsum(shares) / len(shares) if shares else 0.0


def on_annotator_assessed(annotator: AssessedAnnotator | None, event: AnnotatorAssessed) -> Step[AssessedAnnotator]:
    """Add one sample's scores, in the place of those that the same sample had before its label was decided anew.

    What follows is told when it is news; an annotator of thousands of answers would fill the log with the same.
    """
    annotator = annotator or AssessedAnnotator(annotator_id=event.annotator_id, project_id=event.project_id)
    tallies = {name: (tally.right, tally.wrong) for name, tally in annotator.tallies.items()}
    for scores, sign in ((event.replaced, -1), (event.scores, 1)):
        for name, score in scores.items():
            right, wrong = tallies.get(name, (0.0, 0.0))
            tallies[name] = (right + sign * score, wrong + sign * (1.0 - score))
    kept = {  # what is left of a field without answers is the rounding of sums
        name: FieldTally(right=max(0.0, right), wrong=max(0.0, wrong))
        for name, (right, wrong) in tallies.items()
        if right + wrong > 0.5
    }
    assessed = annotator.assessed + bool(event.scores) - bool(event.replaced)
    changed = annotator.model_copy(update={"tallies": kept, "assessed": assessed})
    if not changed.is_news:
        return Step(changed)
    told = {"told_assessed": changed.assessed, "told_accuracy": changed.mean_accuracy}
    scored = AnnotatorScored.caused_by(
        event,
        part=event.project_id,
        annotator_id=event.annotator_id,
        project_id=event.project_id,
        accuracy=changed.mean_accuracy,
        assessed=changed.assessed,
    )
    return Step(changed.model_copy(update=told), [scored])
