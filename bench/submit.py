"""Submits alone: annotators hold leases and send their answers together, in rounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.client import Client, run_in_processes
from bench.project import Annotator, BenchSettings, fresh_project
from bench.reference import kafka_ceiling, mongo_ceiling
from bench.report import Figures, percentile
from bench.tasks import OVERLAP, SPEC, answers, claim_body, claimed, seed_tasks, submission_record

LEASES: Final = 20
"""How many an annotator holds at the start of a round; a claim gives no more."""
DRAIN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class SubmitLoad:
    """What the load process does."""

    url: str
    project_id: str
    annotators: Sequence[Annotator]
    rounds: int


@dataclass(slots=True)
class SubmitTally:
    """What the load process saw; made anew in it, and sent back."""

    seconds: float = 0.0
    """Spent in submits alone, claims left out."""
    submit_ms: list[float] = field(default_factory=list)
    claim_ms: list[float] = field(default_factory=list)
    failed: int = 0


async def measure(settings: BenchSettings, annotators: Sequence[int], rounds: int) -> tuple[Figures, Figures]:
    """Let annotators claim twenty tasks each and submit all of them at once, a few times.

    Args:
        settings: Where the stack is.
        annotators: Numbers of annotators who submit at once.
        rounds: How many times each of them fills and empties their hands.

    Returns:
        The figures, and the ceiling of Kafka and MongoDB.
    """
    figures: dict[str, float] = {}
    reference: dict[str, float] = {}
    for count in annotators:
        tasks = LEASES * rounds * max(1, -(-count // OVERLAP)) + LEASES
        async with fresh_project(settings, "submit", SPEC) as project:
            hired = await project.hire(count, max_leases=LEASES)
            await seed_tasks(settings, project, tasks)
            load = SubmitLoad(settings.gateway_url, project.id, hired, rounds)
            [tally] = await asyncio.to_thread(run_in_processes, work, [load])
            sent = len(tally.submit_ms)
            await project.until_answered(sent, DRAIN_SECONDS)
            reference = reference or await _ceiling(settings, submission_record(project))
        figures |= {
            f"submits_per_s_{count}": sent / tally.seconds,
            f"submit_p50_ms_{count}": percentile(tally.submit_ms, 0.5),
            f"submit_p99_ms_{count}": percentile(tally.submit_ms, 0.99),
            f"claim_of_20_p50_ms_{count}": percentile(tally.claim_ms, 0.5),
            f"submits_{count}": float(sent),
            "requests_failed": figures.get("requests_failed", 0.0) + tally.failed,
        }
    return figures, reference


async def work(load: SubmitLoad) -> SubmitTally:
    """Be some annotators for some rounds."""
    tally = SubmitTally()
    async with Client(load.url, "") as client:
        for number in range(load.rounds):
            held = await asyncio.gather(*(_claim(client, each, load, tally) for each in load.annotators))
            started = time.perf_counter()
            await asyncio.gather(
                *(_submit(client, each, own, number, tally) for each, own in zip(load.annotators, held, strict=True))
            )
            tally.seconds += time.perf_counter() - started
    return tally


async def _claim(client: Client, annotator: Annotator, load: SubmitLoad, tally: SubmitTally) -> list[tuple[str, str]]:
    answer = await client.call("POST", "/v1/tasks/claim", claim_body(load.project_id, LEASES), _key(annotator))
    tally.claim_ms.append(answer.seconds * 1000)
    return claimed(answer.expect(200).body)


async def _submit(
    client: Client, annotator: Annotator, held: Sequence[tuple[str, str]], number: int, tally: SubmitTally
) -> None:
    """Send the answers to what one annotator holds, one after the other."""
    mine = answers(f"{annotator.name}/{number}")
    for task, token in held:
        path = f"/v1/tasks/{task}/annotations"
        answer = await client.call("POST", path, next(mine), _key(annotator) | {"Lease-Token": token})
        if answer.status == 202:
            tally.submit_ms.append(answer.seconds * 1000)
        else:
            tally.failed += 1


def _key(annotator: Annotator) -> dict[str, str]:
    return {"Authorization": f"Bearer {annotator.key}"}


async def _ceiling(settings: BenchSettings, record: bytes) -> dict[str, float]:
    return await kafka_ceiling(settings, record) | await mongo_ceiling(settings, {"state": {"text": record.decode()}})
