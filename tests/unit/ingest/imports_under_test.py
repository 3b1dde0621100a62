"""Ingest over fakes: samples, uploads and jobs as it folds them, and files that it imports part by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, cast

import orjson

from services.ingest.domain.sample import Sample
from services.ingest.domain.upload import Upload
from services.ingest.handlers import create_routes
from services.ingest.imports.noticing import Followed, Notice, Noticing
from services.ingest.imports.prefixes import PrefixReader, Told
from services.ingest.imports.reading import FileImports
from services.ingest.references.buckets import Buckets
from services.ingest.store import told_of
from shared.catalog import Catalog
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.imports import ImportContinued, ImportLineFinished, ImportReceived, ImportRested
from shared.events.samples import SampleSubmitted
from shared.job_errors import LineError
from shared.jobs import REMEMBERED_EVENTS, JobPart, JobView, read_errors, read_job, read_lines
from shared.ledger import Ledger
from shared.media import Media, StoredObject
from tests.builders import MORNING, TENANT, a_catalog
from tests.fakes import Fuse, MemoryJobErrors, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver

OWN = (SampleSubmitted, ImportLineFinished, ImportReceived, ImportContinued, ImportRested)
"""What ingest tells itself."""


class MemoryObjects:
    """Files as the object store gives them."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.reads = 0
        self.modified_ms: dict[str, int] = {}

    async def find(self, name: str, _version: str | None = None) -> StoredObject | None:
        content = self.kept.get(name)
        return None if content is None else StoredObject(name, len(content), str(hash(content)))

    def read_range(self, stored: StoredObject, offset: int, length: int) -> bytes:
        self.reads += 1
        return self.kept[stored.name][offset : offset + length]

    async def remove(self, name: str) -> None:
        self.kept.pop(name, None)

    async def list(self, prefix: str, limit: int, after: str = "") -> list[StoredObject]:
        bucket = prefix.partition("/")[0]
        if not any(name.startswith(f"{bucket}/") for name in self.kept):
            raise NotFoundError(f"The bucket {bucket} cannot be listed: NoSuchBucket.")
        names = sorted(name for name in self.kept if name.startswith(prefix) and name > f"{bucket}/{after}")
        return [
            StoredObject(
                name,
                len(self.kept[name]),
                sha256(self.kept[name]).hexdigest()[:32],
                None,
                self.modified_ms.get(name, 0),
            )
            for name in names[:limit]
        ]


class Known:
    """What is known of samples, in memory."""

    def __init__(self, samples: MemoryLedgerStore) -> None:
        self._samples = samples

    async def told(self, ids: Sequence[str]) -> dict[str, Told]:
        found = await self._samples.load(ids)
        return {id_: told_of(document) for id_, document in found.items()}


class MemoryProgress:
    """Which part of an import comes next, in memory; a fuse may blow before it is noted."""

    def __init__(self, fuse: Fuse) -> None:
        self._next: dict[tuple[str, str], int] = {}
        self._fuse = fuse

    async def next_chunk(self, tenant_id: str, job_id: str) -> int:
        return self._next.get((tenant_id, job_id), 0)

    async def passed(self, tenant_id: str, job_id: str, chunk: int) -> None:
        self._fuse.burn("before the part is noted")
        self._next[tenant_id, job_id] = max(chunk + 1, await self.next_chunk(tenant_id, job_id))


class MemoryNotices:
    """What was told of objects, in memory."""

    def __init__(self, jobs: MemoryLedgerStore) -> None:
        self._jobs = jobs
        self.kept: dict[str, Notice] = {}

    async def followed(self, tenant_id: str) -> list[Followed]:
        heads = [state for key, state in self._jobs.states.items() if state and key.startswith(f"{tenant_id}/")]
        return [
            Followed(each["job_id"], each["follow"]["source"]["prefix"])
            for each in heads
            if each.get("follow") and not each["is_cancelled"]
        ]

    async def keep(self, notices: Sequence[Notice]) -> None:
        self.kept |= {f"{each.tenant_id}/{each.job_id}/{each.object}": each for each in notices}

    async def some(self, after: str, limit: int) -> list[Notice]:
        return [self.kept[key] for key in sorted(self.kept) if key > after][:limit]

    async def forget(self, tenant_id: str, job_id: str, noticed: Mapping[str, str]) -> None:
        for name, etag in noticed.items():
            if (known := self.kept.get(key := f"{tenant_id}/{job_id}/{name}")) and known.etag == etag:
                del self.kept[key]


