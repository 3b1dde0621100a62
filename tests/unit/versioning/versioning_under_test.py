"""Versioning over fakes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.versioning.api import create_router
from services.versioning.binding import BoundProjects
from services.versioning.datasets import Datasets
from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.export import Export
from services.versioning.domain.label_row import LabelRow, read_body
from services.versioning.domain.project import AuditEntry, Project
from services.versioning.domain.taxonomy import KeptTaxonomy
from services.versioning.erasing import HeldSamples
from services.versioning.exporting import Exporter
from services.versioning.freezing import Freezer
from services.versioning.handlers import create_job_routes, create_routes
from services.versioning.store import DatasetCursor
from shared.clock import to_ms
from shared.events import Event
from shared.events.annotations import LabelRecorded
from shared.events.datasets import (
    DatasetCut,
    DatasetFrozen,
    DatasetReady,
    DatasetTagRequested,
    ExportAccepted,
)
from shared.ledger import Ledger
from tests.asking import asking
from tests.builders import (
    a_catalog,
    a_dataset_requested,
    a_label_barrier,
    a_label_recorded,
    a_sample_described,
    an_export_requested,
)
from tests.fakes import FakeClock, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver

OWN = (DatasetReady, DatasetFrozen, DatasetTagRequested, ExportAccepted)
"""What versioning tells itself."""


class FolderMedia:
    """An object store in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.writes: list[str] = []

    async def size(self, object_name: str) -> int | None:
        place = self._folder / object_name
        return place.stat().st_size if place.exists() else None

    async def put(self, object_name: str, content: bytes, media_type: str = "") -> None:
        self.writes.append(object_name)
        place = self._folder / object_name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    async def put_file(self, object_name: str, path: Path, media_type: str = "") -> None:
        await self.put(object_name, path.read_bytes())

    async def get_file(self, object_name: str, path: Path) -> None:
        path.write_bytes(self.read(object_name))

    def link(self, object_name: str) -> str:
        return f"https://media.example/{object_name}?signed"

    def read(self, object_name: str) -> bytes:
        return (self._folder / object_name).read_bytes()


