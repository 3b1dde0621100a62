"""What the owner of a partition tells of a project's samples there; a project's figures are the sum over partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from services.task_assignment.domain.due_book import DueWork
from services.task_assignment.domain.forecast import FEWEST, Forecaster
from services.task_assignment.domain.outlook import Outlook, outlook_of
from services.task_assignment.domain.pace import Pace, window_of

Document = dict[str, Any]


class Figures(NamedTuple):
    """A project in one partition, or in all."""

    counts: Mapping[str, int] = MappingProxyType({})
    paces: Mapping[str, Pace] = MappingProxyType({})
    """By stage."""
    work: Sequence[DueWork] = ()

    @property
    def stages(self) -> list[str]:
        """The stages in which there is or was work."""
        return sorted({name.split(".")[1] for name in self.counts if name.startswith("slots.")})

    def missing(self, stage: str) -> int:
        """Return how many answers a stage is waiting for."""
        return self.counts.get(f"slots.{stage}.free", 0) + self.counts.get(f"slots.{stage}.leased", 0)

    def outlooks(self, now_ms: int, warn_ms: int | None) -> list[Outlook]:
        """Return what is to be expected of each stage that has open work."""
        return [
            outlook_of(
                stage,
                self.missing(stage),
                [each for each in self.work if each.stage == stage],
                self.paces.get(stage),
                now_ms,
                warn_ms,
            )
            for stage in self.stages
            if self.missing(stage)
        ]

    def forecasters(self, now_ms: int) -> dict[str, Forecaster]:
        """Return what can be forecast from, by stage with open work of which enough was seen."""
        windows = {stage: window_of(pace, now_ms) for stage, pace in self.paces.items() if self.missing(stage)}
        return {
            stage: Forecaster(window)
            for stage, window in windows.items()
            if window is not None and window.answers >= FEWEST
        }

    @classmethod
    def sum_of(cls, parts: Iterable[Figures]) -> Figures:
        """Return a project's figures from those of its partitions."""
        found = list(parts)
        counts: Counter[str] = Counter()
        for each in found:
            counts.update(each.counts)
        stages = {stage for each in found for stage in each.paces}
        paces = {stage: Pace.sum_of(each.paces[stage] for each in found if stage in each.paces) for stage in stages}
        return cls(dict(counts), {stage: pace for stage, pace in paces.items() if pace is not None}, _all_work(found))


def to_document(figures: Figures) -> Document:
    """Return figures as they are stored."""
    paces = {
        stage: {"since": pace.since_ms, "counts": [[list(each) for each in counts.items()] for counts in pace.counts]}
        for stage, pace in figures.paces.items()
    }
    return {
        "counts": [[name, n] for name, n in sorted(figures.counts.items())],
        "paces": paces,
        "work": [list(each) for each in figures.work],
    }


def from_document(document: Mapping[str, Any]) -> Figures:
    """Return figures from how they are stored; a document may be older than paces and due dates."""
    paces = {
        stage: Pace(pace["since"], tuple(dict(some) for some in pace["counts"]))
        for stage, pace in document.get("paces", {}).items()
    }
    return Figures(dict(document["counts"]), paces, [DueWork(*each) for each in document.get("work", ())])


def _all_work(parts: Iterable[Figures]) -> list[DueWork]:
    return [each for part in parts for each in part.work]
