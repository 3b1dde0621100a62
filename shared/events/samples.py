"""Samples: from what a client sends to what labels are checked against."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.labels.facts import AssetFacts, Clock
from shared.labels.faults import Fault
from shared.labels.pii.model import PiiFinding
from shared.labels.values import LANGUAGE_PATTERN

OnConflict = Literal["refuse", "replace"]
"""What becomes of a sample that is known with other content: it stays, or takes over what may be replaced."""


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
    leaves_out_none: ClassVar[bool] = True

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
    languages: dict[str, tuple[str | None, float | None]] = Field(default_factory=dict, exclude=True)
    """By slot: the language that its text seems to be in, and how sure that is; added by ingest as it reads."""


class SampleIngested(Event):
    """A sample is complete and checked: labels can be made, and are checked against these facts."""

    topic: ClassVar[str] = "sample.ingested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment", "annotation_store"})
    leaves_out_none: ClassVar[bool] = True

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
