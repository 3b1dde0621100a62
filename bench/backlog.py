"""A backlog of open tasks, put into the store as the fold would have left it, and a service that starts with it.

A million samples take the whole line of services most of an hour. What is measured with them is whether a claim costs
more for their being there; so only the tasks that are worked on go through the log, and those that wait behind them
are copies of one of them, under ids of their own, with a later date.

Task assignment is started with them twice. The first time there is no image of them, and every document is read. Then
this waits until images of all partitions are written, as they are within a minute in operation, and starts it again
from those. Each start is measured from before the process is until every partition is whole.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from bench.client import BenchError, Client
from bench.processes import Processes
from bench.project import TENANT, BenchSettings, Project, open_tasks
from bench.tasks import seed_tasks
from deploy.local.places import PlaceSettings
from deploy.local.stack import Stack
from shared.ids import sample_id_of, task_id_of
from shared.kafka import partition_of
from shared.mongo import Collection, connect

THROUGH_THE_LOG: Final = 5_000
"""Tasks that are worked on; more than a run gets through."""
_SERVICE: Final = "task_assignment"
_AT_ONCE: Final = 5_000
_LOAD_SECONDS: Final = 600.0
_PARTITIONS: Final = re.compile(rb"^labelmesh_task_assignment_(owned|whole)_partitions (\S+)$", re.M)


@asynccontextmanager
async def open_tasks_of(settings: BenchSettings, project: Project, size: int) -> AsyncIterator[dict[str, float]]:
    """Have so many open tasks for the block, the last of them in the store alone; then take those away again.

    Yields:
        How long task assignment took to start with them and the memory it then had, by a scan and from images; nothing
        where all went through the log.

    Raises:
        BenchError: The stack is not one of plain processes, which can be restarted here.
    """
    await seed_tasks(settings, project, min(size, THROUGH_THE_LOG))
    if size <= THROUGH_THE_LOG:
        yield {}
        return
    if Processes.of_stack().rss_mb(_SERVICE) is None:
        raise BenchError(f"{size} tasks need a stack of plain processes: task assignment is started anew with them.")
    client, database = connect(settings, _SERVICE)
    try:
        samples, images = database["samples"], database["images"]
        stack = _stack()
        await asyncio.to_thread(stack.stop, _SERVICE)
        await _copy(samples, project, settings.partitions, size)
        await images.delete_many({})  # no image can know of what did not come through the log
        scan_s, scan_rss_mb = await _start(settings, project, size)
        await _until_imaged(images, settings.partitions)
        await asyncio.to_thread(stack.stop, _SERVICE)
        load_s, rss_mb = await _start(settings, project, size)
        yield {"scan_s": scan_s, "scan_rss_mb": scan_rss_mb, "load_s": load_s, "rss_mb": rss_mb}
        await asyncio.to_thread(stack.stop, _SERVICE)
        await _remove(samples, project, size)
        await images.delete_many({})
        await asyncio.to_thread(stack.start, _SERVICE)
    finally:
        await client.close()


async def _copy(samples: Collection, project: Project, partitions: int, size: int) -> None:
    known = sample_id_of(TENANT, project.id, "sample-0")
    first = await samples.find_one({"_id": f"{TENANT}/{known}"})
    if first is None:
        raise BenchError(f"Task assignment has no sample {known}, though its task is open.")
    for numbers in _parts(size):
        await samples.insert_many([_another(first, project, partitions, number) for number in numbers], ordered=False)


def _another(first: dict[str, Any], project: Project, partitions: int, number: int) -> dict[str, Any]:
    """Return the document of another sample like the first one."""
    external_id = f"sample-{number}"
    sample_id = sample_id_of(TENANT, project.id, external_id)
    tasks = {
        key: task | {"task_id": task_id_of(sample_id, task["stage"], 1)}
        for key, task in first["state"]["tasks"].items()
    }
    state = first["state"] | {
        "sample_id": sample_id,
        "external_id": external_id,
        "partition": partition_of(sample_id, partitions),
        "created_ms": first["state"]["created_ms"] + 60_000 + number,
        "tasks": tasks,
    }
    return first | {"_id": f"{TENANT}/{sample_id}", "state": state, "lanes": {}, "seen": [], "outbox": []}


async def _remove(samples: Collection, project: Project, size: int) -> None:
    for numbers in _parts(size):
        ids = [f"{TENANT}/{sample_id_of(TENANT, project.id, f'sample-{number}')}" for number in numbers]
        await samples.delete_many({"_id": {"$in": ids}})


def _parts(size: int) -> Iterator[range]:
    for first in range(THROUGH_THE_LOG, size, _AT_ONCE):
        yield range(first, min(first + _AT_ONCE, size))


def _stack() -> Stack:
    places = PlaceSettings()
    return Stack(places.home, places.env_file)


async def _start(settings: BenchSettings, project: Project, size: int) -> tuple[float, float]:
    """Start task assignment and return the seconds until it knew so many open tasks of the project, and its MB then."""
    started = time.monotonic()
    await asyncio.to_thread(_stack().start, _SERVICE)
    async with Client(settings.task_assignment_url, "") as client:
        while not await _is_whole(client, settings.partitions):
            if time.monotonic() - started > _LOAD_SECONDS:
                raise BenchError(f"Not within {_LOAD_SECONDS:g} s: every partition read by task assignment.")
            await asyncio.sleep(0.1)
    took, rss_mb = time.monotonic() - started, Processes.of_stack().rss_mb(_SERVICE)
    await project.until(lambda progress: open_tasks(progress) == size, _LOAD_SECONDS, f"{size} open tasks")
    return took, rss_mb or 0.0


async def _is_whole(client: Client, partitions: int) -> bool:
    found = _PARTITIONS.findall((await client.call("GET", "/metrics")).expect(200).body)
    return sorted(found) == sorted((name, b"%.1f" % partitions) for name in (b"owned", b"whole"))


async def _until_imaged(images: Collection, partitions: int) -> None:
    """Wait until each partition has an image."""
    deadline = time.monotonic() + _LOAD_SECONDS
    while await images.count_documents({"digest": {"$exists": True}}) < partitions:
        if time.monotonic() > deadline:
            raise BenchError(f"Not within {_LOAD_SECONDS:g} s: an image of each of {partitions} partitions.")
        await asyncio.sleep(1)
