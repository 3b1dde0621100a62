"""A crowd of annotators on four replicas of task assignment that die, stall and disagree on the time; then the audit.

What counts is ``wrong``: how much of what was promised does not hold. The rest says what it was put through.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from bench.client import BenchError
from bench.crowd import DEATHS, Crowd
from bench.harm import do_harm, say_again
from bench.project import TENANT, BenchSettings, Progress, Project, answered_slots, fresh_project
from bench.report import Figures
from deploy.local.places import PlaceSettings
from deploy.local.replicas import Replica, replica_of
from deploy.local.stack import Stack
from ops.audit import Audit, audit
from shared.clock import utc_now

ANNOTATORS: Final = 200
OVERLAP: Final = 2
LEASE_SECONDS: Final = 10
SKEWS: Final = (2.0, -2.0, 2.0)
"""Seconds, of the replicas beside the stack's own."""
SPARE: Final = 1.05
"""So many more answers are needed than claims were asked for."""
PATIENCE_SECONDS: Final = 400.0
SLOWEST_PER_SECOND: Final = 4.0
MOST_REST_SECONDS: Final = 10.0
"""Between two harms, beside a few: time to commit something where commits are not far behind, for who takes partitions
over reads again what is not committed. Where they are a minute behind, harms do not wait for them."""
SETTLED_SECONDS: Final = 120.0
COMMITTED_SECONDS: Final = 180.0
"""Commits stay a minute behind, and what is not committed is still under way."""
AUDIT_PATIENCE: Final = timedelta(seconds=60)
SPEC: Final[dict[str, Any]] = {
    "title": "Exactness",
    "objective": {"goal": "Tell.", "output": "predictive", "modalities": ["text"], "downstream": ["training"]},
    "assets": {"chat": {"modality": "text"}},
    "fields": {"intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]}},
    "quality": {"overlap": OVERLAP, "max_overlap": OVERLAP + 1, "quorum": 0.6},
    "workflow": {"lease_seconds": LEASE_SECONDS},
}


async def measure(settings: BenchSettings, claims: int) -> tuple[Figures, Figures]:
    """Let the crowd finish all samples under harm, and audit what came of it.

    Args:
        settings: Where the stack is; it has to run on this machine, as plain processes.
        claims: How many tasks have to be claimed at least.

    Returns:
        What happened, and what the audit found; there is no reference.

    Raises:
        BenchError: The samples are not all final in time.
    """
    samples = math.ceil(claims * SPARE / OVERLAP)
    began, started = utc_now(), time.monotonic()
    harm: Counter[str] = Counter()
    async with fresh_project(settings, "exactness", SPEC) as project:
        await _import(project, samples)
        successors = math.ceil(2 * DEATHS * claims)
        people = await project.hire(ANNOTATORS + successors)
        crowd = Crowd(settings.gateway_url, project.id, people, ANNOTATORS, LEASE_SECONDS)
        async with _more_replicas() as replicas:
            await _work_under_harm(settings, project, samples, crowd, replicas, harm)
            await project.until(lambda progress: _final(progress) == samples, SETTLED_SECONDS, "all samples final")
        progress, worked_seconds = await project.progress(), time.monotonic() - started
        found = await _audited(settings, began)
    for each in found.wrong:
        print(f"  {each.rule}: {each.where}: {each.what}.")
    if answered_slots(progress) != samples * OVERLAP:
        raise BenchError(f"{samples} samples have {answered_slots(progress)} answers, not {OVERLAP} each.")
    return _figures(samples, crowd, harm, progress, found) | {"seconds": worked_seconds}, {}


async def _import(project: Project, count: int) -> None:
    lines = (
        orjson.dumps({"external_id": f"s{number}", "assets": {"chat": {"text": f"Is it {number}?"}}})
        for number in range(count)
    )
    (await project.owner.call("POST", f"/v1/projects/{project.id}/imports", b"\n".join(lines))).expect(202)
    await project.until(lambda progress: progress["samples"].get("open", 0) > 0, 60, "samples to work on")


@asynccontextmanager
async def _more_replicas() -> AsyncIterator[list[Replica]]:
    """Run three more replicas, whose clocks are off."""
    places = PlaceSettings()
    stack = Stack(places.home, places.env_file)
    if stack.pid("task_assignment") is None:
        raise BenchError("Replicas are killed, so the stack has to run as plain processes of this machine.")

    def enter(number: int, skew: float) -> Replica:
        program = ("bench.skewed", str(skew))
        return running.enter_context(replica_of(stack, "task_assignment", f"skewed-{number}", program))

    running = ExitStack()
    try:
        yield [await asyncio.to_thread(enter, number, skew) for number, skew in enumerate(SKEWS)]
    finally:
        await asyncio.to_thread(running.close)


async def _work_under_harm(
    settings: BenchSettings,
    project: Project,
    samples: int,
    crowd: Crowd,
    replicas: list[Replica],
    harm: Counter[str],
) -> None:
    """Let the crowd work until every sample is final, or somebody fails; then everything beside it ends."""
    patience = PATIENCE_SECONDS + samples * OVERLAP / SLOWEST_PER_SECOND
    harming = do_harm(replicas, min(settings.commit_delay_seconds, MOST_REST_SECONDS), harm)
    working = [asyncio.create_task(each) for each in (crowd.work(), harming, say_again(settings, harm))]
    done = asyncio.create_task(_until_final(project, samples))
    try:
        async with asyncio.timeout(patience):
            await asyncio.wait([done, *working], return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            _raise_what_ended(working)
            raise BenchError(f"Nobody is left to work. The project stands at {dict(await project.progress())}.")
    except TimeoutError:
        raise BenchError(f"Not all samples were final within {patience:g} s.") from None
    finally:
        crowd.over.set()
        for each in (done, *working[1:]):
            each.cancel()
        await asyncio.gather(done, *working, return_exceptions=True)
    _raise_what_ended(working)


def _raise_what_ended(tasks: list[asyncio.Task[None]]) -> None:
    for each in tasks:
        if each.done() and not each.cancelled() and (error := each.exception()) is not None:
            raise error


async def _until_final(project: Project, samples: int) -> None:
    """Wait until every sample is final; what does not answer meanwhile was harmed."""
    while True:
        await asyncio.sleep(1)
        with suppress(BenchError):
            if _final(await project.progress()) == samples:
                return


async def _audited(settings: BenchSettings, since: datetime) -> Audit:
    """Audit once commits have caught up: what is not committed is under way, and is not judged."""
    deadline = time.monotonic() + COMMITTED_SECONDS
    while True:
        found = await audit(settings, since=since, patience=AUDIT_PATIENCE, tenant=TENANT)
        if not found.figures["submissions still under way"]:
            return found
        if time.monotonic() > deadline:
            raise BenchError(f"What was answered is not committed within {COMMITTED_SECONDS:g} s.")
        await asyncio.sleep(5)


def _final(progress: Progress) -> int:
    return int(progress["samples"].get("final", 0))


def _figures(samples: int, crowd: Crowd, harm: Mapping[str, int], progress: Progress, found: Audit) -> dict[str, float]:
    what = ("claims", "accepted", "refused", "deaths", "released", "skipped", "heartbeats", "dawdled", "unanswered")
    checked = sum(count for name, count in found.figures.items() if name.startswith("submissions checked"))
    counts = {
        "annotators": ANNOTATORS,
        "replicas": 1 + len(SKEWS),
        "samples": samples,
        **{name: crowd.happened[name] for name in what},
        **{name: harm[name] for name in ("kills", "stalls", "duplicates")},
        "leases_expired": progress["leases_expired"],
        "answers_that_count": answered_slots(progress),
        "submissions_audited": checked,
        "wrong": found.figures["wrong"],
    }
    return {name: float(count) for name, count in counts.items()}
