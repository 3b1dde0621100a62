"""When a consumer goes on to its next batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import ConsumerRecord, TopicPartition
from faststream.kafka import KafkaBroker

from shared.consumer import Consumer
from shared.events import encode
from shared.health import Health
from shared.kafka import CLAIM_CHECK_HEADER, Producer
from shared.media import Media
from shared.routes import Reaction
from tests.builders import an_annotation_submitted

TOPIC = an_annotation_submitted().topic


class OwnedPartitions:
    """The part of an aiokafka consumer that a batch asks."""

    def __init__(self) -> None:
        self.owned = {TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)}
        self.paused: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.owned)

    def pause(self, *partitions: TopicPartition) -> None:
        assert self.owned.issuperset(partitions)
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        assert self.owned.issuperset(partitions)
        self.paused.difference_update(partitions)

    def highwater(self, _partition: TopicPartition) -> int:
        return 0

    async def commit(self, _offsets: Any) -> None:
        pass


def a_batch(size: int, consumer: OwnedPartitions | None = None) -> Any:
    event = an_annotation_submitted()
    value, headers = encode(event, "tests")
    records = [
        ConsumerRecord(event.topic, 0, offset, 0, 0, b"", value, 0, 0, 0, tuple(headers)) for offset in range(size)
    ]
    return SimpleNamespace(raw_message=tuple(records), consumer=consumer or OwnedPartitions())


class Stored:
    """An object store in which the same body lies everywhere."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def get(self, _object: str) -> bytes:
        return self._body


def a_consumer(react: Callable[[Any], Awaitable[None]], stored: Stored | None = None) -> Consumer:
    return Consumer(
        KafkaBroker(),
        cast(Producer, None),
        Health(),
        group="tests",
        routes=[Reaction(type(an_annotation_submitted()), react)],
        object_store=cast(Media, stored),
        batch_every=timedelta(seconds=0.2),
        batch_records=3,
    )


async def seconds_for(size: int, work: float = 0) -> float:
    async def react(_: Any) -> None:
        await asyncio.sleep(work)

    began = time.monotonic()
    await a_consumer(react)._on_batch(a_batch(size))
    return time.monotonic() - began


async def test_a_batch_that_is_not_full_lets_the_next_one_fill():
    assert await seconds_for(2) >= 0.2


async def test_the_longer_a_batch_took_the_longer_the_next_one_may_fill():
    assert await seconds_for(2, work=0.15) >= 0.3


async def test_a_very_long_batch_keeps_the_next_one_waiting_no_longer_than_usual():
    assert await seconds_for(2, work=1.0) < 1.8


async def test_a_full_batch_is_followed_at_once_for_there_is_more():
    assert await seconds_for(3) < 0.2


async def test_nothing_is_fetched_until_the_next_batch_may_begin():
    partitions = OwnedPartitions()
    paused_meanwhile: list[set[TopicPartition]] = []

    async def react(_: Any) -> None:
        paused_meanwhile.append(set(partitions.paused))

    await a_consumer(react)._on_batch(a_batch(2, partitions))

    assert paused_meanwhile == [partitions.owned]
    assert partitions.paused == set()


async def test_while_more_is_there_the_next_is_fetched_beside_the_work():
    partitions = OwnedPartitions()
    paused_meanwhile: list[set[TopicPartition]] = []

    async def react(_: Any) -> None:
        paused_meanwhile.append(set(partitions.paused))

    await a_consumer(react)._on_batch(a_batch(3, partitions))

    assert paused_meanwhile == [set()]


async def test_a_partition_that_went_during_a_batch_is_not_asked_for_again():
    partitions = OwnedPartitions()

    async def react(_: Any) -> None:
        partitions.owned.remove(TopicPartition(TOPIC, 1))

    await a_consumer(react)._on_batch(a_batch(2, partitions))

    assert TopicPartition(TOPIC, 0) not in partitions.paused


async def test_what_is_large_is_handled_a_few_at_a_time_in_order():
    handled: list[list[int]] = []

    async def react(deliveries: Any) -> None:
        handled.append([each.position.offset for each in deliveries])

    batch = a_batch(20)
    large = [
        replace(each, headers=(*each.headers, (CLAIM_CHECK_HEADER, b"claim-checks/x"))) for each in batch.raw_message
    ]
    batch.raw_message = tuple(large)
    await a_consumer(react, Stored(large[0].value))._on_batch(batch)

    assert [len(each) for each in handled] == [8, 8, 4]
    assert [offset for each in handled for offset in each] == list(range(20))


async def test_of_a_batch_whose_partition_has_gone_nothing_more_is_handled_or_committed():
    partitions, handled = OwnedPartitions(), []

    async def react(deliveries: Any) -> None:
        handled.append(len(deliveries))
        partitions.owned -= {TopicPartition(TOPIC, 1)}

    batch = a_batch(24, partitions)
    places = [0] * 8 + [1] * 8 + [0] * 8
    batch.raw_message = tuple(
        replace(each, partition=partition, headers=(*each.headers, (CLAIM_CHECK_HEADER, b"claim-checks/x")))
        for each, partition in zip(batch.raw_message, places, strict=True)
    )
    await a_consumer(react, Stored(batch.raw_message[0].value))._on_batch(batch)

    assert handled == [8]


async def test_a_batch_is_let_go_of_when_it_is_handled():
    batch = a_batch(3)

    async def react(_: Any) -> None:
        await asyncio.sleep(0)

    await a_consumer(react)._on_batch(batch)

    assert [each.value for each in batch.raw_message] == [None]
