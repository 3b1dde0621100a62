"""Reads one partition of a topic from a time on up to its present end, in batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.clock import to_ms
from shared.events.tasks import AssignmentMemberAnnounced
from shared.kafka import OTHER_PARTITIONS
from shared.members import owners_of
from shared.settings import SharedSettings

BATCH = 500
FETCH_WAIT_MS = 10
"""How long the broker may hold a request for records. It serves a connection's requests one after the other, so whatever
is asked next about another partition waits as long; by default half a second, twice for each topic and partition."""


class Log:
    """The log as the audit reads it: without a group, and without changing anything."""

    def __init__(self, settings: SharedSettings) -> None:
        self._brokers = settings.kafka_bootstrap.split(",")
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            enable_auto_commit=False,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """Return the committed offsets of a group by topic and partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        try:
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {(place.topic, place.partition): found.offset for place, found in offsets.items()}

    async def records(self, topic: str, partition: int, since: datetime | None) -> AsyncIterator[Sequence[Any]]:
        """Yield the records of a partition that stand there now, in batches, from a time on."""
        place = TopicPartition(topic, partition)
        end = (await self._consumer.end_offsets([place]))[place]
        if since is None:
            first = (await self._consumer.beginning_offsets([place]))[place]
        else:
            found = (await self._consumer.offsets_for_times({place: to_ms(since)}))[place]
            first = end if found is None else found.offset
        self._consumer.assign([place])
        self._consumer.seek(place, first)  # at once, before the consumer begins where it would by itself: at the end
        while await self._consumer.position(place) < end:
            batch = (await self._consumer.getmany(place, timeout_ms=1000, max_records=BATCH)).get(place, [])
            yield [record for record in batch if record.offset < end]

    async def addresses(self) -> dict[int, str]:
        """Return by partition the address of the replica of task assignment that last said to serve it."""
        said: dict[str, AssignmentMemberAnnounced] = {}
        for partition in range(OTHER_PARTITIONS):
            async for batch in self.records(AssignmentMemberAnnounced.topic, partition, None):
                for record in batch:
                    member = AssignmentMemberAnnounced.model_validate(orjson.loads(record.value))
                    said[member.member_id] = member
        return owners_of(said.values())


def event_id_of(record: Any) -> str:
    """Return the CloudEvents id of a record."""
    return str(dict(record.headers).get("ce_id", b"").decode("utf-8", "replace"))
