"""Events as they are kept in a document, until they are announced or what they wait for has come.

A document is read and written again with each batch, so a large event is kept apart from it: under an id of its own,
written before the document that names it, read only when it is needed, and removed after the last document that did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic_core import from_json, to_json, to_jsonable_python

from shared.events import EVENTS, Event

Document = dict[str, Any]

LARGE_BYTES = 16 * 1024
"""Bodies above this are kept apart."""

_PARTS = ("events", "refused")
_TYPES = {event.name(): event for event in EVENTS}


def pack(event: Event) -> Document:
    """Return an event as it is kept, with what its reader had added."""
    beside = {
        name: to_jsonable_python(value)
        for name, usual in _beside_body(type(event))
        if (value := getattr(event, name)) != usual
    }
    return {"type": event.name(), "body": event.json_body.decode(), "beside": beside}


def unpack(packed: Document) -> Event:
    """Return the event that was packed."""
    return _TYPES[packed["type"]].model_validate_json(to_json(from_json(packed["body"]) | packed["beside"]))


def type_of(packed: Document) -> type[Event]:
    """Return the type of the event that was packed."""
    return _TYPES[packed["type"]]


def is_large(packed: Document) -> bool:
    """Return whether the body of a packed event is to be kept apart, or is already."""
    return "body_at" in packed or len(packed["body"]) > LARGE_BYTES


def lighten(document: Document) -> tuple[Document, dict[str, str]]:
    """Return the document with references in the place of large bodies, and those bodies by their ids.

    An id belongs to one revision, so that who removes a body never removes another's; and it holds the body's hash,
    for after a crash the same revision may be made anew with another content.
    """
    if not (document["outbox"] or document["pending"]) or not any(is_large(each) for each in _packed_in(document)):
        return document, {}
    apart: dict[str, str] = {}

    def light(packed: Document) -> Document:
        body = packed.get("body", "")
        if "body_at" not in packed:
            if len(body) <= LARGE_BYTES:
                return packed
            at = f"{document['_id']}#{document['revision']}#{sha256(body.encode()).hexdigest()}"
            apart[at] = body
            packed["body_at"] = at  # known from now on, so that a later revision need not keep it under another id
        return {name: value for name, value in packed.items() if name != "body"}

    return _with_each(document, light), apart


def references(document: Document, causes: Collection[str] | None = None) -> set[str]:
    """Return the ids of bodies kept apart: of all that waits, and of what was emitted because of ``causes`` (or all)."""
    if not (document["outbox"] or document["pending"]):
        return set()
    return {each["body_at"] for each in _packed_in(document, causes) if "body_at" in each}


def fill_in(document: Document, apart: Mapping[str, str]) -> Document:
    """Return the document with the bodies that are known in the place of their references."""

    def filled(packed: Document) -> Document:
        body = apart.get(packed.get("body_at", ""))
        return packed if body is None else packed | {"body": body}

    return _with_each(document, filled)


def _packed_in(document: Document, causes: Collection[str] | None = None) -> Iterator[Document]:
    for kept in document["outbox"]:
        if causes is None or kept["cause"] in causes:
            for part in _PARTS:
                yield from kept[part]
    yield from document["pending"]


def _with_each(document: Document, change: Callable[[Document], Document]) -> Document:
    outbox = [
        kept | {part: [change(packed) for packed in kept[part]] for part in _PARTS} for kept in document["outbox"]
    ]
    return document | {"outbox": outbox, "pending": [change(packed) for packed in document["pending"]]}


@cache
def _beside_body(kind: type[Event]) -> tuple[tuple[str, Any], ...]:
    """Return the fields that an event's JSON body leaves out: what a reader has added must not be lost in waiting.

    Each with its default, which need not be kept.
    """
    return tuple(
        (name, about.get_default(call_default_factory=True))
        for name, about in kind.model_fields.items()
        if about.exclude
    )
