"""Topics that every replica reads whole, from the beginning and in no group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from shared import telemetry
from shared.background import Background
from shared.errors import LabelmeshError
from shared.events import Event, decode
from shared.health import Health
from shared.kafka import body_of
from shared.media import Media
from shared.settings import SharedSettings

log = structlog.get_logger()

START_TIMEOUT: Final = 10.0
END_INTERVAL: Final = 1.0
"""How often the broker is asked where the end is: only that tells a quiet topic from a broker that is away."""

Learn = Callable[[Event], Awaitable[None]]


class LogReader:
    """Reads all partitions of some topics; ready once it has read to the end that it found at its start."""

    def __init__(
        self, settings: SharedSettings, health: Health, name: str, types: Iterable[type[Event]], learn: Learn
    ) -> None:
        """Prepare to read.

        Args:
            settings: Where Kafka is.
            health: Told while the reader is behind.
            name: What is read, for messages.
            types: The events to read, and by them the topics; others on the same topics are passed over.
            learn: Takes in one event; in any order of partitions, any number of times.
        """
        self._settings = settings
        self._media = Media(settings)
        self._health = health
        self._name = name
        self._types = {event.name(): event for event in types}
        self._learn = learn
        self._background = Background(name)
        self._waiting: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Read to the present end, then go on in the background."""
        self._health.fail(self._name, "still reading")
        caught_up = asyncio.Event()
        self._background.begin(lambda: self._run(caught_up))
        await caught_up.wait()

    async def stop(self) -> None:
        """End reading."""
        await self._background.stop()

    async def sync(self) -> None:
        """Return once all that is in the log now has been read."""
        read_to_end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(read_to_end)
        await read_to_end

    async def _run(self, caught_up: asyncio.Event) -> None:
        while True:
            try:
                await self._read(caught_up)
            except Exception as error:
                if not isinstance(error, KafkaError):
                    log.exception("reader_failed", reader=self._name)
                self._health.fail(self._name, f"cannot be read: {error!r}")
                await asyncio.sleep(1)

    async def _read(self, caught_up: asyncio.Event) -> None:
        topics = sorted({event.topic for event in self._types.values()})
        consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self._settings.kafka_bootstrap.split(","),
            auto_offset_reset="earliest",
            fetch_max_wait_ms=500,
        )
        try:
            await _start(consumer, topics)
            await consumer.seek_to_beginning()
            asked_at = -END_INTERVAL
            while True:
                waiting, self._waiting = self._waiting, []
                asks = bool(waiting) or not caught_up.is_set() or time.monotonic() >= asked_at + END_INTERVAL
                try:
                    await self._read_to_end(consumer, asks=asks)
                except BaseException:
                    self._waiting += waiting
                    raise
                if not asks:
                    continue
                asked_at = time.monotonic()
                caught_up.set()
                self._health.heal(self._name)
                telemetry.CATALOG_AGE.labels(self._name).set_function(_since(asked_at))
                for each in waiting:
                    if not each.done():
                        each.set_result(None)
        finally:
            await consumer.stop()

    async def _read_to_end(self, consumer: AIOKafkaConsumer, *, asks: bool) -> None:
        """Learn what comes within a moment, or, when the broker is asked where its end is now, everything up to it."""
        ends = await consumer.end_offsets(list(consumer.assignment())) if asks else {}
        while True:
            batch = await consumer.getmany(timeout_ms=20 if asks else 200)
            for records in batch.values():
                for record in records:
                    await self._take(record)
            if all([await consumer.position(partition) >= end for partition, end in ends.items()]):
                return

    async def _take(self, record: Any) -> None:
        try:
            event = decode(self._types, await body_of(record, self._media), list(record.headers), record.timestamp)
            if event is not None:
                await self._learn(event)
        except (LabelmeshError, ValueError) as error:  # one tenant's record must not keep all others from being read
            log.error("record_skipped", reader=self._name, topic=record.topic, offset=record.offset, error=str(error))


async def _start(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> None:
    """Connect and take all partitions of the topics; without a group, that waits until every topic exists."""
    try:
        await asyncio.wait_for(consumer.start(), START_TIMEOUT)
    except TimeoutError:
        raise KafkaError(f"Not all of the topics {topics} exist; run `labelmesh-ops provision`.") from None


def _since(moment: float) -> Callable[[], float]:
    return lambda: time.monotonic() - moment
