"""How fast a stage is worked on: answers by interval of time, kept finely for minutes and coarsely for days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

WIDTHS_MS: Final = (10_000, 300_000, 3_600_000)
"""The intervals that answers are counted in: ten seconds, five minutes, an hour."""
KEPT: Final = 72
"""So many of each width: twelve minutes, six hours, three days."""
ENOUGH: Final = 30
"""A window with so many answers is long enough."""
BLOCKS: Final = (12, 6, 4)
"""Into so many parts a window is divided to see how unevenly answers come; the largest dispersion counts, for what
changes slowly shows only in long parts."""

Counts = Mapping[int, int]
"""Answers by the number of their interval, counted from 1970."""


class Pace(NamedTuple):
    """The answers of a stage."""

    since_ms: int
    """Since when they are counted."""
    counts: tuple[Counts, ...] = tuple({} for _ in WIDTHS_MS)
    """For each of ``WIDTHS_MS``."""

    def plus(self, answers: int, now_ms: int) -> Pace:
        """Return the pace with answers that came just now; what is older than is kept is dropped."""
        return self._replace(
            counts=tuple(
                _recent({**counts, now_ms // width: counts.get(now_ms // width, 0) + answers}, now_ms // width)
                for width, counts in zip(WIDTHS_MS, self.counts, strict=True)
            )
        )

    @classmethod
    def sum_of(cls, paces: Iterable[Pace]) -> Pace | None:
        """Return the pace of a project from those of its partitions; None where there are none."""
        found = list(paces)
        if not found:
            return None
        sums: tuple[dict[int, int], ...] = tuple({} for _ in WIDTHS_MS)
        for pace in found:
            for into, counts in zip(sums, pace.counts, strict=True):
                for number, answers in counts.items():
                    into[number] = into.get(number, 0) + answers
        return cls(min(pace.since_ms for pace in found), sums)


class Window(NamedTuple):
    """What was seen of a stage in the last while."""

    answers: int
    span_ms: int
    dispersion: float
    """Variance of the answers in a part of the window, by their mean; 1 for a Poisson process, more where answers come
    in batches or people come and go. At least 1."""


def window_of(pace: Pace, now_ms: int) -> Window | None:
    """Return the shortest window with enough answers, or the longest; None where no answer came in three days."""
    best: Window | None = None
    for width, counts in zip(WIDTHS_MS, pace.counts, strict=True):
        last = now_ms // width
        recent = _recent(counts, last)
        begins = max((last - KEPT + 1) * width, min(pace.since_ms, now_ms - 1))
        answers = sum(recent.values())
        if answers:
            best = Window(answers, max(now_ms - begins, 1), _dispersion(recent, begins // width, last))
        if answers >= ENOUGH:
            break
    return best


def _recent(counts: Counts, last: int) -> dict[int, int]:
    return {number: answers for number, answers in counts.items() if last - KEPT < number <= last + 1}


def _dispersion(counts: Counts, first: int, last: int) -> float:
    """Return the dispersion over equal parts of whole intervals; the first and the last one may not be whole."""
    return max(_variance_by_mean(_parts(counts, first + 1, last, blocks)) for blocks in BLOCKS)


def _parts(counts: Counts, first: int, end: int, blocks: int) -> list[int]:
    size = max(1, (end - first) // blocks)
    return [
        sum(counts.get(number, 0) for number in range(begin, begin + size))
        for begin in range(first, end - size + 1, size)
    ]


def _variance_by_mean(parts: Sequence[int]) -> float:
    mean = sum(parts) / len(parts) if parts else 0.0
    if len(parts) < 2 or mean == 0:
        return 1.0
    return max(1.0, sum((part - mean) ** 2 for part in parts) / (len(parts) - 1) / mean)
