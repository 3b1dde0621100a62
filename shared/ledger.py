"""The fold: events applied to documents so that each counts once, however often it is delivered.

One document is one aggregate. It keeps its state and, beside it, a journal: the highest offset applied per
topic-partition, the ids of the last events applied, and what they emitted until their offset is committed. State and
emitted events are one write, guarded by the document's revision, so a crash between any two steps loses nothing and
doubles nothing: the redelivery changes nothing and announces again, under the same ids, what had been emitted.

The documents that were written last are remembered, so that the next event of the same aggregate is applied without
reading it. What is remembered may be outdated, for other replicas write too; the guard of the write tells, and then it
is read. In the same way, what an event nearly always begins is taken for not there, and not looked for. A reader of
states (``read``) always asks the store.

Source: the transactional outbox and the idempotent receiver (Hohpe and Woolf, 2003), with optimistic concurrency.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol

from shared import packing
from shared.entry import Entry, apply_each
from shared.events import Event
from shared.packing import Document
from shared.steps import (
    Body,
    DeadLetter,
    Delivery,
    Position,
    S,
    Step,
    StepFunction,
    wait,
)

__all__ = [
    "Body",
    "DeadLetter",
    "Delivery",
    "Document",
    "Ledger",
    "LedgerStore",
    "Position",
    "S",
    "Saved",
    "Step",
    "StepFunction",
    "wait",
]

SEEN_EVENTS = 100
"""How many event ids a document remembers unless its ledger says else: a producer's duplicate comes soon, or not at all."""
MAX_ROUNDS = 100
"""How often a fold is tried against other writers of the same document before it gives up."""
MISSES = 0.1
"""So many of those taken for new may have been there; with more, they are looked for again before they are written."""
REMEMBERED = 1000
"""How many documents a ledger remembers: those that get their next event soon, not a large project."""
MANY_BEGUN = 100
"""Where a batch begins so many aggregates they are the backlog of an import, whose next events come later than what is
remembered is forgotten: remembering each would only drive out those that are worked on."""


