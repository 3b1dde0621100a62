"""What is due in each partition, by its time: a heap, in which what comes to nothing stays until it comes up."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from services.task_assignment.domain.picks import DueLease, DueReturn

D = TypeVar("D", DueLease, DueReturn)


class Timers(Generic[D]):
    """Whatever has its time, in ms since 1970, as its first part."""

    def __init__(self) -> None:
        self._heaps: dict[int, list[D]] = defaultdict(list)

    def note(self, due: D, partition: int) -> None:
        """Put something in."""
        heapq.heappush(self._heaps[partition], due)

    def before(self, partition: int, before_ms: int) -> Iterator[D]:
        """Yield, and forget, what was due in a partition before a time, the first first."""
        heap = self._heaps[partition]
        while heap and heap[0][0] < before_ms:
            yield heapq.heappop(heap)

    def count_before(self, partition: int, before_ms: int, is_due: Callable[[D], bool]) -> int:
        """Return how much was due in a partition before a time and still is: a look at these alone."""
        heap = self._heaps[partition]
        found, todo = 0, [0]
        while todo:
            at = todo.pop()
            if at < len(heap) and heap[at][0] < before_ms:  # what is below it in the heap is not due before it
                found += is_due(heap[at])
                todo += [2 * at + 1, 2 * at + 2]
        return found

    def earliest(self, partition: int) -> int | None:
        """Return when something is due in a partition next, in ms since 1970."""
        heap = self._heaps[partition]
        return heap[0][0] if heap else None

    def forget(self, partition: int) -> None:
        """Drop what is due in a partition."""
        self._heaps.pop(partition, None)
