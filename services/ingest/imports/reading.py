"""Imports from files and prefixes, part by part: what is read is in the log before the next part is begun.

How far an import has come stands in the log, in the event that asks for its next part. A small document beside it says
which part that is, so that an event that comes twice is read once. A part that was read twice all the same (its reader
died in between, or lost the partition) tells the same facts under the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from services.ingest.imports.chunks import Chunk, Fetch, UnreadableFileError
from services.ingest.imports.ndjson import read_ndjson
from services.ingest.imports.prefixes import PrefixReader
from services.ingest.imports.table_csv import read_csv
from services.ingest.imports.table_parquet import ParquetReader
from shared.catalog import Catalog, ProjectVersion
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.imports import (
    ImportContinued,
    ImportCursor,
    ImportFormat,
    ImportReceived,
    ImportRequested,
    ImportRested,
    ImportWork,
)
from shared.jobs import JobPart, read_head
from shared.ledger import Delivery, Ledger
from shared.media import Media, StoredObject, find_upload
from shared.routes import Reaction
from shared.sample_lines import line_event

_ENDINGS: Final[dict[str, ImportFormat]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
EVENTS_AT_ONCE: Final = 500
Due = ImportRequested | ImportContinued
Following = ImportContinued | ImportRested | ImportReceived


class Progress(Protocol):
    """Which part of an import comes next."""

    async def next_chunk(self, tenant_id: str, job_id: str) -> int:
        """Return the number of the part that has not been read; 0 for an import that nothing is known of."""

    async def passed(self, tenant_id: str, job_id: str, chunk: int) -> None:
        """Note that this part was read; the number never goes back."""


class FileImports:
    """Reads imported files, and prefixes of buckets."""

    def __init__(
        self,
        media: Media,
        prefixes: PrefixReader,
        jobs: Ledger[JobPart],
        progress: Progress,
        catalog: Catalog,
        publish: Callable[[Sequence[Event]], Awaitable[Any]],
        forget: Callable[[str, str, Mapping[str, str]], Awaitable[None]],
        max_line_bytes: int,
    ) -> None:
        """Make a reader.

        Args:
            media: Where the files are.
            prefixes: Lists what lies below prefixes.
            jobs: Tells which imports nobody wants any more.
            progress: Which part of an import comes next.
            catalog: The project versions that lines are checked against.
            publish: Puts facts into the log and returns once they are there.
            forget: Lets go of what was noticed (tenant, job, etags by object), for it is in the log.
            max_line_bytes: Longer lines are refused.
        """
        self._media = media
        self._prefixes = prefixes
        self._jobs = jobs
        self._progress = progress
        self._catalog = catalog
        self._publish = publish
        self._forget = forget
        self._max_line_bytes = max_line_bytes
        self._parquet = ParquetReader()

    def routes(self) -> list[Reaction]:
        """Return what reads the next part of an import when it is due."""
        return [Reaction(ImportRequested, self.on_due), Reaction(ImportContinued, self.on_due)]

    async def on_due(self, deliveries: Sequence[Delivery]) -> None:
        """Read one part of each import. One that was read already is passed over."""
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, ImportRequested | ImportContinued):
                await self._read_part(event)

    async def _read_part(self, event: Due) -> None:
        cursor = event.cursor if isinstance(event, ImportContinued) else ImportCursor()
        if cursor.chunk < await self._progress.next_chunk(event.tenant_id, event.job_id):
            return
        head = await read_head(self._jobs, event.tenant_id, event.job_id)
        if head is not None and head.is_cancelled:
            following: Following = _received(event, cursor)
        else:
            following = await self._tell(event, cursor)
        await self._publish([following])
        await self._progress.passed(event.tenant_id, event.job_id, cursor.chunk)
        if cursor.noticed:
            await self._forget(event.tenant_id, event.job_id, cursor.noticed)
        if isinstance(following, ImportReceived) and event.source.object is not None:
            await self._media.remove(event.source.object)

    async def _tell(self, event: Due, cursor: ImportCursor) -> Following:
        """Put what one part of the source says into the log, and return what comes next."""
        version = self._catalog.version(event.tenant_id, event.project_id, event.project_version)
        try:
            chunk = await self._chunk(event, cursor, version)
        except UnreadableFileError as error:
            return _received(event, cursor, fault=error.fault)
        except NotFoundError as error:
            return _received(event, cursor, fault=UnreadableFileError("source-gone", error.detail).fault)
        told = await asyncio.to_thread(self._events, event, chunk, version)
        for first in range(0, len(told), EVENTS_AT_ONCE):
            await self._publish(told[first : first + EVENTS_AT_ONCE])
        if not chunk.at_end:
            return _continued(event, chunk.cursor)
        return _received(event, chunk.cursor) if event.source.follow_seconds is None else _rested(event, chunk.cursor)

    async def _chunk(self, event: Due, cursor: ImportCursor, version: ProjectVersion) -> Chunk:
        if event.source.prefix is not None:
            return await self._prefixes.read(event.source.prefix, cursor, version, self._max_line_bytes)
        stored = await self._find(event, cursor)
        cursor = cursor.model_copy(update={"object": stored.name, "version": stored.version, "etag": stored.etag})
        return await asyncio.to_thread(self._read, event, stored, cursor, version)

    async def _find(self, event: Due, cursor: ImportCursor) -> StoredObject:
        if cursor.object:
            stored = await self._media.find(cursor.object, cursor.version)
        elif event.source.upload is not None:
            stored = await find_upload(self._media, event.tenant_id, event.source.upload)
        else:
            stored = await self._media.find(event.source.object or "")
        if stored is None:
            raise UnreadableFileError("source-gone", "There is no such file; upload it first, then import it.")
        if cursor.etag and stored.etag != cursor.etag:
            raise UnreadableFileError("source-changed", "Another file lies there since reading began; import it anew.")
        return stored

    def _read(self, event: Due, stored: StoredObject, cursor: ImportCursor, version: ProjectVersion) -> Chunk:
        fetch: Fetch = partial(self._media.read_range, stored)
        kind = event.source.format or _format_of(stored.name)
        if kind == "csv":
            return read_csv(fetch, cursor, version.spec, self._max_line_bytes)
        if kind == "parquet":
            return self._parquet.read(fetch, stored.size, cursor, version.spec, self._max_line_bytes)
        return read_ndjson(fetch, cursor, self._max_line_bytes)

    def _events(self, event: Due, chunk: Chunk, version: ProjectVersion) -> list[Event]:
        envelope = {name: getattr(event, name) for name in ("tenant_id", "occurred_at", "request_id", "traceparent")}
        return [
            line_event(
                version,
                line,
                envelope,
                event.job_id,
                on_conflict=event.on_conflict,
                max_line_bytes=self._max_line_bytes,
                due_at=event.due_at,
            )
            for line in chunk.lines
        ]


def _format_of(name: str) -> ImportFormat:
    return next((kind for ending, kind in _ENDINGS.items() if name.lower().endswith(ending)), "ndjson")


def _continued(event: Due, cursor: ImportCursor) -> ImportContinued:
    return ImportContinued.caused_by(event, part=str(cursor.chunk), cursor=cursor, **_work_of(event))


def _rested(event: Due, cursor: ImportCursor) -> ImportRested:
    return ImportRested.caused_by(event, part=str(cursor.chunk), cursor=cursor, **_work_of(event))


def _work_of(event: Due) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ImportWork.model_fields.keys() - Event.model_fields.keys()}


def _received(event: Due, cursor: ImportCursor, **more: Any) -> ImportReceived:
    known = event.model_dump(include={"job_id", "project_id"})
    return ImportReceived.caused_by(event, lines=cursor.total, last_line=cursor.line, **known, **more)
