"""Audits a running installation: reads log and store side by side, and changes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import ConsumerRecord

from ops.audit.log import BATCH, Log, event_id_of
from ops.audit.rules import Wrong, answers_of, check_sample, has_slot, standing_of
from ops.audit.served import unserved
from ops.audit.told import Told
from services.annotation_store.store import ANNOTATIONS, REVIEWS
from services.task_assignment.domain.tasks import SampleTasks
from services.task_assignment.store import SAMPLES
from shared.clock import to_ms, utc_now
from shared.errors import UndecodableEventError
from shared.events import Event, decode
from shared.events.tasks import (
    AnnotationCounted,
    AnnotationSubmitted,
    AnnotationSurplus,
    ReviewCounted,
    ReviewSubmitted,
    Submission,
)
from shared.kafka import body_of
from shared.ledger import Document, Position
from shared.media import Media
from shared.mongo import Collection, connect
from shared.settings import SharedSettings

GROUP: Final = "task_assignment"
SUBMISSIONS: Final[dict[str, type[Event]]] = {event.name(): event for event in (AnnotationSubmitted, ReviewSubmitted)}
TOLD_TOPICS: Final = (AnnotationCounted.topic, AnnotationSurplus.topic, ReviewCounted.topic)
CLOCK_MARGIN: Final = timedelta(minutes=1)
"""What follows from a submission may be stamped a little earlier than it, by another process's clock."""
MAX_SUSPECTS: Final = 10_000
COLLECTIONS: Final = {"annotation": ANNOTATIONS, "review": REVIEWS}


@dataclass(slots=True)
class Audit:
    """What an audit has counted, and what it has found wrong."""

    figures: Counter[str] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)
    """At most ``MAX_SUSPECTS``; ``figures["wrong"]`` counts all."""

    def note(self, found: Iterable[Wrong]) -> None:
        """Take in what is wrong."""
        for each in found:
            self.figures["wrong"] += 1
            if len(self.wrong) < MAX_SUSPECTS:
                self.wrong.append(each)


async def audit(
    settings: SharedSettings,
    *,
    since: datetime | None,
    patience: timedelta,
    tenant: str | None = None,
    group: str = GROUP,
) -> Audit:
    """Check the log from a time on, and the store whole.

    Args:
        settings: Where the servers are.
        since: The first submissions to check; None: all that the log still has.
        patience: How long what was done in one place may take to show in another, and a lease that ended to be taken
            back. What is only late on a running system is looked at again after it.
        tenant: Whose samples and answers to check; None: everybody's.
        group: The consumer group of task assignment, whose commits say what has been folded.

    Raises:
        KafkaError: The brokers do not answer.
        PyMongoError: The store does not answer.
    """
    client, tasks = connect(settings, "task_assignment")
    _, answers = connect(settings, "annotation_store")
    log = Log(settings)
    await log.start()
    try:
        on_record = {kind: answers[name] for kind, name in COLLECTIONS.items()}
        run = _Run(settings, log, group, tasks[SAMPLES], on_record, patience, tenant)
        await run.begin()
        for partition in range(settings.partitions):
            await run.submissions(partition, since)
        await run.samples()
        await run.answers()
        await run.look_again()
        await run.served()
        return run.audit
    finally:
        await log.stop()
        await client.close()


