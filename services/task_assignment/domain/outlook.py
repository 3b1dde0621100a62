"""What is to be expected of a stage of a project: when its work ends, and how much of it comes too late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from services.task_assignment.domain.due_book import DueWork
from services.task_assignment.domain.forecast import FEWEST, Forecaster
from services.task_assignment.domain.pace import Pace, Window, window_of

SKEW_MS: Final = 2_000
"""So far the clocks of replicas may be apart: work is overdue so much later, so that none is by a clock that is fast."""
LONGEST_MS: Final = 10 * 365 * 86_400_000
"""What would take longer is not forecast."""


class Outlook(NamedTuple):
    """A stage as it stands and goes on; times in ms since 1970, None where nothing can be said."""

    stage: str
    remaining: int
    """Answers that are missing, with or without due date."""
    seen: Window | None
    """What the forecast is made from."""
    finish_ms: int | None = None
    """As probably earlier as later."""
    earliest_ms: int | None = None
    latest_ms: int | None = None
    due: int = 0
    """Open tasks with a due date."""
    overdue: int = 0
    soon: int = 0
    """Open tasks due within the time of warning."""
    projected: int = 0
    """Open tasks that are not overdue, and will more probably than not be."""
    next_due_ms: int | None = None
    """Of what is not overdue."""
    miss_probability: float | None = None
    """Of the due date that is most in danger, of those to come."""

    @property
    def burn(self) -> float:
        """The share of the open tasks with a due date that are past it, or probably will be."""
        return (self.overdue + self.projected) / self.due if self.due else 0.0


def outlook_of(
    stage: str, remaining: int, work: Iterable[DueWork], pace: Pace | None, now_ms: int, warn_ms: int | None
) -> Outlook:
    """Return what is to be expected of a stage.

    Args:
        stage: Its name.
        remaining: The answers that are missing.
        work: What is due when, from all partitions, in any order.
        pace: Its answers until now.
        now_ms: The present.
        warn_ms: How long before it is due work is ``soon``; None: it never is.
    """
    window = None if pace is None else window_of(pace, now_ms)
    seen = None if window is None or window.answers < FEWEST else window
    line = sorted(work, key=lambda each: each.due_ms)
    coming = [each for each in line if each.due_ms + SKEW_MS > now_ms]
    found = Outlook(
        stage=stage,
        remaining=remaining,
        seen=window,
        due=sum(each.tasks for each in line),
        overdue=sum(each.tasks for each in line) - sum(each.tasks for each in coming),
        soon=sum(each.tasks for each in coming if warn_ms is not None and each.due_ms - warn_ms <= now_ms),
        next_due_ms=coming[0].due_ms if coming else None,
    )
    return found if seen is None else _forecast(found, line, Forecaster(seen), now_ms)


def _forecast(found: Outlook, line: Sequence[DueWork], forecaster: Forecaster, now_ms: int) -> Outlook:
    """Add when all is done, and what comes too late if what is due first is done first."""
    whole = forecaster.forecast(found.remaining)
    before, projected, worst = 0, 0, 0.0
    for each in line:
        before += each.slots
        left_ms = each.due_ms - now_ms
        if left_ms + SKEW_MS > 0:
            worst = max(worst, forecaster.miss_probability(before, left_ms))
            projected += each.tasks if forecaster.median_ms(before) > left_ms else 0
    return found._replace(
        finish_ms=_at(now_ms, whole.median_ms),
        earliest_ms=_at(now_ms, whole.earliest_ms),
        latest_ms=_at(now_ms, whole.latest_ms),
        projected=projected,
        miss_probability=worst if found.next_due_ms is not None else None,
    )


def _at(now_ms: int, after_ms: float) -> int | None:
    return None if after_ms > LONGEST_MS else now_ms + round(after_ms)
