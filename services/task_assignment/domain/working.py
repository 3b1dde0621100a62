"""What is told of people's work, and what it comes to: counts for each person, project and day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.task_assignment.domain.tasks import SampleTasks
from shared.events.tasks import AnnotationOffered, ReviewSubmitted, Stage, Submission
from shared.events.work import AnnotatorWorked, Work
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
    """Count a piece of work, on the day on which it was done."""
    if work is None:
        work = DayWork(annotator_id=event.annotator_id, project_id=event.project_id, day=day_of(event))
    more = StageWork.model_validate({event.what: 1, "seconds_spent": event.seconds_spent})
    stage = work.stages.get(event.stage, StageWork()).plus(more)
    return Step(work.model_copy(update={"stages": {**work.stages, event.stage: stage}}))


def day_of(event: AnnotatorWorked) -> str:
    """Return the day (UTC) on which work was done."""
    return event.occurred_at.astimezone(UTC).date().isoformat()


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
    )


def judged(sample: SampleTasks, review: ReviewSubmitted) -> list[AnnotatorWorked]:
    """Return what is told of a review to whoever counts the work of those whose label it is about."""
    whats: tuple[Work, ...] = ("reviewed", "rejected") if review.verdict == "reject" else ("reviewed",)
    return [
        AnnotatorWorked.caused_by(
            review, part=what, annotator_id=author, project_id=review.project_id, stage=stage, what=what
        )
        for stage, author in _authors(sample)
        for what in whats
    ]


def _authors(sample: SampleTasks) -> list[tuple[Stage, str]]:
    """Return who made the label that stands: those who have adjudicated, else those of the first pass."""
    for stage in STAGES_OF_LABELS:
        tasks = [task for task in sample.tasks.values() if task.stage == stage]
        slots = [slot for task in tasks for slot in task.slots.values() if slot.state == "done"]
        if slots:
            return [(stage, slot.annotator_id) for slot in slots if slot.annotator_id is not None]
    return []
