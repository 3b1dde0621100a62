"""Claim and submit through the gateway, as annotators do: cycles a second, latencies, CPU, and whether all was exact."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from bench.backlog import THROUGH_THE_LOG, open_tasks_of
from bench.client import START_SECONDS, Client, run_in_processes
from bench.processes import Processes, cpu_per_cycle
from bench.project import Annotator, BenchSettings, Project, answered_slots, fresh_project
from bench.qa_progress import answers_judged, until_judged
from bench.reference import kafka_ceiling, mongo_ceiling
from bench.report import Figures, percentile, size_name
from bench.tasks import OVERLAP, SPEC, answers, claim_body, claimed, submission_record
from bench.worst_case import worst_case_claim_ratio

ANNOTATORS_PER_PROCESS: Final = 32
DRAIN_SECONDS: Final = 120.0
SUMMED: Final = ("overlap_exceeded", "double_served", "answers_lost", "requests_failed")
SHARE_OF_SLOTS: Final = 0.8
"""A run ends before the last tasks are contended for: it measures open work, not its end."""


@dataclass(frozen=True, slots=True)
class ClaimLoad:
    """What one load process does: some annotators claim and submit, as fast as they are answered."""

    url: str
    project_id: str
    annotators: Sequence[Annotator]
    cycles: int
    starts: float
    """``time.monotonic()``, which all processes of a machine share."""
    seconds: float


@dataclass(slots=True)
class ClaimTally:
    """What one load process saw; made anew in it, and sent back."""

    began: float = 0.0
    """When it began, on a busy machine later than it was asked to; it then ends as much later."""
    finished: float = 0.0
    claim_ms: list[float] = field(default_factory=list)
    submit_ms: list[float] = field(default_factory=list)
    accepted: list[tuple[str, str]] = field(default_factory=list)
    """Task and annotator of each answer that was accepted."""
    empty_claims: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ClaimRun:
    """What a size is measured with."""

    settings: BenchSettings
    processes: Processes
    tasks: int
    annotators: int
    seconds: float
    runs: int
    """Of how many runs on the same tasks this is one."""


async def measure(
    settings: BenchSettings, tasks: Sequence[int], annotators: Sequence[int], seconds: float, runs: int = 1
) -> tuple[Figures, Figures]:
    """Run every size with every number of annotators; each size on a project of its own, seeded once.

    Args:
        settings: Where the stack is.
        tasks: Numbers of open tasks to begin with.
        annotators: Numbers of annotators who work at once.
        seconds: How long a run lasts at most; it ends earlier when its share of the answers is in.
        runs: How often the largest number of annotators runs; its figures are medians.

    Returns:
        The figures, and the ceiling of Kafka and MongoDB.
    """
    figures: dict[str, float] = {}
    reference: dict[str, float] = {}
    plan = [count for count in annotators for _ in range(runs if count == max(annotators) else 1)]
    for size in tasks:
        async with fresh_project(settings, "claims", SPEC) as project, open_tasks_of(settings, project, size) as start:
            processes = Processes.of_stack()  # task assignment may just have been started anew
            of_size = [ClaimRun(settings, processes, size, count, seconds, len(plan)) for count in plan]
            found = [await _run(run, project) for run in of_size]
            reference = reference or await _ceiling(settings, project)
        for name in SUMMED:
            figures[name] = figures.get(name, 0.0) + sum(run[name] for run in found)
        # What has no number of annotators in its name is of the largest, and of the largest size.
        figures |= {name: median(values) for name, values in _by_name(found).items() if name not in SUMMED}
        figures |= {f"{name}_at_{size_name(size)}": value for name, value in start.items()}
    if {"claim_p50_ms_1_at_1m", "claim_p50_ms_1_at_1k"} <= figures.keys():
        figures["claim_p50_ratio_1m_to_1k"] = figures["claim_p50_ms_1_at_1m"] / figures["claim_p50_ms_1_at_1k"]
    figures["worst_case_claim_ratio"] = await worst_case_claim_ratio(settings)
    return figures, reference


def _by_name(found: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    last = found[-1].keys()
    of = {name: [run[name] for run in found if name in run] for run in found for name in run}
    runs_of_last = [run for run in found if run.keys() == last]
    return of | {name: [run[name] for run in runs_of_last] for name in last}


async def work(load: ClaimLoad) -> ClaimTally:
    """Be some annotators, until the time or the work is over."""
    tally = ClaimTally()
    async with Client(load.url, "") as client:
        await asyncio.sleep(load.starts - time.monotonic())
        tally.began = time.monotonic()
        used = time.process_time()
        await asyncio.gather(*(_annotate(client, each, load, tally) for each in load.annotators))
        tally.finished = time.monotonic()
        tally.cpu_ms = (time.process_time() - used) * 1000
    return tally


async def _annotate(client: Client, annotator: Annotator, load: ClaimLoad, tally: ClaimTally) -> None:
    key = {"Authorization": f"Bearer {annotator.key}"}
    wanted = claim_body(load.project_id)
    mine = answers(annotator.name)
    while time.monotonic() < tally.began + load.seconds and len(tally.accepted) < load.cycles:
        claim = await client.call("POST", "/v1/tasks/claim", wanted, key)
        given = claimed(claim.body) if claim.status == 200 else []
        if not given:
            tally.empty_claims += claim.status == 200
            tally.failed[f"claim {claim.status}"] += claim.status != 200
            await asyncio.sleep(0.05)
            continue
        tally.claim_ms.append(claim.seconds * 1000)
        for task, token in given:
            path = f"/v1/tasks/{task}/annotations"
            submit = await client.call("POST", path, next(mine), key | {"Lease-Token": token})
            if submit.status == 202:
                tally.submit_ms.append(submit.seconds * 1000)
                tally.accepted.append((task, annotator.name))
            else:
                tally.failed[f"submit {submit.status}"] += 1


async def _run(run: ClaimRun, project: Project) -> dict[str, float]:
    hired = await project.hire(run.annotators)
    answered_before = answered_slots(await project.progress())
    judged_before = await answers_judged(run.settings)
    cpu_before = run.processes.cpu_ms()
    starts = time.monotonic() + START_SECONDS
    tallies = await asyncio.to_thread(run_in_processes, work, _shares(run, project, hired, starts))
    began, ended = min(tally.began for tally in tallies), max(tally.finished for tally in tallies)
    accepted = [answer for tally in tallies for answer in tally.accepted]
    await project.until_answered(answered_before + len(accepted), DRAIN_SECONDS)
    await until_judged(run.settings, judged_before + len(accepted), DRAIN_SECONDS)
    drained = time.monotonic()
    cpu_after = run.processes.cpu_ms()
    counted = answered_slots(await project.progress()) - answered_before
    name = f"{run.annotators}_at_{size_name(run.tasks)}"
    claim_ms = [ms for tally in tallies for ms in tally.claim_ms]
    submit_ms = [ms for tally in tallies for ms in tally.submit_ms]
    return {
        f"cycles_per_s_{name}": len(accepted) / (ended - began),
        f"claim_p50_ms_{name}": percentile(claim_ms, 0.5),
        f"claim_p99_ms_{name}": percentile(claim_ms, 0.99),
        f"submit_p50_ms_{name}": percentile(submit_ms, 0.5),
        f"submit_p99_ms_{name}": percentile(submit_ms, 0.99),
        f"cycles_{name}": float(len(accepted)),
        "drain_s": drained - ended,
        **cpu_per_cycle(cpu_before, cpu_after, len(accepted)),
        "cpu_ms_per_cycle_load_client": sum(tally.cpu_ms for tally in tallies) / len(accepted),
        **_exactness(accepted, counted),
        "requests_failed": float(sum(sum(tally.failed.values()) for tally in tallies)),
    }


def _shares(run: ClaimRun, project: Project, hired: Sequence[Annotator], starts: float) -> list[ClaimLoad]:
    """Divide the annotators among load processes; no process has more than it can serve without slowing them."""
    count = -(-len(hired) // ANNOTATORS_PER_PROCESS)
    slots = min(run.tasks, THROUGH_THE_LOG) * OVERLAP
    cycles = int(SHARE_OF_SLOTS * slots / max(run.runs, OVERLAP))  # one annotator alone gets one slot of each task
    return [
        ClaimLoad(
            url=run.settings.gateway_url,
            project_id=project.id,
            annotators=hired[number::count],
            cycles=cycles // count,
            starts=starts,
            seconds=run.seconds,
        )
        for number in range(count)
    ]


def _exactness(accepted: Sequence[tuple[str, str]], counted: int) -> dict[str, float]:
    answers_of = Counter(task for task, _ in accepted)
    return {
        "overlap_exceeded": float(sum(count > OVERLAP for count in answers_of.values())),
        "double_served": float(len(accepted) - len(set(accepted))),
        "answers_lost": float(max(0, len(accepted) - counted)),
    }


async def _ceiling(settings: BenchSettings, project: Project) -> dict[str, float]:
    """Measure the servers with records and documents of the size that a cycle writes."""
    record = submission_record(project)
    kafka = await kafka_ceiling(settings, record)
    return kafka | await mongo_ceiling(settings, {"state": {"text": record.decode()}})
