"""Files that samples name, by upload or by address: awaited, there, refused, given up, removed."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault
from shared.labels.pii.model import PiiFinding


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
