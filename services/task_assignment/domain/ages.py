"""How many slots are free and how long the oldest has waited, by tenant, project, stage and language, kept by what changes.

Nothing is kept of single samples: a count for each minute in which any were made, so that a million samples are some
thousand counts, and the oldest is known to the minute without looking at them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from services.task_assignment.domain.kept import Brief, Known, Scope

MINUTE_MS: Final = 60_000
MOST_LANGUAGES: Final = 20
MOST_QUEUES: Final = 1_000
UNKNOWN: Final = "und"
OTHERS: Final = "(other)"
"""What the least deep queues are summed under where there are too many to name each."""

Free = Mapping[tuple[str, str], int]
"""Free slots by stage and language."""


class Queue(NamedTuple):
    """Whose tasks wait: a project's, of one stage and one language."""

    tenant: str
    project: str
    stage: str
    language: str


class Waiting(NamedTuple):
    """What waits in a queue."""

    slots: int
    oldest_ms: int
    """In ms since 1970, rounded down to the minute."""


@dataclass(slots=True)
class _Minutes:
    slots: Counter[int] = field(default_factory=Counter)
    order: list[int] = field(default_factory=list)
    """A heap of the minutes that there is a count of, or was."""
    total: int = 0

    def add(self, minute: int, slots: int) -> None:
        if minute not in self.slots:
            heapq.heappush(self.order, minute)
        self.slots[minute] += slots
        self.total += slots

    def waiting(self) -> Waiting | None:
        while self.order and not self.slots[self.order[0]]:
            del self.slots[heapq.heappop(self.order)]
        return Waiting(self.total, self.order[0] * MINUTE_MS) if self.order else None


class Ages:
    """Free slots within each scope, by the minute in which their samples were made."""

    def __init__(self) -> None:
        self._minutes: dict[Scope, dict[tuple[str, str], _Minutes]] = {}

    def change(self, scope: Scope, created_ms: int, before: Free, now: Free) -> None:
        """Take in what is free of a sample now instead of what was before."""
        if before == now:
            return
        queues = self._minutes.setdefault(scope, {})
        for sign, free in ((-1, before), (1, now)):
            for queue, slots in free.items():
                queues.setdefault(queue, _Minutes()).add(created_ms // MINUTE_MS, sign * slots)

    def forget(self, partitions: set[int]) -> None:
        """Drop what is of some partitions."""
        self._minutes = {scope: each for scope, each in self._minutes.items() if scope.partition not in partitions}

    def waiting(self) -> dict[Queue, Waiting]:
        """Return what waits in each queue; queues with nothing are not named."""
        found: dict[Queue, Waiting] = {}
        for scope, queues in self._minutes.items():
            for (stage, language), minutes in queues.items():
                if (waiting := minutes.waiting()) is not None:
                    _add(found, Queue(scope.tenant_id, scope.project_id, stage, language), waiting)
        return found


def free_slots(known: Brief | Known | None) -> Free:
    """Return the free slots of a sample."""
    if isinstance(known, Known):
        language = known.sample.language or UNKNOWN
        free = {(task.stage, language): len(task.free) for task in known.sample.tasks.values()}
        return {queue: slots for queue, slots in free.items() if slots}
    if known is None or known.fresh is None:
        return {}
    return {(known.fresh.stage, known.fresh.language or UNKNOWN): len(known.fresh.slots)}


def bounded(waiting: Mapping[Queue, Waiting]) -> dict[Queue, Waiting]:
    """Return the same with at most 20 languages for each project and stage, and at most 1,000 queues in all.

    Samples' languages and projects' names are up to clients, and each would be a series of metrics for ever. The least
    deep are summed.
    """
    by_depth = sorted(waiting.items(), key=lambda each: (-each[1].slots, each[0]))
    named: Counter[tuple[str, ...]] = Counter()
    languages: dict[Queue, Waiting] = {}
    for queue, each in by_depth:
        named[queue[:3]] += 1
        is_named = named[queue[:3]] <= MOST_LANGUAGES
        _add(languages, queue if is_named else queue._replace(language=OTHERS), each)
    queues: dict[Queue, Waiting] = {}
    for number, (queue, each) in enumerate(sorted(languages.items(), key=lambda each: (-each[1].slots, each[0]))):
        _add(queues, queue if number < MOST_QUEUES else Queue(OTHERS, OTHERS, OTHERS, OTHERS), each)
    return queues


def _add(found: dict[Queue, Waiting], queue: Queue, more: Waiting) -> None:
    known = found.get(queue)
    slots, oldest = (0, more.oldest_ms) if known is None else known
    found[queue] = Waiting(slots + more.slots, min(oldest, more.oldest_ms))
