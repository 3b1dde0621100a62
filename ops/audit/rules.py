"""What always holds of tasks and answers, as pure functions of what log and store say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from services.task_assignment.domain.tasks import KEPT_ENDS, SampleTasks, Task
from shared.events.tasks import REVIEW_STAGES, Submission, judges_others
from shared.ids import derived_id
from shared.security import in_time

Due = Literal["counted", "kept", "surplus", "nothing", "anything"]
"""What has to be told of a submission: that it counts, that it counts or is kept, that it is kept, or that it does
neither; ``anything`` where nobody can say any more."""


class Wrong(NamedTuple):
    """Something that must not be."""

    rule: str
    where: str
    what: str


class Standing(NamedTuple):
    """What has to be told of a submission, and what is wrong already."""

    due: Due
    wrong: Wrong | None = None


def check_sample(sample: SampleTasks, now_ms: int, patience_ms: int) -> list[Wrong]:
    """Check all tasks of one sample.

    Args:
        sample: As it stands in the store.
        now_ms: The present, in ms since 1970.
        patience_ms: How long after its end a lease may wait to be taken back.
    """
    found = [wrong for task in sample.tasks.values() for wrong in _check_task(task, now_ms, patience_ms)]
    makers = _holders(sample, judging=False)
    found += [
        Wrong("reviewed-own-work", f"sample {sample.sample_id}", f"{who} has labeled it and judges it, too")
        for who in sorted(makers & _holders(sample, judging=True))
    ]
    return found


def standing_of(submission: Submission, sample: SampleTasks | None) -> Standing:
    """Say what has to be told of a submission that has been folded into its sample."""
    if not in_time(submission.appended_at_ms, submission.lease_expires_ms):
        return Standing("nothing" if is_review(submission) else "surplus")
    where = f"task {submission.task_id}, lease {submission.lease_id} of {submission.annotator_id}"
    if sample is None:
        return Standing("anything")  # it waits for its sample, or the sample was erased
    found = sample.find(submission.task_id)
    if found is None:
        return Standing("anything", Wrong("accepted-uncounted", where, "in time, and the sample has no such task"))
    task = found[1]
    slot = next((slot for slot in task.slots.values() if slot.lease_id == submission.lease_id), None)
    if slot is not None and slot.state == "done":
        return Standing("counted")
    ended = task.end_of(submission.lease_id)
    if ended is not None and ended.how != "expired":
        return Standing("anything" if is_review(submission) else "kept")
    if ended is None and slot is None and len(task.ended) == KEPT_ENDS:
        return Standing("anything")  # the task has seen more leases end than it remembers
    how = "its lease was taken back" if ended is not None else "no slot has it"
    return Standing("anything", Wrong("accepted-uncounted", where, f"in time and folded, but {how}"))


def is_review(submission: Submission) -> bool:
    """Return whether a submission is a verdict."""
    return submission.stage in REVIEW_STAGES


def answers_of(sample: SampleTasks) -> dict[str, str]:
    """Return where each answer that counts is on record: ``annotation`` or ``review``, by document id."""
    found: dict[str, str] = {}
    for task in sample.tasks.values():
        kind: Literal["annotation", "review"] = "review" if task.stage in REVIEW_STAGES else "annotation"
        for slot in task.slots.values():
            if slot.state == "done" and slot.lease_id is not None:
                found[f"{sample.tenant_id}/{slot.answer_id(kind)}"] = kind
    return found


def has_slot(sample: SampleTasks | None, task_id: str, annotation_id: str) -> bool:
    """Return whether an answer on record has a slot of its task, or once had one that was taken from it."""
    found = None if sample is None else sample.find(task_id)
    if found is None:
        return False
    task = found[1]
    answers = {slot.answer_id("annotation") for slot in task.slots.values() if slot.state == "done"}
    given_up = [ended for ended in task.ended if ended.how != "expired"]
    answers |= {ended.annotation_id or derived_id("annotation", ended.lease_id) for ended in given_up}
    return annotation_id in answers or len(task.ended) == KEPT_ENDS


def _check_task(task: Task, now_ms: int, patience_ms: int) -> Iterator[Wrong]:
    where = f"task {task.task_id}"
    holders = Counter(slot.annotator_id for slot in task.slots.values() if slot.state != "free")
    for who, slots in holders.items():
        if slots > 1:
            yield Wrong("twice-on-a-task", where, f"{who} has {slots} slots")
    if holders != Counter(task.annotators):
        yield Wrong("lists-differ", where, f"slots are with {sorted(map(str, holders))}, not {sorted(task.annotators)}")
    states = Counter(slot.state for slot in task.slots.values())
    if not task.open and states["done"] < len(task.slots):
        yield Wrong("neither-finished-nor-claimable", where, f"closed with {states['free']} free slots")
    if task.open and task.settled:
        yield Wrong("neither-finished-nor-claimable", where, "open, and every slot has its answer")
    for name, slot in task.slots.items():
        late_ms = now_ms - slot.expires_ms
        if slot.state == "leased" and late_ms > patience_ms:
            what = f"slot {name}: the lease of {slot.annotator_id} ended {late_ms // 1000} s ago and is not taken back"
            yield Wrong("neither-finished-nor-claimable", where, what)


def _holders(sample: SampleTasks, *, judging: bool) -> set[str]:
    return {who for task in sample.tasks.values() if judges_others(task.stage) == judging for who in task.annotators}
