"""One aggregate's document while events are applied to it: its state, its journal, and what has been emitted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from shared import packing
from shared.errors import LabelmeshError
from shared.events import Event
from shared.packing import Document
from shared.steps import Body, DeadLetter, Delivery, Position, S, Step, StepFunction


@dataclass(slots=True)
class Entry(Generic[S]):
    """One document as it stands in the store, and what a batch adds to it."""

    id: str
    revision: int
    state: S | None
    lanes: dict[str, int]
    seen: list[str]
    outbox: list[Document]
    pending: list[Document]
    apart: frozenset[str] = frozenset()
    """The large events that the stored document names."""
    tenant_id: str = ""
    erased: bool = False
    """It is a tombstone."""
    is_fresh: bool = True
    """It was read from the store for this batch, not remembered from an earlier one."""
    dirty: bool = False
    bodies: list[Body] = field(default_factory=list)
    announced: dict[str, list[Event]] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document, state: S | None, apart: frozenset[str]) -> Entry[S]:
        """Return the entry of a stored document, its state and the large events it names."""
        return cls(
            id=document["_id"],
            revision=document["revision"],
            state=state,
            lanes=dict(document["lanes"]),
            seen=list(document["seen"]),
            outbox=list(document["outbox"]),
            pending=list(document["pending"]),
            apart=apart,
            erased=document.get("erased", False),
            tenant_id=document["tenant_id"],
        )

    @classmethod
    def unborn(cls, id_: str) -> Entry[S]:
        """Return the entry of a document that does not exist."""
        return cls(id_, 0, None, {}, [], [], [])

    @classmethod
    def presumed(cls, id_: str) -> Entry[S]:
        """Return the entry of a document that nobody has looked for, and that most probably does not exist."""
        return cls(id_, 0, None, {}, [], [], [], is_fresh=False)

    @property
    def writes_apart(self) -> bool:
        """Whether large values would be written before the document, which may be there, and even be a tombstone."""
        emitted = [packed for kept in self.outbox for part in ("events", "refused") for packed in kept[part]]
        return bool(self.bodies) or any(packing.is_large(packed) for packed in [*emitted, *self.pending])

    def to_document(self, committed: Mapping[str, int], remembers: int, *, without_none: bool = False) -> Document:
        """Return the document to write: of the next revision, without what no redelivery can ask for."""
        self.outbox = [kept for kept in self.outbox if kept["offset"] >= committed.get(kept["lane"], 0)]
        self.seen = self.seen[-remembers:]
        return {
            "_id": self.id,
            "revision": self.revision + 1,
            "tenant_id": self.tenant_id,
            "state": None if self.state is None else self.state.model_dump(mode="json", exclude_none=without_none),
            "lanes": self.lanes,
            "seen": self.seen,
            "outbox": self.outbox,
            "pending": self.pending,
            **({"erased": True} if self.erased else {}),
        }

    @property
    def is_whole(self) -> bool:
        """Whether all is here that the document tells of; of large events, only those that a batch needs are read."""
        emitted = [packed for kept in self.outbox for part in ("events", "refused") for packed in kept[part]]
        return all("body" in packed for packed in [*emitted, *self.pending])

    def was_written(self, apart: Collection[str]) -> None:
        """Take note that the document stands in the store as ``to_document`` gave it, naming these large events."""
        self.revision += 1
        self.apart = frozenset(apart)
        self.dirty = False
        self.bodies = []

    def was_announced(self) -> None:
        """Forget what the broker has acknowledged: a redelivery has nothing to announce again.

        What was refused stays until its offset is committed, for others bury it after the fold.
        """
        self.outbox = [kept for kept in self.outbox if kept["refused"] or kept["cause"] not in self.announced]
        self.announced = {}
        self.is_fresh = False


def _pack_refused(letter: DeadLetter) -> Document:
    position = list(letter.delivery.position)
    return packing.pack(letter.delivery.event) | {"position": position, "error": letter.error, "detail": letter.detail}


def _unpack_refused(packed: Document) -> DeadLetter:
    return DeadLetter(
        Delivery(packing.unpack(packed), Position(*packed["position"])), packed["error"], packed["detail"]
    )


def apply_each(
    entries: Mapping[str, Entry[S]],
    todo: Mapping[str, Sequence[Delivery]],
    step: StepFunction[S, Any],
    after_erasure: Callable[[Any], Sequence[Event]],
) -> dict[str, list[DeadLetter]]:
    """Apply to each document what came for it, and return the events that no retry can help, by document."""

    def guarded(entry: Entry[S]) -> StepFunction[S, Any]:
        return lambda state, event: Step(state, after_erasure(event)) if entry.erased else step(state, event)

    return {id_: _apply(entry, todo[id_], guarded(entry)) for id_, entry in entries.items()}


def _apply(entry: Entry[S], deliveries: Sequence[Delivery], step: StepFunction[S, Any]) -> list[DeadLetter]:
    """Apply each delivery that the entry has not seen; repeat the announcements of those that it has."""
    dead: list[DeadLetter] = []
    for delivery in deliveries:
        event, position = delivery.event, delivery.position
        if position.offset <= entry.lanes.get(position.lane, -1) or event.event_id in entry.seen:
            entry.announced.setdefault(event.event_id, _kept(entry, event.event_id))
            dead.extend(_refused(entry, position))
            continue
        kept: Document = {"cause": event.event_id, "lane": position.lane, "offset": position.offset}
        try:
            done = step(entry.state, event)
        except LabelmeshError as error:  # kept only beside what comes after it: alone, a redelivery refuses it again
            dead.append(DeadLetter.of(delivery, error))
            entry.outbox.append(kept | {"events": [], "refused": [_pack_refused(dead[-1])]})
            continue
        emitted, refused = _settle(entry, delivery, done, step)
        dead.extend(refused)
        entry.tenant_id = event.tenant_id
        entry.lanes[position.lane] = position.offset
        entry.seen.append(event.event_id)
        entry.dirty = True
        if emitted or refused:
            announced, set_aside = (
                [packing.pack(each) for each in emitted],
                [_pack_refused(letter) for letter in refused],
            )
            entry.outbox.append(kept | {"events": announced, "refused": set_aside})
        entry.announced[event.event_id] = emitted
    return dead


def _settle(
    entry: Entry[S], delivery: Delivery, done: Step[S], step: StepFunction[S, Any]
) -> tuple[list[Event], list[DeadLetter]]:
    """Take over what a step did, and apply after it whatever had been waiting for it."""
    if done.waits:
        entry.pending.append(packing.pack(delivery.event) | {"position": list(delivery.position)})
        return [], []
    emitted = _take(entry, done)
    if done.erases:
        _erase(entry)
    refused: list[DeadLetter] = []
    progress = True
    while progress:  # one that waited may be what another waits for
        progress = False
        for packed in list(entry.pending):
            waited = packing.unpack(packed)
            try:
                late = step(entry.state, waited)
            except LabelmeshError as error:
                entry.pending.remove(packed)
                entry.seen = [id_ for id_ in entry.seen if id_ != waited.event_id]  # it may be replayed
                refused.append(DeadLetter.of(Delivery(waited, Position(*packed["position"])), error))
                continue
            if not late.waits:
                entry.pending.remove(packed)
                emitted += _take(entry, late)
                progress = True
    return emitted, refused


def _erase(entry: Entry[S]) -> None:
    """Make a tombstone of an entry: what it told about itself is not told again.

    What it told others (a job's line, say) still is, for their work would never end without it.
    """
    entry.erased = True
    entry.bodies = []
    entry.outbox = [
        kept | {"events": [told for each in kept["events"] for told in _told_to_others(each)], "refused": []}
        for kept in entry.outbox
    ]


def _told_to_others(packed: Document) -> list[Document]:
    if packing.type_of(packed).key_field == "sample_id" or "body" not in packed:  # a large one quotes the content
        return []
    return [packing.pack(packing.unpack(packed).without_content())]


def _take(entry: Entry[S], done: Step[S]) -> list[Event]:
    entry.state = done.state
    entry.bodies.extend(done.bodies)
    return list(done.emitted)


def _kept(entry: Entry[S], event_id: str) -> list[Event]:
    return [packing.unpack(packed) for kept in entry.outbox if kept["cause"] == event_id for packed in kept["events"]]


def _refused(entry: Entry[S], position: Position) -> list[DeadLetter]:
    """Return what was refused when the record at ``position`` was applied; a crash may have come before its burial."""
    of_record = [kept for kept in entry.outbox if (kept["lane"], kept["offset"]) == (position.lane, position.offset)]
    return [_unpack_refused(packed) for kept in of_record for packed in kept["refused"]]
