"""Ingest over fakes: its routes, its documents, an object store in memory, and probes in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.ingest.api import create_router
from services.ingest.domain.duplicates import Content
from services.ingest.domain.erasing import Erasure, after_erasure
from services.ingest.domain.finding import Finding
from services.ingest.domain.probe import probe
from services.ingest.domain.resemblance import Band
from services.ingest.domain.sample import Sample
from services.ingest.domain.upload import Upload
from services.ingest.handlers import (
    Prober,
    create_content_routes,
    create_erasure_routes,
    create_image_routes,
    create_media_routes,
    create_routes,
)
from services.ingest.notifications import read_notification, write_notification
from services.ingest.probing import ProbePool
from shared.declared import Declared
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.duplicates import ContentCompared, ContentMet, ContentReleased
from shared.events.imports import ImportLineFinished
from shared.events.resemblance import ImageLeft, ImageMet, ImageResembled
from shared.events.samples import AssetSource, SampleSubmitted
from shared.events.uploads import MediaDropped, MediaUploaded, UploadArrived, UploadAwaited, UploadRefused
from shared.ids import new_id, sample_id_of
from shared.jobs import JobPart
from shared.labels.facts import AssetFacts
from shared.labels.policies import PiiPolicy
from shared.ledger import Ledger
from shared.media import Media, StoredObject, upload_object
from tests.asking import asking
from tests.builders import PROJECT, TENANT, a_catalog, a_project_spec, a_project_versioned, a_sample_submitted
from tests.fakes import FakeClock, MemoryJobErrors, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver

OWN = (
    UploadAwaited,
    UploadArrived,
    UploadRefused,
    MediaDropped,
    ImportLineFinished,
    ContentMet,
    ContentCompared,
    ContentReleased,
    ImageMet,
    ImageLeft,
    ImageResembled,
)
"""What ingest tells itself."""

MODALITIES = ("image", "audio", "video", "text", "sensor", "document")


def a_media_spec(**changes: Any) -> dict[str, Any]:
    """Return a project with an optional slot of every modality that is uploaded."""
    fields = {"verdict": {"kind": "choice", "options": ["good", "bad"]}}
    assets = {modality: {"modality": modality, "required": False} for modality in MODALITIES}
    return a_project_spec(assets=assets, fields=fields, **changes)


class MemoryMedia(Media):
    """An object store that keeps every version."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}
        self.previews: dict[str, bytes] = {}

    def add(self, name: str, content: bytes) -> StoredObject:
        version = f"v{len(self.kept) + 1}"
        self.kept[name, version] = content
        return StoredObject(name, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest(), version)

    async def get_version(self, object_name: str, path: Path, version: str | None) -> str:
        content = self.kept.get((object_name, version or ""))
        if content is None:
            raise NotFoundError(f"There is no object {object_name}.")
        path.write_bytes(content)
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    async def put_file(self, object_name: str, path: Path, media_type: str = "") -> None:
        self.add(object_name, path.read_bytes())

    async def find(self, object_name: str, version: str | None = None) -> StoredObject | None:
        found = [(kept, content) for (name, kept), content in self.kept.items() if name == object_name]
        if not found:
            return None
        newest, content = found[-1]
        return StoredObject(object_name, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest(), newest)

    async def remove(self, object_name: str, version: str | None = None) -> None:
        for name, kept in list(self.kept):
            if name == object_name and version in {None, kept}:
                del self.kept[name, kept]

    def link(self, object_name: str, version: str | None = None, lifetime: Any = None) -> str:
        return f"https://media.example/{object_name}?versionId={version}"

    def asset_link(self, facts: AssetFacts, lifetime: Any = None) -> str:
        return self.link(facts.object or "", facts.version)

    async def put(self, object_name: str, content: bytes, media_type: str = "") -> None:
        self.previews[object_name] = content


class DirectPool(ProbePool):
    """Probes here; what workers are for has tests of its own."""

    async def probe(
        self,
        path: Path,
        modality: str,
        filename: str,
        declared_media_type: str | None,
        pii: PiiPolicy | None = None,
    ) -> Finding:
        return probe(path, modality, filename, declared_media_type, pii)


