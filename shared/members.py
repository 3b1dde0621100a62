"""Who serves which partitions, by what the replicas of task assignment say of themselves."""

from __future__ import annotations

from collections.abc import Iterable

from shared.events.tasks import AssignmentMemberAnnounced


def owners_of(said: Iterable[AssignmentMemberAnnounced]) -> dict[int, str]:
    """Return by partition the address of the replica that serves it.

    Args:
        said: What each replica said last, in any order: their clocks differ, so an older word of one must not stand
            against the last word of another that has left.
    """
    in_order = sorted(said, key=lambda member: member.occurred_at)
    return {partition: member.address for member in in_order for partition in member.partitions}
