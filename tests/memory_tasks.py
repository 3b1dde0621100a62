"""Task assignment's documents in memory: the compare-and-sets of the store on MongoDB, under the same conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from services.task_assignment.domain.alarms import Alarms
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import ON_THE_BOARD
from services.task_assignment.domain.figures import Figures, from_document, to_document
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.picks import DueLease, DueReturn, Pick
from services.task_assignment.domain.tasks import (
    KEPT_ENDS,
    EndedHow,
    EndedLease,
    Returning,
    SampleTasks,
    Slot,
    Task,
    key_of_task,
)
from services.task_assignment.holdings import Holdings
from services.task_assignment.images import Images, Manifest, digest_of
from services.task_assignment.store import Learn, Store, StoredSample
from shared.events.tasks import judges_others
from shared.ids import sample_of_task
from shared.jobs import JobView
from shared.ledger import Document
from shared.security import Lease
from tests.fakes import Fuse, MemoryLedgerStore

Change = Callable[[SampleTasks], SampleTasks | None]
"""What an update makes of a sample; None where its condition does not hold."""


class MemoryTasks(Store):
    """A store in memory, over the documents that the fold writes.

    Every call lets others go first, so that replicas that share the store get in each other's way; and each is a
    place to die.
    """

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.sample_documents = MemoryLedgerStore()
        self.annotator_documents = MemoryLedgerStore()
        self.fuse = fuse or Fuse()
        self.lists: dict[str, Holdings] = {}
        self.jobs: dict[tuple[str, str], JobView] = {}
        self.learn: Learn = lambda _document, _state: None
        self.documents_of_figures: dict[Scope, Document] = {}
        self.alarm_documents: dict[str, tuple[Alarms, int]] = {}

    @property
    def kept(self) -> dict[str, StoredSample]:
        """Every sample as it stands, by document id."""
        return {
            id_: StoredSample(SampleTasks.model_validate(document["state"]), document["revision"])
            for id_, document in self.sample_documents.documents.items()
            if document["state"] is not None
        }

    async def samples(self, ids: Iterable[str]) -> dict[str, StoredSample]:
        await self._pass("samples")
        found = self.kept
        return {id_: found[id_] for id_ in ids if id_ in found}

    async def of_partitions(self, partitions: Sequence[int]) -> AsyncIterator[list[Document]]:
        await self._pass("of_partitions")
        for document in self.sample_documents.documents.values():
            if document["state"] is not None and document["state"]["partition"] in partitions:
                yield [_on_the_board(document)]

    async def documents(self, ids: Sequence[str]) -> AsyncIterator[list[Document]]:
        await self._pass("documents")
        kept = self.sample_documents.documents
        yield [_on_the_board(kept[id_]) for id_ in ids if id_ in kept and kept[id_]["state"] is not None]

    async def revisions(self, partitions: Sequence[int]) -> AsyncIterator[dict[str, int]]:
        await self._pass("revisions")
        yield {id_: each.revision for id_, each in self.kept.items() if each.sample.partition in partitions}

    async def annotators(self, ids: Iterable[str]) -> dict[str, Annotator]:
        await self._pass("annotators")
        found = self.annotator_documents.states
        return {id_: Annotator.model_validate(found[id_]) for id_ in ids if id_ in found}

    async def holdings(self, ids: Iterable[str]) -> dict[str, Holdings]:
        await self._pass("holdings")
        return {id_: self.lists.get(id_, Holdings(id_, 0, ())) for id_ in ids}

    async def write_holdings(self, holdings: Sequence[Holdings]) -> set[str]:
        await self._pass("write_holdings")
        lost = {each.id for each in holdings if each.id in self.lists and self.lists[each.id].revision != each.revision}
        self.lists |= {each.id: each._replace(revision=each.revision + 1) for each in holdings if each.id not in lost}
        return lost

    async def take(self, picks: Sequence[tuple[Pick, Lease]]) -> dict[str, StoredSample]:
        await self._pass("take")
        for pick, lease in picks:
            await self._update(pick.document_id, lambda sample, pick=pick, lease=lease: taken(sample, pick, lease))
        stored = await self.samples({pick.document_id for pick, _ in picks})
        for id_, document in self.sample_documents.documents.items():
            if id_ in stored:
                self.learn(document, SampleTasks.model_validate(document["state"]))
        return stored

    async def change(self, stored: StoredSample, changed: SampleTasks) -> bool:
        await self._pass("change")
        id_ = f"{changed.tenant_id}/{changed.sample_id}"
        if self.kept[id_].revision != stored.revision:
            return False
        return await self._update(id_, lambda _: changed)

    async def of_contributor(
        self, tenant_id: str, annotator_id: str, project_id: str | None
    ) -> AsyncIterator[StoredSample]:
        await self._pass("of_contributor")
        for stored in self.kept.values():
            sample = stored.sample
            mine = sample.tenant_id == tenant_id and annotator_id in sample.contributors
            if mine and project_id in {None, sample.project_id}:
                yield stored

    async def waiting(self, place: str, before: str, limit: int) -> list[SampleTasks]:
        await self._pass("waiting")
        found = [(each.sample.waits_as, each.sample) for each in self.kept.values()]
        within = [(at, sample) for at, sample in found if at is not None and place < at < before]
        return [sample for _, sample in sorted(within, key=lambda each: each[0])][:limit]

    async def held_by_many(self, tenant_id: str, after: str, limit: int) -> list[Holdings]:
        await self._pass("held_by_many")
        behind = f"{tenant_id}/{after}"
        found = [each for id_, each in sorted(self.lists.items()) if id_.startswith(f"{tenant_id}/") and id_ > behind]
        return [each for each in found if each.leases][:limit]

    async def put_job(self, tenant_id: str, job: JobView) -> None:
        await self._pass("put_job")
        self.jobs[tenant_id, job.job_id] = job

    async def job(self, tenant_id: str, job_id: str) -> JobView | None:
        await self._pass("job")
        return self.jobs.get((tenant_id, job_id))

    async def extend(self, lease: Lease, now_ms: int, expires_ms: int) -> bool:
        await self._pass("extend")
        return await self._update(_document(lease), lambda sample: extended(sample, lease, now_ms, expires_ms))

    async def give_back(self, lease: Lease, how: EndedHow, returns_ms: int | None = None) -> bool:
        await self._pass("give_back")
        return await self._update(_document(lease), lambda sample: given_back(sample, lease, how, returns_ms))

    async def let_return(self, due: DueReturn) -> bool:
        await self._pass("let_return")
        return await self._update(due.document_id, lambda sample: let_return(sample, due))

    async def take_back(self, due: DueLease, annotator_id: str) -> bool:
        await self._pass("take_back")
        return await self._update(due.document_id, lambda sample: taken_back(sample, due, annotator_id))

    async def write_figures(self, figures: Mapping[Scope, Figures]) -> None:
        await self._pass("write_figures")
        self.documents_of_figures |= {scope: to_document(each) for scope, each in figures.items()}

    async def figures(self, scopes: Iterable[Scope]) -> dict[Scope, Figures]:
        await self._pass("figures")
        kept = self.documents_of_figures
        return {scope: from_document(kept[scope]) for scope in scopes if scope in kept}

    async def alarms(self, ids: Iterable[str]) -> dict[str, tuple[Alarms, int]]:
        await self._pass("alarms")
        return {id_: self.alarm_documents.get(id_, (Alarms(), 0)) for id_ in ids}

    async def write_alarms(self, id_: str, alarms: Alarms, revision: int) -> bool:
        await self._pass("write_alarms")
        if self.alarm_documents.get(id_, (Alarms(), 0))[1] != revision:
            return False
        self.alarm_documents[id_] = Alarms.model_validate(alarms.model_dump(mode="json")), revision + 1
        return True

    async def progress(self, tenant_id: str, project_id: str, partitions: int) -> dict[str, int]:
        await self._pass("progress")
        found = await self.figures(Scope(tenant_id, project_id, partition) for partition in range(partitions))
        return dict(Figures.sum_of(found.values()).counts)

    async def _pass(self, place: str) -> None:
        self.fuse.burn(place)
        await asyncio.sleep(0)

    async def _update(self, id_: str, change: Change) -> bool:
        document = self.sample_documents.documents.get(id_)
        if document is None or document["state"] is None:
            return False
        changed = change(SampleTasks.model_validate(document["state"]))
        if changed is None:
            return False
        state = {"state": changed.model_dump(mode="json"), "revision": document["revision"] + 1}
        lost = await self.sample_documents.replace([document | state])
        assert not lost, "nothing comes between the reading and the writing of one update"
        return True


class MemoryImages(Images):
    """Images in memory, under the same guard."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.fuse = fuse or Fuse()
        self.of: dict[int, Manifest] = {}
        self.data: dict[tuple[int, str], bytes] = {}
        """By partition and generation."""

    async def manifests(self, partitions: Iterable[int]) -> dict[int, Manifest]:
        await self._pass("manifests")
        return {partition: self.of[partition] for partition in partitions if partition in self.of}

    async def read(self, manifest: Manifest) -> bytes | None:
        await self._pass("read")
        data = self.data.get((manifest.partition, manifest.generation), b"")
        return data if digest_of(data) == manifest.digest else None

    async def write(self, manifest: Manifest, data: bytes) -> bool:
        await self._pass("write chunks")
        place = manifest.partition, manifest.generation
        self.data[place] = data
        await self._pass("write manifest")
        before = self.of.get(manifest.partition)
        if manifest.revision != (0 if before is None else before.revision) + 1:
            del self.data[place]
            return False
        self.of[manifest.partition] = manifest
        await self._pass("delete")
        if before is not None:
            self.data.pop((before.partition, before.generation), None)
        return True

    async def _pass(self, place: str) -> None:
        self.fuse.burn(place)
        await asyncio.sleep(0)


