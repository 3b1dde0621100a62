"""What migrations look up: which labels they concern, what these hold, and which were left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.migration import body_to_read
from services.annotation_store.migration_jobs import MigrationJobs
from shared.catalog import Catalog, ProjectVersion
from shared.clock import Clock
from shared.events import Event
from shared.events.migrations import LabelMigrationDue, MigrationChunkDue
from shared.ids import new_id
from shared.labels.taxonomy import Taxonomy
from shared.labels.taxonomy.migrating import bindings_of
from shared.ledger import Ledger

CHUNK_LABELS: Final = 200
STRAGGLERS_AT_ONCE: Final = 200


class LabelQueries(Protocol):
    """Labels by what migrations find them by; see ``SampleLabel.lookups``."""

    async def labeled(
        self, tenant_id: str, project_id: str, lookups: Sequence[str], *, after: str, limit: int
    ) -> list[str]:
        """Return ids of samples that have any of some lookups, in their order, from behind ``after`` on."""

    async def count(self, tenant_id: str, project_id: str, lookups: Sequence[str]) -> int:
        """Return how many samples of a project have any of some lookups."""


class Bodies(Protocol):
    """Contents of labels."""

    async def fields_of(self, bodies: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Return the fields that are kept under some ids, by id."""


def lookups_of(taxonomy_id: str, label_ids: Iterable[str]) -> list[str]:
    """Return by what labels of record are found that use some labels of a taxonomy."""
    return [f"{state}:{taxonomy_id}/{label_id}" for label_id in sorted(label_ids) for state in ("label", "left")]


class MigrationScan:
    """Finds what the steps of a migration need to know before they are taken."""

    def __init__(
        self,
        queries: LabelQueries,
        bodies: Bodies,
        labels: Ledger[SampleLabel],
        catalog: Catalog,
        chunk_labels: int = CHUNK_LABELS,
    ) -> None:
        self._queries = queries
        self._bodies = bodies
        self._labels = labels
        self._catalog = catalog
        self._chunk_labels = chunk_labels

    async def find_labels(self, events: Sequence[MigrationChunkDue]) -> list[MigrationChunkDue]:
        """Add the samples of each chunk, in order of their ids."""
        return [await self._found(event) for event in events]

    async def read_fields(self, events: Sequence[LabelMigrationDue]) -> list[LabelMigrationDue]:
        """Add the fields that each step rewrites or brings back."""
        keys = [f"{event.tenant_id}/{event.sample_id}" for event in events]
        labels = await self._labels.read(list(dict.fromkeys(keys)))
        wanted = [body_to_read(labels.get(key), event) for key, event in zip(keys, events, strict=True)]
        fields = await self._bodies.fields_of([body for body in wanted if body is not None])
        return [
            event if body is None else event.model_copy(update={"body": body, "fields": fields[body]})
            for event, body in zip(events, wanted, strict=True)
        ]

    async def _found(self, event: MigrationChunkDue) -> MigrationChunkDue:
        found = await self._queries.labeled(
            event.tenant_id,
            event.targets[0].project_id,
            self._lookups(event),
            after=event.after,
            limit=self._chunk_labels + 1,
        )
        chunk = tuple(found[: self._chunk_labels])
        return event.model_copy(update={"found": chunk, "complete": len(found) <= self._chunk_labels})

    def _lookups(self, event: MigrationChunkDue) -> list[str]:
        if event.rolls_back is not None:
            return [f"migrated:{event.rolls_back}"]
        taxonomies = self._catalog.taxonomies
        taxonomy = taxonomies.version(event.tenant_id, event.taxonomy_id, event.taxonomy_version).content
        return lookups_of(event.taxonomy_id, {*taxonomy.replacements, *_undecided_by(taxonomy, event.job_id)})


class Stragglers:
    """Finds labels that a migration should have reached and did not, and sends them after it.

    A replica that has not yet read of a migration records a label as it was given, perhaps behind the migration's
    search; and a label's own step may come after the migration has been rolled back. Both are rare, and both are found
    here, by the same index as in the migration itself. While a migration's job is running, its labels are left to it,
    so that it counts them.
    """

    def __init__(
        self,
        queries: LabelQueries,
        jobs: MigrationJobs,
        catalog: Catalog,
        publish: Callable[[Sequence[Event]], Awaitable[object]],
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._jobs = jobs
        self._catalog = catalog
        self._publish = publish
        self._clock = clock
        self._done: set[str] = set()

    async def send(self) -> int:
        """Look once through all projects that are bound to a taxonomy, and return how many labels were sent."""
        sent = 0
        for version in self._catalog.newest_versions():
            for binding in bindings_of(version.spec).values():
                if binding.version is not None:
                    sent += await self._send_of(version, binding.name, binding.version)
        return sent

    async def _send_of(self, project: ProjectVersion, taxonomy_id: str, number: int) -> int:
        found = self._catalog.taxonomies.get(project.tenant_id, taxonomy_id, number)
        if found is None or not await self._are_done(project.tenant_id, taxonomy_id):
            return 0
        due: list[LabelMigrationDue] = []
        if replaced := found.content.replacements:
            lookups = [f"label:{taxonomy_id}/{label_id}" for label_id in sorted(replaced)]
            due += await self._due(project, taxonomy_id, number, lookups, migration=found.migration or "")
        versions = self._catalog.taxonomies.versions(project.tenant_id, taxonomy_id)
        taken_back = {version.rolls_back for version in versions}
        for version in versions:
            if version.rolls_back is None or version.migration is None or version.number > number:
                continue
            if version.migration not in taken_back:
                lookups = [f"newest:{version.rolls_back}"]
                due += await self._due(
                    project, taxonomy_id, number, lookups, migration=version.migration, rolls_back=version.rolls_back
                )
        if due:
            await self._publish(due)
        return len(due)

    async def _are_done(self, tenant_id: str, taxonomy_id: str) -> bool:
        for version in self._catalog.taxonomies.versions(tenant_id, taxonomy_id):
            if version.migration is not None and version.migration not in self._done:
                if not await self._jobs.is_done(tenant_id, version.migration):
                    return False
                self._done.add(version.migration)
        return True

    async def _due(
        self,
        project: ProjectVersion,
        taxonomy_id: str,
        number: int,
        lookups: Sequence[str],
        *,
        migration: str,
        rolls_back: str | None = None,
    ) -> list[LabelMigrationDue]:
        samples = await self._queries.labeled(
            project.tenant_id, project.project_id, lookups, after="", limit=STRAGGLERS_AT_ONCE
        )
        return [
            LabelMigrationDue(
                event_id=new_id(),
                tenant_id=project.tenant_id,
                occurred_at=self._clock(),
                sample_id=sample_id,
                project_id=project.project_id,
                project_version=project.number,
                taxonomy_id=taxonomy_id,
                taxonomy_version=number,
                migration=migration,
                rolls_back=rolls_back,
            )
            for sample_id in samples
        ]


def _undecided_by(taxonomy: Taxonomy, migration: str) -> set[str]:
    """Return the labels that a migration split without saying which part takes their place."""
    return {
        label_id
        for label_id in taxonomy.undecided
        if (retired := taxonomy.by_id[label_id].retired) is not None and retired.migration == migration
    }
