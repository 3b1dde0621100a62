"""One process that reads the log in a group, started and stopped by a test; and the records that a topic holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import repeat
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream.kafka import KafkaBroker

from shared.consumer import Consumer, PartitionWatcher
from shared.events import DEAD_LETTER_TOPIC, Event
from shared.events.samples import SampleIngested
from shared.events.tasks import AnnotationSubmitted
from shared.health import Health
from shared.kafka import Producer
from shared.ledger import Ledger, Publish, StepFunction
from shared.media import Media
from shared.mongo import Database, MongoLedgerStore
from shared.routes import Route
from shared.settings import SharedSettings
from tests.ledger_world import Counted, count, key

SAMPLES = "samples"
KINDS = (SampleIngested, AnnotationSubmitted)


class Replica:
    """A consumer of samples and their answers, with connections of its own to the broker."""

    def __init__(
        self,
        settings: SharedSettings,
        database: Database,
        group: str,
        *,
        publish: Publish,
        step: StepFunction[Counted, Any] = count,
        commit_delay: timedelta = timedelta(0),
        before: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
        watcher: PartitionWatcher | None = None,
    ) -> None:
        self.health = Health()
        self.ledger = Ledger(MongoLedgerStore(database, SAMPLES), publish, Counted)
        self._broker = KafkaBroker(
            settings.kafka_bootstrap.split(","), apply_types=False, logger=None, allow_auto_create_topics=False
        )
        media = Media(settings)
        self._producer = Producer(settings, group, media)
        self.consumer = Consumer(
            self._broker,
            self._producer,
            self.health,
            group=group,
            routes=[Route(kind, self.ledger, step, key) for kind in KINDS],
            object_store=media,
            commit_delay=commit_delay,
            before=before,
            watcher=watcher,
        )
        self.health.add("kafka", self._producer.ping)

    async def __aenter__(self) -> Replica:
        self.health.start()
        await self._producer.start()
        await self._broker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._broker.stop()
        await self._producer.stop()
        await self.health.stop()

    async def answers(self, event: Event) -> tuple[str, ...]:
        """Return the answers that counted for the sample of ``event``."""
        found = (await self.ledger.read([key(event)])).get(key(event))
        return found.answers if found else ()


async def begin_at_the_end(settings: SharedSettings, group: str) -> None:
    """Let a group read what comes from now on, and not what earlier tests have left."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(kind.topic, number) for kind in KINDS for number in range(settings.partitions)]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
    finally:
        await consumer.stop()


async def eventually(holds: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: It did not, in ``within`` seconds.
    """
    deadline = time.monotonic() + within
    for pause in repeat(0.05):
        if await holds():
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"It did not hold within {within:g} s.")
        await asyncio.sleep(pause)


async def records_of(settings: SharedSettings, topic: str) -> list[ConsumerRecord]:
    """Return every record of a topic, from its beginning to its present end."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def dead_letters_of(settings: SharedSettings, group: str) -> list[ConsumerRecord]:
    """Return the dead letters of one consumer group."""
    records = await records_of(settings, DEAD_LETTER_TOPIC)
    return [record for record in records if dict(record.headers)["dead_group"] == group.encode()]
