"""Every query that ingest makes beside the fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pymongo import DeleteOne, UpdateOne

from services.ingest.imports.noticing import Followed, Notice
from services.ingest.imports.prefixes import Told
from shared.erasure import Erased
from shared.job_errors import MongoJobErrors
from shared.jobs import JobPart
from shared.media import Media, sample_prefixes
from shared.mongo import Database

SAMPLES = "samples"
UPLOADS = "uploads"
JOBS = "jobs"
IMPORTS = "imports"
CONTENTS = "contents"
BANDS = "bands"
ERASURE_JOBS = "erasure_jobs"
NOTICES = "notices"

SWEEP_LIMIT = 500
REMOVED_AT_ONCE = 100


class AwaitedUpload(NamedTuple):
    """An upload that somebody waits for, and whose object has not been told of."""

    document_id: str
    tenant_id: str
    upload_id: str


class HalfUpload(NamedTuple):
    """An upload that nobody needs, or that does not come; and since when."""

    tenant_id: str
    upload_id: str
    since_ms: int


class DueListing(NamedTuple):
    """An import that follows a prefix, when it is time to list that again."""

    tenant_id: str
    head: JobPart


async def ensure_indexes(database: Database) -> None:
    """Make the indexes that the queries below need."""
    await database[UPLOADS].create_index([("tenant_id", 1), ("state.waiters.sample_id", 1)], name="waiter")
    await database[UPLOADS].create_index([("state.object", 1), ("state.waiters.0", 1), ("_id", 1)], name="awaited")
    await database[UPLOADS].create_index([("state.half_since_ms", 1)], name="half", sparse=True)
    await database[BANDS].create_index([("tenant_id", 1), ("state.seen.sample_id", 1)], name="seen")
    await database[SAMPLES].create_index([("state.near_duplicates.sample_id", 1)], name="near_duplicate", sparse=True)
    await database[JOBS].create_index([("state.follow.due_ms", 1)], name="due", sparse=True)


async def awaited_uploads(database: Database, after: str) -> Sequence[AwaitedUpload]:
    """Return at most 500 uploads that are waited for, whose documents' ids are above ``after``, in that order."""
    cursor = database[UPLOADS].find(
        {"state.object": None, "state.lapsed": False, "state.waiters.0": {"$exists": True}, "_id": {"$gt": after}},
        {"tenant_id": 1, "state.upload_id": 1},
        sort=[("_id", 1)],
        limit=SWEEP_LIMIT,
    )
    return [AwaitedUpload(each["_id"], each["tenant_id"], each["state"]["upload_id"]) async for each in cursor]


async def half_uploads(database: Database, before_ms: int) -> Sequence[HalfUpload]:
    """Return at most 500 uploads that have been half since before ``before_ms``."""
    cursor = database[UPLOADS].find(
        {"state.half_since_ms": {"$lt": before_ms}},
        {"tenant_id": 1, "state.upload_id": 1, "state.half_since_ms": 1},
        limit=SWEEP_LIMIT,
    )
    return [
        HalfUpload(each["tenant_id"], each["state"]["upload_id"], each["state"]["half_since_ms"])
        async for each in cursor
    ]


async def due_listings(database: Database, before_ms: int) -> Sequence[DueListing]:
    """Return at most 500 imports whose prefixes are to be listed again since before ``before_ms``."""
    query = {"state.follow.due_ms": {"$lt": before_ms}, "state.is_cancelled": False}
    cursor = database[JOBS].find(query, {"tenant_id": 1, "state": 1}, limit=SWEEP_LIMIT)
    return [DueListing(each["tenant_id"], JobPart.model_validate(each["state"])) async for each in cursor]


class MongoProgress:
    """Which part of each import comes next, found by ``_id`` alone."""

    def __init__(self, database: Database) -> None:
        self._imports = database[IMPORTS]

    async def next_chunk(self, tenant_id: str, job_id: str) -> int:
        """Return the number of the part that has not been read; 0 for an import that nothing is known of."""
        found = await self._imports.find_one({"_id": f"{tenant_id}/{job_id}"})
        return 0 if found is None else int(found["next"])

    async def passed(self, tenant_id: str, job_id: str, chunk: int) -> None:
        """Note that this part was read; the number never goes back."""
        known = {"$max": {"next": chunk + 1}, "$setOnInsert": {"tenant_id": tenant_id}}
        await self._imports.update_one({"_id": f"{tenant_id}/{job_id}"}, known, upsert=True)