class IngestUnderTest(Receiver):
    """Ingest's routes, its documents, and what it announced."""

    @classmethod
    async def of(cls, spec: Mapping[str, Any] | None = None) -> IngestUnderTest:
        """Make ingest for a project of this spec, or of a slot for every modality."""
        return cls(await a_catalog(a_project_versioned(spec=dict(spec or a_media_spec()))))

    def __init__(self, catalog: Any) -> None:
        self.documents = {
            name: MemoryLedgerStore() for name in ("samples", "uploads", "jobs", "erasures", "contents", "bands")
        }
        self.announced = RecordingPublisher()
        self.catalog = catalog
        self.media = MemoryMedia()
        self.clock = FakeClock()
        self.samples: Ledger[Sample] = Ledger(
            self.documents["samples"], self.announced, Sample, after_erasure=after_erasure
        )
        self.erasures: Ledger[Erasure] = self._ledger("erasures", Erasure)
        self.uploads: Ledger[Upload] = self._ledger("uploads", Upload)
        self.jobs: Ledger[JobPart] = self._ledger("jobs", JobPart)
        prober = Prober(self.media, DirectPool(workers=1))
        super().__init__(
            [
                *create_erasure_routes(self.samples, self.erasures),
                *create_content_routes(self.samples, self._ledger("contents", Content), catalog),
                *create_image_routes(self.samples, self._ledger("bands", Band)),
                *create_routes(self.samples, self.uploads, self.jobs, catalog, self.media),
                *create_media_routes(self.samples, catalog, prober),
            ]
        )
        self._told = 0

    async def hear(self, *events: Event) -> None:
        """Receive events, and then whatever ingest has told itself, one after the other."""
        await self.receive(*events)
        while self._told < len(self.announced.events):
            event = self.announced.events[self._told]
            self._told += 1
            if isinstance(event, OWN):
                await self.receive(event)

    def put(
        self, upload_id: str, content: bytes, filename: str = "file", declared: Declared | None = None
    ) -> MediaUploaded:
        """Put a file under an upload's address and return what the store then notifies of."""
        segment = "" if declared is None else declared.segment()
        return notified(self.media.add(upload_object(TENANT, upload_id, filename, segment), content))

    async def submit_file(
        self, modality: str, content: bytes, filename: str = "file", external_id: str = "sample-1"
    ) -> dict[str, Any]:
        """Upload a file, submit a sample of it, and return the sample's state."""
        upload = new_id()
        await self.hear(self.put(upload, content, filename), submission(external_id, **{modality: upload}))
        return self.sample(external_id)

    def sample(self, external_id: str = "sample-1") -> dict[str, Any]:
        """Return the state of a sample."""
        return self.documents["samples"].states[f"{TENANT}/{sample_id_of(TENANT, PROJECT, external_id)}"]

    def upload(self, upload_id: str) -> Upload:
        """Return the state of an upload."""
        return Upload.model_validate(self.documents["uploads"].states[f"{TENANT}/{upload_id}"])

    def asking(self, **caller: Any) -> Any:
        """Return a client of the API."""
        return asking(
            create_router,
            self.samples,
            self.uploads,
            self.jobs,
            MemoryJobErrors(self.documents["jobs"]),
            self.erasures,
            self.media,
            self.catalog,
            **caller,
        )

    def _ledger(self, name: str, state: Any) -> Ledger[Any]:
        return Ledger(self.documents[name], self.announced, state)


def submission(external_id: str = "sample-1", **uploads: str) -> SampleSubmitted:
    """Return a sample of uploads, by slot."""
    assets = {slot: AssetSource(upload=upload) for slot, upload in uploads.items()}
    return a_sample_submitted(external_id=external_id, assets=assets)


def notified(found: StoredObject) -> MediaUploaded:
    """Return what ingest reads from the store's notification of an object."""
    record = type("Record", (), {"value": write_notification(found)})()
    [event] = read_notification(record)
    return event
