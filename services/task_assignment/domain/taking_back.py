"""When a lease that ended may be taken back: only when no answer in time can be on its way any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.security import LEASE_GRACE, to_ms_delta

TAKE_BACK_AFTER_MS: Final = 2 * to_ms_delta(LEASE_GRACE)


def taken_back_before(folded_ms: Iterable[int]) -> int:
    """Return the time before which leases may have ended to be taken back, in ms since 1970.

    An answer in time stands in its partition before any record that is stamped later than the lease's end plus grace.
    So what ended is taken back only after the partition has been folded up to such a record; the same grace again is
    for a broker's clock that is set back.

    Args:
        folded_ms: For each topic that answers come in by, the broker's time of the last record that was folded.
    """
    return min(folded_ms) - TAKE_BACK_AFTER_MS
