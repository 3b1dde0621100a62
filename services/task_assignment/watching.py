"""Looks at the due dates of projects and tells, once each time, when they are in danger, missed, and well again.

Each replica knows its own partitions; what all have written is summed. Who serves the first partition in which a project
has work with due dates looks at it. Should two do so, only one writes what it has seen: the alarms are guarded by their
revision. Events stand in that document until they are in the log, so one who dies in between leaves them to the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from services.task_assignment.domain.alarms import Alarms, looked_at
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.due import HOUR_MS
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.outlook import Outlook
from services.task_assignment.escalation import Escalation
from services.task_assignment.metrics import SLA_BURN, SLA_EVENTS, SLA_OVERDUE
from services.task_assignment.store import Store
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.errors import NotFoundError
from shared.kafka import Producer
from shared.labels.policies import Sla

AT_ONCE: Final = 50
"""Projects whose figures are read together."""


class ProjectName(NamedTuple):
    """A project of a tenant."""

    tenant_id: str
    project_id: str

    @property
    def id(self) -> str:
        """Its document's id."""
        return f"{self.tenant_id}/{self.project_id}"


class Watch:
    """Looks at the projects that have work with due dates in the partitions that are served here."""

    def __init__(
        self,
        store: Store,
        board: Board,
        catalog: Catalog,
        producer: Producer,
        clock: Clock,
        *,
        escalation: Escalation,
        partitions: int,
    ) -> None:
        self._store = store
        self._board = board
        self._catalog = catalog
        self._producer = producer
        self._clock = clock
        self._escalation = escalation
        self._partitions = partitions
        self._watched: set[ProjectName] = set()
        self._met: set[ProjectName] = set()
        """Projects of which it was asked whether an alarm is left from before."""
        self._shown: set[tuple[str, str, str]] = set()

    async def look(self) -> None:
        """Look at each project once."""
        here = {ProjectName(scope.tenant_id, scope.project_id) for scope in self._board.due.scopes}
        self._watched |= here | await self._left_over()
        seen: dict[tuple[str, str, str], Outlook] = {}
        watched = sorted(self._watched)
        for first in range(0, len(watched), AT_ONCE):
            await self._look_at(watched[first : first + AT_ONCE], here, seen)
        self._show(seen)
        await self._open()

    async def _left_over(self) -> set[ProjectName]:
        """Return the projects, of those that came since, whose alarms are not quiet though nothing may be due any more."""
        came = {ProjectName(scope.tenant_id, scope.project_id) for scope in self._board.tally.scopes} - self._met
        if not came:
            return set()
        self._met |= came
        alarms = await self._store.alarms(name.id for name in came)
        return {name for name in came if not alarms[name.id][0].is_quiet}

    async def _look_at(
        self, names: Sequence[ProjectName], here: set[ProjectName], seen: dict[tuple[str, str, str], Outlook]
    ) -> None:
        scopes = [Scope(*name, partition) for name in names for partition in range(self._partitions)]
        figures = await self._store.figures(scopes)
        alarms = await self._store.alarms(name.id for name in names)
        for name in names:
            parts = {scope.partition: each for scope, each in figures.items() if scope[:2] == name}
            before, revision = alarms[name.id]
            policy = self._policy(name)
            whole = Figures.sum_of(parts.values())
            if policy is None or (before.is_quiet and not whole.work and name not in here):
                self._watched.discard(name)
            elif self._is_ours(parts):
                warn_ms = None if policy.warn_hours is None else round(policy.warn_hours * HOUR_MS)
                outlooks = whole.outlooks(to_ms(self._clock()), warn_ms)
                await self._note(name, before, revision, outlooks)
                for outlook in outlooks:
                    if outlook.due:
                        seen[*name, outlook.stage] = outlook

    def _policy(self, name: ProjectName) -> Sla | None:
        try:
            return self._catalog.latest(*name).spec.sla
        except NotFoundError:
            return None

    def _is_ours(self, parts: Mapping[int, Figures]) -> bool:
        due = [partition for partition, figures in parts.items() if figures.work]
        return min(due) in self._board.owned if due else True

    async def _note(self, name: ProjectName, before: Alarms, revision: int, outlooks: Iterable[Outlook]) -> None:
        """Write what was seen, then tell it, then note that it was told; whoever dies in between leaves it written."""
        await self._tell(before)
        after = looked_at(before, list(outlooks), to_ms(self._clock()), *name)
        if after == before or not await self._store.write_alarms(name.id, after, revision):
            return
        if after.untold:
            await self._tell(after)
            await self._store.write_alarms(name.id, after.model_copy(update={"untold": []}), revision + 1)

    async def _tell(self, alarms: Alarms) -> None:
        events = alarms.events()
        if events:
            await self._producer.publish(events)
        for event in events:
            SLA_EVENTS.labels(event.name(), event.cause).inc()

    def _show(self, seen: Mapping[tuple[str, str, str], Outlook]) -> None:
        """Show the figures of each project and stage."""
        for labels, outlook in seen.items():
            SLA_BURN.labels(*labels).set(outlook.burn)
            SLA_OVERDUE.labels(*labels).set(outlook.overdue)
        for labels in self._shown - seen.keys():
            SLA_BURN.remove(*labels)
            SLA_OVERDUE.remove(*labels)
        self._shown = set(seen)

    async def _open(self) -> None:
        """Open first passes that are at risk or late to whom the project's policy names."""
        wanted = {
            ProjectName(version.tenant_id, version.project_id): frozenset(version.spec.sla.open_to)
            for version in self._catalog.newest_versions()
            if version.spec.sla.open_to
        }
        alarms = await self._store.alarms(name.id for name in wanted) if wanted else {}
        opened: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
        for name, roles in wanted.items():
            if alarms[name.id][0].raised("first_pass"):
                opened[name.tenant_id][name.project_id] = roles
        self._escalation.open(opened)
