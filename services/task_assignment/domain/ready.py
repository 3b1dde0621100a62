"""Who is served what next: the open tasks of each kind of work, in order.

A queue has three parts. Tasks that somebody has begun come before those that nobody has (depth first: a sample is
finished before another is begun), or after those of the same priority (breadth first). Of those that nobody has begun
nearly all bar nobody; they are the backlog, may be a million, and stand in a heap of plain tuples or packed in runs, of
which only the first are ever looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from services.task_assignment.domain.backlog import REFUSALS, Backlog, Cursor
from services.task_assignment.domain.due import NO_RISE, Rise
from services.task_assignment.domain.ordered import Entry, OrderedTasks

DRAWS: Final = 8
"""How often one of several is drawn before it is looked which of them are somebody's at all."""

_BITS: Final = 48
"""Of a time in ms since 1970: enough for nine thousand years."""
_TIME: Final = (1 << _BITS) - 1


class Serving(NamedTuple):
    """How a project's tasks are served."""

    breadth_first: bool = False
    random_within: int = 0
    """Among how many of the next tasks one is chosen at random; 0 and 1: the next one."""


DEPTH_FIRST: Final = Serving()


class QueueName(NamedTuple):
    """Tasks that are alike to whoever may work on them."""

    tenant_id: str
    project_id: str
    stage: str
    language: str
    level: int | None = None
    """The priority of the tasks, where they have due dates: so, whatever rises, the one that is due first stays the
    first of its queue. None of tasks that have none; they do not rise, and priorities stand in one queue."""


class Seeker(NamedTuple):
    """Who looks for work, and what they may do."""

    annotator_id: str
    tenant_id: str
    stages: frozenset[str]
    projects: frozenset[str] | None
    languages: frozenset[str]
    """Empty: all languages."""
    inactive: frozenset[str] = frozenset()
    """Projects that take no work at the moment, or none of theirs."""
    groups: Mapping[str, tuple[str | None, int]] = MappingProxyType({})
    """By project that wants labels from several groups: theirs, and how many of one group a task may have."""
    serving: Mapping[str, Serving] = MappingProxyType({})
    """By project whose tasks are not served depth first, each in its turn."""
    now_ms: int = 0
    rises: Mapping[str, Rise] = MappingProxyType({})
    """By project: how work rises that comes near to its due date."""
    opened: frozenset[str] = frozenset()
    """Projects whose first pass is open to them whatever their stages."""

    def takes(self, project_id: str, stage: str) -> bool:
        """Return whether they do the work of a stage."""
        return stage in self.stages or (stage == "first_pass" and project_id in self.opened)


class WhyEmpty(NamedTuple):
    """What kept somebody from the work that there is."""

    barred: frozenset[str]
    """Projects with open tasks of theirs that take no work, or none of theirs."""
    reason: str | None
    """Else the filter that took away the last of it; None where tasks are left."""


class Place(NamedTuple):
    """Where a task stands in line."""

    queue: QueueName
    begun: bool
    entry: Entry
    barred: tuple[str, ...]


def order_of(priority: int, created_ms: int, due_ms: int = 0) -> int:
    """Return what tasks are served by, lowest first: higher priority, then what is due first, then the older.

    What is due at no certain time (0) comes after what is, and has the number that it would have without due dates.
    """
    due = (due_ms - _TIME - 1) << _BITS if due_ms else 0
    return (-priority << 2 * _BITS) + due + created_ms


def created_of(order: int) -> int:
    """Return the ``created_ms`` that ``order_of`` made an order of."""
    return order & _TIME


def due_in(order: int) -> int:
    """Return the ``due_ms`` that ``order_of`` made an order of."""
    return (order >> _BITS) & _TIME


def risen(order: int, rise: Rise, now_ms: int) -> int:
    """Return the order that a task has at a moment, when its priority has risen towards its due date."""
    due_ms = due_in(order)
    return order - (rise.points(due_ms - now_ms) << 2 * _BITS) if due_ms else order


def end_of_priority(order: int) -> int:
    """Return the lowest order of the tasks that come after all of the same priority, with a due date or without."""
    return ((order >> 2 * _BITS) + 1) << 2 * _BITS


