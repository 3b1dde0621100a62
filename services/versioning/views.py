"""What versioning answers over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.export import Export
from services.versioning.domain.exports import ExportFormat
from services.versioning.domain.project import AuditEntry
from shared.clock import from_ms
from shared.jobs import JobView


class AuditPage(BaseModel):
    """What was done to a project, the newest first, and where the next page begins."""

    items: list[AuditEntry]
    next: str | None


class LineageView(BaseModel):
    """Where a dataset comes from."""

    jobs: list[str] = Field(description="The jobs that came to this content, the first one first.")
    parent: str | None = Field(description="The dataset that the project froze before.")
    project_versions: list[int] = Field(description="The project versions that the labels were made under.")
    barriers: dict[str, int] = Field(description="The cut: per partition of label.recorded, what comes before it.")


class CountsView(BaseModel):
    """How many samples a dataset has of what."""

    samples: int
    languages: dict[str, int]
    decided_by: dict[str, int]
    fields: dict[str, int] = Field(description="Samples by field that they have.")


class DatasetView(BaseModel):
    """A dataset version."""

    dataset_id: str = Field(description="SHA-256 of the rows; the same content has the same id.")
    project_id: str
    frozen_at: datetime
    requested_by: str
    note: str
    filter: dict[str, Any]
    tags: list[str] = Field(description="The tags that point to it now.")
    counts: CountsView
    erased_samples: int = Field(description="Its samples that were erased since; freeze anew to leave them out.")
    lineage: LineageView
    manifest: str = Field(description="Signed link to the manifest, good for two hours.")
    rows: str = Field(description="Signed link to the rows (JSON lines, zstd), good for two hours.")
    rows_bytes: int = Field(description="Bytes of the rows, uncompressed.")


class DatasetPage(BaseModel):
    """Datasets, the newest first, and where the next page begins."""

    items: list[DatasetView]
    next: str | None


class FormatView(BaseModel):
    """A format that datasets can be exported in."""

    name: str
    media_type: str
    description: str
    options: dict[str, str] = Field(description="What each option means.")


class FormatList(BaseModel):
    """All export formats."""

    items: list[FormatView]
    next: None = None


class ExportView(BaseModel):
    """An export on its way, finished or failed."""

    export_id: str
    dataset_id: str
    format: str
    options: dict[str, Any]
    state: str = Field(description="running, done or failed")
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    size: int | None = Field(description="Bytes.")
    sha256: str | None
    records: int | None = Field(description="What the format counts: lines, rows or images.")
    failure: str | None


class Link(BaseModel):
    """Where a file can be fetched."""

    url: str


def dataset_view(dataset: Dataset, tags: list[str], manifest: str, rows: str) -> DatasetView:
    """Return what is shown of a dataset."""
    summary = dataset.summary
    return DatasetView(
        **dataset.model_dump(include={"dataset_id", "project_id", "requested_by", "note", "filter"}),
        frozen_at=from_ms(dataset.frozen_ms),
        tags=tags,
        counts=CountsView(**summary.model_dump(include={"samples", "languages", "decided_by", "fields"})),
        lineage=LineageView(
            jobs=list(dataset.jobs),
            parent=summary.parent,
            project_versions=list(summary.project_versions),
            barriers=dataset.barriers,
        ),
        manifest=manifest,
        rows=rows,
        erased_samples=len(dataset.erased),
        rows_bytes=summary.rows_bytes,
    )


def format_view(format_: ExportFormat) -> FormatView:
    """Return what is shown of a format."""
    return FormatView(
        name=format_.name,
        media_type=format_.media_type,
        description=format_.description,
        options=dict(format_.options),
    )


def export_view(export: Export) -> ExportView:
    """Return what is shown of an export."""
    written = export.written
    return ExportView(
        export_id=export.job_id,
        **export.model_dump(include={"dataset_id", "format", "options", "requested_by", "requested_at"}),
        state=_state(export),
        finished_at=None if export.finished_ms is None else from_ms(export.finished_ms),
        size=None if written is None else written.size,
        sha256=None if written is None else written.sha256,
        records=None if written is None else written.records,
        failure=export.failure or None,
    )


def dataset_job_view(job: DatasetJob, dataset: Dataset | None, tag: Tag | None) -> JobView:
    """Return how far a freeze is; it is done when its dataset can be read, by its tag too."""
    if job.failure:
        failed = {"failure": job.failure}
        return JobView(
            job_id=job.job_id, state="failed", done=0, total=0, failed=1, started=job.requested_at, result=failed
        )
    tagged = job.tag is None or (tag is not None and any(move.dataset_id == job.dataset_id for move in tag.history))
    if dataset is None or not tagged:
        return JobView(job_id=job.job_id, state="running", done=0, started=job.requested_at)
    return JobView(
        job_id=job.job_id,
        state="done",
        done=dataset.summary.samples,
        total=dataset.summary.samples,
        started=job.requested_at,
        result={"dataset_id": dataset.dataset_id, "tag": job.tag, "samples": dataset.summary.samples},
    )


def export_job_view(export: Export) -> JobView:
    """Return how far an export is."""
    result: dict[str, Any] | None = None
    if export.written is not None:
        result = {"export": export.job_id, "dataset_id": export.dataset_id, "format": export.format}
        result |= export.written.model_dump(include={"size", "sha256", "records"})
    elif export.failure:
        result = {"failure": export.failure}
    state = _state(export)
    return JobView.model_validate(
        {
            "job_id": export.job_id,
            "state": state,
            "done": int(state == "done"),
            "total": 1,
            "failed": int(state == "failed"),
            "started": export.requested_at,
            "result": result,
        }
    )


def _state(export: Export) -> str:
    if export.failure:
        return "failed"
    return "running" if export.finished_ms is None else "done"