def _on_the_board(document: Document) -> Document:
    known = {name: document["state"][name] for name in ON_THE_BOARD if name in document["state"]}
    return document | {"state": known}


def _document(lease: Lease) -> str:
    return f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"


def _slot_of(sample: SampleTasks, lease: Lease) -> tuple[str, Task | None, Slot | None]:
    key = key_of_task(lease.task_id)
    task = sample.tasks.get(key)
    slot = None if task is None else task.slots.get(lease.slot)
    return key, task, slot if slot is not None and slot.lease_id == lease.lease_id else None


def _with_slot(sample: SampleTasks, key: str, task: Task, name: str, slot: Slot) -> SampleTasks:
    return sample.with_task(key, task.model_copy(update={"slots": task.slots | {name: slot}}))


def taken(sample: SampleTasks, pick: Pick, lease: Lease) -> SampleTasks | None:
    """Return the sample with a slot leased; None where the guard of the compare-and-set fails."""
    task, who = sample.tasks.get(pick.task_key), lease.annotator_id
    slot = None if task is None else task.slots.get(pick.slot)
    if task is None or slot is None or slot.state != "free" or not task.open:
        return None
    if who in task.annotators or who in task.skipped:
        return None
    if who in (sample.contributors if judges_others(pick.stage) else sample.reviewers):
        return None
    if pick.beside is not None and tuple(task.annotators) != pick.beside:
        return None
    held = Slot(
        state="leased",
        lease_id=lease.lease_id,
        annotator_id=who,
        expires_ms=lease.expires_ms,
        since_ms=lease.since_ms,
        group=pick.group,
    )
    task = task.model_copy(update={"annotators": [*task.annotators, who]})
    seen = {"contributors": _with(sample.contributors, who)}
    if judges_others(pick.stage):
        seen["reviewers"] = _with(sample.reviewers, who)
    return _with_slot(sample, pick.task_key, task, pick.slot, held).model_copy(update=seen)


