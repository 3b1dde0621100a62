"""No interleaving of claims, answers, ends of leases and changes of owner breaks a promise, within bounds."""

from __future__ import annotations

import pytest

from tests.lease_model import Bounds, LeaseModel, main

SMALL = Bounds(leases=2, answers=1, ticks=1, steps=5, heartbeats=0, restarts=0)


@pytest.mark.parametrize(
    "bounds",
    [
        SMALL,
        Bounds(leases=1, answers=1, ticks=1, steps=5, heartbeats=1, restarts=1),
        Bounds(leases=1, answers=1, ticks=1, steps=5, heartbeats=0, restarts=0, replicas=2, skews=3),
        Bounds(leases=2, answers=1, ticks=0, steps=4, heartbeats=0, restarts=0, skips=2),
        Bounds(slots=2, leases=2, answers=1, ticks=0, steps=3, heartbeats=0, restarts=0),
    ],
    ids=str,
)
def test_no_interleaving_breaks_a_promise(bounds: Bounds):
    found = LeaseModel(bounds).search()

    print(f"{bounds}: {found.states} states, {found.transitions} transitions")  # noqa: T201
    assert found.fault is None, found.path
    assert found.states > 1000


def test_the_search_finds_the_fault_of_taking_back_what_an_answer_is_on_its_way_for():
    found = LeaseModel(SMALL, before=lambda folded_ms: max(folded_ms) + 100_000).search()

    assert found.fault is not None and "accepted, and do not count" in found.fault
    assert any("takes 0 back" in action for action in found.path)


def test_the_search_finds_the_fault_of_a_grace_that_is_not_waited_for():
    found = LeaseModel(SMALL, before=lambda folded_ms: min(folded_ms) + 1).search()

    assert found.fault is not None and "accepted, and do not count" in found.fault


def test_the_search_finds_that_nothing_is_taken_back():
    found = LeaseModel(SMALL, before=lambda _folded_ms: 0).search()

    assert found.fault is not None and "however long one waits" in found.fault


def test_the_command_line_tells_bounds_and_counts(capsys: pytest.CaptureFixture[str]):
    assert main(["--leases", "1", "--answers", "1", "--steps", "2", "--restarts", "0"]) == 0

    told = capsys.readouterr().out
    assert "leases=1, answers=1" in told and " states, " in told and "No fault." in told
