"""What lies below a prefix of a registered bucket, as the lines of an import: page by page, in the order of the keys.

A prefix that is followed is listed again and again. From the second listing on, what became of an object before is
not told once more: a sample that was told of with the same objects is passed over, and so are names that are wrong
since before the last listing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Final, NamedTuple, Protocol

import orjson

from services.ingest.domain.prefix import Group, Object, file_slots, groups, is_seen, name_of, sample_of
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.submission import submission_hash
from services.ingest.imports.chunks import Chunk, UnreadableFileError
from services.ingest.references.buckets import Buckets, address
from shared.catalog import ProjectVersion
from shared.clock import Clock, to_ms
from shared.errors import NotFoundError
from shared.events.imports import ImportCursor
from shared.ids import sample_id_of
from shared.labels.faults import Fault
from shared.lines import Line, parse_line
from shared.media import Media, StoredObject
from shared.sample_lines import SampleBody, check_body

OBJECTS_AT_ONCE: Final = 1000
"""What a page of a listing holds in MinIO and S3."""
CLOCKS_DIFFER_MS: Final = 60_000
"""So far the store's clock may be from ours."""
_NEVER: Final = 2**60
_LAST: Final = "\U0010ffff"


class Told(NamedTuple):
    """What was taken in or refused of a sample before, by the hashes of what was sent."""

    taken: str | None
    refused: str | None
    is_erased: bool = False


class ToldBefore(Protocol):
    """What is known of samples."""

    async def told(self, ids: Sequence[str]) -> Mapping[str, Told]:
        """Return, by ``tenant/sample id``, what was told before of those samples that are known."""


class PrefixReader:
    """Lists prefixes."""

    def __init__(self, media: Media, buckets: Buckets, samples: ToldBefore, clock: Clock) -> None:
        """Make it.

        Args:
            media: The object store.
            buckets: What the tenants may list.
            samples: What is known of samples.
            clock: The present time.
        """
        self._media = media
        self._buckets = buckets
        self._samples = samples
        self._clock = clock

    async def read(self, prefix: str, cursor: ImportCursor, version: ProjectVersion, max_line_bytes: int) -> Chunk:
        """List a page from ``cursor`` on, or look at what was noticed alone.

        Raises:
            UnreadableFileError: ``unregistered-bucket``, ``source-gone`` or ``no-slot``.
        """
        if not file_slots(version.spec):
            raise UnreadableFileError("no-slot", "The project has no slot for files; import its records as lines.")
        try:
            beginning = self._buckets.name(version.tenant_id, prefix)
            if cursor.noticed:
                return await self._look_at(beginning, cursor, version, max_line_bytes)
            found = await self._media.list(beginning, OBJECTS_AT_ONCE, cursor.after)
        except MediaRejectedError as error:
            raise UnreadableFileError(error.code, error.detail) from error
        except NotFoundError as error:
            raise UnreadableFileError("source-gone", f"{error.detail} Ask the operator whether it is there.") from error
        if cursor.begun_ms == 0:
            cursor = cursor.model_copy(update={"begun_ms": to_ms(self._clock())})
        page = _page(found, beginning, version)
        some = await self._news(page.groups, cursor, version, max_line_bytes)
        lines = [_line(group, number, version) for number, group in enumerate(some, cursor.line + 1)]
        if page.crowded is not None:
            lines.append(_crowded(page.crowded, cursor.line + len(lines) + 1))
        moved = {
            "chunk": cursor.chunk + 1,
            "line": cursor.line + len(lines),
            "total": cursor.total + len(lines),
            "after": page.after,
        }
        if page.at_end:
            moved |= {"after": "", "listing": cursor.listing + 1, "since_ms": cursor.begun_ms, "begun_ms": 0}
        return Chunk(lines, cursor.model_copy(update=moved), page.at_end)

    async def _look_at(
        self, beginning: str, cursor: ImportCursor, version: ProjectVersion, max_line_bytes: int
    ) -> Chunk:
        """Return what is new of the samples that noticed objects belong to; wrong names are left to the next listing."""
        is_alone = len(file_slots(version.spec)) == 1
        limit = 1 if is_alone else OBJECTS_AT_ONCE
        found: list[StoredObject] = []
        for wanted in sorted({_sample_prefix(name, beginning, is_alone) for name in cursor.noticed}, key=str.encode):
            some = await self._media.list(wanted, limit)
            if is_alone or len(some) < limit:
                found += [each for each in some if _sample_prefix(each.name, beginning, is_alone) == wanted]
        of_samples = groups(_objects(found, beginning), version.spec)
        told_of = cursor.model_copy(update={"since_ms": _NEVER})
        some_groups = await self._news(of_samples, told_of, version, max_line_bytes)
        lines = [_line(group, number, version) for number, group in enumerate(some_groups, cursor.line + 1)]
        moved = {
            "chunk": cursor.chunk + 1,
            "line": cursor.line + len(lines),
            "total": cursor.total + len(lines),
            "noticed": {},
        }
        return Chunk(lines, cursor.model_copy(update=moved), True)

    async def _news(
        self, some: Sequence[Group], cursor: ImportCursor, version: ProjectVersion, max_line_bytes: int
    ) -> list[Group]:
        """Return the groups that have to be told of: in a first listing, all."""
        if cursor.listing == 0:
            return list(some)
        keys = [_sample_key(group, version) for group in some]
        told = await self._samples.told(keys)
        since_ms = cursor.since_ms - CLOCKS_DIFFER_MS
        return [
            group
            for key, group in zip(keys, some, strict=True)
            if _is_news(group, told.get(key), version, since_ms, max_line_bytes)
        ]


