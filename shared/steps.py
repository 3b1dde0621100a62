"""What a fold is told and what it answers: where an event stands, what follows from it, and what no retry can help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from shared.errors import LabelmeshError
from shared.events import Event

S = TypeVar("S", bound=BaseModel)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)


class Position(NamedTuple):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int

    @property
    def lane(self) -> str:
        """The topic and partition as one name that MongoDB takes as a key."""
        return f"{self.topic.replace('.', '_')}:{self.partition}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it was read, and where."""

    event: Event
    position: Position


@dataclass(frozen=True, slots=True)
class Body:
    """A large value, written once under a derived id before any document that names it."""

    collection: str
    id: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """What an event does: the new state, the events that follow, and the large values that the state names."""

    state: S | None
    emitted: Sequence[Event] = ()
    bodies: Sequence[Body] = ()
    waits: bool = False
    """The event is about something not yet known; it is applied after the next event that is not."""
    erases: bool = False
    """The aggregate is to be forgotten: nothing changes it any more, and what waited or was kept for it is dropped."""


def wait(state: S | None) -> Step[S]:
    """Set the event aside until more is known of its aggregate."""
    return Step(state, waits=True)


StepFunction = Callable[[S | None, E_contra], Step[S]]


class DeadLetter(NamedTuple):
    """An event that no retry can help, and why."""

    delivery: Delivery
    error: str
    """The stable name of the kind of error."""
    detail: str

    @classmethod
    def of(cls, delivery: Delivery, error: LabelmeshError) -> DeadLetter:
        """Return the letter that tells of ``error``."""
        return cls(delivery, error.slug(), error.detail)
