"""What is passed between the board and those who ask it: slots to lease, what is due, and why there was nothing."""

from __future__ import annotations

from typing import NamedTuple


class Pick(NamedTuple):
    """A slot that may be leased, if nobody was faster."""

    document_id: str
    task_key: str
    task_id: str
    slot: str
    stage: str
    group: str | None = None
    """Of whoever it was picked for, where the project wants labels from several groups."""
    beside: tuple[str, ...] | None = None
    """Then also who is in the task already, as far as is known here: the guard, for they were counted by group."""


class DueLease(NamedTuple):
    """A lease by the time at which it ends."""

    expires_ms: int
    document_id: str
    task_key: str
    slot: str
    lease_id: str


class DueReturn(NamedTuple):
    """Somebody who skipped a task, by the time at which they may have it again."""

    at_ms: int
    document_id: str
    task_key: str
    annotator_id: str


class Empty(NamedTuple):
    """Why there was nothing: how many open tasks there were that this person may not do."""

    reason: str
    seen: int