class LedgerStore(Protocol):
    """What the fold needs of a database: load by id, write large values, replace under a guard."""

    async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents found, by ``_id``."""

    async def tombstones(self, ids: Sequence[str]) -> set[str]:
        """Return which of these documents are of erased aggregates."""

    async def put_bodies(self, bodies: Sequence[Body]) -> None:
        """Write large values that are not there yet."""

    async def put_apart(self, texts: Mapping[str, str]) -> None:
        """Write large events of this ledger's documents that are not there yet, by id."""

    async def get_apart(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return those of them that are there."""

    async def drop_apart(self, ids: Sequence[str]) -> None:
        """Remove those that no document names any more."""

    async def replace(self, documents: Sequence[Document]) -> set[str]:
        """Write each document whose stored revision is one below its own (absent counts as 0).

        Returns:
            The ids of the documents whose guard failed; they were not written.
        """


class Saved(NamedTuple, Generic[S]):
    """A state that was written, and the revision of its document."""

    state: S
    revision: int


Publish = Callable[[Sequence[Event]], Awaitable[None]]


def begins_nothing(_event: Event) -> bool:
    """Let every aggregate be looked for."""
    return False


def says_nothing(_event: Event) -> Sequence[Event]:
    """Tell nothing of an event that comes for an erased aggregate."""
    return ()


class Ledger(Generic[S]):
    """Folds events into the documents of one collection."""

    def __init__(
        self,
        store: LedgerStore,
        publish: Publish,
        state: type[S],
        *,
        on_saved: Callable[[Mapping[str, Saved[S]]], None] | None = None,
        on_unchanged: Callable[[Mapping[str, Saved[S]]], None] | None = None,
        in_thread: bool = False,
        remembers: int = SEEN_EVENTS,
        after_erasure: Callable[[Any], Sequence[Event]] = says_nothing,
        is_large: Callable[[S], bool] | None = None,
        without_none: bool = False,
    ) -> None:
        """Make a ledger.

        Args:
            store: Where the documents are.
            publish: Announces events and returns once the broker has them all.
            state: The model of an aggregate's state.
            on_saved: Told of each state that was written, by id.
            on_unchanged: Told of each state that events came for which changed nothing, redelivered ones say, by id.
            in_thread: Apply steps beside the event loop, where a batch of them takes more than some 20 ms.
            remembers: How many event ids a document remembers. A service that dies announces its last events anew:
                more of them than this about one aggregate would count twice, so hot aggregates remember more.
            after_erasure: What is told of an event that comes for an erased aggregate, and changes nothing.
            is_large: Whether a state takes so much memory that its document is not remembered; none does by default.
            without_none: Leave out of documents what is None in a state; each of these fields has to be so by default.
        """
        self._without_none = without_none
        self._is_large = is_large
        self._after_erasure = after_erasure
        self._store = store
        self._publish = publish
        self._state = state
        self._on_saved = on_saved
        self._on_unchanged = on_unchanged
        self._in_thread = in_thread
        self._remembers = remembers
        self._recent: OrderedDict[str, Entry[S]] = OrderedDict()
        self._expects_new = True
        """Whether what is begun was not there, most times, when it was written or looked for last."""
        self._strays: dict[str, set[str]] = {}
        """By document: large events that were kept for a write which lost its guard."""

    async def fold(
        self,
        deliveries: Sequence[Delivery],
        step: StepFunction[S, Any],
        key: Callable[[Any], str],
        committed: Mapping[str, int] = MappingProxyType({}),
        *,
        begins: Callable[[Any], bool] = begins_nothing,
    ) -> list[DeadLetter]:
        """Apply a batch, write it, and announce what follows from it.

        Args:
            deliveries: The events in log order; redeliveries and duplicates are welcome.
            step: ``(state, event) -> Step``; pure. A LabelmeshError that it raises sets that event aside.
            key: The id of the aggregate that an event changes.
            committed: Per lane, the offset below which nothing is redelivered; older outbox entries are dropped.
            begins: Whether an event is nearly always the first of its aggregate.

        Returns:
            The events that no retry can help. Everything else is applied and announced.

        Raises:
            Exception: Whatever the store or ``publish`` raise; the batch may then be folded again.
        """
        todo: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            todo.setdefault(key(delivery.event), []).append(delivery)
        applied: dict[str, Entry[S]] = {}
        dead: dict[str, list[DeadLetter]] = {}
        begun = {id_ for id_, some in todo.items() if begins(some[0].event)} - self._recent.keys()
        for attempt in range(MAX_ROUNDS):
            presumed = begun if attempt == 0 and self._expects_new else set()
            entries = await self._load(todo, presumed)
            there = {id_ for id_ in todo if entries[id_].revision}
            if self._in_thread:
                refused = await asyncio.to_thread(apply_each, entries, todo, step, self._after_erasure)
            else:
                refused = apply_each(entries, todo, step, self._after_erasure)
            # What is remembered may be outdated. A write finds out by its guard; a refusal writes nothing, so ask again.
            doubtful = {id_ for id_, letters in refused.items() if letters and not entries[id_].is_fresh}
            doubtful |= {id_ for id_ in presumed if entries[id_].writes_apart}
            lost = doubtful | await self._save(
                [entry for id_, entry in entries.items() if id_ not in doubtful], committed
            )
            if attempt == 0 and begun:
                self._expects_new = len(begun & (lost if presumed else there)) <= MISSES * len(begun)
            dead |= refused
            applied |= {id_: entry for id_, entry in entries.items() if id_ not in lost}
            todo = {lost_id: todo[lost_id] for lost_id in lost}
            if not todo:
                break
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.002 * min(attempt, 10)))  # noqa: S311 - spreads rivals, no secret
        else:
            raise RuntimeError(f"{len(todo)} documents were written by others in each of {MAX_ROUNDS} rounds.")
        announced = {cause: told for entry in applied.values() for cause, told in entry.announced.items()}
        await self._publish([event for delivery in deliveries for event in announced.pop(delivery.event.event_id, [])])
        self._remember(applied.values())
        return [letter for letters in dead.values() for letter in letters]

    async def read(self, ids: Sequence[str]) -> dict[str, S]:
        """Return the states of the aggregates that exist among ``ids``."""
        found = await self._store.load(ids)
        return {id_: self._state.model_validate(doc["state"]) for id_, doc in found.items() if doc["state"] is not None}

    async def erased(self, ids: Sequence[str]) -> set[str]:
        """Return which of these aggregates are to be forgotten."""
        return await self._store.tombstones(ids)

    def learn(self, document: Document, state: S) -> None:
        """Remember a document that was read beside the fold, whole, and its state: the next fold need not read it."""
        if not packing.references(document):
            self._keep(Entry.of(document, state, frozenset()))

    async def _load(self, todo: Mapping[str, Sequence[Delivery]], presumed: Collection[str]) -> dict[str, Entry[S]]:
        known = {id_: entry for id_ in todo if (entry := self._recent.pop(id_, None)) is not None}
        known |= {id_: Entry.presumed(id_) for id_ in presumed}
        unknown = [id_ for id_ in todo if id_ not in known]
        return known | await self._read(unknown, todo) if unknown else known

    async def _read(self, ids: Sequence[str], todo: Mapping[str, Sequence[Delivery]]) -> dict[str, Entry[S]]:
        causes = {delivery.event.event_id for id_ in ids for delivery in todo[id_]}
        for _ in range(MAX_ROUNDS):
            found = await self._store.load(ids)
            needed = {at for document in found.values() for at in packing.references(document, causes)}
            texts = await self._store.get_apart(list(needed)) if needed else {}
            if needed == texts.keys():
                break  # otherwise another writer has applied and removed what we saw waiting: look again
        else:
            raise RuntimeError(f"Documents name large events that are not there: {sorted(needed - texts.keys())[:5]}.")
        await self._drop_strays(found)
        return {id_: self._entry(found[id_], texts) if id_ in found else Entry.unborn(id_) for id_ in ids}

    async def _drop_strays(self, found: Mapping[str, Document]) -> None:
        """Remove what lost writes left behind, unless the winner, who may have written the very same, names it."""
        mine = {id_: strays for id_ in found if (strays := self._strays.pop(id_, None))}
        if gone := [at for id_, strays in mine.items() for at in strays - packing.references(found[id_])]:
            await self._store.drop_apart(gone)

    def _entry(self, document: Document, texts: Mapping[str, str]) -> Entry[S]:
        apart = frozenset(packing.references(document))
        state = None if document["state"] is None else self._state.model_validate(document["state"])
        return Entry.of(packing.fill_in(document, texts) if apart else document, state, apart)

    async def _save(self, entries: Sequence[Entry[S]], committed: Mapping[str, int]) -> set[str]:
        changed = [entry for entry in entries if entry.dirty]
        if self._on_unchanged is not None and (unchanged := _states(each for each in entries if not each.dirty)):
            self._on_unchanged(unchanged)
        if not changed:
            return set()
        bodies = [body for entry in changed for body in entry.bodies]
        if bodies:
            await self._store.put_bodies(bodies)
        documents = (
            entry.to_document(committed, self._remembers, without_none=self._without_none) for entry in changed
        )
        lightened = [packing.lighten(document) for document in documents]
        if texts := {at: text for _, apart in lightened for at, text in apart.items()}:
            await self._store.put_apart(texts)
        lost = await self._store.replace([document for document, _ in lightened])
        self._strays |= {
            document["_id"]: set(apart) for document, apart in lightened if document["_id"] in lost and apart
        }
        written = [entry for entry in changed if entry.id not in lost]
        saved_as = {document["_id"]: packing.references(document) for document, _ in lightened}
        if gone := [at for entry in written for at in entry.apart - saved_as[entry.id]]:
            await self._store.drop_apart(gone)
        for entry in written:
            entry.was_written(saved_as[entry.id])
        if self._on_saved is not None:
            self._on_saved(_states(written))
        return lost

    def _remember(self, entries: Collection[Entry[S]]) -> None:
        begun = {entry.id for entry in entries if entry.revision == 1}
        unremarkable = begun if len(begun) >= MANY_BEGUN else ()
        for entry in entries:
            if entry.id in unremarkable:
                continue
            entry.was_announced()
            if entry.revision and entry.is_whole and not self._takes_much(entry.state):
                self._keep(entry)

    def _takes_much(self, state: S | None) -> bool:
        return self._is_large is not None and state is not None and self._is_large(state)

    def _keep(self, entry: Entry[S]) -> None:
        """Remember an entry unless a newer one is known, which another fold has written meanwhile."""
        known = self._recent.pop(entry.id, None)
        self._recent[entry.id] = entry if known is None or known.revision <= entry.revision else known
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)


def _states(entries: Iterable[Entry[S]]) -> dict[str, Saved[S]]:
    return {entry.id: Saved(entry.state, entry.revision) for entry in entries if entry.state is not None}
