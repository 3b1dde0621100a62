"""How much is due when: the book against a count of all samples, and what it tells of it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.due_book import EXACT, PARTS, DueBook, DueWork, due_work, resolved
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.tasks import SampleTasks
from shared.clock import to_ms
from tests.builders import MORNING, PROJECT, TENANT
from tests.unit.task_assignment.test_board import PARTITION
from tests.unit.task_assignment.test_tasks import a_sample, leased

NOW = to_ms(MORNING)
SCOPE = Scope(TENANT, PROJECT, PARTITION)
terms = st.integers(1, 400 * 86_400_000)


@settings(deadline=None)
@given(st.integers(1, 2**43), terms)
def test_a_due_date_is_never_told_too_early_and_at_most_a_part_of_the_term_too_late(created_ms: int, term_ms: int):
    due_ms = created_ms + term_ms

    told = resolved(due_ms, term_ms)

    assert due_ms <= told < due_ms + max(64, term_ms / PARTS + 1)


def test_a_million_samples_of_one_policy_are_some_thousand_counts():
    term = 3 * 86_400_000

    assert len({resolved(NOW + term + number * 259, term) for number in range(1_000_000)}) <= 2 * PARTS + 1


steps = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["new", "leased", "done", "final", "moved", "undated"]),
        st.integers(-5, 50),
        st.booleans(),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(steps)
def test_the_book_is_what_a_count_of_all_samples_gives(taken: list[tuple[int, str, int, bool]]):
    board = Board()
    board.own([PARTITION])
    samples: dict[int, SampleTasks] = {}
    for revision, (number, what, hours, is_loaded) in enumerate(taken, start=1):
        due_at = None if what == "undated" else MORNING + timedelta(hours=hours)
        sample = samples.get(number) or a_sample(sample_id=f"s{number}", due_at=due_at)
        if what == "leased" and sample.tasks["first_pass-1"].free:
            sample = leased(sample, sample.tasks["first_pass-1"].free[0], f"p{revision}", f"l{revision}")
        elif what == "done":
            task = sample.tasks["first_pass-1"]
            slots = {name: slot.model_copy(update={"state": "done"}) for name, slot in task.slots.items()}
            sample = sample.with_task("first_pass-1", task.model_copy(update={"slots": slots, "open": False}))
        elif what == "final":
            sample = sample.model_copy(update={"finalized": sample.finalized + 1})
        elif what == "moved":
            sample = sample.model_copy(update={"due_ms": NOW + hours * 3_600_000})
        samples[number] = sample
        if is_loaded and number not in samples:
            board.load([{"_id": f"{TENANT}/s{number}", "revision": revision, "state": sample.model_dump()}])
        else:
            board.put(sample, revision)

    counted = DueBook[Scope]()
    for sample in samples.values():
        counted.move(SCOPE, (), due_work(sample))
    assert board.due.work(SCOPE, NOW) == counted.work(SCOPE, NOW)
    assert bool(board.due.scopes) == bool(counted.scopes)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-100, 400), st.integers(1, 9)), min_size=1, max_size=200))
def test_what_is_told_is_bounded_in_order_and_the_same_work(found: list[tuple[int, int]]):
    book = DueBook[Scope]()
    for minutes, slots in found:
        book.move(SCOPE, (), (DueWork("first_pass", NOW + minutes * 60_000, 1, slots),))

    told = book.work(SCOPE, NOW)

    late = sum(minutes <= 0 for minutes, _ in found)
    assert len(told) <= 2 * EXACT + 1
    assert [each.due_ms for each in told] == sorted(each.due_ms for each in told)
    assert (sum(each.tasks for each in told), sum(each.slots for each in told)) == (
        len(found),
        sum(slots for _, slots in found),
    )
    assert sum(each.tasks for each in told if each.due_ms <= NOW) == late
    for each in told:  # so much has to be done until then, which is what a forecast is asked
        until = sum(slots for minutes, slots in found if NOW + minutes * 60_000 <= each.due_ms)
        assert until == sum(other.slots for other in told if other.due_ms <= each.due_ms)


def test_partitions_that_went_are_forgotten():
    board = Board()
    board.own([PARTITION])
    board.put(a_sample(due_at=MORNING), revision=1)
    assert board.due.scopes == [SCOPE]

    board.disown([PARTITION])

    assert board.due.scopes == []
    assert board.due.changed() == set()
