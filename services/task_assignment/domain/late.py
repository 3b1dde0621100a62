"""What is late, or will be by the forecast: as stretches of due dates, so that it is found by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.forecast import Forecaster
from services.task_assignment.domain.outlook import SKEW_MS
from services.task_assignment.domain.tasks import SampleTasks

Lateness = Literal["overdue", "forecast"]


class DueSpan(NamedTuple):
    """Due dates after one moment, up to and with another, in ms since 1970."""

    after_ms: int
    until_ms: int

    def __contains__(self, due_ms: object) -> bool:
        return isinstance(due_ms, int) and self.after_ms < due_ms <= self.until_ms


class Late(NamedTuple):
    """The due dates that are past, and those that more probably than not will be missed, by stage."""

    overdue: DueSpan
    forecast: Mapping[str, Sequence[DueSpan]]

    def spans(self, which: Lateness | None) -> list[DueSpan]:
        """Return all of these due dates, in order and each once."""
        coming = _joined(span for spans in self.forecast.values() for span in spans)
        return [self.overdue] * (which != "forecast") + coming * (which != "overdue")

    def of(self, sample: SampleTasks) -> Lateness | None:
        """Return whether a sample without a label is late, or will be in a stage in which it is worked on."""
        if sample.until_ms in self.overdue:
            return "overdue"
        stages = {task.stage for task in sample.tasks.values() if task.open and not task.settled}
        spans = (span for stage in stages for span in self.forecast.get(stage, ()))
        return "forecast" if any(sample.until_ms in span for span in spans) else None


def late_of(figures: Figures, now_ms: int) -> Late:
    """Return what of a project is late, if what is due first is done first.

    What is due much later is known in groups, each as if it was due with the last of its group.
    """
    forecast: dict[str, Sequence[DueSpan]] = {}
    for stage, forecaster in figures.forecasters(now_ms).items():
        slots: Counter[int] = Counter()
        for each in figures.work:
            slots[each.due_ms] += each.slots if each.stage == stage else 0
        forecast[stage] = _missed(slots, forecaster, now_ms)
    return Late(DueSpan(0, now_ms - SKEW_MS), forecast)


def _missed(slots: Mapping[int, int], forecaster: Forecaster, now_ms: int) -> list[DueSpan]:
    """Return the due dates to come by which not all will be answered that is due until then.

    Args:
        slots: By due date: the answers that are missing.
        forecaster: Says how long they take.
        now_ms: The present.
    """
    found: list[DueSpan] = []
    before, last_ms = 0, now_ms - SKEW_MS
    for due_ms, missing in sorted(slots.items()):
        before += missing
        if due_ms > last_ms:
            if forecaster.median_ms(before) > due_ms - now_ms:
                found.append(DueSpan(last_ms, due_ms))
            last_ms = due_ms
    return _joined(found)


def _joined(spans: Iterable[DueSpan]) -> list[DueSpan]:
    found: list[DueSpan] = []
    for span in sorted(spans):
        if found and span.after_ms <= found[-1].until_ms:
            found[-1] = DueSpan(found[-1].after_ms, max(found[-1].until_ms, span.until_ms))
        else:
            found.append(span)
    return found