class _Page(NamedTuple):
    groups: list[Group]
    after: str
    at_end: bool
    crowded: str | None = None
    """The name of a sample that alone has more objects than a page."""


def _sample_prefix(name: str, beginning: str, is_alone: bool) -> str:
    """Return what the names of a sample's objects begin with; of one that is alone, its own name."""
    return name if is_alone else beginning + "".join(name_of(name.removeprefix(beginning)))


def _objects(found: Sequence[StoredObject], beginning: str) -> list[Object]:
    return [Object(each.name[len(beginning) :], address(each.name), each.etag, each.modified_ms) for each in found]


def _page(found: Sequence[StoredObject], beginning: str, version: ProjectVersion) -> _Page:
    """Group what was listed. The last group of a full page may go on in the next one, so it is left for that."""
    root = beginning.partition("/")[2]
    objects = _objects(found, beginning)
    at_end = len(found) < OBJECTS_AT_ONCE
    if at_end or len(file_slots(version.spec)) == 1:
        after = found[-1].name.partition("/")[2] if found else ""
        return _Page(groups(objects, version.spec), after, at_end)
    last = name_of(objects[-1].key)
    whole = objects[: -sum(1 for _ in takewhile(lambda each: name_of(each.key) == last, reversed(objects)))]
    if whole:
        return _Page(groups(whole, version.spec), root + whole[-1].key, at_end)
    crowded = last[0] if is_seen(objects[-1].key) else None
    return _Page([], f"{root}{last[0]}.{_LAST}", at_end, crowded)


def _sample_key(group: Group, version: ProjectVersion) -> str:
    return f"{version.tenant_id}/{sample_id_of(version.tenant_id, version.project_id, group.external_id)}"


def _line(group: Group, number: int, version: ProjectVersion) -> Line:
    sample, faults = sample_of(group, version.spec)
    return Line(number, orjson.dumps(sample), tuple(faults))


def _crowded(name: str, number: int) -> Line:
    message = f"More than {OBJECTS_AT_ONCE} objects are named {name}.*; a sample has one for each slot, rename them."
    fault = Fault(pointer="/assets", code="too-many-objects", message=message)
    return Line(number, orjson.dumps({"external_id": name, "assets": {}}), (fault,))


def _is_news(group: Group, told: Told | None, version: ProjectVersion, since_ms: int, max_line_bytes: int) -> bool:
    if told is not None and told.is_erased:
        return False
    line = _line(group, 0, version)
    body = parse_line(line, SampleBody, max_line_bytes)
    checked = None if isinstance(body, list) else check_body(version, body)
    if checked is None or checked.faults:
        return any(each.modified_ms >= since_ms for each in group.objects)
    return told is None or submission_hash(checked.body) not in {told.taken, told.refused}
