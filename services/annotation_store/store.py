"""Every query that the annotation store makes beside the fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
from pydantic import BaseModel, ConfigDict
from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import DuplicateKeyError

from services.annotation_store.domain.annotation import Annotation
from services.annotation_store.domain.content import BODIES, fields_in
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.surplus import Surplus
from shared.clock import from_ms, to_ms
from shared.erasure import Erased
from shared.events.quality import LabelFinalized
from shared.ledger import Document
from shared.mongo import Database

ANNOTATIONS: Final = "annotations"
REVIEWS: Final = "reviews"
LABELS: Final = "labels"
SURPLUS: Final = "surplus"
DRAFTS: Final = "drafts"
CUTS: Final = "cuts"
RECHECKS: Final = "rechecks"

REMEMBERED_CHECKS: Final = 2_000
"""Event ids that a job's document remembers: what it may be told again after a crash, in several batches."""
MIGRATIONS: Final = "migrations"
MIGRATION_CHUNKS: Final = "migration_chunks"
JOBS: Final = "jobs"

MAX_SURPLUS: Final = 100
MAX_CUTS: Final = 1000


class Draft(BaseModel):
    """Unfinished work of one annotator on one task."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    task_id: str
    annotator_id: str
    revision: int
    """Grows with each write and when the draft is submitted, and never begins anew; ``If-Match`` is compared with it."""
    fields: dict[str, Any] | None
    """None once it was submitted: then only its revision is left, so that a save that was on its way fails."""
    saved_at: datetime

    @property
    def id(self) -> str:
        """The draft's key."""
        return draft_key(self.tenant_id, self.task_id, self.annotator_id)


class Cut(BaseModel):
    """A dataset's mark in a partition, behind which a label still waits for its sample."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    partition: int
    offset: int
    event: str
    """The ``DatasetCut`` as JSON."""

    @property
    def id(self) -> str:
        """The cut's key."""
        return f"{self.job_id}/{self.partition}"


def draft_key(tenant_id: str, task_id: str, annotator_id: str) -> str:
    """Return the id of what one annotator left at one task."""
    return f"{tenant_id}/{task_id}/{annotator_id}"


class Drafts(Protocol):
    """Drafts under compare-and-set."""

    async def read(self, key: str) -> Draft | None:
        """Return the draft at ``key``."""

    async def write(self, draft: Draft) -> bool:
        """Write revision n over revision n - 1 (absent is 0) and return whether that was the one there."""

    async def forget(self, submitted: Mapping[str, datetime]) -> None:
        """Leave, by key, of drafts that are no newer than what was submitted the next revision, without fields."""


class Cuts(Protocol):
    """Cuts whose barrier cannot be set yet."""

    async def label_waits(self, partition: int, before: int) -> bool:
        """Return whether a label finalized in the partition before an offset still waits for its sample."""

    async def keep(self, cut: Cut) -> None:
        """Remember a cut; twice is as once."""

    async def due(self, partitions: Sequence[int]) -> list[Cut]:
        """Return the cuts kept for some partitions, in order of their offsets."""

    async def drop(self, cut: Cut) -> None:
        """Forget a cut."""


