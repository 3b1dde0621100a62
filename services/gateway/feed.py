"""The live feed: what happens in a tenant, as server-sent events, from now on."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from services.gateway.context import Context
from shared.background import Background
from shared.errors import UnavailableError
from shared.events import EVENTS
from shared.events.external import ExternalRecord
from shared.resting import resting
from shared.security import MANAGERS, READERS, Principal
from shared.settings import SharedSettings

log = structlog.get_logger()

QUEUED: Final = 1000
"""How far a listener may fall behind before events are left out for them."""
KEEPALIVE_SECONDS: Final = 15.0
READY_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 30.0
"""How long it is read on for nobody: who has lost the connection comes back."""
PAUSE_SECONDS: Final = 0.1
"""How long what comes is gathered before it is fetched: every event of a tenant passes here."""

_SHOWN: Final = [
    event
    for event in EVENTS
    if "gateway" in event.consumers and not event.compacted and not issubclass(event, ExternalRecord)
]
"""What tools write is no fact yet: whoever may write there could otherwise tell any tenant anything."""
_TOPICS: Final = sorted({event.topic for event in _SHOWN})
_TYPES: Final = {event.name() for event in _SHOWN}


@dataclass(eq=False, slots=True)
class _Listener:
    principal: Principal
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUED))
    left_out: int = 0


class Feed:
    """Reads what services announce and hands it to those who listen; while nobody does, it reads nothing."""

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings
        self._listeners: set[_Listener] = set()
        self._background = Background("feed")
        self._reading = asyncio.Event()
        self._wanted_until = 0.0

    async def ready(self) -> None:
        """Return once whatever is announced from now on will be read.

        Raises:
            UnavailableError: The broker does not answer in time.
        """
        self._wanted_until = time.monotonic() + LINGER_SECONDS
        self._background.begin(self._run)
        try:
            await asyncio.wait_for(self._reading.wait(), READY_SECONDS)
        except TimeoutError as error:
            raise UnavailableError("The event log does not answer; ask for the feed again.") from error

    async def ended(self) -> None:
        """Return once nothing is read any more."""
        await self._background.ended()

    async def stop(self) -> None:
        """End reading."""
        await self._background.stop()

    async def listen(self, principal: Principal) -> AsyncIterator[bytes]:
        """Yield server-sent events of the principal's tenant until the client leaves; call ``ready`` before."""
        listener = _Listener(principal)
        self._listeners.add(listener)
        try:
            while True:
                try:
                    yield await asyncio.wait_for(listener.queue.get(), KEEPALIVE_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(listener)
            self._wanted_until = time.monotonic() + LINGER_SECONDS

    @property
    def _is_wanted(self) -> bool:
        return bool(self._listeners) or time.monotonic() < self._wanted_until

    async def _run(self) -> None:
        while self._is_wanted:
            try:
                await self._read()
            except KafkaError as error:
                log.warning("feed_interrupted", error=repr(error))
                await asyncio.sleep(1)

    async def _read(self) -> None:
        """Hand out what comes, until nobody has listened for a while."""
        consumer = AIOKafkaConsumer(*_TOPICS, bootstrap_servers=self._settings.kafka_bootstrap.split(","))
        try:
            await consumer.start()
            await consumer.seek_to_end()
            self._reading.set()
            while self._is_wanted:
                batch = await consumer.getmany(timeout_ms=1000)
                for record in chain.from_iterable(batch.values()):
                    self._hand_out(record)
                if batch:
                    with resting(consumer):
                        await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._reading.clear()
            await consumer.stop()

    def _hand_out(self, record: Any) -> None:
        name = dict(record.headers).get("ce_type", b"").decode("utf-8", "replace")
        if name not in _TYPES:
            return
        try:
            body = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            return
        shown = {key: value for key, value in body.items() if key not in {"fields", "tenant_id"}}
        message = b"id: %s:%d:%d\nevent: %s\ndata: %s\n\n" % (
            record.topic.encode(),
            record.partition,
            record.offset,
            name.encode(),
            orjson.dumps(shown),
        )
        for listener in self._listeners:
            who = listener.principal
            if body.get("tenant_id") != who.tenant_id:
                continue
            if who.projects and body.get("project_id") not in who.projects:
                continue
            if listener.queue.full():
                listener.left_out += 1
            else:
                listener.queue.put_nowait(message)


def create_feed_router(context: Context, feed: Feed) -> APIRouter:
    """Return the route of the live feed."""
    router = APIRouter(prefix="/v1", tags=["events"])
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.get("/events")
    async def events(caller: Caller) -> StreamingResponse:
        """Follow what happens in the tenant, from now on, as server-sent events."""
        caller.require(MANAGERS | READERS | {"integration"})
        await feed.ready()
        return StreamingResponse(feed.listen(caller), media_type="text/event-stream")

    return router
