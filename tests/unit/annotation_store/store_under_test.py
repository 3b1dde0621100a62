"""The annotation store over fakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.annotation_store.checking import Checker
from services.annotation_store.domain.annotation import Annotation, Review
from services.annotation_store.domain.content import fields_in
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.migration import MigrationChunk, MigrationJob
from services.annotation_store.domain.recheck import Recheck
from services.annotation_store.domain.surplus import Surplus
from services.annotation_store.handlers import (
    Barriers,
    create_check_routes,
    create_migration_routes,
    create_routes,
    create_scan_routes,
)
from services.annotation_store.migrating import MigrationScan
from services.annotation_store.migration_jobs import MigrationJobs
from services.annotation_store.store import Cut, Draft
from services.annotation_store.vocabulary import CatalogVocabulary
from shared.catalog import Catalog
from shared.jobs import JobPart
from shared.ledger import Ledger
from tests.builders import a_project_versioned
from tests.fakes import MemoryJobErrors, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver


class MemoryDrafts:
    def __init__(self) -> None:
        self.kept: dict[str, Draft] = {}

    async def read(self, key: str) -> Draft | None:
        return self.kept.get(key)

    async def write(self, draft: Draft) -> bool:
        there = self.kept[draft.id].revision if draft.id in self.kept else 0
        if there != draft.revision - 1:
            return False
        self.kept[draft.id] = draft
        return True

    async def forget(self, submitted: Mapping[str, datetime]) -> None:
        for key, moment in submitted.items():
            draft = self.kept.get(key)
            if draft is not None and draft.fields is not None and draft.saved_at <= moment:
                self.kept[key] = draft.model_copy(update={"fields": None, "revision": draft.revision + 1})


class MemoryCuts:
    def __init__(self, labels: MemoryLedgerStore) -> None:
        self._labels = labels
        self.kept: dict[str, Cut] = {}

    async def label_waits(self, partition: int, before: int) -> bool:
        places = [
            (waiting["beside"]["log_partition"], waiting["beside"]["log_offset"])
            for document in self._labels.documents.values()
            for waiting in document["pending"]
        ]
        return any(place == partition and offset < before for place, offset in places)

    async def keep(self, cut: Cut) -> None:
        self.kept[cut.id] = cut

    async def due(self, partitions: Sequence[int]) -> list[Cut]:
        return sorted((cut for cut in self.kept.values() if cut.partition in partitions), key=lambda cut: cut.offset)

    async def drop(self, cut: Cut) -> None:
        del self.kept[cut.id]


class MemoryQueries:
    """The queries of the service over the documents of fakes."""

    def __init__(self, annotations: MemoryLedgerStore, labels: MemoryLedgerStore, surplus: MemoryLedgerStore) -> None:
        self._annotations, self._labels, self._surplus = annotations, labels, surplus
        self._stores = (annotations, labels, surplus)

    async def fields_of(self, bodies: Sequence[str]) -> dict[str, dict[str, Any]]:
        found = {id_: body for store in self._stores for (_, id_), body in store.bodies.items()}
        return {id_: fields_in(found[id_]) for id_ in bodies}

    async def of_sample(
        self, tenant_id: str, sample_id: str, *, by: str | None, after: str, limit: int
    ) -> list[Annotation]:
        states = sorted(self._annotations.states.items())
        found = [Annotation.model_validate(state) for key, state in states if key.startswith(f"{tenant_id}/")]
        wanted = [each for each in found if each.sample_id == sample_id and by in {None, each.annotator_id}]
        return [each for each in wanted if each.annotation_id > after][:limit]

    async def surplus_of_sample(self, tenant_id: str, sample_id: str, *, by: str | None) -> list[Surplus]:
        states = sorted(self._surplus.states.items())
        found = [Surplus.model_validate(state) for key, state in states if key.startswith(f"{tenant_id}/")]
        return [each for each in found if each.sample_id == sample_id and by in {None, each.annotator_id}]

    async def labeled_samples(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[str]:
        states = [state for key, state in self._labels.states.items() if key.startswith(f"{tenant_id}/")]
        wanted = [each["sample_id"] for each in states if each["project_id"] == project_id and each["revisions"]]
        return sorted(sample for sample in wanted if sample > after)[:limit]

    async def labeled(
        self, tenant_id: str, project_id: str, lookups: Sequence[str], *, after: str, limit: int
    ) -> list[str]:
        found = [label.sample_id for label in self._looked_up(tenant_id, project_id, lookups)]
        return sorted(sample for sample in found if sample > after)[:limit]

    async def count(self, tenant_id: str, project_id: str, lookups: Sequence[str]) -> int:
        return len(self._looked_up(tenant_id, project_id, lookups))

    def _looked_up(self, tenant_id: str, project_id: str, lookups: Sequence[str]) -> list[SampleLabel]:
        states = {key: state for key, state in self._labels.states.items() if key.startswith(f"{tenant_id}/")}
        labels = [SampleLabel.model_validate(state) for state in states.values() if state is not None]
        mine = [label for label in labels if label.project_id == project_id]
        return [label for label in mine if set(label.lookups) & set(lookups)]

    async def labels_of(self, tenant_id: str, project_id: str, after: str, limit: int) -> list[SampleLabel]:
        states = sorted(self._labels.states.items())
        found = [SampleLabel.model_validate(state) for key, state in states if key.startswith(f"{tenant_id}/")]
        wanted = [each for each in found if each.project_id == project_id and each.revisions]
        return [each for each in wanted if each.sample_id > after][:limit]


class StoreUnderTest(Receiver):
    """The annotation store's routes, its documents, and what it announced."""

    def __init__(self, catalog: Catalog | None = None, chunk_labels: int = 2) -> None:
        """Make a store whose catalog is ``catalog``, or knows the first versions of the usual project."""
        self.catalog = catalog or known_project()
        self.annotation_documents = MemoryLedgerStore()
        self.review_documents = MemoryLedgerStore()
        self.label_documents = MemoryLedgerStore()
        self.surplus_documents = MemoryLedgerStore()
        self.recheck_documents = MemoryLedgerStore()
        self.announced = RecordingPublisher()
        self.drafts = MemoryDrafts()
        self.cuts = MemoryCuts(self.label_documents)
        self.queries = MemoryQueries(self.annotation_documents, self.label_documents, self.surplus_documents)
        self.annotations = Ledger(self.annotation_documents, self.announced, Annotation)
        self.reviews = Ledger(self.review_documents, self.announced, Review)
        self.labels = Ledger(self.label_documents, self.announced, SampleLabel)
        self.surplus = Ledger(self.surplus_documents, self.announced, Surplus)
        barriers = Barriers(self.cuts, self.announced)
        self.rechecks = Ledger(self.recheck_documents, self.announced, Recheck)
        checker = Checker(self.labels, self.queries, self.catalog)
        self.migrations = Ledger(MemoryLedgerStore(), self.announced, MigrationJob)
        job_documents = MemoryLedgerStore()
        self.jobs = Ledger(job_documents, self.announced, JobPart)
        self.migration_jobs = MigrationJobs(self.migrations, self.jobs, MemoryJobErrors(job_documents))
        self.chunks = Ledger(MemoryLedgerStore(), self.announced, MigrationChunk)
        scan = MigrationScan(self.queries, self.queries, self.labels, self.catalog, chunk_labels)
        known = CatalogVocabulary(self.catalog)
        super().__init__(
            [
                *create_routes(
                    self.annotations, self.reviews, self.labels, self.surplus, self.drafts, barriers, known, scan
                ),
                *create_check_routes(
                    Ledger(self.label_documents, self.announced, SampleLabel), self.rechecks, checker, self.catalog
                ),
                *create_migration_routes(self.migrations, self.jobs),
                *create_scan_routes(self.chunks, scan),
            ]
        )


def known_project() -> Catalog:
    """Return a catalog that has the usual project in a few versions."""
    catalog = Catalog()
    for number in range(1, 10):
        catalog.take(a_project_versioned(version=number))
    return catalog
