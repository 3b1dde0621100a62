"""Whether an answer under a lease counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.task_assignment.domain.tasks import Judged, SampleTasks, key_of_task
from services.task_assignment.domain.working import judged, judged_works, worked
from shared.events import Event
from shared.events.tasks import (
    AnnotationCounted,
    AnnotationSubmitted,
    AnnotationSurplus,
    ReviewCounted,
    ReviewSubmitted,
    Submission,
    SurplusReason,
    TaskCompleted,
)
from shared.ledger import Step, wait
from shared.security import in_time


def on_annotation_submitted(sample: SampleTasks | None, event: AnnotationSubmitted) -> Step[SampleTasks]:
    """Decide whether an annotation counts. The gateway has answered by the same function of the same record."""
    if sample is None:
        return wait(sample)
    counted, reason = _settle(sample, event)
    passed_on = _body(event)
    if reason is not None:
        surplus = AnnotationSurplus.caused_by(event, reason=reason, **passed_on)
        return Step(sample, [surplus, worked(event, event.stage, "surplus")])
    work = worked(event, event.stage, "revised" if _is_answered(sample, event) else "counted")
    return Step(
        counted,
        [AnnotationCounted.caused_by(event, **passed_on), work, *completion(sample, counted, event.task_id, event)],
    )


def on_review_submitted(sample: SampleTasks | None, event: ReviewSubmitted) -> Step[SampleTasks]:
    """Decide whether a review counts; one that does not is no loss of work, for its verdict has lost its object."""
    if sample is None:
        return wait(sample)
    counted, reason = _settle(sample, event)
    if reason is not None:
        return Step(sample, [worked(event, event.stage, "surplus")])
    is_revision = _is_answered(sample, event)
    work = worked(event, event.stage, "revised" if is_revision else "counted")
    about = None if is_revision else judged(sample, event)
    theirs = [] if about is None else judged_works(about, event)
    review = ReviewCounted.caused_by(event, **_body(event))
    told = [review, work, *theirs, *completion(sample, counted, event.task_id, event)]
    return Step(counted if about is None else _with_judged(counted, event, about), told)


def _with_judged(sample: SampleTasks, review: ReviewSubmitted, about: Judged) -> SampleTasks:
    """Return the sample that remembers what a verdict was counted as, so that it can be taken back."""
    key = key_of_task(review.task_id)
    task = sample.tasks[key]
    return sample.with_task(key, task.model_copy(update={"judged": task.judged | {review.lease_id: about}}))


def _is_answered(sample: SampleTasks, event: Submission) -> bool:
    """Return whether the slot that an answer is for has one under the same lease already."""
    found = sample.find(event.task_id)
    slots = () if found is None else found[1].slots.values()
    return any(slot.lease_id == event.lease_id and slot.state == "done" for slot in slots)


def _settle(sample: SampleTasks, event: Submission) -> tuple[SampleTasks, SurplusReason | None]:
    """Put an answer into the slot that its lease is for, or say why it does not count."""
    if not in_time(event.appended_at_ms, event.lease_expires_ms):
        return sample, "lease-expired"
    found = sample.find(event.task_id)
    if found is None:
        return sample, "lease-lost"
    key, task = found
    name = next((name for name, slot in task.slots.items() if slot.lease_id == event.lease_id), None)
    if name is None:
        return sample, "lease-lost"
    slots = task.slots | {name: task.slots[name].model_copy(update={"state": "done"})}
    task = task.model_copy(update={"slots": slots})
    return sample.with_task(key, task.model_copy(update={"open": task.open and not task.settled})), None


def completion(before: SampleTasks, after: SampleTasks, task_id: str, cause: Event) -> list[TaskCompleted]:
    """Return what is told of a task when an answer to it was the last one."""
    was, now = before.find(task_id), after.find(task_id)
    if was is None or now is None or not was[1].open or now[1].open:
        return []
    task = now[1]
    return [
        TaskCompleted.caused_by(
            cause,
            sample_id=after.sample_id,
            project_id=after.project_id,
            task_id=task.task_id,
            stage=task.stage,
            annotators=task.annotators,
        )
    ]


def _body(event: Event) -> Mapping[str, Any]:
    """Return what a submission says, without what belongs to the record that carried it."""
    own = type(event).model_fields.keys() - Event.model_fields.keys()
    return {name: getattr(event, name) for name in own}
