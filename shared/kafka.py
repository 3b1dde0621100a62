"""Kafka: topics as they have to be, and the producer behind which an answer may be given."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    NoError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAlreadyExistsError,
    UnknownProducerId,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.errors import LabelmeshError, UnavailableError, UndecodableEventError
from shared.events import DEAD_LETTER_TOPIC, EVENTS, SAMPLE_TOPICS, Event, Headers, encode
from shared.ids import new_id
from shared.media import CLAIM_CHECK_BUCKET, Media
from shared.murmur import murmur2
from shared.settings import SharedSettings

log = structlog.get_logger()

CLAIM_CHECK_BYTES = 512 * 1024
CLAIM_CHECK_HEADER = "claim_check"
MAX_MESSAGE_BYTES = 1024 * 1024
PUBLISH_TIMEOUT = 5.0
STOP_TIMEOUT = 5.0
LINGER_MS = 2
PACKED_FROM = 32
"""So many records are packed into batches here: aiokafka makes a future of each, which takes five times as long."""
RECENT_KEYS = 4096
"""Keys whose hashes are remembered: those of some batches."""
OTHER_PARTITIONS = 6
"""Partitions of topics that are not keyed by sample."""
BROKER_START_SECONDS = 60.0
"""How long a broker may take, from when it first answers, until topics can be made on it."""


class Receipt(NamedTuple):
    """What the broker said of a record: where it stands, and its timestamp in ms since 1970."""

    partition: int
    offset: int
    timestamp_ms: int


class _Record(NamedTuple):
    topic: str
    value: bytes | None
    key: bytes | None
    partition: int | None
    headers: Headers


def is_transient(error: BaseException) -> bool:
    """Return whether the broker may answer the same call later."""
    return isinstance(error, KafkaError) and (
        error.retriable
        or _is_fatal(error)
        or isinstance(error, KafkaConnectionError | KafkaTimeoutError | NodeNotReadyError)
    )


def _is_fatal(error: KafkaError) -> bool:
    """Return whether an idempotent producer is of no use after this; a new one is.

    One refused batch leaves a gap in its partition's sequence that the broker takes no later batch over. A sender that
    died says so with the bare KafkaError.
    """
    fatal = OutOfOrderSequenceNumber | ProducerFenced | UnknownProducerId
    return isinstance(error, fatal) or type(error) is KafkaError


def partition_of(sample_id: str, partitions: int) -> int:
    """Return the partition of the sample-keyed topics that a sample's events are in (Kafka's default partitioner)."""
    return _hash_of(sample_id.encode()) % partitions


@lru_cache(maxsize=RECENT_KEYS)
def _hash_of(key: bytes) -> int:
    """Return Kafka's hash of a key. It is computed in Python, and each of a sample's events asks for the same one."""
    return murmur2(key) & 0x7FFFFFFF


def _partitioner(key: bytes | None, all_partitions: Sequence[int], available: Sequence[int]) -> int:
    """Choose a partition as Kafka's default partitioner does."""
    if key is None:
        return random.choice(available or all_partitions)  # noqa: S311 - spreads load, no secret
    return all_partitions[_hash_of(key) % len(all_partitions)]


def least_bytes(record: Any) -> int:
    """Return how long a record's body is; where it is only a claim check, how long it is at least."""
    is_elsewhere = any(name == CLAIM_CHECK_HEADER for name, _ in record.headers)
    return CLAIM_CHECK_BYTES if is_elsewhere else len(record.value or b"")


async def body_of(record: Any, media: Media | None) -> bytes | None:
    """Return a record's body, fetched from the object store where the record is only a claim check.

    Raises:
        UndecodableEventError: The reader has no object store.
        NotFoundError: The object is gone.
    """
    claim = dict(record.headers).get(CLAIM_CHECK_HEADER)
    if claim is None:
        value: bytes | None = record.value
        return value
    if media is None:
        raise UndecodableEventError("The record is a claim check, and this service has no object store.")
    return await media.get(claim.decode())


