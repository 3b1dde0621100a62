"""Tasks that nobody has touched and nobody is barred from: there may be a million, and mostly the first is wanted.

They stand in a heap of plain tuples, or, many in little room, in runs (``packed``), of each of which only the next is
in the heap. Where one of the first few is wanted, those are kept in order before it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Collection
from typing import Final, Protocol

from services.task_assignment.domain.ordered import Entry

REFUSALS: Final = 200
"""How many tasks somebody may be refused, for reasons that stand in no node, before it is looked elsewhere."""


class Cursor(Protocol):
    """The tasks of a run, one after the other."""

    @property
    def run(self) -> object:
        """Whose tasks they are."""

    def next(self) -> Entry | None:
        """Return the next in order; None where there is none any more."""


class Backlog:
    """A heap, and before it, in order, those of the first tasks that were asked for together."""

    __slots__ = ("_front", "_heads", "_is_in", "_rest")

    def __init__(self, is_in: Callable[[Entry], bool]) -> None:
        """Begin with nothing.

        Args:
            is_in: Whether an entry is still to be served from here; entries that are not any more are not looked for,
                but dropped when they come up.
        """
        self._is_in = is_in
        self._front: list[Entry] = []
        """Sorted; none of them comes after any of the rest."""
        self._rest: list[Entry] = []
        """A heap."""
        self._heads: dict[Entry, Cursor] = {}
        """Of the heap: the next of each run, and what brings the one after it."""

    def __bool__(self) -> bool:
        """Return whether there may be anything; an entry may be out of date."""
        return bool(self._front or self._rest)

    def add(self, entry: Entry) -> None:
        """Put a task in."""
        if self._front and entry < self._front[-1]:
            insort(self._front, entry)
            heapq.heappush(self._rest, self._front.pop())
        else:
            heapq.heappush(self._rest, entry)

    def add_run(self, cursor: Cursor) -> None:
        """Put in what a run has for here."""
        self._rest += self._front
        self._front = []
        heapq.heapify(self._rest)
        self._push_next(cursor)

    def first(self, accepts: Callable[[Entry], bool]) -> tuple[Entry | None, int]:
        """Return the first task that is accepted, or None, and how many were refused."""
        refused = 0
        while refused < len(self._front) and refused < REFUSALS:
            entry = self._front[refused]
            if not self._is_in(entry):
                del self._front[refused]
            elif accepts(entry):
                return entry, refused
            else:
                refused += 1
        return self._first_of_rest(accepts, refused)

    def window(self, first: Entry, end: int, most: int) -> list[Entry]:
        """Return the tasks from one on whose order is below an end, at most so many; some may be out of date."""
        begin = bisect_left(self._front, first)
        while self._rest and len(self._front) < begin + most and self._rest[0][0] < end:
            entry = self._pop()
            if self._is_in(entry):
                self._front.append(entry)
                begin += entry < first  # some that were refused stand before the first
        return self._front[begin : min(begin + most, bisect_left(self._front, (end, "", "")))]

    def take(self, entry: Entry) -> None:
        """Take out a task that ``first`` or ``window`` has returned."""
        at = bisect_left(self._front, entry)
        if at < len(self._front) and self._front[at] == entry:
            del self._front[at]
            return
        aside: list[Entry] = []  # it is first of the rest, or stands behind some that were refused
        while (first := self._pop()) != entry:
            aside.append(first)
        for each in aside:
            heapq.heappush(self._rest, each)

    def forget(self, gone: Callable[[Entry], bool], runs: Collection[object]) -> None:
        """Drop tasks, and runs with all that they would still bring."""
        dropped = {id(run) for run in runs}
        self._heads = {entry: cursor for entry, cursor in self._heads.items() if id(cursor.run) not in dropped}
        self._rest = [entry for entry in [*self._front, *self._rest] if not gone(entry)]
        self._front = []
        heapq.heapify(self._rest)

    def _pop(self) -> Entry:
        """Take out the first of the heap; if it was a run's, the next of the run takes its place."""
        entry = heapq.heappop(self._rest)
        if (cursor := self._heads.pop(entry, None)) is not None:
            self._push_next(cursor)
        return entry

    def _push_next(self, cursor: Cursor) -> None:
        if (entry := cursor.next()) is not None:
            self._heads[entry] = cursor
            heapq.heappush(self._rest, entry)

    def _first_of_rest(self, accepts: Callable[[Entry], bool], refused: int) -> tuple[Entry | None, int]:
        aside: list[Entry] = []
        found: Entry | None = None
        while self._rest and found is None and refused + len(aside) < REFUSALS:
            entry = self._rest[0]
            if not self._is_in(entry):
                self._pop()
            elif accepts(entry):
                found = entry
            else:
                aside.append(self._pop())
        for entry in aside:
            heapq.heappush(self._rest, entry)
        return found, refused + len(aside)
