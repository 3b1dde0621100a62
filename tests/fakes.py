"""Stand-ins for the world around the fold: a store, a broker, a clock, and the accidents that happen to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import bson
from pydantic import BaseModel

from shared.events import Event, decode, encode
from shared.job_errors import ERRORS
from shared.ledger import Body, Delivery, LedgerStore, Position, Step, StepFunction
from shared.packing import Document

S = TypeVar("S", bound=BaseModel)
E = TypeVar("E", bound=Event)


class CrashError(Exception):
    """The process died here, as if it had been killed."""


class Fuse:
    """Blows when it has been passed a given number of times; each pass is a place where a process may die."""

    def __init__(self, blows_at: int | None = None) -> None:
        """Make a fuse that blows at its ``blows_at``-th pass, counted from 0; None never blows."""
        self.blows_at = blows_at
        self.passed: list[str] = []

    def burn(self, place: str) -> None:
        """Pass ``place``.

        Raises:
            CrashError: It is this fuse's place to blow.
        """
        self.passed.append(place)
        if self.blows_at is not None and len(self.passed) > self.blows_at:
            raise CrashError(f"killed at pass {self.blows_at}: {place}")


class MemoryLedgerStore:
    """The fold's documents in memory, under the same guards as in MongoDB, and kept as BSON so that they are copies."""

    def __init__(self) -> None:
        self._documents: dict[str, bytes] = {}
        self._bodies: dict[tuple[str, str], bytes] = {}
        self.apart: dict[str, str] = {}
        """Large events, by the id under which documents name them."""

    async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents found, by ``_id``."""
        return {id_: bson.decode(self._documents[id_]) for id_ in ids if id_ in self._documents}

    async def tombstones(self, ids: Sequence[str]) -> set[str]:
        """Return which of these documents are of erased aggregates."""
        return {id_ for id_, document in (await self.load(ids)).items() if document.get("erased")}

    async def put_bodies(self, bodies: Sequence[Body]) -> None:
        """Write large values that are not there yet."""
        for body in bodies:
            self._bodies.setdefault((body.collection, body.id), bson.encode({"_id": body.id, **body.content}))

    async def put_apart(self, texts: Mapping[str, str]) -> None:
        """Write large events that are not there yet."""
        self.apart = dict(texts) | self.apart

    async def get_apart(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the large events that are there, by id."""
        return {id_: self.apart[id_] for id_ in ids if id_ in self.apart}

    async def drop_apart(self, ids: Sequence[str]) -> None:
        """Remove large events."""
        self.apart = {id_: text for id_, text in self.apart.items() if id_ not in ids}

    async def replace(self, documents: Sequence[Document]) -> set[str]:
        """Write each document whose stored revision is one below its own and return the ids of the others."""
        lost = set()
        for document in documents:
            stored = self._documents.get(document["_id"])
            if stored is not None and bson.decode(stored)["revision"] != document["revision"] - 1:
                lost.add(document["_id"])
            else:
                self._documents[document["_id"]] = bson.encode(document)
        return lost

    def put_back(self, documents: Mapping[str, Document]) -> None:
        """Forget the last writes: these documents stand as they stood then."""
        self._documents |= {id_: bson.encode(document) for id_, document in documents.items()}

    @property
    def documents(self) -> dict[str, Document]:
        """Every document as it is stored, by ``_id``."""
        return {id_: bson.decode(stored) for id_, stored in self._documents.items()}

    @property
    def states(self) -> dict[str, Any]:
        """The state of every aggregate in JSON's types, by ``_id``."""
        return {id_: document["state"] for id_, document in self.documents.items()}

    @property
    def bodies(self) -> dict[tuple[str, str], Document]:
        """Every large value, by collection and id."""
        return {place: bson.decode(stored) for place, stored in self._bodies.items()}


