"""A batch of records as it came: how FastStream is to take it, how it is cut, where it ends, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream.kafka import KafkaMessage

from shared import kafka

BATCH_BYTES: Final = 4 * 1024 * 1024
"""As much is handled together, for what is large is there several times meanwhile. A claim check counts as the least
that it may stand for."""


async def as_they_came(records: Sequence[ConsumerRecord[Any, Any]], parse: Callable[[Any], Any]) -> KafkaMessage:
    """Make the message of a batch without looking at headers: FastStream's own way reads those of every record."""
    message: KafkaMessage = await parse(emptied(records))
    message.raw_message = tuple(records)
    return message


def emptied(records: Sequence[ConsumerRecord[Any, Any]]) -> tuple[ConsumerRecord[Any, Any], ...]:
    """Return the first of some records, by which FastStream knows a batch, without what is in it."""
    return (replace(records[0], headers=(), value=None),)


def by_bytes(records: Sequence[ConsumerRecord[Any, Any]]) -> Iterator[list[ConsumerRecord[Any, Any]]]:
    """Yield records in order, so many at a time that their bodies are within ``BATCH_BYTES``; one may be more."""
    some: list[ConsumerRecord[Any, Any]] = []
    held = 0
    for record in records:
        size = kafka.least_bytes(record)
        if some and held + size > BATCH_BYTES:
            yield some
            some, held = [], 0
        some.append(record)
        held += size
    if some:
        yield some


async def as_it_is(message: KafkaMessage) -> KafkaMessage:
    """Leave the batch undecoded: one undecodable record would fail the decoding of all."""
    return message


def ends_of(records: Sequence[ConsumerRecord[Any, Any]]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return the highest timestamp of each topic's partition, and the offset behind the last record."""
    ends: dict[tuple[str, int], tuple[int, int]] = {}
    for record in records:
        timestamp, offset = ends.get((record.topic, record.partition), (0, 0))
        last = max(timestamp, record.timestamp), max(offset, record.offset + 1)
        ends[record.topic, record.partition] = last
    return ends


def still_ours(consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord[Any, Any]]) -> bool:
    """Return whether the group has all of the records' partitions with this consumer."""
    assignment = consumer.assignment()
    return all(TopicPartition(record.topic, record.partition) in assignment for record in records)
