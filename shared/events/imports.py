"""Imports: jobs that read samples line by line, or from the objects below a prefix."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.events.samples import OnConflict
from shared.labels.faults import Fault

ImportFormat = Literal["ndjson", "csv", "parquet"]

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


class ImportWork(Event):
    """What an import says until it is read to its end. Shared by its beginning, each part after it, and its rests."""

    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    source: ImportSource
    on_conflict: OnConflict = "refuse"
    due_at: datetime | None = None
    """Of samples whose lines give none of their own."""


class ImportRequested(ImportWork):
    """Somebody wants a file of samples imported that lies in the object store."""

    topic: ClassVar[str] = "import.requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})


class ImportContinued(ImportWork):
    """A part of an imported file is in the log; the next begins at the cursor."""

    topic: ClassVar[str] = "import.continued.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    cursor: ImportCursor


class ImportRested(ImportWork):
    """A prefix that is followed was listed to its end; it is listed again when it is time."""

    topic: ClassVar[str] = "import.rested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

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


class ImportLinesFinished(Event):
    """Some lines of an import have their outcomes; with none of them anything is wrong."""

    topic: ClassVar[str] = "import.lines_finished.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    part: int
    """Which thousand of the import's lines they are of."""
    lines: dict[LineOutcome, list[int]]
    """Numbers of lines by outcome."""
