"""Many samples of a partition that nobody works on, in some 41 bytes each: what the board keeps when it keeps a million.

A run is parallel arrays, sorted by id, and for each queue the order in which its samples are served. It never changes,
but for the note that something newer is kept elsewhere. What has come beside it is merged into a new run now and then.

Source: P. O'Neil et al., "The Log-Structured Merge-Tree" (1996): a large sorted part, and a small one that takes changes.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from services.task_assignment.domain.ages import MINUTE_MS
from services.task_assignment.domain.kept import Brief
from services.task_assignment.domain.ordered import Entry
from services.task_assignment.domain.ready import QueueName, order_of
from services.task_assignment.domain.tasks import task_key

UUID_LENGTH: Final = 36
SORTED_AT_ONCE: Final = 8_000
"""Nobody else runs while a list is sorted; longer ones are sorted in parts and merged."""
_INDEX_BITS: Final = 32
_INDEX: Final = (1 << _INDEX_BITS) - 1


class Loose(NamedTuple):
    """A sample that nobody works on and that is in no run, with what a run needs of it."""

    brief: Brief
    created_ms: int
    due_ms: int


class Row(NamedTuple):
    """A sample of a run; rows sort by id."""

    high: int
    """The upper 64 bits of its id, which is a UUID."""
    low: int
    kind: int
    created_ms: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class PackedRun:
    """Samples that nobody works on. Where one of them is superseded, what is known of it stands elsewhere."""

    kinds: tuple[Brief, ...]
    """What is known of a sample, as far as others are the same."""
    high: array[int]
    low: array[int]
    kind: array[int]
    """The index of each sample's kind."""
    created_ms: array[int]
    due_ms: array[int]
    queues: Mapping[QueueName, array[int]]
    """The indexes of the samples that wait in each queue, in the order in which they are served."""
    superseded: bytearray
    """1 for each sample that has been superseded."""
    ahead: dict[str, int] = field(default_factory=dict)
    """Indexes, by document id, of the few that a cursor has brought and that are not superseded: they are asked for next."""

    def __len__(self) -> int:
        """Return how many samples it has, those that are superseded among them."""
        return len(self.kind)

    def find(self, id_: str) -> int | None:
        """Return the index of a sample by its document's id; None where it is not here, or superseded."""
        try:
            high, low = halves_of(id_)
        except ValueError:
            return None
        first = bisect_left(self.high, high)
        if first == len(self.high) or self.high[first] != high:
            return None
        end = bisect_right(self.high, high, first)
        at = bisect_left(self.low, low, first, end)
        while at < end and self.low[at] == low:  # more than one where tenants chose the same id
            if not self.superseded[at] and self.id_at(at) == id_:
                return at
            at += 1
        return None

    def brief(self, id_: str) -> Brief | None:
        """Return what is known of a sample; None where it is not here, or superseded."""
        at = self.find(id_)
        return None if at is None else self.kinds[self.kind[at]]

    def supersede(self, id_: str) -> None:
        """Take note that something newer is known of a sample, if it is here."""
        at = self.ahead.pop(id_, None)
        if at is None:
            at = self.find(id_)
        if at is not None:
            self.superseded[at] = 1

    def id_at(self, at: int) -> str:
        """Return the id of a sample's document."""
        tenant_id = self.kinds[self.kind[at]].scope.tenant_id
        return f"{tenant_id}/{_text_of(self.high[at], self.low[at])}"

    def superseded_since(self, before: bytes) -> Iterator[str]:
        """Yield the ids of the samples that were not superseded yet in an earlier copy of ``superseded``."""
        at = self.superseded.find(1)
        while at >= 0:
            if not before[at]:
                yield self.id_at(at)
            at = self.superseded.find(1, at + 1)


class Cursor:
    """The samples of a run that wait in one queue, one after the other; what is superseded is passed over."""

    __slots__ = ("_at", "_key", "_order", "run")
    run: PackedRun

    def __init__(self, run: PackedRun, name: QueueName) -> None:
        """Stand before the first."""
        self.run = run
        self._order = run.queues[name]
        self._key = task_key(name.stage, 1)
        self._at = 0

    def next(self) -> Entry | None:
        """Return the next; None where there is none any more."""
        run = self.run
        while self._at < len(self._order):
            at = self._order[self._at]
            self._at += 1
            if not run.superseded[at]:
                fresh = run.kinds[run.kind[at]].fresh
                priority = 0 if fresh is None else fresh.priority
                id_ = run.id_at(at)
                run.ahead[id_] = at
                return order_of(priority, run.created_ms[at], run.due_ms[at]), id_, self._key
        return None


class Sums(NamedTuple):
    """How many samples of a run are of each kind, and how many of each were made in each minute."""

    kinds: Mapping[Brief, int]
    minutes: Mapping[tuple[Brief, int], int]


