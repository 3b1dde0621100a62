"""Whether every partition can be claimed from, while replicas come and go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from ops.audit import served

OLD, NEW = "http://old", "http://new"


class Group:
    """What the replicas say, look by look; the last word stays."""

    def __init__(self, *said: Mapping[int, str]) -> None:
        self._said = list(said)

    async def addresses(self) -> Mapping[int, str]:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]

    async def answers(self, address: str) -> bool:
        return address == NEW


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(served, "PAUSE", 0)


async def test_partitions_that_pass_to_another_replica_are_not_wrong():
    group = Group({0: OLD, 1: OLD}, {0: OLD, 1: NEW}, {0: NEW, 1: NEW})
    assert await served.unserved(group.addresses, 2, timedelta(minutes=1), answers=group.answers) == []


async def test_partitions_that_stay_with_nobody_are_wrong_once_patience_ends():
    group = Group({0: OLD, 1: NEW})
    found = await served.unserved(group.addresses, 3, timedelta(seconds=0.02), answers=group.answers)
    assert [(each.where, each.what) for each in found] == [
        ("partition 0", "http://old is down"),
        ("partition 2", "no replica of task_assignment says that it serves it"),
    ]