def _with(people: list[str], who: str) -> list[str]:
    return people if who in people else [*people, who]


def extended(sample: SampleTasks, lease: Lease, now_ms: int, expires_ms: int) -> SampleTasks | None:
    """Return the sample with a lease prolonged; None where it is not live."""
    key, task, slot = _slot_of(sample, lease)
    if task is None or slot is None or slot.state != "leased" or slot.expires_ms < now_ms:
        return None
    return _with_slot(sample, key, task, lease.slot, slot.model_copy(update={"expires_ms": expires_ms}))


def given_back(sample: SampleTasks, lease: Lease, how: EndedHow, returns_ms: int | None = None) -> SampleTasks | None:
    """Return the sample without a lease; None where it is not live."""
    key, task, slot = _slot_of(sample, lease)
    if task is None or slot is None or slot.state != "leased":
        return None
    if how == "skipped" and lease.annotator_id not in task.skipped:
        task = task.model_copy(update={"skipped": [*task.skipped, lease.annotator_id]})
    if how == "skipped" and returns_ms is not None:
        returning = Returning(annotator_id=lease.annotator_id, at_ms=returns_ms)
        task = task.model_copy(update={"returning": [*task.returning, returning]})
    ended = EndedLease(lease_id=lease.lease_id, annotator_id=lease.annotator_id, how=how)
    return _freed(sample, key, task, lease.slot, ended)


def let_return(sample: SampleTasks, due: DueReturn) -> SampleTasks | None:
    """Return the sample with somebody let in again who skipped a task; None where that was done before."""
    task, who = sample.tasks.get(due.task_key), due.annotator_id
    waits = Returning(annotator_id=who, at_ms=due.at_ms)
    if task is None or waits not in task.returning:
        return None
    changed = {
        "returning": [each for each in task.returning if each != waits],
        "skipped": [each for each in task.skipped if each != who],
        "returned": _with(task.returned, who),
    }
    return sample.with_task(due.task_key, task.model_copy(update=changed))


def taken_back(sample: SampleTasks, due: DueLease, annotator_id: str) -> SampleTasks | None:
    """Return the sample without a lease that ended; None where it was answered, given back or prolonged."""
    task = sample.tasks.get(due.task_key)
    slot = None if task is None else task.slots.get(due.slot)
    standing = ("leased", due.lease_id, due.expires_ms)
    if task is None or slot is None or (slot.state, slot.lease_id, slot.expires_ms) != standing:
        return None
    task = task.model_copy(update={"expired": task.expired + 1})
    ended = EndedLease(lease_id=due.lease_id, annotator_id=annotator_id, how="expired")
    return _freed(sample, due.task_key, task, due.slot, ended)


def _freed(sample: SampleTasks, key: str, task: Task, name: str, ended: EndedLease) -> SampleTasks:
    rest = [each for each in task.annotators if each != ended.annotator_id]
    kept = [*task.ended, ended][-KEPT_ENDS:]
    return _with_slot(sample, key, task.model_copy(update={"annotators": rest, "ended": kept}), name, Slot())
