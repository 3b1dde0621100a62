"""The ordered tasks against a sorted list that is looked through from its beginning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain import ordered
from services.task_assignment.domain.ordered import Entry, OrderedTasks

PEOPLE = ("ana", "bo", "chi")
entries = st.tuples(st.integers(0, 9), st.sampled_from([f"s{number:02}" for number in range(40)]), st.just("k"))
barred = st.lists(st.sampled_from(PEOPLE), unique=True).map(tuple)
changes = st.lists(st.tuples(entries, st.none() | barred), max_size=300)


@pytest.fixture(autouse=True)
def narrow_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide nodes early, so that few entries make a tree of several levels."""
    monkeypatch.setattr(ordered, "FANOUT", 2)


def first_of(plain: dict[Entry, tuple[str, ...]], who: str, refused: frozenset[Entry]) -> Entry | None:
    return next((each for each in sorted(plain) if who not in plain[each] and each not in refused), None)


@given(changes, st.frozensets(entries))
@settings(max_examples=300)
def test_whatever_is_put_in_and_taken_out_everybody_gets_the_first_that_is_theirs(
    changes: list[tuple[Entry, tuple[str, ...] | None]], refused: frozenset[Entry]
):
    plain: dict[Entry, tuple[str, ...]] = {}
    tree = OrderedTasks()

    for entry, barred_now in changes:
        if barred_now is None and entry in plain:
            del plain[entry]
            tree.remove(entry)
        elif barred_now is not None:
            plain[entry] = barred_now
            tree.put(entry, barred_now)

        assert list(tree) == sorted(plain)
        assert len(tree) == len(plain)
        for who in PEOPLE:
            assert tree.first(who, lambda each: each not in refused, 1000)[0] == first_of(plain, who, refused)


@given(changes, entries)
def test_entries_are_found_by_how_many_come_before_them(
    changes: list[tuple[Entry, tuple[str, ...] | None]], wanted: Entry
):
    tree, plain = OrderedTasks(), dict[Entry, tuple[str, ...]]()

    for entry, barred_now in changes:
        if barred_now is not None:
            plain[entry] = barred_now
            tree.put(entry, barred_now)
        elif plain.pop(entry, None) is not None:
            tree.remove(entry)

    ordered_ones = sorted(plain)
    assert [tree.at(rank) for rank in range(len(tree))] == ordered_ones
    assert tree.rank(wanted) == sum(each < wanted for each in ordered_ones)
    after = [each for each in ordered_ones if each >= wanted][:5]
    assert tree.theirs("ana", wanted, 5) == [each for each in after if "ana" not in plain[each]]
    with pytest.raises(IndexError):
        tree.at(len(tree))


def test_what_is_not_in_cannot_be_taken_out():
    tree = OrderedTasks()
    tree.put((1, "s", "k"), ())

    with pytest.raises(KeyError):
        tree.remove((2, "s", "k"))

    assert list(tree) == [(1, "s", "k")]


def test_the_search_ends_after_so_many_refusals():
    tree = OrderedTasks()
    for number in range(10):
        tree.put((number, "s", "k"), ())

    assert tree.first("ana", lambda _: False, 3) == (None, 3)


def test_nobody_is_asked_about_tasks_that_are_barred_and_few_nodes_are_looked_into(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ordered, "FANOUT", 32)
    tree = OrderedTasks()
    looks = 0

    class CountedBarred(tuple[str, ...]):
        def __contains__(self, who: object) -> bool:
            nonlocal looks
            looks += 1
            return tuple.__contains__(self, who)

    for number in range(20_000):
        tree.put((number, "s", "k"), ("ana", f"other-{number}"))
    tree.put((20_000, "s", "k"), ("bo",))
    _count_looks(tree._root, CountedBarred)

    found, asked = tree.first("ana", lambda _: True, 1)

    assert found == (20_000, "s", "k")
    assert asked == 1
    assert looks < 4 * 2 * 32


def _count_looks(node: ordered._Node, counted: type[tuple[str, ...]]) -> None:
    node.barred = [counted(each) for each in node.barred]
    for child in node.children:
        _count_looks(child, counted)
