"""When offsets are committed: by hand, once a second, and as far behind as the store may forget.

A store that can lose its last second (the local stand-in) is healed by a restart that reads the last minute again,
which the fold makes harmless. So commits stay behind by that much, rather than consumers seeking back at each start.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.ledger import Position

log = structlog.get_logger()

ASK_SECONDS: Final = 3.0
"""The group expels a member that is busy for longer than its heartbeat, ten seconds."""
COMMIT_INTERVAL: Final = 1.0


async def positions_of(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset at which each partition is read on: what was committed, else 0.

    Empty when the broker does not say within three seconds.
    """
    asked = asyncio.gather(*(consumer.committed(partition) for partition in partitions))
    try:
        committed = await asyncio.wait_for(asked, ASK_SECONDS)
    except (KafkaError, TimeoutError) as error:
        log.warning("positions_not_told", error=str(error))
        return {}
    return {partition: offset or 0 for partition, offset in zip(partitions, committed, strict=True)}


class OffsetCommits:
    """The offsets of one consumer that are to be committed, each once it is older than the delay."""

    def __init__(self, delay: timedelta) -> None:
        self._delay = delay.total_seconds()
        self._due: deque[tuple[float, dict[TopicPartition, int]]] = deque()
        self._flushed_at = 0.0
        self._lock = asyncio.Lock()
        self.committed: dict[str, int] = {}
        """Per lane, the offset at which a restart would read on."""

    def note(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Remember that all that follows from these records is with the broker."""
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._due.append((time.monotonic(), offsets))

    async def flush(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what has become old enough; at most once a second."""
        async with self._lock:
            await self._flush(consumer)

    async def _flush(self, consumer: AIOKafkaConsumer) -> None:
        now = time.monotonic()
        if now - self._flushed_at < COMMIT_INTERVAL:
            return
        offsets: dict[TopicPartition, int] = {}
        while self._due and self._due[0][0] <= now - self._delay:
            offsets |= self._due.popleft()[1]
        ours = consumer.assignment()  # a batch that ended after its partition was taken from us is not ours to commit
        offsets = {partition: offset for partition, offset in offsets.items() if partition in ours}
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except asyncio.CancelledError:
            self._due.appendleft((0.0, offsets))
            raise
        except (CommitFailedError, IllegalStateError) as error:  # the partitions have a new owner, who reads on
            log.info("commit_refused", error=str(error))
        except KafkaError as error:  # what is not committed is read again, which is harmless
            log.warning("commit_failed", error=str(error))
            self._due.appendleft((0.0, offsets))
        else:
            for partition, offset in offsets.items():
                self.committed[Position(partition.topic, partition.partition, 0).lane] = offset
        self._flushed_at = now

    def forget(self, partitions: Sequence[TopicPartition]) -> None:
        """Leave the offsets of these partitions to their new owner."""
        gone = set(partitions)
        for _, offsets in self._due:
            for partition in gone & offsets.keys():
                del offsets[partition]
        for partition in gone:
            self.committed.pop(Position(partition.topic, partition.partition, 0).lane, None)
