"""Answers that come without a lease: they take a free slot of the first pass if there is one, else they are surplus."""

from __future__ import annotations

from typing import Any

from services.task_assignment.domain.answering import completion
from services.task_assignment.domain.eligibility import may_take
from services.task_assignment.domain.tasks import SampleTasks, Slot, Task
from services.task_assignment.domain.working import worked
from shared.events import Event
from shared.events.tasks import AnnotationCounted, AnnotationOffered, AnnotationSurplus, SurplusReason
from shared.ids import task_id_of
from shared.ledger import Step, wait


def on_annotation_offered(sample: SampleTasks | None, event: AnnotationOffered) -> Step[SampleTasks]:
    """Give the answer a slot of the open first pass, or say why it has none.

    The same invariants hold as for leases: no more slots are taken than the task has, and nobody has two of them. What
    the same annotator sends again goes into the slot that it has, as a revision, until the label is final.
    """
    if sample is None:
        return wait(sample)
    found = _first_pass(sample)
    task_id = task_id_of(sample.sample_id, "first_pass", 1) if found is None else found[1].task_id
    reason = "task-closed" if found is None else _reason_against(sample, found[1], event)
    if found is None or reason is not None:
        surplus = AnnotationSurplus.caused_by(event, reason=reason, **_body(event, task_id))
        return Step(sample, [surplus, worked(event, "first_pass", "surplus")])
    key, task = found
    own = _own_slot(task, event)
    slot = own or task.free[0]
    taken = Slot(state="done", lease_id=event.annotation_id, annotator_id=event.annotator_id)
    annotators = task.annotators if event.annotator_id in task.annotators else [*task.annotators, event.annotator_id]
    changed = task.model_copy(update={"slots": task.slots | {slot: taken}, "annotators": annotators})
    changed = changed.model_copy(update={"open": task.open and not changed.settled})
    contributors = sample.contributors
    if event.annotator_id not in contributors:
        contributors = [*contributors, event.annotator_id]
    after = sample.with_task(key, changed).model_copy(update={"contributors": contributors})
    counted = AnnotationCounted.caused_by(event, **_body(event, task_id))
    work = worked(event, "first_pass", "revised" if own else "counted")
    return Step(after, [counted, work, *completion(sample, after, task_id, event)])


def _first_pass(sample: SampleTasks) -> tuple[str, Task] | None:
    """Return the newest task of the first pass."""
    found = [(key, task) for key, task in sample.tasks.items() if task.stage == "first_pass"]
    return found[-1] if found else None


def _own_slot(task: Task, event: AnnotationOffered) -> str | None:
    """Return the slot that an earlier answer of the same annotator, without a lease too, has taken."""
    return next((name for name, slot in task.slots.items() if slot.lease_id == event.annotation_id), None)


def _reason_against(sample: SampleTasks, task: Task, event: AnnotationOffered) -> SurplusReason | None:
    if _own_slot(task, event) is not None:
        return "task-closed" if sample.finalized else _if_paused(event)
    if not may_take(sample, task, event.annotator_id):
        return "already-assigned"
    if not task.open:
        return "task-closed"
    return event.barred if task.free else "no-slot"


def _if_paused(event: AnnotationOffered) -> SurplusReason | None:
    return event.barred if event.barred == "annotator-paused" else None


def _body(event: AnnotationOffered, task_id: str) -> dict[str, Any]:
    """Return what the store keeps of the answer; its lease is none, and is named by the annotation itself."""
    own = AnnotationOffered.model_fields.keys() - Event.model_fields.keys()
    known = {name: getattr(event, name) for name in own}
    return known | {"task_id": task_id, "stage": "first_pass", "lease_id": event.annotation_id, "lease_expires_ms": 0}