class MongoNotices:
    """Notices of objects, found by ``_id`` alone; prefixes that are followed, by when they are due."""

    def __init__(self, database: Database) -> None:
        self._jobs = database[JOBS]
        self._notices = database[NOTICES]

    async def followed(self, tenant_id: str) -> Sequence[Followed]:
        """Return at most 500 prefixes of a tenant that are followed."""
        query = {"state.follow.due_ms": {"$gt": 0}, "state.is_cancelled": False, "tenant_id": tenant_id}
        shown = {"state.job_id": 1, "state.follow.source.prefix": 1}
        cursor = self._jobs.find(query, shown, limit=SWEEP_LIMIT)
        return [Followed(each["state"]["job_id"], each["state"]["follow"]["source"]["prefix"]) async for each in cursor]

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Keep notices; of an object that is told of again, the last."""
        changes = [UpdateOne({"_id": _notice_id(each)}, {"$set": each._asdict()}, upsert=True) for each in notices]
        await self._notices.bulk_write(changes, ordered=False)

    async def some(self, after: str, limit: int) -> Sequence[Notice]:
        """Return notices by tenant, job and object, of which the first comes after ``after``."""
        cursor = self._notices.find({"_id": {"$gt": after}}, {"_id": 0}, sort=[("_id", 1)], limit=limit)
        return [Notice(**each) async for each in cursor]

    async def forget(self, tenant_id: str, job_id: str, noticed: Mapping[str, str]) -> None:
        """Let go of objects, by their etags; not of one that was put again since."""
        gone = [DeleteOne({"_id": f"{tenant_id}/{job_id}/{name}", "etag": etag}) for name, etag in noticed.items()]
        if gone:
            await self._notices.bulk_write(gone, ordered=False)


class MongoToldBefore:
    """What was taken in or refused of samples, found by ``_id`` alone."""

    def __init__(self, database: Database) -> None:
        self._samples = database[SAMPLES]

    async def told(self, ids: Sequence[str]) -> Mapping[str, Told]:
        """Return, by ``tenant/sample id``, what was told before of those samples that are known."""
        shown = {"state.submission_hash": 1, "state.refused_hash": 1, "erased": 1}
        return {each["_id"]: told_of(each) async for each in self._samples.find({"_id": {"$in": list(ids)}}, shown)}


class Remains:
    """What lies beside the document of a sample, found so that it can be removed."""

    def __init__(self, database: Database, media: Media, errors: MongoJobErrors) -> None:
        self._uploads = database[UPLOADS]
        self._bands = database[BANDS]
        self._samples = database[SAMPLES]
        self._media = media
        self._errors = errors

    async def remove(self, erased: Erased) -> None:
        """Remove media, previews, and lines of imports that failed."""
        query = {"tenant_id": erased.tenant_id, "state.waiters.sample_id": erased.sample_id}
        async for found in self._uploads.find(query, {"state": 1}):
            others = [each for each in found["state"]["waiters"] if each["sample_id"] != erased.sample_id]
            if found["state"]["object"] is not None and not others:
                await self._media.remove(found["state"]["object"])
        for prefix in sample_prefixes(erased.tenant_id, erased.sample_id):
            while listed := await self._media.list(prefix, REMOVED_AT_ONCE):
                for each in listed:
                    await self._media.remove(each.name)
        await self._errors.remove(erased)
        await self._forget_images(erased)

    async def _forget_images(self, erased: Erased) -> None:
        """Remove what other documents say of its images: what was told late, or of more images than a band keeps.

        The revision goes up, so that a fold which has loaded a document loads it again.
        """
        for documents, field in ((self._bands, "state.seen"), (self._samples, "state.near_duplicates")):
            query = {"tenant_id": erased.tenant_id, f"{field}.sample_id": erased.sample_id}
            gone = {"$pull": {field: {"sample_id": erased.sample_id}}, "$inc": {"revision": 1}}
            await documents.update_many(query, gone)


def told_of(document: Mapping[str, Any]) -> Told:
    """Return what was told before of the sample of a document."""
    state = document.get("state") or {}
    return Told(state.get("submission_hash"), state.get("refused_hash"), document.get("erased", False))


def _notice_id(notice: Notice) -> str:
    return f"{notice.tenant_id}/{notice.job_id}/{notice.object}"
