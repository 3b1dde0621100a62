"""Four replicas of task assignment under a crowd, while they die, stall and disagree on the time; then the audit."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local.places import CHECKOUT
from deploy.local.stack import Stack
from shared.events.tasks import AnnotationSubmitted
from tests.e2e.crowd import Crowd, stop_when
from tests.e2e.gateway import Gateway, a_spec, until
from tests.e2e.replicas import Replica, replica_of

SAMPLES = 1_050
OVERLAP = 2
CLAIMS = 2_000
ANNOTATORS = 200
LEASE_SECONDS = 10
SKEWS = (2.0, -2.0, 2.0)
"""Seconds, of the replicas beside the stack's own."""
PATIENCE = 400.0
FIRST_TENANT = "default"
AUDIT_SECONDS = 180
"""Commits stay a minute behind, and what is not committed is still under way."""
SETTLED_SECONDS = 120
STALLED_SECONDS = 12
"""Longer than Kafka waits for a member of a group: its partitions go to others, and then it comes back."""


@pytest.mark.timeout(900, func_only=True)
def test_whatever_happens_what_was_accepted_counts_and_nothing_counts_twice(stack: Stack, gateway: Gateway):
    project = gateway.publish(
        a_spec(workflow={"lease_seconds": LEASE_SECONDS}, quality={"overlap": OVERLAP, "max_overlap": 3, "quorum": 0.6})
    )
    people = {gateway.key_of(f"crowd-{number}", projects=(project,)): f"crowd-{number}" for number in range(ANNOTATORS)}
    _import(gateway, project, SAMPLES)
    crowd = Crowd(gateway.url, project, people, LEASE_SECONDS)
    began = datetime.now(UTC)
    harm: Counter[str] = Counter()

    with more_replicas(stack) as replicas:
        asyncio.run(_work_under_harm(stack, gateway, crowd, replicas, harm))
        progress = until(lambda: _settled(gateway, project), "samples that are all final", seconds=SETTLED_SECONDS)

    audit = _audit(stack, began)
    print(dict(crowd.happened), dict(harm), progress["leases_expired"], audit.stdout)  # noqa: T201 - for the record
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert crowd.happened["claims"] >= CLAIMS
    assert progress["slots"]["first_pass"] == {"done": SAMPLES * OVERLAP}
    assert min(harm["kills"], harm["stalls"], harm["duplicates"]) >= 1, harm
    assert min(crowd.happened["deaths"], progress["leases_expired"]) >= 1


async def _work_under_harm(
    stack: Stack, gateway: Gateway, crowd: Crowd, replicas: list[Replica], harm: Counter[str]
) -> None:
    others = [
        asyncio.create_task(_do_harm(replicas, harm)),
        asyncio.create_task(_say_again(stack.settings()["LABELMESH_KAFKA_BOOTSTRAP"], harm)),
    ]
    async with asyncio.timeout(PATIENCE):
        await stop_when(crowd, lambda: _settled(gateway, crowd.project), others)
    for each in others:
        assert each.cancelled() or each.exception() is None, each.exception()


async def _do_harm(others: list[Replica], harm: Counter[str]) -> None:
    """Kill a replica and start it again, or let one stall, in turns."""
    dice = random.Random(6)
    try:
        while True:
            await asyncio.sleep(dice.uniform(3, 6))
            victim = dice.choice(others)
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
        for each in others:
            each.process.signal(signal.SIGCONT)


async def _say_again(bootstrap: str, harm: Counter[str]) -> None:
    """Put some of the answers into the log once more, as a producer does whose acknowledgement was lost."""
    topic, dice = AnnotationSubmitted.topic, random.Random(7)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap.split(","), auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap.split(","))
    await consumer.start()
    await producer.start()
    try:
        async for record in consumer:
            is_answer = dict(record.headers).get("ce_type") == AnnotationSubmitted.name().encode()
            if is_answer and dice.random() < 0.05:
                headers = list(record.headers)
                await producer.send_and_wait(topic, record.value, record.key, record.partition, headers=headers)
                harm["duplicates"] += 1
    finally:
        await consumer.stop()
        await producer.stop()


@contextmanager
def more_replicas(stack: Stack) -> Iterator[list[Replica]]:
    """Run three more replicas, whose clocks are off."""
    with ExitStack() as running:
        yield [
            running.enter_context(replica_of(stack, "task_assignment", f"skewed-{number}", skew))
            for number, skew in enumerate(SKEWS)
        ]


def _import(gateway: Gateway, project: str, count: int) -> None:
    lines = (
        orjson.dumps({"external_id": f"s{number}", "assets": {"chat": {"text": f"Is it {number}?"}}})
        for number in range(count)
    )
    with gateway.http() as owner:
        answer = owner.post(f"/v1/projects/{project}/imports", content=b"\n".join(lines))
        assert answer.status_code == 202, answer.text
        until(lambda: _progress(gateway, project)["samples"].get("open", 0) > 0, "samples to work on", seconds=60)


def _progress(gateway: Gateway, project: str) -> Any:
    with gateway.http() as owner:
        answer = owner.get(f"/v1/projects/{project}/progress")
        return answer.json() if answer.status_code == 200 else {"samples": {}}


def _settled(gateway: Gateway, project: str) -> Any:
    try:
        progress = _progress(gateway, project)
    except httpx2.TransportError:
        return None
    return progress if progress["samples"].get("final", 0) == SAMPLES else None


def _audit(stack: Stack, since: datetime) -> subprocess.CompletedProcess[str]:
    """Audit as an operator does, once commits have caught up; other tests may have left what no service has read."""

    def run() -> subprocess.CompletedProcess[str] | None:
        command = [
            sys.executable,
            "-m",
            "ops.cli",
            "audit",
            "--patience",
            "60",
            "--tenant",
            FIRST_TENANT,
            "--since",
            f"{since:%Y-%m-%dT%H:%M:%S}",
        ]
        done = subprocess.run(
            command, env=stack.environment(), cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        return None if "under way" in done.stdout else done

    return until(run, "an audit of a log that is committed to its end", seconds=AUDIT_SECONDS)
