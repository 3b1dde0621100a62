"""Freezing: the labels of record at a cut, written once as an object that never changes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import orjson
import structlog

from services.versioning.domain.dataset import DatasetJob
from services.versioning.domain.label_row import DatasetRow, LabelRow, dataset_row
from services.versioning.rows import RowsWriter
from services.versioning.store import VersioningStore
from shared.catalog import Catalog
from shared.clock import Clock, from_ms, to_ms
from shared.consumer import may_pass
from shared.errors import ConflictError, LabelmeshError, UnavailableError
from shared.events.datasets import DatasetFilter, DatasetReady, DatasetSummary
from shared.ledger import Ledger
from shared.media import DATASET_BUCKET

log = structlog.get_logger()


class NothingToFreezeError(ConflictError):
    """No label of record belongs to the dataset."""

    title = "Nothing to freeze"


class FactsNotThereError(UnavailableError):
    """A sample's label is known before its assets are; that passes."""


class ObjectStore(Protocol):
    """What freezing and exporting need of the object store."""

    async def size(self, object_name: str) -> int | None:
        """Return the object's size in bytes, None where there is no such object."""

    async def put(self, object_name: str, content: bytes, media_type: str = ...) -> None:
        """Write an object from memory."""

    async def put_file(self, object_name: str, path: Path, media_type: str = ...) -> None:
        """Write an object from a file."""

    async def get_file(self, object_name: str, path: Path) -> None:
        """Write an object's bytes to ``path``."""


class Freezer:
    """Writes datasets; one batch of rows in memory at a time."""

    def __init__(
        self,
        store: VersioningStore,
        jobs: Ledger[DatasetJob],
        media: ObjectStore,
        catalog: Catalog,
        clock: Clock,
        *,
        batch_rows: int = 500,
        patience: timedelta = timedelta(seconds=60),
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._media = media
        self._catalog = catalog
        self._clock = clock
        self._batch_rows = batch_rows
        self._patience = patience

    async def enrich(self, events: Sequence[DatasetReady]) -> list[DatasetReady]:
        """Freeze what has not been frozen yet, one after the other; the events then tell what came of it."""
        return [await self._frozen(event) for event in events]

    async def _frozen(self, event: DatasetReady) -> DatasetReady:
        job_key = f"{event.tenant_id}/{event.job_id}"
        job = (await self._jobs.read([job_key])).get(job_key)
        if job is None or job.finished_ms is not None:
            return event
        try:
            return event.model_copy(update={"frozen": await self.freeze(event)})
        except LabelmeshError as error:
            if error.retryable:
                raise
            return event.model_copy(update={"failure": error.detail})
        except Exception as error:
            if may_pass(error):
                raise
            log.exception("freeze_failed", job=event.job_id)
            return event.model_copy(update={"failure": f"Freezing failed; report job {event.job_id} to the operator."})

    async def freeze(self, event: DatasetReady) -> DatasetSummary:
        """Write rows and manifest, unless the same content lies there already.

        Raises:
            NothingToFreezeError: No label fits.
            FactsNotThereError: Some sample's assets are not known yet; try again.
        """
        with tempfile.TemporaryDirectory(prefix="labelmesh-freeze-") as folder:
            path = Path(folder) / "rows.jsonl.zst"
            writer = await self._write(event, path)
            if writer.samples == 0:
                raise NothingToFreezeError(
                    f"Project {event.project_id} has no label of record that fits the filter {event.filter}; "
                    "wait for labels, or ask for less."
                )
            place = f"{DATASET_BUCKET}/{event.tenant_id}/{event.project_id}/{writer.dataset_id}"
            parent = await self._store.previous_dataset(
                event.tenant_id, event.project_id, event.appended_at_ms, writer.dataset_id
            )
            summary = DatasetSummary(
                dataset_id=writer.dataset_id,
                samples=writer.samples,
                rows=f"{place}/rows.jsonl.zst",
                rows_bytes=writer.bytes,
                manifest=f"{place}/manifest.json",
                parent=parent,
                project_versions=tuple(sorted(writer.project_versions)),
                languages=dict(sorted(writer.languages.items())),
                decided_by=dict(sorted(writer.decided_by.items())),
                fields=dict(sorted(writer.fields.items())),
            )
            if await self._media.size(summary.manifest) is None:
                await self._media.put_file(summary.rows, path, "application/zstd")
                written = orjson.dumps(self._manifest(event, summary), option=orjson.OPT_INDENT_2)
                await self._media.put(summary.manifest, written, "application/json")
        log.info("frozen", dataset=summary.dataset_id, samples=summary.samples)
        return summary

    async def _write(self, event: DatasetReady, path: Path) -> RowsWriter:
        chosen = DatasetFilter.model_validate(event.filter)
        with RowsWriter(path) as writer:
            async for rows in self._store.rows(event.tenant_id, event.project_id, self._batch_rows):
                chosen_rows = await self._at_cut(event, rows, chosen)
                await asyncio.to_thread(writer.add, chosen_rows)
        return writer

    async def _at_cut(self, event: DatasetReady, rows: Sequence[LabelRow], chosen: DatasetFilter) -> list[DatasetRow]:
        at_cut = [(row, revision) for row in rows if (revision := row.at_cut(event.barriers)) is not None]
        missing = [row.sample_id for row, _ in at_cut if not row.knows_assets]
        if missing and self._clock() < from_ms(event.appended_at_ms) + self._patience:
            raise FactsNotThereError(f"The assets of {len(missing)} samples ({missing[0]}, ...) are not known yet.")
        ids = [revision.body for _, revision in at_cut]
        bodies = await self._store.bodies([*ids, *(row.assets_body for row, _ in at_cut if row.assets_body)])
        made = await asyncio.to_thread(
            lambda: [
                dataset_row(row, revision, bodies[revision.body], row.assets_in(bodies), chosen)
                for row, revision in at_cut
            ]
        )
        return [row for row in made if row is not None]

    def _manifest(self, event: DatasetReady, summary: DatasetSummary) -> dict[str, Any]:
        versions = [
            {"version": number, "spec_hash": self._catalog.version(event.tenant_id, event.project_id, number).spec_hash}
            for number in summary.project_versions
            if self._catalog.knows(event.tenant_id, event.project_id, number)
        ]
        return {
            "dataset_id": summary.dataset_id,
            "project": {"id": event.project_id, "versions": versions},
            "counts": summary.model_dump(include={"samples", "languages", "decided_by", "fields"}),
            "rows": {
                "object": summary.rows,
                "format": "one line of canonical JSON per sample, sorted by sample_id, zstd",
                "sha256": summary.dataset_id,
                "bytes": summary.rows_bytes,
            },
            "filter": event.filter,
            "note": event.note,
            "lineage": {
                "job": event.job_id,
                "requested_by": event.requested_by,
                "cut_ms": event.appended_at_ms or to_ms(event.occurred_at),
                "barriers": {str(partition): offset for partition, offset in sorted(event.barriers.items())},
                "parent": summary.parent,
            },
        }
