"""Task assignment dies and begins again from images: what can be claimed is exactly what could be claimed before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx2
import pytest

from deploy.local.stack import Stack
from shared.mongo import connect
from tests.conftest import settings_of
from tests.e2e.gateway import Gateway, a_spec, answer, found, until

SAMPLES = 24
LATER = 6
OVERLAP = 2
HELD = 5
"""Leases that somebody holds at most."""
OTHERS = 2 + SAMPLES * OVERLAP // HELD + LATER * OVERLAP // HELD
"""So many that all that is left is asked for."""
IMAGE_SECONDS = 120
"""An image of a partition follows a minute after the one before."""
LEASE_SECONDS = 600


def ingest(gateway: Gateway, owner: httpx2.Client, project: str, count: int, open_then: int) -> None:
    for _ in range(count):
        gateway.submit(project)
    until(lambda: progress(owner, project)["samples"].get("open") == open_then, f"{open_then} open samples")


def progress(http: httpx2.Client, project: str) -> dict[str, dict[str, int]]:
    return dict(found(http.get(f"/v1/projects/{project}/progress")))


def images_hold(stack: Stack) -> bool:
    """Return whether the images have as many samples as the store."""

    async def look() -> bool:
        client, database = connect(settings_of(stack), "task_assignment")
        try:
            manifests = [each async for each in database["images"].find({"digest": {"$exists": True}}, {"samples": 1})]
            known = await database["samples"].count_documents({"state.partition": {"$gte": 0}})
            return sum(each["samples"] for each in manifests) == known
        finally:
            await client.close()

    return asyncio.run(look())


def begins(stack: Stack) -> Sequence[bool]:
    """Return of each time that a partition was read whether it began from an image."""
    read = [line for line in stack.log("task_assignment").read_text().splitlines() if '"partition_read"' in line]
    return ['"image":true' in line.replace(" ", "") for line in read]


@pytest.mark.timeout(400, func_only=True)
def test_what_can_be_claimed_after_a_kill_is_what_could_be_claimed_before(
    stack: Stack, gateway: Gateway, owner: httpx2.Client
):
    project = gateway.publish(a_spec(quality={"overlap": OVERLAP}, workflow={"lease_seconds": LEASE_SECONDS}))
    ingest(gateway, owner, project, SAMPLES, SAMPLES)
    until(lambda: images_hold(stack), "images of all samples", seconds=IMAGE_SECONDS)
    ana_key, bo_key = (gateway.key_of(f"{who}-{project}", projects=(project,)) for who in ("ana", "bo"))
    with gateway.http(ana_key) as ana, gateway.http(bo_key) as bo:
        held = claim(ana, project, HELD)
        answered = claim(bo, project, HELD)
        for task in answered[:3]:
            assert answer(bo, task, {"intent": "ask"}, prefer="wait=10").status_code == 201
    ingest(gateway, owner, project, LATER, SAMPLES + LATER)
    partitions, before = int(stack.settings()["LABELMESH_PARTITIONS"]), len(begins(stack))

    stack.kill("task_assignment")
    stack.start("task_assignment")
    until(lambda: len(begins(stack)) == before + partitions, "partitions that are whole", seconds=60)
    served: Counter[str] = Counter()
    for number in range(OTHERS):
        with gateway.http(gateway.key_of(f"other-{number}-{project}", projects=(project,))) as http:
            served.update(task["task"] for task in claim(http, project, HELD))

    taken = Counter(task["task"] for task in [*held, *answered])
    assert all(begins(stack)[before:])
    assert served + taken == Counter(dict.fromkeys(served | taken, OVERLAP))
    assert len(served | taken) == SAMPLES + LATER


def claim(http: httpx2.Client, project: str, most: int) -> list[dict[str, str]]:
    """Return as many tasks as somebody is given, at most so many."""
    answer = http.post("/v1/tasks/claim", json={"count": most, "project": project})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["tasks"])
