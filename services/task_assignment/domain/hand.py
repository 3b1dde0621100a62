"""What a manager does to tasks by hand: pure functions of a sample, written under its document's revision."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

from services.task_assignment.domain.tasks import FREE, KEPT_ENDS, EndedHow, EndedLease, SampleTasks, Slot, Task
from shared.events.tasks import REVIEW_STAGES, judges_others
from shared.security import Lease

REOPENED_FOR_MS: Final = 24 * 3_600_000


def leased_slots(task: Task, of: str | None = None) -> list[str]:
    """Return the names of the slots that are leased, to anybody or to one person."""
    return [
        name for name, slot in task.slots.items() if slot.state == "leased" and (of is None or slot.annotator_id == of)
    ]


def without_leases(sample: SampleTasks, key: str, names: Collection[str], how: EndedHow, by: str = "") -> SampleTasks:
    """Return the sample with some leased slots of a task free again, and their leases remembered as ended."""
    task = sample.tasks[key]
    free = dict.fromkeys(names, FREE)
    ended = _without_holders(task, names, how, by)
    return sample.with_task(key, ended.model_copy(update={"slots": task.slots | free}))


def with_lease(sample: SampleTasks, key: str, lease: Lease, group: str | None) -> SampleTasks:
    """Return the sample with a free slot of a task leased, as a claim leases it.

    Args:
        sample: The sample.
        key: Of the task.
        lease: The lease.
        group: Of its holder, where the project wants labels from several.
    """
    task = sample.tasks[key]
    held = Slot(
        state="leased",
        lease_id=lease.lease_id,
        annotator_id=lease.annotator_id,
        expires_ms=lease.expires_ms,
        since_ms=lease.since_ms,
        group=group,
    )
    task = task.model_copy(
        update={"slots": task.slots | {lease.slot: held}, "annotators": [*task.annotators, lease.annotator_id]}
    )
    seen = {"contributors": _with(sample.contributors, lease.annotator_id)}
    if judges_others(task.stage):
        seen["reviewers"] = _with(sample.reviewers, lease.annotator_id)
    return sample.with_task(key, task).model_copy(update=seen)


def may_reopen(sample: SampleTasks, task: Task, slot: Slot, now_ms: int) -> bool:
    """Return whether an answer is still its author's to change: nobody has looked at it, nor compared it with others.

    While a task waits for others' answers, none of its own is judged. One that is the only one of its sample is compared
    with nothing; until somebody is asked to look at it, its author may think again for a day.
    """
    is_alone = len(sample.tasks) == 1 and len(task.slots) == 1
    return task.open or (is_alone and now_ms < slot.since_ms + REOPENED_FOR_MS)


def without_work_of(sample: SampleTasks, annotator_id: str, by: str) -> SampleTasks:
    """Return the sample without the labels and verdicts that somebody has given, and without the leases for more.

    An answer's slot is gone with it: who judges the sample asks for work in its place. A lease's slot is free again.
    They do not get these tasks once more. What has to be told of it is marked until it is (``told_by``).

    Args:
        sample: The sample.
        annotator_id: Whose work is dropped.
        by: The id of the event that drops it.
    """
    for key, task in list(sample.tasks.items()):
        mine = {name: slot for name, slot in task.slots.items() if slot.annotator_id == annotator_id}
        if not mine:
            continue
        done = [name for name, slot in mine.items() if slot.state == "done"]
        sample = without_leases(sample, key, [name for name in mine if name not in done], "forced", by)
        kept = _without_holders(sample.tasks[key], done, "voided", by)
        slots = {name: slot for name, slot in kept.slots.items() if name not in done}
        changed = kept.model_copy(update={"slots": slots, "skipped": _with(kept.skipped, annotator_id)})
        sample = sample.with_task(key, changed.model_copy(update={"open": changed.open and not changed.settled}))
    return sample


def told_by(sample: SampleTasks, by: str) -> SampleTasks:
    """Return the sample with all that an event has dropped marked as told."""
    for key, task in list(sample.tasks.items()):
        ended = [each.model_copy(update={"told": True}) if each.by == by else each for each in task.ended]
        sample = sample.with_task(key, task.model_copy(update={"ended": ended}))
    return sample


def _without_holders(task: Task, names: Collection[str], how: EndedHow, by: str = "") -> Task:
    slots = [task.slots[name] for name in names]
    kind: Literal["annotation", "review"] = "review" if task.stage in REVIEW_STAGES else "annotation"
    gone = {slot.annotator_id for slot in slots}
    ended = [
        EndedLease(
            lease_id=slot.lease_id,
            annotator_id=slot.annotator_id,
            how=how,
            annotation_id=slot.answer_id(kind) if how == "voided" else "",
            by=by,
            told=not by,
        )
        for slot in slots
        if slot.lease_id is not None and slot.annotator_id is not None
    ]
    rest = [who for who in task.annotators if who not in gone]
    return task.model_copy(update={"annotators": rest, "ended": [*task.ended, *ended][-KEPT_ENDS:]})


def _with(people: Sequence[str], who: str) -> list[str]:
    return list(people) if who in people else [*people, who]
