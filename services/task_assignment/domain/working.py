"""What is told of people's work, and what it comes to: counts for each person, project and day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.task_assignment.domain.tasks import Judged, SampleTasks
from shared.events import Event
from shared.events.tasks import AnnotationOffered, ReviewSubmitted, Stage, Submission
from shared.events.work import AnnotatorWorked, Work
from shared.ids import derived_id
from shared.ledger import Step

STAGES_OF_LABELS: Final[tuple[Stage, ...]] = ("adjudication", "first_pass")
"""In which labels are made, the one that overrules first."""


class StageWork(BaseModel):
    """What somebody did in one stage of a project on one day."""

    model_config = ConfigDict(frozen=True)

    counted: int = 0
    revised: int = 0
    surplus: int = 0
    skipped: int = 0
    reviewed: int = 0
    rejected: int = 0
    voided: int = 0
    seconds_spent: float = 0

    def plus(self, other: StageWork) -> StageWork:
        """Return the sum of both."""
        mine, theirs = self.model_dump(), other.model_dump()
        return StageWork(**{name: mine[name] + theirs[name] for name in mine})


class DayWork(BaseModel):
    """What somebody did in one project on one day."""

    model_config = ConfigDict(frozen=True)

    annotator_id: str
    project_id: str
    day: str
    """In UTC, as ``2026-11-26``."""
    stages: Mapping[Stage, StageWork] = Field(default_factory=dict)


def on_annotator_worked(work: DayWork | None, event: AnnotatorWorked) -> Step[DayWork]:
    """Count a piece of work on the day on which it was done, or take it back from there. Told again, it changes nothing."""
    if work is None:
        work = DayWork(annotator_id=event.annotator_id, project_id=event.project_id, day=day_of(event))
    more = StageWork.model_validate(
        {event.what: 1 if event.taken_from is None else -1, "seconds_spent": event.seconds_spent}
    )
    stage = work.stages.get(event.stage, StageWork()).plus(more)
    return Step(work.model_copy(update={"stages": {**work.stages, event.stage: stage}}))


def day_of(event: AnnotatorWorked) -> str:
    """Return the day (UTC) on which work was done."""
    return (event.taken_from or _day(event)).isoformat()


def worked(answer: Submission | AnnotationOffered, stage: Stage, what: Work) -> AnnotatorWorked:
    """Return what is told of an answer to whoever counts its author's work."""
    return AnnotatorWorked.caused_by(
        answer,
        part=what,
        annotator_id=answer.annotator_id,
        project_id=answer.project_id,
        stage=stage,
        what=what,
        seconds_spent=answer.seconds_spent or 0,
        is_leased=isinstance(answer, Submission),
    )


def judged(sample: SampleTasks, review: ReviewSubmitted) -> Judged | None:
    """Return what a review counts as for those whose label it is about; None where nobody is known to have made it."""
    for stage in STAGES_OF_LABELS:
        tasks = [task for task in sample.tasks.values() if task.stage == stage]
        slots = [slot for task in tasks for slot in task.slots.values() if slot.state == "done"]
        if slots:
            authors = [slot.annotator_id for slot in slots if slot.annotator_id is not None]
            return Judged(stage=stage, annotators=authors, rejected=review.verdict == "reject", day=_day(review))
    return None


def judged_works(about: Judged, review: ReviewSubmitted) -> list[AnnotatorWorked]:
    """Return what is told of a review to whoever counts the work of those whose label it is about."""
    return [
        AnnotatorWorked.caused_by(
            review, part=what, annotator_id=author, project_id=review.project_id, stage=about.stage, what=what
        )
        for author, what in _counts_in(about)
    ]


def unjudged_works(about: Judged, lease_id: str, project_id: str, cause: Event) -> list[AnnotatorWorked]:
    """Return what takes back what a review was counted as, whichever event drops it.

    Args:
        about: What it was counted as.
        lease_id: That it was given under.
        project_id: Of its sample.
        cause: The event that drops it.
    """
    return [
        AnnotatorWorked.caused_by(
            cause,
            annotator_id=author,
            project_id=project_id,
            stage=about.stage,
            what=what,
            taken_from=about.day,
        ).model_copy(update={"event_id": derived_id("annotator-unjudged", lease_id, author, what)})
        for author, what in _counts_in(about)
    ]


def _counts_in(about: Judged) -> list[tuple[str, Work]]:
    whats: tuple[Work, ...] = ("reviewed", "rejected") if about.rejected else ("reviewed",)
    return [(author, what) for author in about.annotators for what in whats]


def _day(event: Event) -> date:
    return event.occurred_at.astimezone(UTC).date()
