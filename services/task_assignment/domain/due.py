"""When a sample is due, and how the priority of its work rises towards that time.

A due date is for the first label of record. Work on a sample that has one (a model's error that is looked at again, an
audit) is not late by it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.clock import to_ms
from shared.events.samples import SampleIngested
from shared.labels.policies import Sla

HOUR_MS: Final = 3_600_000


def due_of(event: SampleIngested, policy: Sla, created_ms: int) -> int:
    """Return when a sample is due, in ms since 1970: as its sender says, or by the project's hours; 0 for neither."""
    if event.due_at is not None:
        return to_ms(event.due_at)
    return 0 if policy.hours is None else created_ms + round(policy.hours * HOUR_MS)


class Rise(NamedTuple):
    """How a project's work rises as it comes near to its due date."""

    near_ms: int
    urgent_ms: int
    step: int

    @classmethod
    def of(cls, policy: Sla) -> Rise:
        """Return what a policy says."""
        return cls(round(policy.near_hours * HOUR_MS), round(policy.urgent_hours * HOUR_MS), policy.rise)

    def points(self, left_ms: int) -> int:
        """Return what is added to the priority of work that is due in so many ms; less than nothing is overdue.

        Far work gains nothing, near work a step, urgent work two, overdue work three. The less time is left, the more
        it is, so of work of one priority what is due first is served first at any time.
        """
        if left_ms > self.near_ms:
            return 0
        if left_ms > self.urgent_ms:
            return self.step
        return 2 * self.step if left_ms > 0 else 3 * self.step


NO_RISE: Final = Rise(0, 0, 0)
