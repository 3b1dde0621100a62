"""Every query and compare-and-set that task assignment makes beside the fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import bson
from pymongo import ReplaceOne, ReturnDocument, UpdateOne

from services.task_assignment.domain.alarms import Alarms
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import ON_THE_BOARD
from services.task_assignment.domain.figures import Figures, from_document, to_document
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.picks import DueLease, DueReturn, Pick
from services.task_assignment.domain.tasks import KEPT_ENDS, EndedHow, EndedLease, Returning, SampleTasks, key_of_task
from services.task_assignment.holdings import Holdings, document_of, holdings_of
from shared.events.tasks import judges_others
from shared.ids import sample_of_task
from shared.jobs import JobView
from shared.ledger import Document
from shared.mongo import Collection, Database, write_guarded
from shared.read_ahead import read_ahead
from shared.security import Lease

SAMPLES = "samples"
ANNOTATORS = "annotators"
HOLDINGS = "holdings"
PROGRESS = "progress"
ALARMS = "alarms"
JOBS = "jobs"

REVISIONS_AT_ONCE = 1000
LOADED_AT_ONCE = 250
"""So few that a claim which comes meanwhile waits some 10 ms at the most."""


class StoredSample(NamedTuple):
    """A sample as it stands in the store, and the revision of its document."""

    sample: SampleTasks
    revision: int


Learn = Callable[[Document, SampleTasks], None]
"""``(document, state)``"""


class Store:
    """The documents of task assignment."""

    def __init__(self, database: Database, learn: Learn) -> None:
        """Make the store.

        Args:
            database: Where the documents are.
            learn: Told of each sample that was read after a change of its own, whole: the fold will need it next.
        """
        self._learn = learn
        self._samples: Collection = database[SAMPLES]
        self._annotators: Collection = database[ANNOTATORS]
        self._holdings: Collection = database[HOLDINGS]
        self._progress: Collection = database[PROGRESS]
        self._alarms: Collection = database[ALARMS]
        self._jobs: Collection = database[JOBS]

    async def ensure_indexes(self) -> None:
        """Make the indexes that the queries below need."""
        await self._samples.create_index([("state.partition", 1)], name="partition")
        await self._samples.create_index([("tenant_id", 1), ("state.contributors", 1)], name="contributor")
        # Only what has a due date and no label is in it; the stand-in for MongoDB looks at all samples instead.
        has_place = {"state.waits_as": {"$type": "string"}}
        await self._samples.create_index([("state.waits_as", 1)], name="due", partialFilterExpression=has_place)

    async def samples(self, ids: Iterable[str]) -> dict[str, StoredSample]:
        """Return samples by document id."""
        found = self._samples.find({"_id": {"$in": list(ids)}}, {"state": 1, "revision": 1})
        return {each["_id"]: _stored(each) async for each in found if each["state"] is not None}

    async def of_partitions(self, partitions: Sequence[int]) -> AsyncIterator[list[Document]]:
        """Yield the document of every sample of some partitions, as far as ``Board.load`` asks, in parts.

        The take-over of a new owner reads them once: first their ids, for a part may take a while to be taken in, and no
        server has to keep the rest of a partition ready meanwhile. The documents come as the driver got them, decoded a
        part at a time (made one by one they took twice as long), while the server looks up the next part.
        """
        for partition in partitions:
            ids = [each["_id"] async for each in self._samples.find({"state.partition": partition}, {"_id": 1})]
            async for documents in self.documents(ids):
                yield documents

    async def documents(self, ids: Sequence[str]) -> AsyncIterator[list[Document]]:
        """Yield the documents of samples, as far as ``Board.load`` asks, in parts."""
        async for part in read_ahead(self._undecoded(ids)):
            yield bson.decode_all(part, self._samples.codec_options)

    async def _undecoded(self, ids: Sequence[str]) -> AsyncIterator[bytes]:
        wanted = {"revision": 1, **{f"state.{name}": 1 for name in ON_THE_BOARD}}
        for first in range(0, len(ids), LOADED_AT_ONCE):
            within = {"_id": {"$in": ids[first : first + LOADED_AT_ONCE]}}
            found = self._samples.find_raw_batches(within, wanted)
            yield b"".join([cast(bytes, batch) async for batch in found])

    async def revisions(self, partitions: Sequence[int]) -> AsyncIterator[dict[str, int]]:
        """Yield the revision of every sample of some partitions by document id, in parts of bounded size."""
        for partition in partitions:
            found: dict[str, int] = {}
            within = {"state.partition": partition}
            async for each in self._samples.find(within, {"revision": 1}, batch_size=REVISIONS_AT_ONCE):
                found[each["_id"]] = each["revision"]
                if len(found) == REVISIONS_AT_ONCE:
                    yield found
                    found = {}
            if found:
                yield found

    async def annotators(self, ids: Iterable[str]) -> dict[str, Annotator]:
        """Return annotators by document id."""
        found = self._annotators.find({"_id": {"$in": list(ids)}}, {"state": 1})
        return {each["_id"]: Annotator.model_validate(each["state"]) async for each in found}

    async def holdings(self, ids: Iterable[str]) -> dict[str, Holdings]:
        """Return the leases of annotators by document id; who has none yet is there with none."""
        wanted = list(ids)
        known = {id_: Holdings(id_, 0, ()) for id_ in wanted}
        async for each in self._holdings.find({"_id": {"$in": wanted}}):
            known[each["_id"]] = holdings_of(each)
        return known

    async def write_holdings(self, holdings: Sequence[Holdings]) -> set[str]:
        """Write each under its revision and return the ids of those that somebody else wrote meanwhile."""
        return await write_guarded(self._holdings, [document_of(each) for each in holdings])

    async def take(self, picks: Sequence[tuple[Pick, Lease]]) -> dict[str, StoredSample]:
        """Try to lease each slot, and let the fold have what was read after it.

        Returns:
            The samples as they stand after it, by document id; they tell which of the leases stand.
        """
        stored: dict[str, StoredSample] = {}
        for each in await self._taken(picks):
            if each["state"] is not None:
                stored[each["_id"]] = _stored(each)
                self._learn(each, stored[each["_id"]].sample)
        return stored

    async def _taken(self, picks: Sequence[tuple[Pick, Lease]]) -> list[Document]:
        if not picks:
            return []
        if len(picks) == 1:  # the usual claim: one round instead of two
            guard, update = _take(*picks[0])
            after = await self._samples.find_one_and_update(guard, update, return_document=ReturnDocument.AFTER)
            if after is not None:
                return [after]
        else:
            writes = [UpdateOne(*_take(pick, lease)) for pick, lease in picks]
            await self._samples.bulk_write(writes, ordered=False)
        return [each async for each in self._samples.find({"_id": {"$in": [pick.document_id for pick, _ in picks]}})]

    async def change(self, stored: StoredSample, changed: SampleTasks) -> bool:
        """Write a sample that nobody else has written since it was read; False when somebody has."""
        result = await self._samples.update_one(
            {"_id": f"{changed.tenant_id}/{changed.sample_id}", "revision": stored.revision},
            {"$set": {"state": changed.model_dump(mode="json")}, "$inc": {"revision": 1}},
        )
        return result.modified_count == 1

    async def of_contributor(
        self, tenant_id: str, annotator_id: str, project_id: str | None
    ) -> AsyncIterator[StoredSample]:
        """Yield every sample that somebody has had in their hands."""
        mine: dict[str, Any] = {"tenant_id": tenant_id, "state.contributors": annotator_id}
        if project_id is not None:
            mine["state.project_id"] = project_id
        async for each in self._samples.find(mine, {"state": 1, "revision": 1}):
            yield _stored(each)

    async def waiting(self, place: str, before: str, limit: int) -> list[SampleTasks]:
        """Return samples that have a due date and no label, by their places (``SampleTasks.waits_as``), in order.

        Args:
            place: The place behind which they begin.
            before: The place before which they end.
            limit: How many at most.
        """
        within = {"state.waits_as": {"$gt": place, "$lt": before}}
        found = self._samples.find(within, {"state": 1}, sort=[("state.waits_as", 1)], limit=limit)
        return [SampleTasks.model_validate(each["state"]) async for each in found]

    async def held_by_many(self, tenant_id: str, after: str, limit: int) -> list[Holdings]:
        """Return the lists of leases of a tenant's people in order of their ids, at most ``limit``, from behind one."""
        within = {"$gt": f"{tenant_id}/{after}", "$lt": f"{tenant_id}0"}  # 0 comes after / in every encoding of theirs
        found = self._holdings.find({"_id": within, "leases": {"$ne": {}}}, sort=[("_id", 1)], limit=limit)
        return [holdings_of(each) async for each in found]

    async def put_job(self, tenant_id: str, job: JobView) -> None:
        """Write how far a job is."""
        document = {"_id": f"{tenant_id}/{job.job_id}", **job.model_dump()}
        await self._jobs.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def job(self, tenant_id: str, job_id: str) -> JobView | None:
        """Return how far a job is."""
        found = await self._jobs.find_one({"_id": f"{tenant_id}/{job_id}"})
        return None if found is None else JobView.model_validate(found)

    async def extend(self, lease: Lease, now_ms: int, expires_ms: int) -> bool:
        """Move the end of a live lease; False when it is not live any more."""
        where = _slot(lease.task_id, lease.slot)
        live = {
            f"{where}.lease_id": lease.lease_id,
            f"{where}.state": "leased",
            f"{where}.expires_ms": {"$gte": now_ms},
        }
        result = await self._samples.update_one(
            {"_id": _document(lease), **live},
            {"$set": {f"{where}.expires_ms": expires_ms}, "$inc": {"revision": 1}},
        )
        return result.modified_count == 1

    async def give_back(self, lease: Lease, how: EndedHow, returns_ms: int | None = None) -> bool:
        """Free the slot of a live lease; False when it is not live any more.

        Args:
            lease: The lease.
            how: How it ends.
            returns_ms: From when on somebody who skips the task may have it again, in ms since 1970; None: never.
        """
        task = f"state.tasks.{key_of_task(lease.task_id)}"
        where = _slot(lease.task_id, lease.slot)
        ended = EndedLease(lease_id=lease.lease_id, annotator_id=lease.annotator_id, how=how)
        update: dict[str, Any] = _freed(task, where, ended)
        if how == "skipped":
            update["$addToSet"] = {f"{task}.skipped": lease.annotator_id}
            if returns_ms is not None:
                returning = Returning(annotator_id=lease.annotator_id, at_ms=returns_ms)
                update["$push"][f"{task}.returning"] = returning.model_dump()
        result = await self._samples.update_one(
            {"_id": _document(lease), f"{where}.lease_id": lease.lease_id, f"{where}.state": "leased"}, update
        )
        return result.modified_count == 1

    async def take_back(self, due: DueLease, annotator_id: str) -> bool:
        """Free the slot of a lease that ended; False when it was answered, given back or prolonged meanwhile."""
        task = f"state.tasks.{due.task_key}"
        where = f"{task}.slots.{due.slot}"
        update = _freed(task, where, EndedLease(lease_id=due.lease_id, annotator_id=annotator_id, how="expired"))
        update["$inc"][f"{task}.expired"] = 1
        guard = {
            "_id": due.document_id,
            f"{where}.lease_id": due.lease_id,
            f"{where}.state": "leased",
            f"{where}.expires_ms": due.expires_ms,
        }
        return (await self._samples.update_one(guard, update)).modified_count == 1

    async def let_return(self, due: DueReturn) -> bool:
        """Let somebody have a task again that they skipped; False when that was done before."""
        task, who = f"state.tasks.{due.task_key}", due.annotator_id
        waits = {"annotator_id": who, "at_ms": due.at_ms}
        result = await self._samples.update_one(
            {"_id": due.document_id, f"{task}.returning": waits},
            {
                "$pull": {f"{task}.returning": waits, f"{task}.skipped": who},
                "$addToSet": {f"{task}.returned": who},
                "$inc": {"revision": 1},
            },
        )
        return result.modified_count == 1

    async def write_figures(self, figures: Mapping[Scope, Figures]) -> None:
        """Write the figures of (tenant, project, partition), each a document of its own."""
        writes = [
            ReplaceOne({"_id": id_}, {"_id": id_, **to_document(each)}, upsert=True)
            for id_, each in ((_figures_id(*scope), each) for scope, each in figures.items())
        ]
        if writes:
            await self._progress.bulk_write(writes, ordered=False)

    async def figures(self, scopes: Iterable[Scope]) -> dict[Scope, Figures]:
        """Return the figures of those (tenant, project, partition) of which any were written."""
        wanted = {_figures_id(*scope): scope for scope in scopes}
        found = self._progress.find({"_id": {"$in": list(wanted)}})
        return {wanted[each["_id"]]: from_document(each) async for each in found}

    async def alarms(self, ids: Iterable[str]) -> dict[str, tuple[Alarms, int]]:
        """Return the alarms of projects by ``tenant/project``, with the revisions of their documents; 0 for none yet."""
        wanted = list(ids)
        known = dict.fromkeys(wanted, (Alarms(), 0))
        async for each in self._alarms.find({"_id": {"$in": wanted}}):
            known[each["_id"]] = Alarms.model_validate(each["state"]), each["revision"]
        return known

    async def write_alarms(self, id_: str, alarms: Alarms, revision: int) -> bool:
        """Write a project's alarms that nobody else has written since they were read; False when somebody has."""
        document = {"_id": id_, "revision": revision + 1, "state": alarms.model_dump(mode="json")}
        return not await write_guarded(self._alarms, [document])

    async def progress(self, tenant_id: str, project_id: str, partitions: int) -> dict[str, int]:
        """Return a project's counts, summed over partitions."""
        ids = [_figures_id(tenant_id, project_id, partition) for partition in range(partitions)]
        sums: dict[str, int] = {}
        async for each in self._progress.find({"_id": {"$in": ids}}):
            for name, count in each["counts"]:
                sums[name] = sums.get(name, 0) + count
        return sums