class AnnotationQueries(Protocol):
    """Reads of annotations, their contents and surplus work."""

    async def fields_of(self, bodies: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the fields that are kept under some ids, by id."""

    async def of_sample(
        self, tenant_id: str, sample_id: str, *, by: str | None, after: str, limit: int
    ) -> list[Annotation]:
        """Return a sample's annotations in order of their ids, at most ``limit``, from behind the id ``after``.

        Where ``by`` is given, those of one annotator.
        """

    async def surplus_of_sample(self, tenant_id: str, sample_id: str, *, by: str | None) -> list[Surplus]:
        """Return what did not count of a sample: of one annotator, or of at most 100."""

    async def labeled_samples(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[str]:
        """Return the ids of a project's samples that have a label, sorted, at most ``limit``, behind ``after``."""

    async def labels_of(self, tenant_id: str, project_id: str, after: str, limit: int) -> list[SampleLabel]:
        """Return samples of a project that have a label, in order of their ids, from behind the id ``after``."""


async def ensure_indexes(database: Database) -> None:
    """Make the indexes that the queries below need."""
    await database[ANNOTATIONS].create_index([("tenant_id", 1), ("state.sample_id", 1), ("_id", 1)], name="sample")
    await database[REVIEWS].create_index([("tenant_id", 1), ("state.sample_id", 1), ("_id", 1)], name="sample")
    await database[SURPLUS].create_index([("tenant_id", 1), ("state.sample_id", 1), ("_id", 1)], name="sample")
    labeled = [("tenant_id", 1), ("state.project_id", 1), ("state.revisions.0.revision", 1), ("_id", 1)]
    await database[LABELS].create_index(labeled, name="labeled")
    found_by = [("tenant_id", 1), ("state.project_id", 1), ("state.lookups", 1), ("_id", 1)]
    await database[LABELS].create_index(found_by, name="lookups")
    await database[LABELS].create_index([("pending.beside.log_partition", 1)], name="waiting", sparse=True)


class MongoAnnotationQueries:
    """Reads of annotations, their contents and surplus work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fields_of(self, bodies: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the fields that are kept under some ids, by id."""
        found = self._database[BODIES].find({"_id": {"$in": list(bodies)}})
        return {body["_id"]: fields_in(body) async for body in found}

    async def of_sample(
        self, tenant_id: str, sample_id: str, *, by: str | None, after: str, limit: int
    ) -> list[Annotation]:
        """Return a sample's annotations in order of their ids, at most ``limit``, from behind the id ``after``.

        Where ``by`` is given, those of one annotator.
        """
        behind = f"{tenant_id}/{after}" if after else ""
        query = _of_sample(tenant_id, sample_id, by) | {"_id": {"$gt": behind}}
        found = self._database[ANNOTATIONS].find(query, sort=[("_id", 1)], limit=limit)
        return [Annotation.model_validate(document["state"]) async for document in found]

    async def surplus_of_sample(self, tenant_id: str, sample_id: str, *, by: str | None) -> list[Surplus]:
        """Return what did not count of a sample: of one annotator, or of at most 100."""
        found = self._database[SURPLUS].find(_of_sample(tenant_id, sample_id, by), sort=[("_id", 1)], limit=MAX_SURPLUS)
        return [Surplus.model_validate(document["state"]) async for document in found]

    async def labeled_samples(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[str]:
        """Return the ids of a project's samples that have a label, sorted, at most ``limit``, behind ``after``."""
        query = _labeled(tenant_id, project_id, after)
        found = self._database[LABELS].find(query, {"state.sample_id": 1}, sort=[("_id", 1)], limit=limit)
        return [document["state"]["sample_id"] async for document in found]

    async def labeled(
        self, tenant_id: str, project_id: str, lookups: Sequence[str], *, after: str, limit: int
    ) -> list[str]:
        """Return ids of samples that have any of some lookups, in their order, from behind ``after`` on."""
        query = _looked_up(tenant_id, project_id, lookups) | {"_id": {"$gt": f"{tenant_id}/{after}"}}
        found = self._database[LABELS].find(query, {"state.sample_id": 1}, sort=[("_id", 1)], limit=limit)
        return [document["state"]["sample_id"] async for document in found]

    async def count(self, tenant_id: str, project_id: str, lookups: Sequence[str]) -> int:
        """Return how many samples of a project have any of some lookups."""
        return await self._database[LABELS].count_documents(_looked_up(tenant_id, project_id, lookups))

    async def labels_of(self, tenant_id: str, project_id: str, after: str, limit: int) -> list[SampleLabel]:
        """Return samples of a project that have a label, in order of their ids, from behind the id ``after``."""
        query = _labeled(tenant_id, project_id, after)
        found = self._database[LABELS].find(query, {"state": 1}, sort=[("_id", 1)], limit=limit)
        return [SampleLabel.model_validate(document["state"]) async for document in found]


class MongoDrafts:
    """Drafts in a collection of their own; no fold writes there."""

    def __init__(self, database: Database) -> None:
        self._drafts = database[DRAFTS]

    async def read(self, key: str) -> Draft | None:
        """Return the draft at ``key``."""
        found = await self._drafts.find_one({"_id": key})
        return None if found is None else _to_draft(found)

    async def write(self, draft: Draft) -> bool:
        """Write revision n over revision n - 1 (absent is 0) and return whether that was the one there."""
        document = _from_draft(draft)
        guard = {"_id": draft.id, "revision": draft.revision - 1}
        try:
            done = await self._drafts.replace_one(guard, document, upsert=draft.revision == 1)
        except DuplicateKeyError:
            return False
        return done.matched_count == 1 or done.upserted_id is not None

    async def forget(self, submitted: Mapping[str, datetime]) -> None:
        """Leave, by key, of drafts that are no newer than what was submitted the next revision, without fields."""
        gone = {"$set": {"json": None}, "$inc": {"revision": 1}}
        writes = [
            UpdateOne({"_id": key, "saved_ms": {"$lte": to_ms(moment)}, "json": {"$ne": None}}, gone)
            for key, moment in submitted.items()
        ]
        if writes:
            await self._drafts.bulk_write(writes, ordered=False)


class MongoCuts:
    """Cuts in a collection of their own; it is empty nearly always."""

    def __init__(self, database: Database) -> None:
        self._labels = database[LABELS]
        self._cuts = database[CUTS]

    async def label_waits(self, partition: int, before: int) -> bool:
        """Return whether a label finalized in the partition before an offset still waits for its sample."""
        waiting = {
            "type": LabelFinalized.name(),
            "beside.log_partition": partition,
            "beside.log_offset": {"$lt": before},
        }
        query = {"pending.beside.log_partition": partition, "pending": {"$elemMatch": waiting}}
        return await self._labels.find_one(query, {"_id": 1}) is not None

    async def keep(self, cut: Cut) -> None:
        """Remember a cut; twice is as once."""
        write = ReplaceOne({"_id": cut.id}, {"_id": cut.id, **cut.model_dump()}, upsert=True)
        await self._cuts.bulk_write([write])

    async def due(self, partitions: Sequence[int]) -> list[Cut]:
        """Return the cuts kept for some partitions, in order of their offsets."""
        found = self._cuts.find({"partition": {"$in": list(partitions)}}, sort=[("offset", 1)], limit=MAX_CUTS)
        return [Cut.model_validate(document) async for document in found]

    async def drop(self, cut: Cut) -> None:
        """Forget a cut."""
        await self._cuts.delete_one({"_id": cut.id})


def _looked_up(tenant_id: str, project_id: str, lookups: Sequence[str]) -> Document:
    return {"tenant_id": tenant_id, "state.project_id": project_id, "state.lookups": {"$in": list(lookups)}}


def _labeled(tenant_id: str, project_id: str, after: str) -> Document:
    return {
        "tenant_id": tenant_id,
        "state.project_id": project_id,
        "state.revisions.0.revision": 1,  # has a label; by equality, so that the index passes over those without
        "_id": {"$gt": f"{tenant_id}/{after}"},
    }


def _of_sample(tenant_id: str, sample_id: str, by: str | None) -> Document:
    query: Document = {"tenant_id": tenant_id, "state.sample_id": sample_id}
    return query if by is None else query | {"state.annotator_id": by}


def _from_draft(draft: Draft) -> Document:
    return {
        "_id": draft.id,
        "tenant_id": draft.tenant_id,
        "task_id": draft.task_id,
        "annotator_id": draft.annotator_id,
        "revision": draft.revision,
        "json": None if draft.fields is None else orjson.dumps(draft.fields).decode(),
        "saved_ms": to_ms(draft.saved_at),
    }


def _to_draft(document: Document) -> Draft:
    return Draft(
        tenant_id=document["tenant_id"],
        task_id=document["task_id"],
        annotator_id=document["annotator_id"],
        revision=document["revision"],
        fields=None if document["json"] is None else orjson.loads(document["json"]),
        saved_at=from_ms(document["saved_ms"]),
    )


class Remains:
    """What lies beside the label of a sample, found so that it can be removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, erased: Erased) -> None:
        """Remove annotations, reviews, surplus work and drafts of a sample, and every content that belongs to them."""
        tenant, sample = erased.tenant_id, erased.sample_id
        owners = [f"{tenant}/{sample}"]
        for name in (ANNOTATIONS, REVIEWS, SURPLUS):
            ids = await self._ids_of_sample(name, tenant, sample)
            owners += ids
            for id_ in ids:
                await self._database[f"{name}_apart"].delete_many(_beginning(f"{id_}#"))
        for owner in owners:
            await self._database[BODIES].delete_many(_beginning(f"{owner}@"))
        for name in (ANNOTATIONS, REVIEWS, SURPLUS):
            await self._database[name].delete_many({"tenant_id": tenant, "state.sample_id": sample})
        await self._database[DRAFTS].delete_many(_beginning(f"{tenant}/{sample}."))

    async def _ids_of_sample(self, collection: str, tenant_id: str, sample_id: str) -> list[str]:
        query = {"tenant_id": tenant_id, "state.sample_id": sample_id}
        return [found["_id"] async for found in self._database[collection].find(query, {"_id": 1})]


def _beginning(with_: str) -> Document:
    """Return the query for ids that begin with a text, which the index of ids answers."""
    return {"_id": {"$gte": with_, "$lt": with_[:-1] + chr(ord(with_[-1]) + 1)}}
