"""A log, a process that folds it and may die anywhere, and the little domain that it folds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle, repeat
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from shared.errors import LeaseLostError
from shared.events import Event
from shared.events.samples import SampleIngested
from shared.events.tasks import AnnotationCounted, AnnotationSubmitted, TaskCreated
from shared.ledger import Body, DeadLetter, Delivery, Ledger, LedgerStore, Step, wait
from shared.packing import Document, references
from tests.builders import a_sample_ingested, an_annotation_submitted
from tests.fakes import CrashError, FaultyStore, Fuse, MemoryLedgerStore, RecordingPublisher, deliver

FORGED = "forged"
"""A lease id that the domain refuses."""
SAMPLES = ("north", "south", "west")
PARTITIONS = 2


class Counted(BaseModel):
    """What is known of a sample: each answer that counted, in order, so that a doubled or lost one shows."""

    model_config = ConfigDict(frozen=True)

    ingested: bool = False
    answers: tuple[str, ...] = ()


def key(event: Any) -> str:
    return f"{event.tenant_id}/{event.sample_id}"


def count(state: Counted | None, event: Event) -> Step[Counted]:
    """Open a sample's task; count its answers once it is known; refuse forged leases."""
    state = state or Counted()
    if isinstance(event, SampleIngested):
        if state.ingested:
            return Step(state)
        opened = TaskCreated.caused_by(
            event, sample_id=event.sample_id, project_id=event.project_id, task_id="t", stage="first_pass", overlap=3
        )
        return Step(state.model_copy(update={"ingested": True}), [opened])
    assert isinstance(event, AnnotationSubmitted)
    if not state.ingested:
        return wait(state)
    if event.lease_id == FORGED:
        raise LeaseLostError("The lease is forged; claim the task again.")
    passed_on = AnnotationCounted.caused_by(
        event, **event.model_dump(exclude={"event_id", "tenant_id", "occurred_at", "request_id"})
    )
    body = Body("answers", event.event_id, {"fields": event.fields})
    return Step(state.model_copy(update={"answers": (*state.answers, event.event_id)}), [passed_on], [body])


def begins(event: Event) -> bool:
    """A sample is ingested first, most times."""
    return isinstance(event, SampleIngested)


@dataclass(frozen=True)
class Fact:
    """One record of a history, small enough to shrink: the same fact twice is a producer's duplicate."""

    sample: str
    kind: str
    number: int

    def event(self) -> Event:
        name = f"{self.sample}-{self.kind}-{self.number}"
        if self.kind == "ingested":
            return a_sample_ingested(external_id=self.sample, event_id=name)
        lease = FORGED if self.kind == "forged" else f"lease-{self.number}"
        return an_annotation_submitted(
            sample_id=a_sample_ingested(external_id=self.sample).sample_id, event_id=name, lease_id=lease
        )


class KeptStore(LedgerStore, Protocol):
    """A store whose content a test can look at."""

    async def kept(self) -> tuple[dict[str, Document], dict[str, Document]]:
        """Return every document by ``_id``, and every body by its id."""

    async def kept_apart(self) -> set[str]:
        """Return the ids of the large events that stand beside their documents."""


class InMemory(MemoryLedgerStore):
    """The fake, as a KeptStore."""

    async def kept(self) -> tuple[dict[str, Document], dict[str, Document]]:
        return self.documents, {id_: body for (_, id_), body in self.bodies.items()}

    async def kept_apart(self) -> set[str]:
        return set(self.apart)


@dataclass
class Outcome:
    """What is left when a history has been folded: equal outcomes mean that nothing was lost and nothing doubled."""

    states: dict[str, Any]
    waiting: dict[str, list[Any]]
    bodies: dict[str, Document]
    announced: set[str]
    dead: set[tuple[str, str]]


@dataclass(frozen=True)
class Turn:
    """One batch: from how many lanes, beginning with which, how many records of each, and whether it is committed."""

    lane: int = 0
    lanes: int = 1
    records: int = 1
    commits: bool = True


