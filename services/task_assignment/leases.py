"""Leases as samples show them, and what is told of them beside the fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from services.task_assignment.domain.tasks import EndedHow, SampleTasks, key_of_task
from services.task_assignment.holdings import Holdings
from services.task_assignment.store import StoredSample
from shared.events.tasks import Stage, TaskLeased, TaskReleased
from shared.events.work import AnnotatorWorked
from shared.ids import derived_id, new_id, sample_of_task
from shared.labels.policies import Workflow
from shared.security import Lease


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease with the sample as it stood when the lease was found in it."""

    lease: Lease
    sample: SampleTasks
    seen: int = 0
    """The version of the project's guidelines that came with the holder's task before; 0 where there was none."""


def lease_of(sample: SampleTasks, key: str, name: str) -> Lease | None:
    """Return the lease that a slot of a task is under; None where it is free or answered."""
    task = sample.tasks.get(key)
    slot = None if task is None else task.slots.get(name)
    if task is None or slot is None or slot.state != "leased" or slot.lease_id is None or slot.annotator_id is None:
        return None
    return Lease(
        lease_id=slot.lease_id,
        tenant_id=sample.tenant_id,
        task_id=task.task_id,
        stage=task.stage,
        slot=name,
        annotator_id=slot.annotator_id,
        project_id=sample.project_id,
        project_version=sample.project_version,
        expires_ms=slot.expires_ms,
        since_ms=slot.since_ms,
    )


def prolonged_until(lease: Lease, workflow: Workflow, now_ms: int) -> int:
    """Return until when a heartbeat keeps a lease, in ms since 1970: never for less time than it has.

    Args:
        lease: As its token has it.
        workflow: Of the project version that it was given under.
        now_ms: The present.
    """
    until_ms = now_ms + workflow.lease_seconds * 1000
    if workflow.max_lease_seconds is not None and lease.since_ms:
        until_ms = min(until_ms, lease.since_ms + workflow.max_lease_seconds * 1000)
    return max(until_ms, lease.expires_ms)


def new_lease(sample: SampleTasks, key: str, slot: str, annotator_id: str, workflow: Workflow, now_ms: int) -> Lease:
    """Return a lease that begins now, under an id of its own; nothing holds it yet."""
    task = sample.tasks[key]
    return Lease(
        lease_id=new_id(),
        tenant_id=sample.tenant_id,
        task_id=task.task_id,
        stage=task.stage,
        slot=slot,
        annotator_id=annotator_id,
        project_id=sample.project_id,
        project_version=sample.project_version,
        expires_ms=now_ms + workflow.lease_seconds * 1000,
        since_ms=now_ms,
    )


def live_leases(holdings: Holdings, samples: Mapping[str, StoredSample], tenant_id: str, now_ms: int) -> list[Granted]:
    """Return the leases of a list that their samples still show as held; those answered, ended or taken back are dropped.

    Args:
        holdings: Somebody's list.
        samples: The samples that it is about, by document id.
        tenant_id: Theirs.
        now_ms: The present.
    """
    found: list[Granted] = []
    for held in holdings.leases:
        stored = samples.get(f"{tenant_id}/{sample_of_task(held.task_id)}")
        key = key_of_task(held.task_id)
        task = None if stored is None else stored.sample.tasks.get(key)
        if stored is None or task is None:
            continue
        for name, slot in task.slots.items():
            if slot.lease_id == held.lease_id and slot.expires_ms > now_ms:
                lease = lease_of(stored.sample, key, name)
                if lease is not None:
                    found.append(Granted(lease, stored.sample, held.seen))
    return found


def leased(lease: Lease, now: datetime, request_id: str = "") -> TaskLeased:
    """Return the event that somebody holds a lease; told twice, it is the same event."""
    return TaskLeased(
        event_id=lease.lease_id,
        tenant_id=lease.tenant_id,
        occurred_at=now,
        request_id=request_id,
        sample_id=sample_of_task(lease.task_id),
        project_id=lease.project_id,
        task_id=lease.task_id,
        stage=lease.stage,
        lease_id=lease.lease_id,
        annotator_id=lease.annotator_id,
        expires_ms=lease.expires_ms,
    )


def skipped(lease: Lease, now: datetime) -> AnnotatorWorked:
    """Return the event by which a skip is counted; told twice, it is the same event."""
    return AnnotatorWorked(
        event_id=derived_id("annotator-skipped", lease.lease_id),
        tenant_id=lease.tenant_id,
        occurred_at=now,
        annotator_id=lease.annotator_id,
        project_id=lease.project_id,
        stage=cast(Stage, lease.stage),
        what="skipped",
    )


def released(lease: Lease, how: EndedHow, now: datetime) -> TaskReleased:
    """Return the event that a lease ended without an answer; told twice, it is the same event."""
    return TaskReleased(
        event_id=derived_id("task-released", lease.lease_id),
        tenant_id=lease.tenant_id,
        occurred_at=now,
        sample_id=sample_of_task(lease.task_id),
        project_id=lease.project_id,
        task_id=lease.task_id,
        stage=lease.stage,
        lease_id=lease.lease_id,
        annotator_id=lease.annotator_id,
        reason=how,
    )
