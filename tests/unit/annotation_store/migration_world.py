"""A project whose labels come from a taxonomy, beside the store that migrates them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.annotation_store.api import create_router
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.migrating import Stragglers
from services.annotation_store.migrations_api import create_migrations_router
from services.annotation_store.reading import Reader
from shared.catalog import Catalog
from shared.events import Event
from shared.events.annotations import LabelRecorded
from shared.events.migrations import LabelMigrated, LabelMigrationDue, MigrationChunkDue, MigrationScanned
from shared.ids import sample_id_of
from shared.labels.taxonomy import Taxonomy, apply_operations, roll_back
from shared.labels.taxonomy.binding import bind_spec
from tests.asking import asking
from tests.builders import (
    MIGRATION,
    PROJECT,
    TENANT,
    a_label_finalized,
    a_migration_requested,
    a_project_rebound,
    a_project_spec,
    a_project_versioned,
    a_sample_ingested,
    a_taxonomy,
    a_taxonomy_versioned,
)
from tests.fakes import FakeClock
from tests.unit.annotation_store.store_under_test import StoreUnderTest

OWN = (MigrationChunkDue, LabelMigrationDue, LabelMigrated, MigrationScanned)
"""What the store tells itself."""
ROLLBACK = "annotation_store-r1"
MERGE = [{"op": "merge", "labels": ["duck"], "into": "goose"}]
FIELD = {"kind": "choice", "taxonomy": {"name": "animals"}}


class MigrationWorld(StoreUnderTest):
    """A store that has read version 1 of taxonomy and project; later versions come when a test says so."""

    def __init__(self, chunk_labels: int = 2) -> None:
        super().__init__(Catalog(), chunk_labels)
        self.clock = FakeClock()
        self.taxonomies: list[Taxonomy] = []
        self._told = 0
        self.publish(a_taxonomy())

    def publish(self, taxonomy: Taxonomy, **changes: Any) -> None:
        """Let the catalog read the next version of the taxonomy, and a version of the project that is bound to it."""
        self.taxonomies.append(taxonomy)
        number = len(self.taxonomies)
        self.catalog.take(a_taxonomy_versioned(taxonomy_version=number, content=taxonomy.to_json(), **changes))
        spec = a_project_spec(fields={"animal": FIELD, "note": {"kind": "text"}})
        bound = bind_spec(spec, self.catalog.taxonomies.lookup(TENANT)).raw
        self.catalog.take(a_project_versioned(version=number, spec=bound))

    def change(self, *operations: dict[str, Any]) -> None:
        """Let the catalog read of a migration."""
        changed = apply_operations(
            self.taxonomies[-1], [*operations] or MERGE, version=len(self.taxonomies) + 1, migration=MIGRATION
        )
        assert changed.taxonomy is not None, changed.faults
        self.publish(changed.taxonomy, migration=MIGRATION)

    def change_back(self) -> None:
        """Let the catalog read of a rollback of the newest change."""
        before, after = self.taxonomies[-2:]
        back = roll_back(before, after, version=len(self.taxonomies) + 1, migration=ROLLBACK)
        self.publish(back, migration=ROLLBACK, rolls_back=MIGRATION)

    async def label(self, number: int, animal: str, version: int = 1, **changes: Any) -> None:
        """Ingest a sample and finalize its label."""
        name = {"external_id": f"sample-{number}"}
        event = a_label_finalized(fields={"animal": animal}, project_version=version, **name, **changes)
        await self.receive(a_sample_ingested(event_id=f"in-{number}", **name), event)

    async def migrate(self, **changes: Any) -> None:
        """Run the migration of the newest version to its end."""
        newest = self.catalog.taxonomies.latest(TENANT, "animals")
        job = {"job_id": newest.migration or MIGRATION}
        await self.receive(a_migration_requested(taxonomy_version=newest.number, rolls_back=newest.rolls_back, **job))
        await self.receive(a_project_rebound(project_version=newest.number, **job, **changes))
        await self.settle()

    async def settle(self) -> None:
        """Hand the store what it has told itself, until it says nothing more."""
        while self._told < len(self.announced.events):
            event = self.announced.events[self._told]
            self._told += 1
            if isinstance(event, OWN):
                await self.receive(event)

    async def send_stragglers(self) -> int:
        """Look for labels that were left behind, and migrate them."""

        async def publish(events: list[Event]) -> None:
            await self.receive(*events)

        sent = await Stragglers(self.queries, self.migration_jobs, self.catalog, publish, self.clock).send()  # type: ignore[arg-type]
        await self.settle()
        return sent

    async def animals(self) -> dict[str, list[str]]:
        """Return per sample what each revision of its label says, the oldest first."""
        labels = [SampleLabel.model_validate(state) for state in self.label_documents.states.values()]
        found = {}
        for label in sorted(labels, key=lambda each: each.external_id):
            fields = await self.queries.fields_of([each.body for each in label.revisions])
            found[label.external_id] = [fields[each.body]["animal"] for each in label.revisions]
        return found

    def of(self, number: int) -> SampleLabel:
        """Return the label of the sample of some number."""
        sample = sample_id_of(TENANT, PROJECT, f"sample-{number}")
        return SampleLabel.model_validate(self.label_documents.states[f"{TENANT}/{sample}"])

    async def job(self, job_id: str = MIGRATION) -> dict[str, Any]:
        """Return a job as the API shows it."""
        async with self.asking() as client:
            answer = await client.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    def asking(self, **caller: Any) -> Any:
        """Return a client of the API."""
        reader = Reader(
            self.annotations,
            self.labels,
            self.surplus,
            self.rechecks,
            self.migration_jobs,
            self.queries,
            self.catalog,
        )

        def create(caller_of: Any) -> APIRouter:
            router = APIRouter()
            router.include_router(create_migrations_router(caller_of, self.queries, self.migration_jobs))
            router.include_router(create_router(caller_of, reader, self.drafts, 1000))
            return router

        return asking(create, **caller)

    def recorded(self, number: int) -> list[LabelRecorded]:
        """Return what was announced of a sample's label, each once, in order of revisions."""
        sample = sample_id_of(TENANT, PROJECT, f"sample-{number}")
        by_id = {each.event_id: each for each in self.announced.of(LabelRecorded) if each.sample_id == sample}
        return sorted(by_id.values(), key=lambda each: each.revision)