def topics(settings: SharedSettings) -> list[NewTopic]:
    """Return every topic with its partitions and settings."""
    found: dict[str, NewTopic] = {}
    for event in EVENTS:
        config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        if event.compacted:
            config["cleanup.policy"] = "compact"
        else:
            config["retention.ms"] = str(14 * 24 * 3600 * 1000)
        if event.broker_stamped:
            config["message.timestamp.type"] = "LogAppendTime"
        if settings.replication > 2:
            config["min.insync.replicas"] = "2"
        partitions = settings.partitions if event.topic in SAMPLE_TOPICS else OTHER_PARTITIONS
        found.setdefault(event.topic, NewTopic(event.topic, partitions, settings.replication, topic_configs=config))
    found[DEAD_LETTER_TOPIC] = NewTopic(
        DEAD_LETTER_TOPIC, 1, settings.replication, topic_configs={"retention.ms": "-1"}
    )
    return list(found.values())


async def create_topics(settings: SharedSettings) -> list[str]:
    """Create the topics that are missing and return their names.

    Raises:
        LabelmeshError: The broker refuses one of them.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap.split(","))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics(settings) if topic.name not in existing]
        for topic in missing:
            await _create(admin, topic)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: NewTopic) -> None:
    """Create one topic; a broker that has just started is fenced: it answers, and may not lead partitions yet."""
    deadline = asyncio.get_running_loop().time() + BROKER_START_SECONDS
    while True:
        [[name, code, message]] = (await admin.create_topics([topic])).topic_errors
        if code in {NoError.errno, TopicAlreadyExistsError.errno}:
            return
        starting = code == InvalidReplicationFactorError.errno and "fenced" in (message or "")
        if not starting or asyncio.get_running_loop().time() > deadline:
            raise LabelmeshError(f"Topic {name} could not be created: {message}")
        await asyncio.sleep(1)


class Producer:
    """An idempotent producer with ``acks=all``; nothing is answered before the broker has it."""

    def __init__(
        self, settings: SharedSettings, source: str, media: Media | None = None, *, linger_ms: int = LINGER_MS
    ) -> None:
        """Prepare to connect.

        Args:
            settings: Where the brokers are.
            source: Who produces, for the headers.
            media: Where bodies go that are too large for a record.
            linger_ms: How long a record waits for others to go with it; 0 where somebody waits for the answer.
        """
        self._linger_ms = linger_ms
        self._settings = settings
        self._source = source
        self._media = media
        self._producer: AIOKafkaProducer | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect; raises when no broker answers."""
        self._producer = await self._connect()

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap.split(","),
            client_id=f"labelmesh-{self._source}",
            acks="all",
            enable_idempotence=True,
            linger_ms=self._linger_ms,
            max_request_size=MAX_MESSAGE_BYTES,
            partitioner=_partitioner,
            max_batch_size=256 * 1024,
            request_timeout_ms=30_000,
        )
        await producer.start()
        return producer

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._renewal is not None:
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()

    async def ping(self) -> None:
        """Raise when no broker answers."""
        if self._producer is None:
            raise KafkaConnectionError("the producer has not started")
        client = self._producer.client
        # About one topic: what a broker says of all of them takes milliseconds to decode, every second.
        question = MetadataRequest([DEAD_LETTER_TOPIC], allow_auto_topic_creation=False)
        brokers = client.cluster.brokers()
        for broker in brokers:
            with suppress(KafkaError):
                await client.send(broker.nodeId, question)
                return
        raise KafkaConnectionError(f"none of {len(brokers)} brokers answers")

    async def publish(self, events: Sequence[Event]) -> list[Receipt]:
        """Produce events in order and wait until the broker has all of them.

        Raises:
            KafkaError: Some event was not acknowledged; which of them are in the log is unknown, so call again.
        """
        return await self._send([await self._record(event) for event in events])

    async def publish_to(self, event: Event, topic: str, partition: int) -> Receipt:
        """Produce one event to a partition that its key does not decide."""
        record = await self._record(event)
        [receipt] = await self._send([record._replace(topic=topic, partition=partition)])
        return receipt

    async def answer_for(self, events: Sequence[Event], timeout: float = PUBLISH_TIMEOUT) -> list[Receipt]:
        """Produce on behalf of a client who waits.

        Raises:
            UnavailableError: The broker did not acknowledge in time. The client has to send the same again; what may
                have been written after all counts once, for its id is the same.
        """
        try:
            return await asyncio.wait_for(self.publish(events), timeout)
        except (TimeoutError, KafkaError) as error:
            raise UnavailableError("The event log does not answer; send the same request again.") from error

    async def raw(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers, partition: int | None = None
    ) -> Receipt:
        """Produce a record as it is (dead letters and their replay)."""
        if value is not None and len(value) > CLAIM_CHECK_BYTES:
            value, headers = await self._check_in(f"{topic}/{new_id()}", value, headers)
        [receipt] = await self._send([_Record(topic, value, key, partition, headers)])
        return receipt

    async def _record(self, event: Event) -> _Record:
        value, headers = encode(event, self._source)
        if len(value) > CLAIM_CHECK_BYTES:
            name = f"{event.tenant_id}/{event.name()}/{event.event_id}"
            value, headers = await self._check_in(name, value, headers)
        return _Record(event.topic, value, event.key.encode(), event.target_partition, headers)

    async def _send(self, records: Sequence[_Record]) -> list[Receipt]:
        if (producer := self._producer) is None:
            raise KafkaConnectionError("the producer has not started")
        try:
            if len(records) >= PACKED_FROM:
                return await _send_packed(producer, records)
            futures = [
                await producer.send(each.topic, each.value, each.key, each.partition, headers=each.headers)
                for each in records
            ]
            return [_receipt(metadata) for metadata in await asyncio.gather(*futures)]
        except KafkaError as error:
            if _is_fatal(error) and (self._renewal is None or self._renewal.done()) and self._producer is producer:
                log.warning("producer_is_broken", source=self._source, error=repr(error))
                self._renewal = asyncio.create_task(self._renew(producer), name="renew the producer")
            raise

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        """Put a new producer in the place of a broken one; who sent meanwhile sends again."""
        self._producer = await self._connect()
        with suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(broken.stop(), STOP_TIMEOUT)

    async def _check_in(self, name: str, value: bytes, headers: Headers) -> tuple[bytes, Headers]:
        if self._media is None:
            raise ValueError(f"{name} is {len(value)} bytes, and this producer has no object store for it")
        place = f"{CLAIM_CHECK_BUCKET}/{name}"
        await self._media.put(place, value, "application/json")
        return b"{}", [*headers, (CLAIM_CHECK_HEADER, place.encode())]


