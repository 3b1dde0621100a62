"""How much work is due when, for the partitions that this replica owns.

Nothing is kept of single samples: a count for each due date that there is, to one part in 4,096 of a sample's own term
(33 s for one of three days), so that a million samples of one policy are some thousand counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from services.task_assignment.domain.tasks import SampleTasks

PARTS: Final = 4096
FINEST_MS: Final = 64
EXACT: Final = 32
"""So many of the next due dates are told one by one; all later ones in as many groups."""


class DueWork(NamedTuple):
    """Open work with a due date."""

    stage: str
    due_ms: int
    tasks: int
    slots: int
    """Answers that are missing."""


def resolved(due_ms: int, term_ms: int) -> int:
    """Return a due date, rounded up to a multiple of about one part in ``PARTS`` of the term; 0 stays 0."""
    if due_ms == 0:
        return 0
    width = max(FINEST_MS, 1 << max(0, (max(term_ms, 1) // PARTS).bit_length() - 1))
    return -(-due_ms // width) * width


def due_work(sample: SampleTasks) -> tuple[DueWork, ...]:
    """Return what is to do until a sample has its first label; nothing where it has one, or no due date."""
    if not sample.until_ms:
        return ()
    due_ms = resolved(sample.until_ms, sample.until_ms - sample.created_ms)
    found = (
        DueWork(task.stage, due_ms, 1, sum(slot.state != "done" for slot in task.slots.values()))
        for task in sample.tasks.values()
        if task.open
    )
    return tuple(work for work in found if work.slots)


S = TypeVar("S", bound=Hashable)


class DueBook(Generic[S]):
    """Open work by due date, within each scope (a project in a partition)."""

    def __init__(self) -> None:
        self._work: dict[S, dict[tuple[str, int], list[int]]] = defaultdict(dict)
        self._changed: set[S] = set()

    def move(self, scope: S, before: Sequence[DueWork], now: Sequence[DueWork]) -> None:
        """Take note of what a sample's open work was and what it is now."""
        if before == now:
            return
        work = self._work[scope]
        for sign, some in ((-1, before), (1, now)):
            for each in some:
                count = work.setdefault((each.stage, each.due_ms), [0, 0])
                count[0] += sign * each.tasks
                count[1] += sign * each.slots
                if count == [0, 0]:
                    del work[each.stage, each.due_ms]
        self._changed.add(scope)

    def forget(self, gone: Callable[[S], bool]) -> None:
        """Drop scopes."""
        self._work = defaultdict(dict, {scope: work for scope, work in self._work.items() if not gone(scope)})
        self._changed = {scope for scope in self._changed if not gone(scope)}

    @property
    def scopes(self) -> list[S]:
        """Where there is open work with a due date."""
        return [scope for scope, work in self._work.items() if work]

    def changed(self) -> set[S]:
        """Return, once, the scopes that have changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed

    def work(self, scope: S, now_ms: int) -> list[DueWork]:
        """Return what is due when, in order: what is late at once, the next due dates exactly, later ones in groups.

        A group has its latest due date, so that what it says (so much has to be done until then) is true.
        """
        by_stage: dict[str, list[DueWork]] = defaultdict(list)
        for (stage, due_ms), (tasks, slots) in sorted(self._work.get(scope, {}).items()):
            by_stage[stage].append(DueWork(stage, due_ms, tasks, slots))
        return [each for some in by_stage.values() for each in _summed(some, now_ms)]


def _summed(some: list[DueWork], now_ms: int) -> list[DueWork]:
    late = sum(each.due_ms <= now_ms for each in some)
    exact, later = some[late : late + EXACT], some[late + EXACT :]
    size = max(1, -(-len(later) // EXACT))
    groups = [later[at : at + size] for at in range(0, len(later), size)]
    return [*_as_one(some[:late]), *exact, *(each for group in groups for each in _as_one(group))]


def _as_one(group: list[DueWork]) -> list[DueWork]:
    if not group:
        return []
    tasks, slots = sum(each.tasks for each in group), sum(each.slots for each in group)
    return [group[-1]._replace(tasks=tasks, slots=slots)]
