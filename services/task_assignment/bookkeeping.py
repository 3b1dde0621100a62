"""Writes what is counted in the partitions that are served here: one document of figures per project and partition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.pace import Pace
from services.task_assignment.store import Store
from shared.clock import Clock, to_ms

LONGEST_MS: Final = 30_000
"""Figures with due dates are written anew after so long, though nothing was done: time has made some of it late."""


class Bookkeeper:
    """Counts answers by time beside what the board counts, and writes what has changed."""

    def __init__(self, store: Store, board: Board, clock: Clock) -> None:
        self._store = store
        self._board = board
        self._clock = clock
        self._paces: dict[Scope, dict[str, Pace]] = defaultdict(dict)
        self._seen: dict[Scope, Mapping[str, int]] = {}
        self._written: dict[Scope, tuple[Mapping[str, int], int]] = {}
        self._moved: set[Scope] = set()
        """Where due dates have changed and are not written."""

    async def take_over(self, partitions: Collection[int]) -> None:
        """Go on where the last owner of some partitions was, once all of their samples are known here."""
        counts = {scope: each for scope, each in self._counts().items() if scope.partition in partitions}
        for scope, figures in (await self._store.figures(counts)).items():
            self._paces[Scope(*scope)] = dict(figures.paces)
        self._seen |= counts

    def give_up(self, partitions: Collection[int]) -> None:
        """Forget some partitions."""
        for known in (self._paces, self._seen, self._written):
            for scope in [scope for scope in known if scope.partition in partitions]:
                del known[scope]

    async def write(self) -> None:
        """Write what has changed since it was last written, of partitions whose samples are all known as they are."""
        now_ms = to_ms(self._clock())
        self._moved |= self._board.due.changed()
        whole = self._board.whole - self._board.unsure
        counts = {scope: each for scope, each in self._counts().items() if scope.partition in whole}
        due = set(self._board.due.scopes)
        figures = {
            scope: Figures(each, self._paces_of(scope, each, now_ms), self._board.due.work(scope, now_ms))
            for scope, each in counts.items()
            if self._is_stale(scope, each, now_ms, has_due=scope in due)
        }
        await self._store.write_figures(figures)
        self._moved -= figures.keys()
        self._written |= {scope: (each.counts, now_ms) for scope, each in figures.items()}

    def _is_stale(self, scope: Scope, counts: Mapping[str, int], now_ms: int, *, has_due: bool) -> bool:
        written, at_ms = self._written.get(scope, (None, 0))
        return written != counts or scope in self._moved or (has_due and now_ms - at_ms >= LONGEST_MS)

    def _paces_of(self, scope: Scope, counts: Mapping[str, int], now_ms: int) -> Mapping[str, Pace]:
        """Take note of the answers that have come since this was last asked."""
        paces, before = self._paces[scope], self._seen.get(scope, {})
        for name, done in counts.items():
            kind, _, rest = name.partition(".")
            stage, _, state = rest.partition(".")
            if kind != "slots":
                continue
            pace = paces.setdefault(stage, Pace(now_ms))
            if state == "done" and done > before.get(name, 0):
                paces[stage] = pace.plus(done - before.get(name, 0), now_ms)
        self._seen[scope] = counts
        return dict(paces)

    def _counts(self) -> dict[Scope, Mapping[str, int]]:
        return {Scope(*scope): each for scope, each in self._board.counts().items()}
