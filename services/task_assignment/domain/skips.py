"""What becomes of a task that people skip."""

from __future__ import annotations

from services.task_assignment.domain.tasks import SampleTasks, Task
from shared.labels.policies import SkipPolicy


def is_contested(task: Task, policy: SkipPolicy) -> bool:
    """Return whether so many people have skipped a task that it is not given out any more."""
    return policy.remove_after is not None and len(task.skippers) >= policy.remove_after


def returns_ms(policy: SkipPolicy, now_ms: int) -> int | None:
    """Return from when on somebody who skips a task now may have it again, in ms since 1970; None: never."""
    return now_ms + policy.return_after_seconds * 1000 if policy.then == "return_later" else None


def without_free_slots(sample: SampleTasks, key: str) -> SampleTasks:
    """Return the sample with a task that is not given out any more; who holds a lease may finish."""
    task = sample.tasks[key]
    kept = task.model_copy(update={"slots": {name: slot for name, slot in task.slots.items() if slot.state != "free"}})
    return sample.with_task(key, kept.model_copy(update={"open": task.open and not kept.settled}))
