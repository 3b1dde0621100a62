"""How a service reads the log: one group, batches across topics, each event to the route that it has.

Offsets are committed by hand, after everything that follows from a batch is with the broker. FastStream's ``nack``
would bring the same batch again at once and for every partition, so a batch that fails is retried here, with backoff.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared import kafka, media, mongo, telemetry
from shared.batches import as_it_is, as_they_came, by_bytes, emptied, ends_of, still_ours
from shared.commits import OffsetCommits, positions_of
from shared.errors import LabelmeshError
from shared.events import DEAD_LETTER_TOPIC, Event, decode, encode
from shared.health import Health
from shared.kafka import Producer
from shared.ledger import DeadLetter, Delivery, Position
from shared.media import Media
from shared.resting import resting
from shared.routes import Reaction, Route, apply_together, group_routes, split_at

log = structlog.get_logger()

BATCH_RECORDS: Final = 500
BATCH_EVERY: Final = timedelta(milliseconds=100)
"""How soon a batch may follow the one before it. The first after a pause is handled at once; under load, what comes
meanwhile makes the next one fuller, and what a batch costs however small it is (two rounds to the database, requests
to the broker) is shared by more events. Where a batch takes long, for all of the machine is busy, the rest after it is
as long, up to this: so the busier it is, the less a single event costs."""
TALLY_EVERY: Final = timedelta(seconds=1)
"""The same where documents are counts of many events (somebody's work, their skill): several of a batch are one write."""
IDLE_WAIT_MS: Final = 1000
FETCH_WAIT: Final = timedelta(milliseconds=500)
"""How long the broker may hold a request while there is nothing; it answers at once when something comes."""
FETCH_BYTES: Final = 256 * 1024
"""Of a partition at a time: some hundred usual records, and of long ones so few that a batch of them, which is there
several times while it is folded, stays small."""
CRASHES_PER_MINUTE: Final = 10
"""So many unexpected exceptions mean that the fault is ours: the consumer stops and the service turns unready."""
MAX_BACKOFF: Final = 5.0

RawDecoder = Callable[[ConsumerRecord[Any, Any]], Sequence[Event]]


class PartitionWatcher:
    """Told which partitions this process owns, and how far each was folded. Override what is of interest."""

    async def on_assigned(
        self, partitions: Sequence[TopicPartition], positions: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int]:
        """These partitions are ours from here on.

        Args:
            partitions: All that are.
            positions: The offsets at which they are read on; of those that the broker did not tell of, none.

        Returns:
            Offsets to read on from instead, where they are further back.
        """
        return {}

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are not ours any more."""

    def on_folded(self, topic: str, partition: int, timestamp_ms: int, offset: int) -> None:
        """All records of the partition below an offset are folded, the last of them of this timestamp."""


class Consumer:
    """Reads the topics of its routes in one consumer group and applies every event."""

    def __init__(
        self,
        broker: KafkaBroker,
        producer: Producer,
        health: Health,
        *,
        group: str,
        routes: Sequence[Route | Reaction],
        object_store: Media | None = None,
        commit_delay: timedelta = timedelta(0),
        raw_topics: Mapping[str, RawDecoder] | None = None,
        watcher: PartitionWatcher | None = None,
        before: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
        batch_every: timedelta = BATCH_EVERY,
        batch_records: int = BATCH_RECORDS,
    ) -> None:
        """Register with ``broker``; reading begins when the broker starts.

        Args:
            broker: FastStream's broker; it runs the consumer.
            producer: Takes dead letters.
            health: Told when the consumer has to stop.
            group: The Kafka consumer group; its replicas share the partitions.
            routes: Applied in this order within a batch; those of one ledger together, at the place of the first.
            object_store: Where claim checks are redeemed.
            commit_delay: How far commits stay behind what was folded.
            raw_topics: Topics whose records are no events of ours, and what makes events of them.
            watcher: Told of partitions and progress.
            before: Awaited before a batch is applied (the catalog waits there for versions that events name).
            batch_every: How soon a batch that is not full may follow the one before; longer is more throughput and more
                latency.
            batch_records: Most records in a batch; 1 where each is long work, so that none waits for another's end.
        """
        self._producer = producer
        self._health = health
        self._group = group
        self._routes = group_routes(routes)
        self._types = {route.event.name(): route.event for route in routes}
        self._marks = {route.event for route in routes if isinstance(route, Reaction) and route.is_mark}
        self._media = object_store
        self._raw_topics = dict(raw_topics or {})
        self._watcher = watcher
        self._settled = asyncio.Event()
        """It is known of each partition where it is read on."""
        self._settled.set()
        self._sought: frozenset[TopicPartition] = frozenset()
        """Partitions of the last assignment that are read on from further back."""
        self._assignments = 0
        self._read_in = 0
        """In which assignment the batch was read that is handled."""
        self._before = before
        self._batch_every = batch_every.total_seconds()
        self._batch_records = batch_records
        self._commits = OffsetCommits(commit_delay)
        self._crashes: deque[float] = deque()
        self._gave_up = ""
        health.add(f"consumer {group}", self._check)
        self._subscriber = broker.subscriber(
            *sorted({route.event.topic for route in routes}),
            batch=True,
            max_records=batch_records,
            group_id=group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            partition_assignment_strategy=(RangePartitionAssignor,),
            listener=_Listener(self),
            max_poll_interval_ms=600_000,
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=int(FETCH_WAIT.total_seconds() * 1000),
            parser=as_they_came,
            decoder=as_it_is,
        )
        self._subscriber(self._on_batch)
        self._subscriber.get_msg = self._next_batch  # type: ignore[method-assign]  # see there

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord[Any, Any], ...]:
        """Return what has come, at once when something comes.

        In the place of FastStream's own, which after each wait that brought nothing sleeps as long again: the wait would
        have to be short then, and a process that has nothing to do would ask its consumers a hundred times a second.
        """
        found = await consumer.getmany(timeout_ms=IDLE_WAIT_MS, max_records=self._batch_records)
        if not self._settled.is_set():
            await self._settled.wait()
            found = {partition: records for partition, records in found.items() if partition not in self._sought}
        self._read_in = self._assignments
        return tuple(chain.from_iterable(found.values()))

    async def _on_batch(self, message: KafkaMessage) -> None:
        records: tuple[ConsumerRecord[Any, Any], ...] = message.raw_message
        # FastStream's message is part of a cycle: what it holds would stay until Python looks for such, which is seldom.
        message.raw_message = emptied(records)
        if len(records) >= self._batch_records:
            await self._handle_all(message.consumer, records)
            return
        began = time.monotonic()
        with resting(message.consumer):
            await self._handle_all(message.consumer, records)
            took = time.monotonic() - began
            await asyncio.sleep(max(self._batch_every - took, min(took, self._batch_every)))

    async def _handle_all(self, consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        for some in by_bytes(records):
            if not await self._handle(consumer, some):
                return  # what comes after it must not be committed

    async def _handle(self, consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord[Any, Any]]) -> bool:
        """Apply records and return True; False where another has them now, or nothing can be applied any more."""
        attempt = 0
        while still_ours(consumer, records):
            try:
                await self._apply(records, one_by_one=attempt >= 2)
                break
            except Exception as error:
                if isinstance(error, LabelmeshError) and not error.retryable and attempt < 2:
                    attempt = 1  # a fault that was foreseen, of one event in the batch: find it
                elif not may_pass(error):
                    log.exception("fold_failed", group=self._group, records=len(records), attempt=attempt)
                    telemetry.FOLD_FAILURES.labels(self._group).inc()
                    if self._crashed_too_often():
                        await self._give_up(error)
                        return False
                attempt += 1
                await asyncio.sleep(min(MAX_BACKOFF, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311
        else:
            return False  # the partitions have a new owner, who reads this batch
        if self._watcher is not None and self._read_in == self._assignments:
            for (topic, partition), (timestamp, offset) in ends_of(records).items():
                self._watcher.on_folded(topic, partition, timestamp, offset)
        self._commits.note(records)
        await self._commits.flush(consumer)
        self._measure(consumer, records)
        return True

    async def _apply(self, records: Sequence[ConsumerRecord[Any, Any]], *, one_by_one: bool) -> None:
        deliveries, dead = await self._read(records)
        if self._before is not None:
            await self._before([delivery.event for delivery in deliveries])
        batches = [[delivery] for delivery in deliveries] if one_by_one else split_at(self._marks, deliveries)
        for batch in batches:
            for group in self._routes:
                types = {route.event for route in group}
                mine = [delivery for delivery in batch if type(delivery.event) in types]
                if mine:
                    with telemetry.folding(self._group, [delivery.event for delivery in mine]):
                        dead_here = await self._apply_group(group, mine, alone=one_by_one)
                    for letter in dead_here:
                        await self._bury(letter)
        for record, error in dead:
            await self._bury_record(record, error)

    async def _apply_group(
        self, group: Sequence[Route | Reaction], deliveries: Sequence[Delivery], *, alone: bool
    ) -> list[DeadLetter]:
        """Apply deliveries; where there is only one, a fault outside its step (in its look-up, say) is its own."""
        try:
            return await apply_together(group, deliveries, self._commits.committed)
        except LabelmeshError as error:
            if error.retryable or not alone:
                raise
            return [DeadLetter.of(delivery, error) for delivery in deliveries]

    async def _read(
        self, records: Sequence[ConsumerRecord[Any, Any]]
    ) -> tuple[list[Delivery], list[tuple[ConsumerRecord[Any, Any], LabelmeshError]]]:
        deliveries: list[Delivery] = []
        dead: list[tuple[ConsumerRecord[Any, Any], LabelmeshError]] = []
        for record in records:
            try:
                events = await self._decode(record)
            except LabelmeshError as error:
                dead.append((record, error))
                continue
            position = Position(record.topic, record.partition, record.offset)
            deliveries.extend(Delivery(event, position) for event in events)
        return deliveries, dead

    async def _decode(self, record: ConsumerRecord[Any, Any]) -> Sequence[Event]:
        place = {"log_partition": record.partition, "log_offset": record.offset}
        if (raw := self._raw_topics.get(record.topic)) is not None:
            return [event.model_copy(update=place) for event in raw(record)]
        value = await kafka.body_of(record, self._media)
        event = decode(self._types, value, list(record.headers), record.timestamp, place)
        return [] if event is None else [event]

    async def _bury(self, letter: DeadLetter) -> None:
        event, position = letter.delivery.event, letter.delivery.position
        log.error("dead_letter", type=event.name(), event_id=event.event_id, error=letter.detail)
        telemetry.DEAD_LETTERS.labels(self._group, event.name()).inc()
        value, headers = encode(event, self._group)
        headers += _death(self._group, position, letter.error, letter.detail)
        await self._producer.raw(DEAD_LETTER_TOPIC, value, event.key.encode(), headers)

    async def _bury_record(self, record: ConsumerRecord[Any, Any], error: LabelmeshError) -> None:
        log.error("dead_record", topic=record.topic, partition=record.partition, offset=record.offset, error=str(error))
        telemetry.DEAD_LETTERS.labels(self._group, "undecodable").inc()
        position = Position(record.topic, record.partition, record.offset)
        headers = [*record.headers, *_death(self._group, position, error.slug(), error.detail)]
        await self._producer.raw(DEAD_LETTER_TOPIC, record.value, record.key, headers)

    def _crashed_too_often(self) -> bool:
        now = time.monotonic()
        self._crashes.append(now)
        while self._crashes[0] < now - 60:
            self._crashes.popleft()
        return len(self._crashes) >= CRASHES_PER_MINUTE

    async def _give_up(self, error: Exception) -> None:
        self._gave_up = f"stopped after {CRASHES_PER_MINUTE} failures within a minute; the last: {error!r}"
        self._health.fail(f"consumer {self._group}", self._gave_up)
        if self._subscriber.consumer is not None:
            await self._subscriber.consumer.stop()

    async def _check(self) -> None:
        """Raise when the consumer does not run; commit what has become old enough while nothing came in."""
        if self._gave_up:
            raise RuntimeError(self._gave_up)
        if self._subscriber.consumer is None:
            raise RuntimeError("not started")
        await self._commits.flush(self._subscriber.consumer)

    def _measure(self, consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        last = {TopicPartition(record.topic, record.partition): record for record in records}
        for partition, record in last.items():
            end = consumer.highwater(partition) or 0
            lag = max(0, end - record.offset - 1)
            telemetry.LAG.labels(self._group, record.topic, str(record.partition)).set(lag)

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Begin with partitions that the group gave us, each from where the watcher says if that is further back."""
        self._assignments += 1
        consumer = self._subscriber.consumer
        if self._watcher is None or consumer is None:
            return
        self._settled.clear()
        self._sought = frozenset()
        try:
            positions = await positions_of(consumer, partitions)
            begins = await self._watcher.on_assigned(partitions, positions)
            self._sought = frozenset(each for each, at in begins.items() if at < positions.get(each, 0))
            for partition in self._sought:  # nothing that was read before is handed on after this
                consumer.seek(partition, begins[partition])
        finally:
            self._settled.set()

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go of partitions that the group takes from us."""
        try:
            if self._subscriber.consumer is not None:
                await self._commits.flush(self._subscriber.consumer)
        finally:  # whatever the broker says, others have them now
            self._commits.forget(partitions)
            for partition in partitions:
                telemetry.forget_lag(self._group, partition.topic, partition.partition)
            if self._watcher is not None:
                await self._watcher.on_revoked(partitions)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        await self._consumer.assigned(list(assigned))

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        await self._consumer.revoked(list(revoked))


def may_pass(error: Exception) -> bool:
    """Return whether the same batch may go through later without anybody's doing."""
    ours = isinstance(error, LabelmeshError) and error.retryable
    return ours or mongo.is_transient(error) or kafka.is_transient(error) or media.is_transient(error)


def _death(group: str, position: Position, error: str, detail: str) -> list[tuple[str, bytes]]:
    return [
        ("dead_group", group.encode()),
        ("dead_topic", position.topic.encode()),
        ("dead_partition", str(position.partition).encode()),
        ("dead_offset", str(position.offset).encode()),
        ("dead_error", error.encode()),
        ("dead_detail", detail[:1000].encode("utf-8", "backslashreplace")),
    ]