def _receipt(metadata: Any) -> Receipt:
    return Receipt(metadata.partition, metadata.offset, metadata.timestamp)


async def _send_packed(producer: AIOKafkaProducer, records: Sequence[_Record]) -> list[Receipt]:
    """Produce many records, those of a partition in order, and return their receipts in the order of the records."""
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {each.topic for each in records}}
    places: dict[TopicPartition, list[int]] = {}
    for number, each in enumerate(records):
        known = partitions[each.topic]
        partition = _partitioner(each.key, known, known) if each.partition is None else each.partition
        places.setdefault(TopicPartition(each.topic, partition), []).append(number)
    told = await asyncio.gather(
        *(_send_to(producer, place, [records[number] for number in numbers]) for place, numbers in places.items())
    )
    receipts = {
        number: receipt
        for numbers, found in zip(places.values(), told, strict=True)
        for number, receipt in zip(numbers, found, strict=True)
    }
    return [receipts[number] for number in range(len(records))]


async def _send_to(producer: AIOKafkaProducer, place: TopicPartition, records: Sequence[_Record]) -> list[Receipt]:
    """Produce records to one partition, in as few batches as they go into."""
    sent: list[tuple[Any, list[Any]]] = []
    left = deque(records)
    while left:
        batch, packed = producer.create_batch(), []
        while left:
            first = left[0]
            place_in_batch = batch.append(timestamp=None, key=first.key, value=first.value, headers=first.headers)
            if place_in_batch is None:
                break
            packed.append(place_in_batch)
            left.popleft()
        batch.close()
        sent.append((await producer.send_batch(batch, place.topic, partition=place.partition), packed))
    return [
        Receipt(place.partition, told.offset + each.offset, each.timestamp if told.timestamp == -1 else told.timestamp)
        for acknowledged, packed in sent
        for told in [await acknowledged]
        for each in packed
    ]