class MemoryVersioningStore:
    """The queries over the fakes of the ledgers."""

    def __init__(self, documents: dict[str, MemoryLedgerStore]) -> None:
        self._documents = documents

    def _states(self, collection: str, tenant_id: str) -> list[dict[str, Any]]:
        found = sorted(self._documents[collection].documents.values(), key=lambda each: each["_id"])
        return [each["state"] for each in found if each["tenant_id"] == tenant_id and each["state"] is not None]

    async def rows(self, tenant_id: str, project_id: str, batch: int) -> AsyncIterator[list[LabelRow]]:
        found = [row for row in self._states("label_rows", tenant_id) if row["project_id"] == project_id]
        for start in range(0, len(found), batch):
            yield [LabelRow.model_validate(row) for row in found[start : start + batch]]

    async def bodies(self, ids: Sequence[str]) -> dict[str, Any]:
        bodies = self._documents["label_rows"].bodies
        return {id_: read_body(body) for (_, id_), body in bodies.items() if id_ in ids}

    async def previous_dataset(self, tenant_id: str, project_id: str, before_ms: int, but: str) -> str | None:
        jobs = [job for job in self._states("dataset_jobs", tenant_id) if job["project_id"] == project_id]
        finished = [
            (job["finished_ms"], job["dataset_id"])
            for job in jobs
            if job["dataset_id"] not in {None, but} and job["finished_ms"] < before_ms
        ]
        return max(finished)[1] if finished else None

    async def audit(self, tenant_id: str, project_id: str, before: int | None, limit: int) -> list[AuditEntry]:
        bodies = self._documents["projects"].bodies.values()
        mine = [AuditEntry.model_validate(body) for body in bodies if body["tenant_id"] == tenant_id]
        found = [each for each in mine if each.project_id == project_id and (before is None or each.number < before)]
        return sorted(found, key=lambda each: -each.number)[:limit]

    async def datasets(self, tenant_id: str, project_id: str, after: DatasetCursor | None, limit: int) -> list[Dataset]:
        found = [Dataset.model_validate(state) for state in self._states("datasets", tenant_id)]
        ordered = sorted(found, key=lambda each: (-each.frozen_ms, each.dataset_id))
        beyond = (0, "") if after is None else (-after.frozen_ms, after.dataset_id)
        return [
            each
            for each in ordered
            if each.project_id == project_id and (after is None or (-each.frozen_ms, each.dataset_id) > beyond)
        ][:limit]

    async def tags_of(self, tenant_id: str, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
        tags = self._states("tags", tenant_id)
        return {wanted: [tag["tag"] for tag in tags if tag["dataset_id"] == wanted] for wanted in dataset_ids}


async def caught_up() -> None:
    """The catalog of these tests has read what they gave it."""


class VersioningUnderTest(Receiver):
    """Versioning's routes in one process, its documents, its objects, and what it announced."""

    @classmethod
    async def of(cls, folder: Path, *known: Event, partitions: int = 1) -> VersioningUnderTest:
        """Make versioning whose catalog has read ``known``, or version 1 of the usual project."""
        return cls(folder, await a_catalog(*known), partitions)

    def __init__(self, folder: Path, catalog: Any, partitions: int) -> None:
        names = ("projects", "taxonomies", "label_rows", "dataset_jobs", "datasets", "tags", "exports")
        self.documents = {name: MemoryLedgerStore() for name in names}
        self.announced = RecordingPublisher()
        self.catalog = catalog
        self.media = FolderMedia(folder)
        self.clock = FakeClock()
        self.store = MemoryVersioningStore(self.documents)
        self.jobs = self._ledger("dataset_jobs", DatasetJob)
        self.exports = self._ledger("exports", Export)
        datasets, tags = self._ledger("datasets", Dataset), self._ledger("tags", Tag)
        self.datasets = Datasets(datasets, tags, self.media)
        freezer = Freezer(
            self.store,
            self.jobs,
            self.media,
            catalog,
            self.clock,
            batch_rows=2,
            patience=timedelta(seconds=60),
        )
        rows = self._ledger("label_rows", LabelRow)
        routes = create_routes(
            projects=self._ledger("projects", Project),
            taxonomies=self._ledger("taxonomies", KeptTaxonomy),
            rows=rows,
            jobs=self.jobs,
            datasets=datasets,
            tags=tags,
            exports=self.exports,
            partitions=partitions,
            bound=BoundProjects(catalog, caught_up),
            held=HeldSamples(self.store, rows),
        )
        exporter = Exporter(self.datasets, self.exports, self.media, catalog)
        super().__init__([*routes])
        self._long_work = Receiver(create_job_routes(self.jobs, self.exports, freezer, exporter))
        self._told = 0

    async def settle(self) -> None:
        """Hand versioning what it has told itself, until it says nothing more; each a second after the one before."""
        while self._told < len(self.announced.events):
            event = self.announced.events[self._told]
            self._told += 1
            if isinstance(event, OWN):
                stamped = event.model_copy(update={"appended_at_ms": to_ms(self.clock.advance(1))})
                await self._long_work.receive(stamped)
                await self.receive(stamped)

    async def long_work_again(self) -> None:
        """Deliver the long work once more, as after a crash before its commit."""
        await self._long_work.receive_all_again()

    async def label(self, *labels: LabelRecorded) -> None:
        """Describe the samples of some labels, and record these."""
        samples = [
            a_sample_described(
                event_id=f"in-{each.sample_id}",
                sample_id=each.sample_id,
                project_id=each.project_id,
                external_id=each.external_id,
            )
            for each in labels
        ]
        await self.receive(*samples, *labels)

    async def freeze(self, **changes: Any) -> DatasetJob:
        """Request a dataset, answer every cut with its barrier, and return the job."""
        job_id = changes.setdefault("job_id", f"versioning-{len(self.documents['dataset_jobs'].documents)}")
        await self.receive(a_dataset_requested(**changes))
        cuts = [cut for cut in self.announced.of(DatasetCut) if cut.job_id == job_id]
        await self.receive(*(a_label_barrier(dataset_job_id=job_id, partition=cut.partition) for cut in cuts))
        await self.settle()
        return DatasetJob.model_validate(self.documents["dataset_jobs"].states[f"acme/{job_id}"])

    async def rows_of(self, dataset_id: str) -> list[dict[str, Any]]:
        """Return the rows of a dataset as its JSONL export has them."""
        exported = await self.export(dataset_id=dataset_id, format="jsonl")
        assert exported.written is not None, exported.failure
        return [json.loads(line) for line in self.media.read(exported.written.object).splitlines()]

    async def export(self, **changes: Any) -> Export:
        """Request an export and return it."""
        job_id = changes.setdefault("job_id", f"versioning-x{len(self.documents['exports'].documents)}")
        await self.receive(an_export_requested(**changes))
        await self.settle()
        return Export.model_validate(self.documents["exports"].states[f"acme/{job_id}"])

    def asking(self, **caller: Any) -> Any:
        """Return a client of the API."""
        return asking(create_router, self.media, self.store, self.datasets, self.jobs, self.exports, **caller)

    def _ledger(self, name: str, state: Any) -> Ledger[Any]:
        return Ledger(self.documents[name], self.announced, state)


def a_label(number: int, intent: str = "refund", **changes: Any) -> LabelRecorded:
    """Return the label of the sample of some number."""
    return a_label_recorded(external_id=f"sample-{number}", fields={"intent": intent}, **changes)
