"""The raw ceiling of the servers and of the bare libraries, taken in the same run as the figures beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from PIL import Image
from pymongo import UpdateOne

from shared.mongo import Collection, connect
from shared.settings import SharedSettings

SECONDS: Final = 2.0
"""How long each ceiling is looked for."""
AT_ONCE: Final = 64
IN_FLIGHT: Final = 500
DOCUMENTS: Final = 1000
BULK: Final = 200
_TOPIC: Final = "labelmesh.bench.v1"


async def kafka_ceiling(settings: SharedSettings, record: bytes) -> dict[str, float]:
    """Measure acknowledged sends a second of one idempotent producer with ``acks=all``.

    Args:
        settings: Where Kafka is.
        record: The body of a record as the gateway writes it.

    Returns:
        ``kafka_sends_per_s_64_waiting``: 64 senders, each waits for its acknowledgement, as annotators do;
        ``kafka_sends_per_s_500_in_flight``: as an import sends; ``kafka_record_bytes``.
    """
    bootstrap = settings.kafka_bootstrap.split(",")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=256 * 1024
    )
    try:
        await admin.create_topics([NewTopic(_TOPIC, settings.partitions, settings.replication)])
        await producer.start()

        async def send(number: int) -> None:
            await producer.send_and_wait(_TOPIC, value=record, key=str(number).encode())

        await send(0)
        return {
            "kafka_sends_per_s_64_waiting": await _rate(send, AT_ONCE),
            "kafka_sends_per_s_500_in_flight": await _rate(send, IN_FLIGHT),
            "kafka_record_bytes": float(len(record)),
        }
    finally:
        await producer.stop()
        await admin.delete_topics([_TOPIC])
        await admin.close()


async def mongo_ceiling(settings: SharedSettings, document: dict[str, Any]) -> dict[str, float]:
    """Measure conditional updates by ``_id`` a second on MongoDB, guarded by the document's revision.

    Args:
        settings: Where MongoDB is.
        document: What each document holds beside its id and revision.

    Returns:
        ``guarded_updates_per_s_one_by_one``: one writer waits for each; ``guarded_updates_per_s_64_waiting``: 64
        writers do; ``guarded_updates_per_s_in_bulk``: 200 in one ``bulk_write``.
    """
    client, database = connect(settings, "bench")
    documents: Collection = database["ceiling"]
    try:
        await documents.drop()
        await documents.insert_many([{"_id": str(n), "revision": 0, **document} for n in range(DOCUMENTS)])
        revisions = [0] * DOCUMENTS

        def update(number: int) -> UpdateOne:
            place = number % DOCUMENTS
            revisions[place] += 1
            guard = {"_id": str(place), "revision": revisions[place] - 1}
            return UpdateOne(guard, {"$set": {"at": number}, "$inc": {"revision": 1}})

        async def write(number: int) -> None:
            await documents.bulk_write([update(number)], ordered=False)

        async def write_many(number: int) -> None:
            await documents.bulk_write([update(number * BULK + each) for each in range(BULK)], ordered=False)

        return {
            "guarded_updates_per_s_one_by_one": await _rate(write, 1),
            "guarded_updates_per_s_64_waiting": await _rate(write, AT_ONCE),
            "guarded_updates_per_s_in_bulk": await _rate(write_many, 1) * BULK,
        }
    finally:
        await documents.drop()
        await client.close()


def library_images_per_cpu_s(images: Sequence[Path]) -> float:
    """Return how many images Pillow alone opens and decodes in a second of CPU time."""

    def decode(path: Path) -> None:
        with Image.open(path) as image:
            image.load()

    return _bare_rate(decode, images, time.process_time)


def library_lines_per_s(lines: Sequence[bytes]) -> float:
    """Return how many lines of an import one core reads and writes a second with orjson alone."""
    return _bare_rate(lambda line: orjson.dumps(orjson.loads(line)), lines)


def _bare_rate(
    work: Callable[[Any], object], items: Sequence[Any], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return items a second of a plain loop over ``items``, in whole rounds."""
    started, done = clock(), 0
    while (passed := clock() - started) < SECONDS or not done:
        for item in items:
            work(item)
        done += len(items)
    return done / passed


async def _rate(work: Callable[[int], Awaitable[None]], at_once: int) -> float:
    """Return calls a second while so many are under way; a call gets its number."""
    done = 0
    deadline = time.perf_counter() + SECONDS

    async def go_on(first: int) -> None:
        nonlocal done
        number = first
        while time.perf_counter() < deadline:
            await work(number)
            number += at_once
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(go_on(first) for first in range(at_once)))
    return done / (time.perf_counter() - started)
