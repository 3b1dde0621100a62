"""Simulated people at work: each a client of the gateway with a key of their own, and nothing else.

Run as ``python -m examples.demo.worker``. The first line of standard input says who works where; when standard input
ends, the work does. Who is to vanish says so on standard output once they hold leases, and is then killed.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from examples.compose import demo_samples
from examples.model import DemoSample, FieldSpec
from examples.simulation import ANNOTATORS, REVIEWERS, SimulatedAnnotator, SimulatedReviewer
from labelmesh import ApiError, AsyncLabelmesh, api
from labelmesh.models import ClaimedTask

TASKS_AT_ONCE: Final = 2
THINKING_SECONDS: Final = 0.15
"""What an answer takes at least, so that work spreads over the annotators as it does among people."""
IDLE_SECONDS: Final = 1.0
LOST: Final = frozenset({"lease-expired", "lease-lost"})


@cache
def samples_by_id() -> Mapping[str, DemoSample]:
    """The samples with their truths, by external id."""
    return {sample.external_id: sample for sample in demo_samples()}


async def work(person: SimulatedAnnotator, client: AsyncLabelmesh, ended: asyncio.Event) -> None:
    """Claim and answer until ``ended``; who vanishes answers one claim and stays silent after the next."""
    answered = 0
    while not ended.is_set():
        claim = await client.ask(api.claim(count=TASKS_AT_ONCE))
        if person.vanishes and answered and claim.tasks:
            print(json.dumps({"name": person.name, "holds": len(claim.tasks)}), flush=True)
            return
        for task in claim.tasks:
            await asyncio.sleep(THINKING_SECONDS)
            await _answer(person, client, task)
            answered += 1
        if not claim.tasks:
            await asyncio.sleep(IDLE_SECONDS)


async def _answer(person: SimulatedAnnotator, client: AsyncLabelmesh, task: ClaimedTask) -> None:
    sample = samples_by_id()[task.sample.external_id]
    fields = {name: FieldSpec.model_validate(field) for name, field in task.fields.items()}
    try:
        if task.is_review:
            await _review(person, client, task, sample, fields)
        else:
            answer = person.answer(sample, fields, occasion=task.stage)
            await client.ask(api.submit(task, answer, seconds_spent=THINKING_SECONDS))
    except ApiError as error:
        if error.type not in LOST:
            raise
        # The work came too late; the gateway keeps it as a draft, and the slot is somebody else's.


async def _review(
    person: SimulatedAnnotator,
    client: AsyncLabelmesh,
    task: ClaimedTask,
    sample: DemoSample,
    fields: Mapping[str, FieldSpec],
) -> None:
    if not isinstance(person, SimulatedReviewer):
        raise TypeError(f"{person.name} is no reviewer, but was given {task.task}")
    found = person.review(sample, fields, dict(task.proposal or {}))
    issues = [
        {"pointer": f"/fields/{name}", "tag": "wrong-value", "comment": "simulated review"} for name in found.changed
    ]
    await client.ask(api.review(task, found.verdict, found.fields, issues))


async def main(orders: Mapping[str, Any]) -> None:
    """Let people work until standard input ends.

    Args:
        orders: ``gateway``, its address, and ``keys``, API keys by name.
    """
    people = {person.name: person for person in (*ANNOTATORS, *REVIEWERS)}
    ended = asyncio.Event()
    _watch_input(asyncio.get_running_loop(), ended)
    clients = {name: AsyncLabelmesh(orders["gateway"], key) for name, key in orders["keys"].items()}
    try:
        async with asyncio.TaskGroup() as group:
            for name, client in clients.items():
                group.create_task(work(people[name], client, ended))
            await ended.wait()
    finally:
        for client in clients.values():
            await client.close()


def _watch_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Set ``ended`` when standard input ends; from a daemon thread, so that a failing worker need not wait for it."""

    def read() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
