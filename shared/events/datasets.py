"""Dataset versions: a consistent cut through the labels of record, frozen and exported."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from shared.events.base import Event


class DatasetFilter(BaseModel):
    """Which labels of record a dataset takes; what is not said does not restrict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    languages: tuple[str, ...] = Field(
        (), max_length=100, description="BCP 47; `pt` takes `pt-BR` too.", examples=[["en", "de"]]
    )
    decided_by: tuple[Literal["consensus", "review", "adjudication"], ...] = Field(
        (), description="How the labels came to be."
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Lowest support of any field; a label without figures was decided by a person."
    )
    fields: tuple[str, ...] = Field(
        (), max_length=200, description="Take these fields alone; samples that have none of them are left out."
    )


class DatasetSummary(BaseModel):
    """What there is to know of a dataset version without reading it."""

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    """SHA-256 of the rows, uncompressed: one line of canonical JSON per sample, sorted by sample id."""
    samples: int
    rows: str
    """Bucket and key of the rows, compressed by zstd."""
    rows_bytes: int
    """Of the uncompressed rows."""
    manifest: str
    """Bucket and key of the manifest."""
    parent: str | None = None
    """The dataset that the project froze before."""
    project_versions: tuple[int, ...]
    """The project versions that the labels were made under."""
    languages: dict[str, int]
    """Samples by language; ``und`` where it is not known."""
    decided_by: dict[str, int]
    fields: dict[str, int]
    """Samples by field that they have."""


class DatasetRequested(Event):
    """Somebody wants the project's labels frozen."""

    topic: ClassVar[str] = "dataset.requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    tag: str | None = None
    filter: dict[str, Any] = Field(default_factory=dict)
    note: str = ""
    requested_by: str


class DatasetCut(Event):
    """A mark in one partition of ``label.finalized``: what stands before it belongs to the dataset."""

    topic: ClassVar[str] = "label.finalized.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    partition: int

    @property
    @override
    def target_partition(self) -> int:
        return self.partition


class DatasetReady(Event):
    """The cut has passed every partition: the dataset can be written."""

    topic: ClassVar[str] = "dataset.ready.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    barriers: dict[int, int]
    """Per partition of ``label.recorded``: the offset of its barrier."""
    tag: str | None = None
    filter: dict[str, Any] = Field(default_factory=dict)
    note: str = ""
    requested_by: str
    frozen: DatasetSummary | None = Field(None, exclude=True)
    """What was written; added by versioning as it reads, never on the wire."""
    failure: str = Field("", exclude=True)
    """Why it could not be written; added by versioning as it reads, never on the wire."""


class DatasetFrozen(Event):
    """A dataset version exists; its id is the hash of its content."""

    topic: ClassVar[str] = "dataset.frozen.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning", "gateway"})
    key_field: ClassVar[str] = "dataset_id"

    dataset_id: str
    project_id: str
    job_id: str
    samples: int
    manifest: str
    """Bucket and key of the manifest."""
    tag: str | None = None
    filter: dict[str, Any] = Field(default_factory=dict)
    note: str = ""
    requested_by: str
    barriers: dict[int, int]
    """Per partition of ``label.recorded``: what stands before this offset is in it."""
    summary: DatasetSummary


class DatasetTagRequested(Event):
    """Somebody wants a tag to point to a dataset."""

    topic: ClassVar[str] = "dataset.tag_requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway", "versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "tag"

    tag: str
    dataset_id: str
    project_id: str
    requested_by: str


class DatasetTagged(Event):
    """A tag points to a dataset from here on."""

    topic: ClassVar[str] = "dataset.tagged.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "tag"

    tag: str
    dataset_id: str
    project_id: str


class ExportRequested(Event):
    """Somebody wants a dataset as files of a given format."""

    topic: ClassVar[str] = "export.requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    dataset_id: str
    format: str
    options: dict[str, Any] = Field(default_factory=dict)
    requested_by: str


class WrittenExport(BaseModel):
    """A file in the export bucket."""

    model_config = ConfigDict(frozen=True)

    object: str
    """Bucket and key."""
    size: int
    """Bytes."""
    sha256: str
    records: int
    """How many samples, images or lines the format counts."""


class ExportAccepted(Event):
    """The export is known and waits to be written."""

    topic: ClassVar[str] = "export.accepted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    dataset_id: str
    format: str
    options: dict[str, Any] = Field(default_factory=dict)
    written: WrittenExport | None = Field(None, exclude=True)
    """The file; added by versioning as it reads, never on the wire."""
    failure: str = Field("", exclude=True)
    """Why there is no file; added by versioning as it reads, never on the wire."""


class ExportFinished(Event):
    """An export's file can be downloaded, or could not be written."""

    topic: ClassVar[str] = "export.finished.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    dataset_id: str
    format: str
    object: str | None = None
    size: int = 0
    failure: str | None = None
