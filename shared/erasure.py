"""How a service forgets a sample: a tombstone in its folds, what lies beside them removed, and a word to the job.

The tombstone is the fold's (``Step.erases``): whatever comes of the sample later, or again, changes nothing. What lies
beside the folded documents (large values, drafts, objects) is removed after it, and again for a while: another replica
may have been in the middle of a batch, and writes large values before the document that names them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from shared.clock import Clock, to_ms
from shared.events import Event
from shared.events.erasure import ErasingService, SampleErased, SampleForgotten
from shared.ledger import Delivery, Step
from shared.mongo import Database
from shared.routes import Reaction

ERASURES: Final = "erasures"
AGAIN_FOR: Final = timedelta(hours=1)
AT_ONCE: Final = 500


class Erased(NamedTuple):
    """A sample that was erased."""

    tenant_id: str
    sample_id: str
    project_id: str


class Erasures(Protocol):
    """Which samples were erased lately."""

    async def note(self, erased: Erased, at_ms: int) -> None:
        """Remember an erasure; twice is as once."""

    async def since(self, ms: int) -> Sequence[Erased]:
        """Return at most 500 that were noted after a time, and forget those before it."""


class MongoErasures:
    """Erasures in a collection of their own; it is empty nearly always."""

    def __init__(self, database: Database) -> None:
        self._erasures = database[ERASURES]

    async def note(self, erased: Erased, at_ms: int) -> None:
        """Remember an erasure; twice is as once."""
        document = {**erased._asdict(), "at_ms": at_ms}
        await self._erasures.update_one(
            {"_id": f"{erased.tenant_id}/{erased.sample_id}"}, {"$setOnInsert": document}, upsert=True
        )

    async def since(self, ms: int) -> Sequence[Erased]:
        """Return at most 500 that were noted after a time, and forget those before it."""
        await self._erasures.delete_many({"at_ms": {"$lt": ms}})
        found = self._erasures.find({}, limit=AT_ONCE)
        return [Erased(each["tenant_id"], each["sample_id"], each["project_id"]) async for each in found]


Remove = Callable[[Erased], Awaitable[None]]
"""Removes what a service keeps of a sample beside its folded documents; done again, it finds nothing."""


class Eraser:
    """What a service does about an erased sample, behind the tombstones in its folds."""

    def __init__(
        self,
        service: ErasingService,
        erasures: Erasures,
        publish: Callable[[Sequence[Event]], Awaitable[Any]],
        clock: Clock,
        remove: Remove | None = None,
    ) -> None:
        """Make one.

        Args:
            service: Its name.
            erasures: Remembers what has to be removed again.
            publish: Puts facts into the log and returns once they are there.
            clock: The present time.
            remove: Removes what lies beside the folded documents; None where nothing does.
        """
        self._service = service
        self._erasures = erasures
        self._publish = publish
        self._clock = clock
        self._remove = remove

    def reaction(self) -> Reaction:
        """Return what has to stand behind all routes of the service: a batch passes it last."""
        return Reaction(SampleErased, self.on_sample_erased)

    async def on_sample_erased(self, deliveries: Sequence[Delivery]) -> None:
        """Remove what is left, and say so. Again, it finds nothing and says the same."""
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, SampleErased):
                await self._forget(event)

    async def again(self) -> None:
        """Remove what late writers of samples erased lately have left."""
        if self._remove is None:
            return
        for erased in await self._erasures.since(to_ms(self._clock() - AGAIN_FOR)):
            await self._remove(erased)

    async def _forget(self, event: SampleErased) -> None:
        if self._remove is not None:
            erased = Erased(event.tenant_id, event.sample_id, event.project_id)
            await self._erasures.note(erased, to_ms(self._clock()))
            await self._remove(erased)
        await self._publish([forgotten(event, self._service)])


def forgotten(event: SampleErased, service: ErasingService) -> SampleForgotten:
    """Return what a service says when it keeps nothing of a sample any more."""
    return SampleForgotten.caused_by(
        event,
        part=service,
        job_id=event.job_id,
        sample_id=event.sample_id,
        project_id=event.project_id,
        service=service,
    )


def tombstone(_state: Any, _event: SampleErased) -> Step[Any]:
    """Forget the aggregate; whatever comes of it later changes nothing."""
    return Step(None, erases=True)


def erased_key(event: SampleErased) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"
