"""What goes wrong while a crowd works: replicas that die or stall, and answers that stand in the log twice."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local.replicas import Replica
from shared.events.tasks import AnnotationSubmitted
from shared.settings import SharedSettings

STALLED_SECONDS: Final = 12
"""Longer than Kafka waits for a member of a group: its partitions go to others, and then it comes back."""
BETWEEN_SECONDS: Final = (3, 6)
SAID_AGAIN: Final = 0.05
"""The share of answers."""


async def do_harm(replicas: Sequence[Replica], rest_seconds: float, harm: Counter[str]) -> None:
    """Kill a replica and start it again, or let one stall, in turns, until this is cancelled.

    Args:
        replicas: The replicas.
        rest_seconds: How long they have between two harms beside a few seconds.
        harm: What was done, counted here.
    """
    dice = random.Random(6)
    try:
        while True:
            await asyncio.sleep(rest_seconds + dice.uniform(*BETWEEN_SECONDS))
            victim = dice.choice(replicas)
            if harm["kills"] <= harm["stalls"]:
                await asyncio.to_thread(victim.process.kill)
                victim.start()
                harm["kills"] += 1
            else:
                victim.process.signal(signal.SIGSTOP)
                await asyncio.sleep(STALLED_SECONDS)
                victim.process.signal(signal.SIGCONT)
                harm["stalls"] += 1
    finally:
        for each in replicas:
            each.process.signal(signal.SIGCONT)


async def say_again(settings: SharedSettings, harm: Counter[str]) -> None:
    """Put some of the answers into the log once more, as a producer does whose acknowledgement was lost."""
    topic, dice = AnnotationSubmitted.topic, random.Random(7)
    bootstrap = settings.kafka_bootstrap.split(",")
    async with (
        AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="latest") as consumer,
        AIOKafkaProducer(bootstrap_servers=bootstrap) as producer,
    ):
        async for record in consumer:
            is_answer = dict(record.headers).get("ce_type") == AnnotationSubmitted.name().encode()
            if is_answer and dice.random() < SAID_AGAIN:
                headers = list(record.headers)
                await producer.send_and_wait(topic, record.value, record.key, record.partition, headers=headers)
                harm["duplicates"] += 1
