"""What a label of record means for the tasks of its sample: nobody needs to begin what is not begun."""

from __future__ import annotations

from services.task_assignment.domain.tasks import SampleTasks, Task
from shared.clock import to_ms
from shared.events.quality import LabelFinalized
from shared.ledger import Step, wait


def on_label_finalized(sample: SampleTasks | None, event: LabelFinalized) -> Step[SampleTasks]:
    """Close what nobody has begun; who holds a lease may finish. Whether it came in time is noted of the first label."""
    if sample is None:
        return wait(sample)
    finalized_ms = to_ms(event.occurred_at)
    tasks = {
        key: task if finalized_ms < task.asked_ms else _without_free_slots(task) for key, task in sample.tasks.items()
    }
    late = sample.late if sample.finalized else bool(sample.due_ms) and finalized_ms > sample.due_ms
    return Step(sample.model_copy(update={"tasks": tasks, "finalized": sample.finalized + 1, "late": late}))


def _without_free_slots(task: Task) -> Task:
    if not task.open:
        return task
    kept = {name: slot for name, slot in task.slots.items() if slot.state != "free"}
    task = task.model_copy(update={"slots": kept})
    return task.model_copy(update={"open": not task.settled})
