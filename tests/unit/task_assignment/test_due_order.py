"""Work is served by priority, then by due date, then by age; and its priority rises towards the due date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.due import HOUR_MS, Rise, due_of
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import created_of, due_in, order_of
from services.task_assignment.domain.tasks import SampleTasks, ingest
from shared.clock import to_ms
from shared.labels.policies import Sla
from tests.builders import MORNING, PROJECT, a_parsed_spec, a_sample_ingested
from tests.unit.task_assignment.test_board import PARTITION, a_seeker, sample_of
from tests.unit.task_assignment.test_tasks import a_sample, leased

NOW = to_ms(MORNING)
RISE = Rise(near_ms=24 * HOUR_MS, urgent_ms=4 * HOUR_MS, step=10)
times = st.integers(1, 2**48 - 1)
priorities = st.integers(-(10**6), 10**6)


@dataclass(frozen=True)
class Work:
    """A task as the rule sees it."""

    priority: int
    due_ms: int
    created_ms: int
    begun: bool

    def rank(self, now_ms: int) -> tuple[Any, ...]:
        """Return its place in line, as it is told in the guide."""
        left = self.due_ms - now_ms
        step = 0 if not self.due_ms else 3 if left <= 0 else 2 if left <= 4 * HOUR_MS else left <= 24 * HOUR_MS
        return not self.begun, -(self.priority + 10 * step), self.due_ms or float("inf"), self.created_ms


works = st.builds(
    Work,
    priority=st.sampled_from([-5, 0, 0, 0, 10, 15]),
    due_ms=st.one_of(st.just(0), st.integers(NOW - 30 * HOUR_MS, NOW + 60 * HOUR_MS)),
    created_ms=st.integers(NOW - 100 * HOUR_MS, NOW),
    begun=st.booleans(),
)


def a_board(works: list[Work], *, loaded: bool) -> Board:
    board = Board()
    board.own([PARTITION])
    for number, work in enumerate(works):
        sample = a_sample(overlap=2, sample_id=f"{number:03}").model_copy(
            update={"priority": work.priority, "due_ms": work.due_ms, "created_ms": work.created_ms}
        )
        if work.begun:
            sample = leased(sample, "0", "somebody", f"lease-{number}")
        put(board, sample, loaded=loaded)
    return board


def put(board: Board, sample: SampleTasks, *, loaded: bool) -> None:
    if loaded:
        board.load([{"_id": f"{sample.tenant_id}/{sample.sample_id}", "revision": 1, "state": sample.model_dump()}])
    else:
        board.put(sample, revision=1)


def order_in(board: Board, count: int, now_ms: int) -> list[int]:
    """Pick all there is for one person, a task at a time, none of them twice."""
    seeker = a_seeker(now_ms=now_ms, rises={PROJECT: RISE})
    had: list[str] = []
    order = []
    for _ in range(count):
        pick = board.pick(seeker, had)
        assert isinstance(pick, Pick), pick
        board.done_with(pick)
        had.append(pick.task_id)
        order.append(int(sample_of(pick)))
    return order


@settings(deadline=None)
@given(st.lists(works, min_size=1, max_size=12), st.booleans(), st.integers(0, 70))
def test_work_is_served_in_the_order_that_the_rule_gives_at_any_time(works: list[Work], loaded: bool, hours: int):
    board, now_ms = a_board(works, loaded=loaded), NOW + hours * HOUR_MS

    order = order_in(board, len(works), now_ms)

    assert [works[number].rank(now_ms) for number in order] == sorted(work.rank(now_ms) for work in works)


@settings(deadline=None)
@given(st.lists(works, min_size=2, max_size=10), st.integers(-2_000, 2_000))
def test_a_clock_that_is_off_by_two_seconds_moves_only_work_within_two_seconds_of_a_threshold(
    works: list[Work], skew_ms: int
):
    thresholds = [work.due_ms - before for work in works for before in (0, 4 * HOUR_MS, 24 * HOUR_MS) if work.due_ms]
    if any(abs(at - NOW) <= 2_000 for at in thresholds):
        return

    skewed, right = (order_in(a_board(works, loaded=True), len(works), NOW + skew) for skew in (skew_ms, 0))

    assert skewed == right


@given(priorities, st.one_of(st.just(0), times), st.one_of(st.just(0), times))
def test_an_order_tells_what_it_was_made_of(priority: int, created_ms: int, due_ms: int):
    order = order_of(priority, created_ms, due_ms)

    assert (created_of(order), due_in(order)) == (created_ms, due_ms)


@given(st.lists(st.tuples(priorities, st.one_of(st.just(0), times), times), min_size=2, max_size=2))
def test_orders_compare_as_priority_then_due_date_then_age(two: list[tuple[int, int, int]]):
    first, second = ((-priority, due_ms or float("inf"), created) for priority, due_ms, created in two)
    orders = [order_of(priority, created, due_ms) for priority, due_ms, created in two]

    assert (orders[0] < orders[1]) == (first < second)


@given(st.lists(st.integers(-100 * HOUR_MS, 100 * HOUR_MS), min_size=2, max_size=2).map(sorted))
def test_less_time_never_means_less_priority(left: list[int]):
    sooner, later = left

    assert RISE.points(sooner) >= RISE.points(later)


@pytest.mark.parametrize(
    ("left_ms", "points"),
    [
        (24 * HOUR_MS + 1, 0),
        (24 * HOUR_MS, 10),
        (4 * HOUR_MS + 1, 10),
        (4 * HOUR_MS, 20),
        (1, 20),
        (0, 30),
        (-1, 30),
    ],
)
def test_bands_begin_where_they_say(left_ms: int, points: int):
    assert RISE.points(left_ms) == points


def test_a_project_without_a_rise_keeps_its_order_until_the_end():
    overdue = Work(priority=0, due_ms=NOW - 1, created_ms=NOW - HOUR_MS, begun=False)
    wanted = Work(priority=1, due_ms=0, created_ms=NOW, begun=False)
    board = a_board([overdue, wanted], loaded=True)

    pick = board.pick(a_seeker(now_ms=NOW, rises={PROJECT: Rise.of(Sla(rise=0))}))

    assert sample_of(pick) == "001"


def test_a_due_date_is_the_senders_else_the_projects_hours_else_there_is_none():
    due = MORNING + timedelta(hours=7)

    assert due_of(a_sample_ingested(due_at=due), Sla(hours=2), NOW) == NOW + 7 * HOUR_MS
    assert due_of(a_sample_ingested(), Sla(hours=2), NOW) == NOW + 2 * HOUR_MS
    assert due_of(a_sample_ingested(), Sla(), NOW) == 0


def test_a_due_date_that_is_moved_moves_the_work():
    early = a_sample(sample_id="early", due_at=MORNING + timedelta(hours=30))
    moved = a_sample(sample_id="moved", due_at=MORNING + timedelta(hours=40))
    board = Board()
    board.own([PARTITION])
    for sample in (early, moved):
        board.put(sample, revision=1)

    event = a_sample_ingested(sample_id="moved", due_at=MORNING + timedelta(hours=20))
    again = ingest(moved, event, a_parsed_spec(), PARTITION).state
    assert again is not None
    board.put(again, revision=2)

    assert sample_of(board.pick(a_seeker())) == "moved"


def test_work_on_a_sample_that_has_its_label_is_not_pressed_by_the_due_date_of_the_first():
    looked_at_again = a_sample(sample_id="again", due_at=MORNING).model_copy(update={"finalized": 1})
    fresh = a_sample(sample_id="fresh", due_at=MORNING + timedelta(hours=1))
    board = Board()
    board.own([PARTITION])
    for sample in (looked_at_again, fresh):
        board.put(sample, revision=1)

    pick = board.pick(a_seeker(now_ms=NOW, rises={PROJECT: RISE}))

    assert sample_of(pick) == "fresh"
