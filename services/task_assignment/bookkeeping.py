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
        self._written_ms: dict[Scope, int] = {}
        self._moved: set[Scope] = set()
        """Where counts or due dates have changed and are not written. The others are not looked at: there may be
        thousands of projects, each in every partition."""

    async def take_over(self, partitions: Collection[int]) -> None:
        """Go on where the last owner of some partitions was, once all of their samples are known here."""
        tally = self._board.tally
        counts = {scope: tally.of(scope) for scope in tally.scopes if scope.partition in partitions}
        for scope, figures in (await self._store.figures(counts)).items():
            self._paces[Scope(*scope)] = dict(figures.paces)
        self._seen |= counts

    def give_up(self, partitions: Collection[int]) -> None:
        """Forget some partitions."""
        for known in (self._paces, self._seen, self._written_ms):
            for scope in [scope for scope in known if scope.partition in partitions]:
                del known[scope]
        self._moved = {scope for scope in self._moved if scope.partition not in partitions}

    async def write(self) -> None:
        """Write what has changed since it was last written, of partitions whose samples are all known as they are."""
        now_ms = to_ms(self._clock())
        self._moved |= self._board.tally.changed() | self._board.due.changed()
        known = self._board.whole - self._board.unsure
        stale = {scope for scope in self._moved | self._aged(now_ms) if scope.partition in known}
        figures = {scope: self._figures_of(scope, now_ms) for scope in stale}
        await self._store.write_figures(figures)
        self._moved -= stale
        self._written_ms |= dict.fromkeys(stale, now_ms)

    def _aged(self, now_ms: int) -> set[Scope]:
        """Return where there are due dates, and the figures were written long ago."""
        due = self._board.due.scopes
        return {scope for scope in due if now_ms - self._written_ms.get(scope, 0) >= LONGEST_MS}

    def _figures_of(self, scope: Scope, now_ms: int) -> Figures:
        counts = self._board.tally.of(scope)
        return Figures(counts, self._paces_of(scope, counts, now_ms), self._board.due.work(scope, now_ms))

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