@dataclass
class World:
    """A log of two topics with two partitions each, and what outlives the process that folds it."""

    store: KeptStore
    log: dict[str, list[Delivery]]
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)
    buried: list[DeadLetter] = field(default_factory=list)
    committed: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, store: KeptStore, history: Sequence[Fact]) -> World:
        """Write a history to the log: each sample has its partition, in both topics."""
        log: dict[str, list[Delivery]] = {}
        for partition in range(PARTITIONS):
            mine = [fact.event() for fact in history if SAMPLES.index(fact.sample) % PARTITIONS == partition]
            for delivery in deliver(mine, partition=partition):
                log.setdefault(delivery.position.lane, []).append(delivery)
        return cls(store, log)

    async def live(
        self, plan: Sequence[Turn], fuse: Fuse | None = None, between: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Run one process from the committed offsets to the end of the log, or to its death.

        Args:
            plan: Which batch is read next, and whether it is committed at once; repeated as long as needed.
            fuse: Burnt at every place where the process may die.
            between: Awaited between each load and its write: what others do meanwhile.

        Raises:
            CrashError: It died.
        """
        fuse = fuse or Fuse()
        publisher = RecordingPublisher(fuse)
        publisher.events = self.publisher.events
        ledger = Ledger(FaultyStore(self.store, fuse, between=between), publisher, Counted)
        known_commits: dict[str, int] = {}
        position = dict(self.committed)
        turns = cycle(plan)
        while unread := [lane for lane in sorted(self.log) if position.get(lane, 0) < len(self.log[lane])]:
            turn = next(turns)
            batch = self._read(position, unread, turn)
            for letter in await ledger.fold(batch, count, key, known_commits, begins=begins):
                fuse.burn("before a burial")
                self.buried.append(letter)
            for delivery in batch:
                position[delivery.position.lane] = delivery.position.offset + 1
            fuse.burn("before the commit")
            if turn.commits:
                self.committed |= position
                known_commits |= position

    async def live_in_turns(self, plan: Sequence[Turn], turns: Sequence[bool]) -> None:
        """Let two processes that both live on fold a batch each, in these turns; who takes over begins where it is committed."""
        ledgers = [Ledger(self.store, self.publisher, Counted) for _ in range(2)]
        position, serving, planned = dict(self.committed), turns[0], cycle(plan)
        for mine in chain(turns, repeat(turns[-1])):
            if mine != serving:
                position, serving = dict(self.committed), mine
            unread = [lane for lane in sorted(self.log) if position.get(lane, 0) < len(self.log[lane])]
            if not unread:
                return
            turn = next(planned)
            batch = self._read(position, unread, turn)
            self.buried += await ledgers[serving].fold(batch, count, key, dict(self.committed), begins=begins)
            position |= {delivery.position.lane: delivery.position.offset + 1 for delivery in batch}
            self.committed |= position if turn.commits else {}

    def _read(self, position: Mapping[str, int], unread: Sequence[str], turn: Turn) -> list[Delivery]:
        first = turn.lane % len(unread)
        lanes = [*unread[first:], *unread[:first]][: turn.lanes]
        begins = {lane: position.get(lane, 0) for lane in lanes}
        return [found for lane, begin in begins.items() for found in self.log[lane][begin : begin + turn.records]]

    async def live_again_and_again(self, plan: Sequence[Turn], deaths: Sequence[int]) -> None:
        """Run processes that die at these passes of their fuses, then one that lives."""
        for blows_at in deaths:
            try:
                await self.live(plan, Fuse(blows_at))
            except CrashError:
                continue
        await self.live(plan)

    async def missing_and_orphaned(self) -> tuple[set[str], set[str]]:
        """Return the large events that documents name and that are not there, and those that nobody names."""
        documents, _ = await self.store.kept()
        named = {at for document in documents.values() for at in references(document)}
        there = await self.store.kept_apart()
        return named - there, there - named

    async def outcome(self) -> Outcome:
        """Return what is left."""
        documents, bodies = await self.store.kept()
        known = {id_: document for id_, document in documents.items() if document["state"] or document["pending"]}
        return Outcome(
            states={id_: document["state"] for id_, document in known.items()},
            waiting={id_: [_waits(each) for each in document["pending"]] for id_, document in known.items()},
            bodies=bodies,
            announced=self.publisher.ids,
            dead={(letter.delivery.event.event_id, letter.error) for letter in self.buried},
        )


def _waits(packed: Document) -> list[Any]:
    """Return what tells a waiting event, whether its body stands in the document or beside it."""
    return [packed["type"], packed["position"]]


async def clean_pass(history: Sequence[Fact]) -> Outcome:
    """Return what one undisturbed process makes of a history, record by record, in memory."""
    world = World.of(InMemory(), history)
    await world.live([Turn()])
    return await world.outcome()