class MemoryJobErrors:
    """The lines of jobs that failed, as a fold has kept them in memory."""

    def __init__(self, store: MemoryLedgerStore) -> None:
        self._store = store

    async def read(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return what is kept under these ids."""
        found = {id_: each for (collection, id_), each in self._store.bodies.items() if collection == ERRORS}
        return {id_: found[id_] for id_ in ids if id_ in found}


class FaultyStore:
    """Any ledger store, with accidents: the process dies at a fuse, or another writer comes in between."""

    def __init__(
        self,
        inner: LedgerStore,
        fuse: Fuse | None = None,
        *,
        between: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Wrap ``inner``.

        Args:
            inner: The store that keeps the documents.
            fuse: Burnt before and after each call, and between the documents of a bulk.
            between: Awaited after each load: what another writer does before our write.
        """
        self._inner = inner
        self._fuse = fuse or Fuse()
        self._between = between

    async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Load, then let the other writer come in."""
        self._fuse.burn("before load")
        found = await self._inner.load(ids)
        if self._between is not None:
            await self._between()
        return found

    async def tombstones(self, ids: Sequence[str]) -> set[str]:
        """Return which of these documents are of erased aggregates."""
        return await self._inner.tombstones(ids)

    async def put_bodies(self, bodies: Sequence[Body]) -> None:
        """Write one body after the other, each of them a place to die."""
        for body in bodies:
            self._fuse.burn("before a body")
            await self._inner.put_bodies([body])

    async def put_apart(self, texts: Mapping[str, str]) -> None:
        """Write one large event after the other, each of them a place to die."""
        for id_, text in texts.items():
            self._fuse.burn("before a large event")
            await self._inner.put_apart({id_: text})

    async def get_apart(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Read large events."""
        return await self._inner.get_apart(ids)

    async def drop_apart(self, ids: Sequence[str]) -> None:
        """Remove large events, or die before."""
        self._fuse.burn("before large events are dropped")
        await self._inner.drop_apart(ids)

    async def replace(self, documents: Sequence[Document]) -> set[str]:
        """Write one document after the other, each of them a place to die in the middle of the bulk."""
        lost: set[str] = set()
        for document in documents:
            self._fuse.burn("before a document")
            lost |= await self._inner.replace([document])
        self._fuse.burn("after the bulk")
        return lost


class RecordingPublisher:
    """Keeps what was announced, as a reader would read it. Pass it to a Ledger as ``publish``."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        """Make one that dies at ``fuse``, perhaps after a part of what it was given was with the broker."""
        self._fuse = fuse or Fuse()
        self.events: list[Event] = []

    async def __call__(self, events: Sequence[Event]) -> None:
        """Announce events in order."""
        for event in events:
            self._fuse.burn("before an announcement")
            self.events.append(as_read(event))
        self._fuse.burn("after the announcements")

    def of(self, kind: type[E]) -> list[E]:
        """Return the announced events of one type, in order, repetitions included."""
        return [event for event in self.events if type(event) is kind]

    @property
    def ids(self) -> set[str]:
        """The ids of all that was announced: what a consumer that counts each once would know."""
        return {event.event_id for event in self.events}


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta | float) -> datetime:
        """Go on by a duration (or a number of seconds) and return the new time."""
        self.now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self.now


def as_read(event: E, appended_at_ms: int | None = None) -> E:
    """Return the event as a reader gets it: written to a record and read back."""
    value, headers = encode(event, "tests")
    stamp = event.appended_at_ms if appended_at_ms is None else appended_at_ms
    read = decode({event.name(): type(event)}, value, headers, stamp)
    assert isinstance(read, type(event))
    return read


def deliver(
    events: Sequence[Event], topic: str | None = None, partition: int = 0, start_offset: int = 0
) -> list[Delivery]:
    """Return events as they come out of the log, in this order.

    Args:
        events: The events; one that occurs twice is a producer's duplicate.
        topic: The topic of all of them; each event's own when None.
        partition: The partition of all of them.
        start_offset: The first offset in each topic; a redelivery is the same call again.
    """
    next_offset: Counter[str] = Counter()
    deliveries = []
    for event in events:
        lane = topic or event.topic
        offset = start_offset + next_offset[lane]
        placed = event.model_copy(update={"log_partition": partition, "log_offset": offset})
        deliveries.append(Delivery(placed, Position(lane, partition, offset)))
        next_offset[lane] += 1
    return deliveries


def run_step(step: StepFunction[S, Any], state: S | None, *events: Event) -> Step[S]:
    """Apply events to one aggregate in order, and check that the step keeps the rules of steps.

    Returns:
        The last state with all that was emitted and all bodies on the way; ``waits`` is that of the last event.

    Raises:
        AssertionError: The step changed its argument, or made a state that a document would not give back.
    """
    done: Step[S] = Step(state)
    for event in events:
        before = None if done.state is None else done.state.model_dump_json()
        after = step(done.state, event)
        assert (None if done.state is None else done.state.model_dump_json()) == before, "the step changed its argument"
        if after.state is not None:
            kept = bson.decode(bson.encode(after.state.model_dump(mode="json")))
            assert type(after.state).model_validate(kept) == after.state, "the state is not what its document says"
        done = Step(after.state, [*done.emitted, *after.emitted], [*done.bodies, *after.bodies], after.waits)
    return done