class _Run:
    def __init__(
        self,
        settings: SharedSettings,
        log: Log,
        group: str,
        samples: Collection,
        answers: Mapping[str, Collection],
        patience: timedelta,
        tenant: str | None,
    ) -> None:
        self.audit = Audit()
        self._tenant = tenant
        self._of_tenant: Document = {} if tenant is None else {"tenant_id": tenant}
        self._settings = settings
        self._media = Media(settings)
        self._log = log
        self._group = group
        self._samples = samples
        self._answers = answers
        self._patience = patience
        self._suspects: dict[str, list[Wrong]] = {}
        self._committed: dict[tuple[str, int], int] = {}

    async def begin(self) -> None:
        """Learn what is committed."""
        self._committed = await self._log.committed(self._group)

    async def served(self) -> None:
        """Check that every partition's samples are served by somebody who answers."""
        self.audit.note(await unserved(self._log.addresses, self._settings.partitions, self._patience))

    async def submissions(self, partition: int, since: datetime | None) -> None:
        """Check what became of the submissions of one partition."""
        with Told() as told:
            for submitted in SUBMISSIONS.values():
                async for batch in self._log.records(submitted.topic, partition, since):
                    found = [each for record in batch if (each := await self._submission(record)) is not None]
                    await self._expect(told, submitted.topic, partition, found)
            for topic in TOLD_TOPICS:
                async for batch in self._log.records(topic, partition, since and since - CLOCK_MARGIN):
                    told.told(event_id_of(record) for record in batch)
            self.audit.figures.update(told.counts())
            self.audit.note(told.wrong())

    async def samples(self) -> None:
        """Check every sample by itself, and that what counts is on record."""
        async for batch in _batches(self._samples.find({"state": {"$ne": None}} | self._of_tenant, {"state": 1})):
            await self._check(batch)

    async def answers(self) -> None:
        """Check that every annotation on record has a slot of its task: that there are no more than were asked for."""
        found = self._answers["annotation"].find(self._of_tenant, {"state.sample_id": 1, "state.task_id": 1})
        async for batch in _batches(found):
            await self._check_slots(batch)

    async def look_again(self) -> None:
        """Look once more at what was found beside each other, for a system that runs is never still."""
        if not self._suspects:
            return
        await asyncio.sleep(min(self._patience.total_seconds(), 10))
        first, self._suspects = self._suspects, {}
        ids = list(first)
        for start in range(0, len(ids), BATCH):
            await self._check(list((await self._load(ids[start : start + BATCH])).values()), again=True)
        kept = [each for found in first.values() for each in found if each.rule == "overlap-exceeded"]
        self.audit.note([*kept, *(each for found in self._suspects.values() for each in found)])

    async def _submission(self, record: ConsumerRecord[Any, Any]) -> tuple[int, Submission] | None:
        try:
            event = decode(SUBMISSIONS, await body_of(record, self._media), list(record.headers), record.timestamp)
        except UndecodableEventError:
            self.audit.figures["records that cannot be read"] += 1
            return None
        if not isinstance(event, Submission) or self._tenant not in {None, event.tenant_id}:
            return None
        return record.offset, event

    async def _expect(self, told: Told, topic: str, partition: int, found: Sequence[tuple[int, Submission]]) -> None:
        documents = await self._load({f"{event.tenant_id}/{event.sample_id}" for _, event in found})
        committed = self._committed.get((topic, partition), 0)
        for offset, event in found:
            document = documents.get(f"{event.tenant_id}/{event.sample_id}")
            position = Position(topic, partition, offset)
            if offset >= committed:
                self.audit.figures["submissions still under way"] += 1
                continue
            if told.knows(event):
                self.audit.figures["submissions that stand in the log twice"] += 1
                continue  # the first record has decided
            if document is None or not _is_applied(document, event, position):
                where = f"{topic} {partition}@{offset}, task {event.task_id}"
                self.audit.note([Wrong("accepted-uncounted", where, "read and committed, but not in its sample")])
                continue
            standing = standing_of(event, _state(document))
            self.audit.figures[f"submissions checked ({event.stage})"] += 1
            if standing.wrong is not None:
                self.audit.note([standing.wrong])
            told.expect(event, standing.due, f"{topic} {partition}@{offset}, task {event.task_id}")

    async def _check(self, batch: Sequence[Document], *, again: bool = False) -> None:
        now_ms, patience_ms = to_ms(utc_now()), round(self._patience.total_seconds() * 1000)
        wanted: dict[str, tuple[str, str]] = {}
        for document in batch:
            sample = _state(document)
            if sample is None:
                continue
            self._suspect(document["_id"], check_sample(sample, now_ms, patience_ms))
            found = answers_of(sample)
            wanted |= {id_: (kind, document["_id"]) for id_, kind in found.items()}
            if not again:
                self.audit.figures["samples"] += 1
                self.audit.figures["tasks"] += len(sample.tasks)
                self.audit.figures["answers that count"] += len(found)
        for kind, collection in self._answers.items():
            ids = [id_ for id_, (of, _) in wanted.items() if of == kind]
            there = {each["_id"] async for each in collection.find({"_id": {"$in": ids}}, {"_id": 1})}
            for id_ in set(ids) - there:
                what = "it has a slot, and the annotation store does not have it"
                self._suspect(wanted[id_][1], [Wrong("counted-not-stored", f"{kind} {id_}", what)])

    async def _check_slots(self, batch: Sequence[Document]) -> None:
        tenants = {each["_id"]: each["_id"].split("/", 1)[0] for each in batch}
        documents = await self._load({f"{tenants[each['_id']]}/{each['state']['sample_id']}" for each in batch})
        for each in batch:
            self.audit.figures["annotations on record"] += 1
            id_, state = each["_id"], each["state"]
            of = f"{tenants[id_]}/{state['sample_id']}"
            if not has_slot(_state(documents.get(of)), state["task_id"], id_.split("/", 1)[1]):
                what = f"on record for task {state['task_id']}, which has no slot for it"
                self._suspect(of, [Wrong("overlap-exceeded", f"annotation {id_}", what)])

    async def _load(self, ids: Iterable[str]) -> dict[str, Document]:
        found = self._samples.find({"_id": {"$in": list(ids)}}, {"state": 1, "lanes": 1, "seen": 1})
        return {each["_id"]: each async for each in found}

    def _suspect(self, id_: str, found: Sequence[Wrong]) -> None:
        if found and (id_ in self._suspects or len(self._suspects) < MAX_SUSPECTS):
            self._suspects.setdefault(id_, []).extend(found)


def _is_applied(document: Document, event: Submission, position: Position) -> bool:
    """Return whether a sample's document has applied a record, or the same event from another one."""
    applied: bool = document["lanes"].get(position.lane, -1) >= position.offset or event.event_id in document["seen"]
    return applied


def _state(document: Document | None) -> SampleTasks | None:
    state = None if document is None else document["state"]
    return None if state is None else SampleTasks.model_validate(state)


async def _batches(found: AsyncIterable[Document]) -> AsyncIterator[list[Document]]:
    batch: list[Document] = []
    async for document in found:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
