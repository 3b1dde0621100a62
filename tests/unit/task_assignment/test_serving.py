"""Breadth first, and one at random of those that come next."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import Seeker, Serving
from services.task_assignment.domain.tasks import SampleTasks
from tests.builders import PROJECT, a_sample_ingested
from tests.unit.task_assignment.test_board import PARTITION, a_seeker, sample_of
from tests.unit.task_assignment.test_tasks import a_sample, leased
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog

DRAWN = 3_000


def a_numbered(number: int, priority: int = 0, begun_by: str | None = None) -> SampleTasks:
    sample = a_sample(sample_id=f"s{number:03}").model_copy(update={"created_ms": number, "priority": priority})
    return sample if begun_by is None else leased(sample, "0", begun_by, f"l{number}")


def a_serving_board(*samples: SampleTasks, seed: int = 1) -> Board:
    board = Board(Random(seed))
    board.own([PARTITION])
    for sample in samples:
        board.put(sample, revision=1)
    return board


def a_seeker_of(breadth_first: bool = False, random_within: int = 0, who: str = "ana") -> Seeker:
    return a_seeker(who, serving={PROJECT: Serving(breadth_first, random_within)})


def drawn(board: Board, seeker: Seeker, times: int) -> Counter[str]:
    """Pick and give back, so many times."""
    found: Counter[str] = Counter()
    for _ in range(times):
        pick = board.pick(seeker)
        found[sample_of(pick)] += 1
        assert isinstance(pick, Pick)
        board.done_with(pick)
    return found


def chi_square(found: Counter[str], expected: set[str]) -> float:
    """Return Pearson's statistic of equal shares; its degrees of freedom are one less than there are shares."""
    assert set(found) <= expected
    share = found.total() / len(expected)
    return sum((found[name] - share) ** 2 / share for name in expected)


def test_breadth_first_untouched_tasks_come_before_partly_filled_ones_of_the_same_priority():
    begun, fresh = a_numbered(1, begun_by="bo"), a_numbered(2)

    assert sample_of(a_serving_board(begun, fresh).pick(a_seeker_of(breadth_first=True))) == "s002"
    assert sample_of(a_serving_board(begun, fresh).pick(a_seeker_of())) == "s001"


def test_breadth_first_what_is_urgent_does_not_wait_for_all_that_nobody_has_begun():
    begun, fresh = a_numbered(2, priority=9, begun_by="bo"), a_numbered(1)

    assert sample_of(a_serving_board(begun, fresh).pick(a_seeker_of(breadth_first=True))) == "s002"


@pytest.mark.parametrize("begun_by", [None, "bo"])
def test_each_of_the_next_few_is_as_likely_and_no_other_is_drawn(begun_by: str | None):
    urgent = [a_numbered(number, 5, begun_by) for number in (40, 41, 42)]
    others = [a_numbered(number, 1, begun_by) for number in range(30)]
    few = a_serving_board(*urgent, *others)
    many = a_serving_board(*others)

    within_a_band = drawn(few, a_seeker_of(random_within=10), DRAWN)
    within_ten = drawn(many, a_seeker_of(random_within=10), DRAWN)

    assert chi_square(within_a_band, {"s040", "s041", "s042"}) < 36  # p < 1e-8 at 2 degrees of freedom
    assert chi_square(within_ten, {f"s{number:03}" for number in range(10)}) < 60  # p < 1e-8 at 9


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.integers(2, 12),
    st.integers(0, 2**32),
    st.sampled_from(["bo", None]),
)
def test_what_somebody_may_not_take_makes_nothing_else_likelier(
    theirs: list[bool], within: int, seed: int, begun_by: str | None
):
    """Some tasks are the seeker's own already; some were touched and given back, and stand in a line of their own."""
    samples = [a_numbered(number, begun_by=begun_by if mine else "ana") for number, mine in enumerate(theirs)]
    board = a_serving_board(*samples, seed=seed)
    first = next((number for number, mine in enumerate(theirs) if mine), None)
    if first is None or begun_by is None:
        expected = {f"s{n:03}" for n in [n for n, mine in enumerate(theirs) if mine][:within]}
    else:
        expected = {f"s{n:03}" for n in range(first, min(first + within, len(theirs))) if theirs[n]}
    if not expected:
        return

    found = drawn(board, a_seeker_of(random_within=within), 40 * len(expected))

    freedom = len(expected) - 1
    # Laurent and Massart (2000), lemma 1: beyond this lies less than exp(-30), about 1e-13.
    assert chi_square(found, expected) <= freedom + 2 * (freedom * 30) ** 0.5 + 2 * 30


def test_the_same_seed_draws_the_same():
    boards = [a_serving_board(*map(a_numbered, range(50)), seed=7) for _ in range(2)]

    first, second = ([sample_of(board.pick(a_seeker_of(random_within=20))) for _ in range(50)] for board in boards)

    assert first == second
    assert set(Counter(first).values()) == {2}, "each of two slots"


async def test_a_projects_policy_says_in_which_order_its_tasks_are_served():
    work = WorkUnderTest(await a_work_catalog(overlap=2, assignment={"order": "breadth_first", "random_within": 3}))
    names = [f"s{number}" for number in range(6)]
    for name in names:
        work.log.append(a_sample_ingested(external_id=name))
    await work.start()
    await work.fold()

    first = [(await work.claim(f"annotator-{number}")).granted[0].sample.external_id for number in range(6)]

    await work.stop()
    assert sorted(first) == names, "all were begun before any got its second"