def _figures_id(tenant_id: str, project_id: str, partition: int) -> str:
    return f"{tenant_id}/{project_id}/{partition}"


def _stored(document: Document) -> StoredSample:
    return StoredSample(SampleTasks.model_validate(document["state"]), document["revision"])


def _document(lease: Lease) -> str:
    return f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"


def _slot(task_id: str, slot: str) -> str:
    return f"state.tasks.{key_of_task(task_id)}.slots.{slot}"


def _take(pick: Pick, lease: Lease) -> tuple[dict[str, Any], dict[str, Any]]:
    task = f"state.tasks.{pick.task_key}"
    where = f"{task}.slots.{pick.slot}"
    guard: dict[str, Any] = {
        "_id": pick.document_id,
        f"{task}.open": True,
        f"{where}.state": "free",
        f"{task}.annotators": {"$ne": lease.annotator_id},
        f"{task}.skipped": {"$ne": lease.annotator_id},
    }
    if pick.beside is not None:  # whether there is room for one more of a group was counted among these
        guard[f"{task}.annotators"] = list(pick.beside)
    seen = {"state.contributors": lease.annotator_id}
    if judges_others(pick.stage):
        guard["state.contributors"] = {"$ne": lease.annotator_id}
        seen["state.reviewers"] = lease.annotator_id
    else:
        guard["state.reviewers"] = {"$ne": lease.annotator_id}
    held = {
        "state": "leased",
        "lease_id": lease.lease_id,
        "annotator_id": lease.annotator_id,
        "expires_ms": lease.expires_ms,
        "since_ms": lease.since_ms,
        "group": pick.group,
    }
    update = {
        "$set": {where: held},
        "$push": {f"{task}.annotators": lease.annotator_id},
        "$addToSet": seen,
        "$inc": {"revision": 1},
    }
    return guard, update


def _freed(task: str, where: str, ended: EndedLease) -> dict[str, Any]:
    """Return the update that frees a slot and remembers how its lease ended.

    Who gave back stays among the contributors: they have seen the sample, so they do not review it.
    """
    free = {"state": "free", "lease_id": None, "annotator_id": None, "expires_ms": 0}
    return {
        "$set": {where: free},
        "$pull": {f"{task}.annotators": ended.annotator_id},
        "$push": {f"{task}.ended": {"$each": [ended.model_dump(mode="json")], "$slice": -KEPT_ENDS}},
        "$inc": {"revision": 1},
    }