@dataclass(slots=True)
class _Queue:
    backlog: Backlog
    """Tasks that nobody has touched and nobody is barred from."""
    begun: OrderedTasks = field(default_factory=OrderedTasks)
    untouched: OrderedTasks = field(default_factory=OrderedTasks)

    @property
    def is_open(self) -> bool:
        """Whether there may be anything to do; an entry of the backlog may be out of date."""
        return bool(self.backlog or len(self.begun) or len(self.untouched))


class _Next(NamedTuple):
    """The first task of a part of a queue that somebody may take; the lowest is served."""

    rank: tuple[bool, int, bool, int]
    """Not begun, or served breadth first; then the priority; then, breadth first, whether it was begun; then the order
    that it has at the moment."""
    entry: Entry
    queue: _Queue
    is_begun: bool
    random_within: int


class ReadyTasks:
    """All that can be worked on."""

    def __init__(self, in_backlog: Callable[[Entry], bool], random: Random) -> None:
        """Begin with nothing.

        Args:
            in_backlog: Whether an entry of the backlog is still to be served from there; entries that are not any more
                are not looked for, but dropped when they come up.
            random: Chooses, where a project has its tasks chosen at random.
        """
        self._queues: dict[QueueName, _Queue] = defaultdict(lambda: _Queue(Backlog(in_backlog)))
        self._in_backlog = in_backlog
        self._random = random

    def put(self, place: Place) -> None:
        """Put a task in line."""
        queue = self._queues[place.queue]
        (queue.begun if place.begun else queue.untouched).put(place.entry, place.barred)

    def withdraw(self, place: Place) -> None:
        """Take a task out of the line."""
        queue = self._queues[place.queue]
        (queue.begun if place.begun else queue.untouched).remove(place.entry)

    def add_to_backlog(self, name: QueueName, entry: Entry) -> None:
        """Put a task in line that nobody has touched and nobody is barred from."""
        self._queues[name].backlog.add(entry)

    def add_run(self, name: QueueName, cursor: Cursor) -> None:
        """Put many tasks in line that nobody has touched and nobody is barred from."""
        self._queues[name].backlog.add_run(cursor)

    def forget_backlog(self, gone: Callable[[Entry], bool], runs: Collection[object]) -> None:
        """Drop entries of the backlog, and runs with all that they would still bring."""
        for queue in self._queues.values():
            queue.backlog.forget(gone, runs)

    def first(self, seeker: Seeker, accepts: Callable[[Entry], bool]) -> tuple[Entry | None, int]:
        """Return the task that somebody is served next, over all queues that are for them.

        Args:
            seeker: For whom.
            accepts: Asked of tasks from which they are not barred.

        Returns:
            The entry, taken out of the backlog if it stood there; or None, and how many tasks there were for others.
        """
        names = self._matching(seeker)
        found = self._first_begun(names, seeker, accepts, breadth_first=False)
        if found is not None:
            return self._taken(found, seeker, accepts), 0
        found = self._first_begun(names, seeker, accepts, breadth_first=True) if seeker.serving else None
        seen = 0
        for name in names:
            queue, within = self._queues[name], _serving(seeker, name).random_within
            untouched, _ = queue.untouched.first(seeker.annotator_id, accepts, REFUSALS)
            fresh, refused = queue.backlog.first(accepts)
            seen += len(queue.begun) + len(queue.untouched) + refused
            for entry in (untouched, fresh):
                if entry is not None:
                    order = _order_now(seeker, name, entry)
                    rank = True, end_of_priority(order), False, order
                    if found is None or (rank, entry) < found[:2]:
                        found = _Next(rank, entry, queue, is_begun=False, random_within=within)
        return (None, seen) if found is None else (self._taken(found, seeker, accepts), 0)

    def why_empty(self, seeker: Seeker) -> WhyEmpty:
        """Return which filter left nothing of what is open in somebody's tenant. Looks at each queue, at no task."""
        open_ = [name for name, queue in self._queues.items() if name.tenant_id == seeker.tenant_id and queue.is_open]
        theirs = [name for name in open_ if seeker.projects is None or name.project_id in seeker.projects]
        staged = [name for name in theirs if seeker.takes(name.project_id, name.stage)]
        spoken = [name for name in staged if not seeker.languages or name.language in {"", *seeker.languages}]
        barred = frozenset(name.project_id for name in spoken if name.project_id in seeker.inactive)
        steps = ((open_, "no-open-tasks"), (theirs, "projects"), (staged, "stages"), (spoken, "languages"))
        reason = next((why for left, why in steps if not left), None)
        if reason is None and all(name.project_id in barred for name in spoken):
            reason = "projects-inactive"
        return WhyEmpty(barred, reason)

    def _first_begun(
        self, names: list[QueueName], seeker: Seeker, accepts: Callable[[Entry], bool], *, breadth_first: bool
    ) -> _Next | None:
        found: _Next | None = None
        for name in names:
            serving, queue = _serving(seeker, name), self._queues[name]
            if serving.breadth_first != breadth_first or not len(queue.begun):
                continue
            entry, _ = queue.begun.first(seeker.annotator_id, accepts, REFUSALS)
            if entry is not None:
                order = _order_now(seeker, name, entry)
                rank = breadth_first, end_of_priority(order) if breadth_first else 0, breadth_first, order
                if found is None or (rank, entry) < found[:2]:
                    found = _Next(rank, entry, queue, is_begun=True, random_within=serving.random_within)
        return found

    def _taken(self, found: _Next, seeker: Seeker, accepts: Callable[[Entry], bool]) -> Entry:
        entry = found.entry if found.random_within < 2 else self._drawn(found, seeker, accepts)
        if not found.is_begun and self._in_backlog(entry):
            found.queue.backlog.take(entry)
        return entry

    def _drawn(self, found: _Next, seeker: Seeker, accepts: Callable[[Entry], bool]) -> Entry:
        """Return one of the tasks of one priority that come next, each of those that somebody may take as likely.

        The window begins with the first that they may take and counts those that they may not. One is drawn from all
        of it until it is one of theirs: a few descents of a tree. Where most are not theirs it is looked which are,
        which costs as much as the window is long.
        """
        end = end_of_priority(found.entry[0])
        tree = found.queue.begun if found.is_begun else found.queue.untouched
        fresh = [] if found.is_begun else found.queue.backlog.window(found.entry, end, found.random_within)
        low = tree.rank(found.entry)
        in_tree = min(found.random_within, tree.rank((end, "", "")) - low)
        size = min(found.random_within, in_tree + len(fresh))
        # So many of the tree's are in the window: those whose place among both is in it.
        of_tree = bisect_left(range(in_tree), size, key=lambda n: n + bisect_left(fresh, tree.at(low + n)))
        for _ in range(DRAWS):
            drawn = self._random.randrange(size)
            if drawn < of_tree:
                entry = tree.at(low + drawn)
            elif not self._in_backlog(entry := fresh[drawn - of_tree]):
                continue
            if accepts(entry):
                return entry
        near = [
            *tree.theirs(seeker.annotator_id, found.entry, of_tree),
            *filter(self._in_backlog, fresh[: size - of_tree]),
        ]
        return self._random.choice([entry for entry in near if accepts(entry)])

    def _matching(self, seeker: Seeker) -> list[QueueName]:
        return [
            name
            for name in self._queues
            if name.tenant_id == seeker.tenant_id
            and seeker.takes(name.project_id, name.stage)
            and name.project_id not in seeker.inactive
            and (seeker.projects is None or name.project_id in seeker.projects)
            and (not seeker.languages or not name.language or name.language in seeker.languages)
        ]


def _serving(seeker: Seeker, name: QueueName) -> Serving:
    return seeker.serving.get(name.project_id, DEPTH_FIRST)


def _order_now(seeker: Seeker, name: QueueName, entry: Entry) -> int:
    if name.level is None:
        return entry[0]
    return risen(entry[0], seeker.rises.get(name.project_id, NO_RISE), seeker.now_ms)
