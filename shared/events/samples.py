"""Samples and their media: from what a client sends to what labels are checked against."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.labels.facts import AssetFacts, Clock
from shared.labels.faults import Fault
from shared.labels.pii.model import PiiFinding
from shared.labels.values import LANGUAGE_PATTERN

OnConflict = Literal["refuse", "replace"]
"""What becomes of a sample that is known with other content: it stays, or takes over what may be replaced."""

ImportFormat = Literal["ndjson", "csv", "parquet"]


class AssetSource(BaseModel):
    """Where a sample's asset comes from, by exactly one of the four; and what the sender knows of it."""

    model_config = ConfigDict(frozen=True)

    upload: str | None = Field(None, description="The id that POST /v1/uploads gave.")
    uri: str | None = Field(None, description="An s3:// or https:// address.")
    etag: str | None = Field(
        None, max_length=200, description="Of an s3:// object: the one that is meant; another one there is refused."
    )
    text: str | None = Field(None, description="The text itself.")
    record: dict[str, Any] | None = Field(None, description="The JSON object itself.")
    language: str | None = Field(
        None, pattern=LANGUAGE_PATTERN, description="BCP 47; of this asset, where it is not the sample's."
    )
    facts: dict[str, int | float | str] | None = Field(
        None, description="What you know of it, such as width or duration; what is found otherwise rejects the sample."
    )


class SampleSubmitted(Event):
    """A client sent a sample; its inline assets are checked, its uploads are not yet looked at."""

    topic: ClassVar[str] = "sample.submitted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway", "ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    assets: dict[str, AssetSource]
    metadata: dict[str, Any] = Field(default_factory=dict)
    clocks: dict[str, Clock] = Field(default_factory=dict)
    """By slot: where the asset's time stands on the sample's common clock; from then on in the asset's facts."""
    language: str | None = None
    predictions: dict[str, Any] | None = None
    pii: list[PiiFinding] = Field(default_factory=list)
    """Where the sample holds personal data, or held it before it was masked; what uploads hold is not known yet."""
    due_at: datetime | None = None
    """Until when the sample should have its label of record; None: as the project's policy says."""
    on_conflict: OnConflict = "refuse"
    job_id: str | None = None
    line: int | None = None
    is_cancelled: bool = Field(False, exclude=True)
    """Whether its import was cancelled before it was read; added by ingest as it reads, never on the wire."""
    languages: dict[str, tuple[str | None, float | None]] = Field({}, exclude=True)
    """By slot: the language that its text seems to be in, and how sure that is; added by ingest as it reads."""


class UploadAwaited(Event):
    """A sample needs an upload; whichever of notification and sample comes last completes both."""

    topic: ClassVar[str] = "upload.awaited.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "upload_id"

    upload_id: str
    sample_id: str
    slot: str
    attempt: str = ""
    """The submission that needs it: a sample that was rejected and sent again needs it anew."""


class MediaUploaded(Event):
    """An object lies in the media bucket; ingest makes this of MinIO's own notification."""

    topic: ClassVar[str] = "media.uploaded.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"minio"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "upload_id"

    upload_id: str
    object: str
    size: int
    etag: str
    version: str | None = None
    """The object's version; None where the bucket keeps none."""


class ObjectPut(Event):
    """An object was put into a registered bucket; ingest makes this of MinIO's own notification."""

    topic: ClassVar[str] = "media.uploaded.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"minio"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "object"

    object: str
    """``bucket/key``."""
    etag: str


class UploadArrived(Event):
    """An upload that a sample waits for is there."""

    topic: ClassVar[str] = "upload.arrived.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    upload_id: str
    slot: str
    object: str
    size: int
    etag: str = ""
    version: str | None = None
    lapsed: bool = False
    """It has been given up: its object did not come for long, or was not needed for long and is removed."""
    refused: Fault | None = None
    """Why there is no object: what a sample names by an address could not be fetched."""
    facts: AssetFacts | None = Field(None, exclude=True)
    """What the probe found; added by ingest as it reads, never on the wire."""
    fault: Fault | None = Field(None, exclude=True)
    """Why the probe refused the file; added by ingest as it reads, never on the wire."""
    pii: list[PiiFinding] = Field([], exclude=True)
    """Where the probe found personal data, with pointers into the asset; added by ingest as it reads."""
    is_masked: bool = Field(False, exclude=True)
    """Whether ``facts`` tell of a masked text, so that the object is not to be shown; added by ingest as it reads."""


class ReferenceAwaited(Event):
    """A sample names a file by its address; it has to be fetched."""

    topic: ClassVar[str] = "reference.awaited.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    slot: str
    reference_id: str
    uri: str


class UploadRefused(Event):
    """A sample was rejected and needs its upload no more."""

    topic: ClassVar[str] = "upload.refused.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "upload_id"

    upload_id: str
    sample_id: str
    slot: str
    attempt: str
    erases: bool = False
    """The sample was erased, or is served as a copy alone: unless another needs the object, it goes at once."""


class UploadLapsed(Event):
    """An upload was half for as long as such are kept: not needed by any sample, or needed and not there."""

    topic: ClassVar[str] = "upload.lapsed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "upload_id"

    upload_id: str
    since_ms: int
    """Since when; one whose other half came meanwhile is kept."""


class MediaDropped(Event):
    """An object of an upload counts no more, for its upload lapsed or had an object before; ingest removes it."""

    topic: ClassVar[str] = "media.dropped.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "upload_id"

    upload_id: str
    object: str
    version: str | None = None
    reason: Literal["lapsed", "replaced", "erased", "stripped"]


