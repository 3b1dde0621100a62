"""How evenly readings come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

_GAP = 2.0
"""An interval of more than so many times the usual one is a gap: at least one reading is missing."""


class Timing(NamedTuple):
    """When readings came; all in seconds."""

    first: float
    last: float
    rate: float | None
    """Readings a second, on average; None where there is only one moment."""
    gaps: int
    longest_gap: float
    """0.0 where there is none."""

    @classmethod
    def of(cls, times: Sequence[float]) -> Self:
        """Measure times that never decrease, one at least."""
        moments = np.asarray(times, dtype=np.float64)
        first, last = float(moments[0]), float(moments[-1])
        intervals = np.diff(moments)
        usual = float(np.median(intervals)) if intervals.size else 0.0
        wide = intervals[intervals > _GAP * usual] if usual > 0 else intervals[:0]
        rate = (len(moments) - 1) / (last - first) if last > first else None
        return cls(first, last, rate, int(wide.size), float(wide.max()) if wide.size else 0.0)
