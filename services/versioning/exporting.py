"""Exporting: a frozen dataset written in another format, in a thread, as a stream."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from services.versioning.datasets import Datasets
from services.versioning.domain.dataset import Dataset
from services.versioning.domain.export import Export
from services.versioning.domain.exports import ExportContext, ExportFormat, format_named
from services.versioning.freezing import ObjectStore
from services.versioning.rows import read_rows
from shared.catalog import Catalog
from shared.consumer import may_pass
from shared.errors import LabelmeshError
from shared.events.datasets import ExportAccepted, WrittenExport
from shared.labels.kinds import FieldOptions
from shared.ledger import Ledger
from shared.media import EXPORT_BUCKET

log = structlog.get_logger()


class Exporter:
    """Writes exports; the rows pass through one at a time."""

    def __init__(self, datasets: Datasets, exports: Ledger[Export], media: ObjectStore, catalog: Catalog) -> None:
        self._datasets = datasets
        self._exports = exports
        self._media = media
        self._catalog = catalog

    async def enrich(self, events: Sequence[ExportAccepted]) -> list[ExportAccepted]:
        """Write what has not been written yet, one after the other; the events then tell what came of it."""
        return [await self._exported(event) for event in events]

    async def _exported(self, event: ExportAccepted) -> ExportAccepted:
        key = f"{event.tenant_id}/{event.job_id}"
        export = (await self._exports.read([key])).get(key)
        if export is None or export.finished_ms is not None:
            return event
        try:
            return event.model_copy(update={"written": await self.write(event)})
        except LabelmeshError as error:
            if error.retryable:
                raise
            return event.model_copy(update={"failure": error.detail})
        except Exception as error:
            if may_pass(error):
                raise
            log.exception("export_failed", job=event.job_id, format=event.format)
            return event.model_copy(update={"failure": f"Writing failed; report job {event.job_id} to the operator."})

    async def write(self, event: ExportAccepted) -> WrittenExport:
        """Write the file and put it into the export bucket.

        Raises:
            NotFoundError: There is no such dataset.
            ExportRefusedError: The dataset cannot be written in this format.
        """
        dataset = await self._datasets.find(event.tenant_id, event.dataset_id)
        format_ = format_named(event.format)
        context = ExportContext(dataset.dataset_id, self._fields(event.tenant_id, dataset), event.options)
        name = f"{dataset.project_id}-{dataset.dataset_id[:12]}.{format_.suffix}"
        object_name = f"{EXPORT_BUCKET}/{event.tenant_id}/{event.job_id}/{name}"
        with tempfile.TemporaryDirectory(prefix="labelmesh-export-") as folder:
            source, target = Path(folder) / "rows", Path(folder) / "export"
            await self._media.get_file(dataset.summary.rows, source)
            records = await asyncio.to_thread(_write, format_, context, source, target)
            size, digest = await asyncio.to_thread(_measure, target)
            await self._media.put_file(object_name, target, format_.media_type)
        return WrittenExport(object=object_name, size=size, sha256=digest, records=records)

    def _fields(self, tenant_id: str, dataset: Dataset) -> Mapping[str, FieldOptions]:
        """Return the options of each field in any project version of the dataset; the newest version's word counts."""
        fields: dict[str, FieldOptions] = {}
        for number in dataset.summary.project_versions:
            spec = self._catalog.version(tenant_id, dataset.project_id, number).spec
            fields |= spec.fields
        return {name: options for name, options in fields.items() if name in dataset.summary.fields}


def _write(format_: ExportFormat, context: ExportContext, source: Path, target: Path) -> int:
    with target.open("wb") as out:
        return format_.write(read_rows(source), context, out)


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