def sums_of(run: PackedRun) -> Sums:
    """Return what the samples of a run add up to, without those that are superseded."""
    of_kinds: Counter[int] = Counter()
    of_minutes: Counter[tuple[int, int]] = Counter()
    for at, kind in enumerate(run.kind):
        if not run.superseded[at]:
            of_kinds[kind] += 1
            of_minutes[kind, run.created_ms[at] // MINUTE_MS] += 1
    kinds = {run.kinds[kind]: count for kind, count in of_kinds.items()}
    return Sums(kinds, {(run.kinds[kind], minute): count for (kind, minute), count in of_minutes.items()})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a partition at a moment, of samples that nobody works on."""

    run: PackedRun | None
    superseded: bytes
    """Which samples of the run were superseded."""
    loose: Mapping[str, Loose]
    """By document id."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A new run, and what it was made of."""

    run: PackedRun
    of: Snapshot
    loose: Collection[str]
    """Those that are in the run now. Whose id is not a UUID is in none."""


def pack(of: Snapshot) -> Packed:
    """Merge what is loose into a run. Takes a few microseconds a sample, and is meant for a thread."""
    table = _Kinds()
    rows, packed = _rows_of(of.loose, table.number)
    old = _rows_in(of.run, of.superseded, table.number) if of.run is not None else iter(())
    columns = array("Q"), array("Q"), array("I"), array("q"), array("q")
    for row in heapq.merge(old, _in_order(rows)):
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    high, low, kind, created_ms, due_ms = columns
    kinds = tuple(table.briefs)
    queues = _queues(kinds, kind, created_ms, due_ms)
    return Packed(PackedRun(kinds, high, low, kind, created_ms, due_ms, queues, bytearray(len(kind))), of, packed)


def halves_of(id_: str) -> tuple[int, int]:
    """Return both halves of the UUID that a document's id ends with.

    Raises:
        ValueError: It ends with no UUID. Some text that is none passes; ``_text_of`` then gives another.
    """
    text = id_[-UUID_LENGTH:]
    return int(text[:8] + text[9:13] + text[14:18], 16), int(text[19:23] + text[24:], 16)


def queue_of(kind: Brief, due_ms: int) -> QueueName | None:
    """Return where a sample of a kind waits that nobody has touched; None of one on which nothing is to be done."""
    if (fresh := kind.fresh) is None:
        return None
    level = fresh.priority if due_ms else None
    return QueueName(kind.scope.tenant_id, kind.scope.project_id, fresh.stage, fresh.language or "", level)


class _Kinds:
    """Numbers kinds as they come."""

    def __init__(self) -> None:
        self.briefs: list[Brief] = []
        self._numbers: dict[Brief, int] = {}

    def number(self, brief: Brief) -> int:
        number = self._numbers.setdefault(brief, len(self.briefs))
        if number == len(self.briefs):
            self.briefs.append(brief)
        return number


def _rows_of(loose: Mapping[str, Loose], number: Callable[[Brief], int]) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    packed: list[str] = []
    for id_, (brief, created_ms, due_ms) in loose.items():
        try:
            high, low = halves_of(id_)
        except ValueError:
            continue
        if high >= 0 and low >= 0 and id_ == f"{brief.scope.tenant_id}/{_text_of(high, low)}":
            rows.append(Row(high, low, number(brief), created_ms, due_ms))
            packed.append(id_)
    return rows, packed


def _rows_in(run: PackedRun, superseded: bytes, number: Callable[[Brief], int]) -> Iterator[Row]:
    numbered = cache(lambda kind: number(run.kinds[kind]))
    columns = zip(run.high, run.low, run.kind, run.created_ms, run.due_ms, superseded, strict=True)
    return (Row(high, low, numbered(kind), created, due) for high, low, kind, created, due, gone in columns if not gone)


def _in_order(rows: list[Row]) -> Iterator[Row]:
    return heapq.merge(*(sorted(rows[at : at + SORTED_AT_ONCE]) for at in range(0, len(rows), SORTED_AT_ONCE)))


def _queues(
    kinds: tuple[Brief, ...], kind: array[int], created_ms: array[int], due_ms: array[int]
) -> dict[QueueName, array[int]]:
    """Return the order of each queue. Of two that are served alike the first is first, as ids are in order."""
    names = [(queue_of(brief, 0), queue_of(brief, 1)) for brief in kinds]
    priorities = [0 if brief.fresh is None else brief.fresh.priority for brief in kinds]
    keys: dict[QueueName, list[int]] = {}
    for at, (of_kind, created, due) in enumerate(zip(kind, created_ms, due_ms, strict=True)):
        name = names[of_kind][bool(due)]
        if name is not None:
            keys.setdefault(name, []).append(order_of(priorities[of_kind], created, due) << _INDEX_BITS | at)
    return {name: array("I", _indexes(some)) for name, some in keys.items()}


def _indexes(keys: list[int]) -> Iterator[int]:
    parts = [sorted(keys[at : at + SORTED_AT_ONCE]) for at in range(0, len(keys), SORTED_AT_ONCE)]
    return (key & _INDEX for key in heapq.merge(*parts))


def _text_of(high: int, low: int) -> str:
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
