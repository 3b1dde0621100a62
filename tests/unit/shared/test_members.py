"""Whose partitions are whose, though clocks differ and replicas leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.events.tasks import AssignmentMemberAnnounced
from shared.members import owners_of

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def said(member: str, partitions: list[int], seconds: float) -> AssignmentMemberAnnounced:
    return AssignmentMemberAnnounced(
        event_id=f"{member}-{seconds}",
        tenant_id="-",
        occurred_at=NOON + timedelta(seconds=seconds),
        member_id=member,
        address=f"http://{member}",
        partitions=partitions,
    )


def test_of_two_who_claim_a_partition_the_later_one_serves_it():
    assert owners_of([said("new", [1, 2], 5), said("dead", [0, 1, 2], 0)]) == {
        0: "http://dead",
        1: "http://new",
        2: "http://new",
    }


def test_who_has_left_serves_nothing_though_its_clock_was_ahead():
    assert owners_of([said("left", [], 9), said("stays", [0, 1], 5)]) == {0: "http://stays", 1: "http://stays"}
