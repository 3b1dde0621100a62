"""A consumer that fetches nothing for a moment, so that more comes at once when it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaConsumer


@contextmanager
def resting(consumer: AIOKafkaConsumer) -> Iterator[None]:
    """Fetch nothing during the block.

    What is fetched as soon as a batch was taken is the little that has come by then, and nothing more is fetched until
    that is taken in turn: the next batch would be small, however long it was waited for. And each request costs the
    broker and us the same, however little it brings.
    """
    rested = consumer.assignment()
    consumer.pause(*rested)
    try:
        yield
    finally:
        consumer.resume(*(rested & consumer.assignment()))  # others may have gone to another replica meanwhile
