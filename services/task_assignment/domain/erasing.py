"""What is left of an erased sample."""

from __future__ import annotations

from services.task_assignment.domain.tasks import SampleTasks
from shared.clock import to_ms
from shared.events.erasure import SampleErased
from shared.events.tasks import TaskReleased
from shared.ledger import Step


def erase(sample: SampleTasks | None, event: SampleErased, partition: int) -> Step[SampleTasks]:
    """Leave a tombstone: no task, nobody's lease, nothing of the sample but its id. Who held a lease loses it."""
    tasks = [] if sample is None else list(sample.tasks.values())
    released = [
        TaskReleased.caused_by(
            event,
            part=f"{task.task_id}/{name}",
            sample_id=event.sample_id,
            project_id=event.project_id,
            task_id=task.task_id,
            stage=task.stage,
            lease_id=slot.lease_id,
            annotator_id=slot.annotator_id,
            reason="erased",
        )
        for task in tasks
        for name, slot in task.slots.items()
        if slot.state == "leased"
    ]
    grave = SampleTasks(
        sample_id=event.sample_id,
        tenant_id=event.tenant_id,
        project_id=event.project_id,
        project_version=0,
        external_id="",
        partition=partition,
        erased=True,
        created_ms=to_ms(event.occurred_at) if sample is None else sample.created_ms,
    )
    return Step(grave, released, erases=True)