class IngestUnderTest(Receiver):
    """Ingest and what it keeps."""

    def __init__(self, catalog: Catalog, fuse: Fuse) -> None:
        self.catalog = catalog
        self.documents = {name: MemoryLedgerStore() for name in ("samples", "uploads", "jobs")}
        self.announced = RecordingPublisher(fuse)
        self.objects = MemoryObjects()
        self.progress = MemoryProgress(fuse)
        self.jobs: Ledger[JobPart] = Ledger(
            self.documents["jobs"], self.announced, JobPart, remembers=REMEMBERED_EVENTS
        )
        samples = Ledger(self.documents["samples"], self.announced, Sample)
        uploads = Ledger(self.documents["uploads"], self.announced, Upload)
        buckets = Buckets({TENANT: ["raw/"]})
        prefixes = PrefixReader(cast(Media, self.objects), buckets, Known(self.documents["samples"]), lambda: self.now)
        self.notices = MemoryNotices(self.documents["jobs"])
        self.noticing = Noticing(
            self.notices, buckets, self.jobs, catalog, self.announced, lambda: self.now, timedelta(seconds=5)
        )
        self.files = FileImports(
            cast(Media, self.objects),
            prefixes,
            self.jobs,
            self.progress,
            catalog,
            self.announced,
            self.notices.forget,
            max_line_bytes=10_000,
        )
        super().__init__(
            [
                *create_routes(samples, uploads, self.jobs, catalog, cast(Media, self.objects)),
                *self.files.routes(),
                *self.noticing.routes(),
            ]
        )
        self.now = MORNING
        self._told = 0

    @classmethod
    async def of(cls, *known: Event, fuse: Fuse | None = None) -> IngestUnderTest:
        """Return an ingest that knows the usual project, or these."""
        return cls(await a_catalog(*known), fuse or Fuse())

    async def hear(self, *events: Event) -> None:
        """Receive events, and then whatever ingest has told itself."""
        await self.receive(*events)
        while self._told < len(self.announced.events):
            event = self.announced.events[self._told]
            self._told += 1
            if isinstance(event, OWN):
                await self.receive(event)

    async def job(self, job_id: str = "job-1", tenant_id: str = TENANT) -> JobView:
        return await read_job(self.jobs, tenant_id, job_id, MORNING)

    async def outcomes(self, job_id: str = "job-1") -> dict[int, str]:
        """Return what became of each line."""
        return {line: outcome async for line, outcome in read_lines(self.jobs, TENANT, job_id)}

    async def errors(self, job_id: str = "job-1", after: int = 0) -> list[LineError]:
        kept = MemoryJobErrors(self.documents["jobs"])
        return [error async for error in read_errors(self.jobs, kept, TENANT, job_id, after)]

    @property
    def states(self) -> dict[str, str]:
        """The state of each sample, by external id."""
        known = [each for each in self.documents["samples"].states.values() if each is not None]
        return {each["external_id"]: each["state"] for each in known}


def ndjson(*samples: Any) -> bytes:
    """Return lines, each an object or its text."""
    return b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in samples)


def chats(names: Iterable[Any]) -> list[dict[str, Any]]:
    """Return small samples by their names."""
    return [{"external_id": str(name), "assets": {"chat": {"text": f"Text {name}."}}} for name in names]


def codes(errors: Sequence[LineError]) -> dict[int, list[str]]:
    """Return the codes of what is wrong, by line."""
    return {error.line: [fault.code for fault in error.faults] for error in errors}
