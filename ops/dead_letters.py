"""Dead letters: events that no retry could help, looked at and sent once more to where they came from.

The dead-letter topic is append only. That a letter was replayed is therefore a record of its own behind it, which
names its offset.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.clock import from_ms
from shared.events import DEAD_LETTER_TOPIC, Headers
from shared.kafka import Producer, body_of
from shared.media import Media
from shared.settings import SharedSettings

DEATH_HEADERS = ("dead_group", "dead_topic", "dead_partition", "dead_offset", "dead_error", "dead_detail")
REPLAY_HEADER = "dead_replay_of"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was set aside; told several times, where a crash repeated its burial."""

    offset: int
    """Where it stands in the dead-letter topic: its number for the operator."""
    died_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    also_at: tuple[int, ...] = ()
    """Offsets of further copies."""
    replays: int = 0

    def header(self, name: str) -> str:
        """Return a header as text, empty where there is none."""
        return dict(self.headers).get(name, b"").decode("utf-8", "replace")

    @property
    def cause(self) -> tuple[str, ...]:
        """Where and to whom it died: the same for every copy."""
        return tuple(
            self.header(name) for name in ("dead_group", "dead_topic", "dead_partition", "dead_offset", "ce_id")
        )


async def read(settings: SharedSettings) -> list[DeadLetter]:
    """Return all dead letters, the oldest first; copies are told once."""
    letters: dict[tuple[str, ...], DeadLetter] = {}
    replays: list[int] = []
    async for record in _records(settings):
        headers = tuple(record.headers)
        if (replayed := dict(headers).get(REPLAY_HEADER)) is not None:
            replays.append(int(replayed))
            continue
        letter = DeadLetter(record.offset, from_ms(record.timestamp), record.key, record.value, headers)
        known = letters.setdefault(letter.cause, letter)
        if known is not letter:
            letters[letter.cause] = replace(known, also_at=(*known.also_at, letter.offset))
    return [replace(letter, replays=replays.count(letter.offset)) for letter in letters.values()]


async def body(settings: SharedSettings, letter: DeadLetter) -> bytes:
    """Return a letter's body, also where only its claim check died.

    Raises:
        NotFoundError: The object of the claim check is gone.
    """
    return await body_of(letter, Media(settings)) or b""


async def replay(settings: SharedSettings, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Send letters to the partitions that they came from, with their original key, body and headers.

    The fold makes a second replay harmless; what cannot be helped dies again, and stands at the end of the topic.

    Args:
        settings: Where Kafka is.
        letters: What to send, as ``read`` gave it.

    Returns:
        The letters that were sent; each is marked as replayed.
    """
    producer = Producer(settings, "ops", Media(settings))
    await producer.start()
    sent: list[DeadLetter] = []
    try:
        for letter in letters:
            original: Headers = [(name, value) for name, value in letter.headers if name not in DEATH_HEADERS]
            place = letter.header("dead_topic"), int(letter.header("dead_partition"))
            await producer.raw(place[0], letter.value, letter.key, original, place[1])
            mark: Headers = [(REPLAY_HEADER, str(letter.offset).encode())]
            await producer.raw(DEAD_LETTER_TOPIC, None, letter.key, mark)
            sent.append(letter)
    finally:
        await producer.stop()
    return sent


async def _records(settings: SharedSettings) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap.split(","))
    try:
        await consumer.start()
        partition = TopicPartition(DEAD_LETTER_TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(timeout_ms=1000)).get(partition, []):
                yield record
    finally:
        await consumer.stop()