class ContentMet(Event):
    """A sample is complete, in a project that wants no content twice; who had it first is to be found out."""

    topic: ClassVar[str] = "content.met.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "content_id"

    content_id: str
    sample_id: str
    attempt: str


class ContentCompared(Event):
    """It is known which sample of the project had a content first."""

    topic: ClassVar[str] = "content.compared.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    content_id: str
    attempt: str
    first: str
    """The sample that had it first, perhaps the same one."""


class ContentReleased(Event):
    """A sample that may have been the first with its content was erased."""

    topic: ClassVar[str] = "content.released.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "content_id"

    content_id: str
    sample_id: str


class SampleIngested(Event):
    """A sample is complete and checked: labels can be made, and are checked against these facts."""

    topic: ClassVar[str] = "sample.ingested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment", "annotation_store", "versioning"})

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    assets: dict[str, AssetFacts]
    metadata: dict[str, Any] = Field(default_factory=dict)
    language: str | None = None
    predictions: dict[str, Any] | None = None
    pii: list[PiiFinding] = Field(default_factory=list)
    """Where the sample holds personal data, in a project that flags it, or held it before it was masked."""
    due_at: datetime | None = None
    """Until when the sample should have its label of record, where its sender has said so."""


class SampleRejected(Event):
    """A sample cannot be labeled, and why; sent again corrected it is ingested."""

    topic: ClassVar[str] = "sample.rejected.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    faults: list[Fault]


LineOutcome = Literal["created", "unchanged", "replaced", "linked", "conflict", "rejected", "erased", "cancelled"]


class ImportSource(BaseModel):
    """Where the lines of an import come from, when not in the request; one of the first three is set."""

    model_config = ConfigDict(frozen=True)

    upload: str | None = Field(None, description="The id that POST /v1/uploads gave, for a file of lines.")
    prefix: str | None = Field(None, description="s3://bucket/path/: each object below it is an asset of a sample.")
    follow_seconds: int | None = Field(
        None, ge=10, description="With prefix: list it again so many seconds after each listing, until cancelled."
    )
    object: str | None = Field(None, description="Where the gateway has put a body that cannot be read as it comes.")
    format: ImportFormat | None = Field(None, description="None: as the name ends.")


class ImportCursor(BaseModel):
    """How far an import from an object has been read."""

    model_config = ConfigDict(frozen=True)

    chunk: int = 0
    offset: int = 0
    """The byte at which the next line begins; of a Parquet file, the row within its group."""
    group: int = 0
    """Of a Parquet file, the row group."""
    line: int = 0
    """The number of the last line that was read."""
    total: int = 0
    """How many lines were read that are not blank."""
    object: str = ""
    """``bucket/key`` of what is read, once it is found."""
    version: str | None = None
    """Of that object, where its bucket keeps versions."""
    etag: str = ""
    """Of that object: another object under the same name is not read on."""
    columns: list[str] = Field(default_factory=list)
    """Of a CSV file, from its first line."""
    delimiter: str = ","
    after: str = ""
    """Of a prefix, the key after which listing goes on; ``listing``, how often it was listed to its end before."""
    listing: int = 0
    begun_ms: int = 0
    """Of a prefix, when this listing began, in milliseconds since 1970; ``since_ms``, when the one before did."""
    since_ms: int = 0
    noticed: dict[str, str] = Field(default_factory=dict)
    """Of a prefix, objects whose notifications came, with their etags: they alone are looked at, not the whole."""


class ImportRequested(Event):
    """Somebody wants a file of samples imported that lies in the object store."""

    topic: ClassVar[str] = "import.requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    source: ImportSource
    on_conflict: OnConflict = "refuse"
    due_at: datetime | None = None
    """Of samples whose lines give none of their own."""


class ImportContinued(Event):
    """A part of an imported file is in the log; the next begins at the cursor."""

    topic: ClassVar[str] = "import.continued.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    source: ImportSource
    on_conflict: OnConflict = "refuse"
    due_at: datetime | None = None
    """Of samples whose lines give none of their own."""
    cursor: ImportCursor


class ImportRested(Event):
    """A prefix that is followed was listed to its end; it is listed again when it is time."""

    topic: ClassVar[str] = "import.rested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    source: ImportSource
    on_conflict: OnConflict = "refuse"
    cursor: ImportCursor
    """Where the next listing begins; ``total`` and ``line`` count what was told so far."""


class ImportReceived(Event):
    """The last line of an import has been read; the job knows its total."""

    topic: ClassVar[str] = "import.received.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway", "ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    lines: int
    last_line: int = 0
    """The number of the last line; blank lines have numbers too, and are not counted in ``lines``."""
    fault: Fault | None = None
    """Why reading ended before the end."""


class ImportCancelled(Event):
    """Nobody wants the rest of an import."""

    topic: ClassVar[str] = "import.cancelled.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    cancelled_by: str


class ImportLineFinished(Event):
    """One line of an import has its outcome."""

    topic: ClassVar[str] = "import.line_finished.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway", "ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    line: int
    outcome: LineOutcome
    external_id: str | None = None
    sample_id: str | None = None
    faults: list[Fault] = Field(default_factory=list)
    source: str | None = None
    """The line as it was sent, kept where it failed so that it can be corrected and sent again."""

    def without_content(self) -> Self:
        """Return the event without the line that it quotes."""
        return self.model_copy(update={"source": None})
