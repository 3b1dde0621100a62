"""A backlog of open tasks, put into the store as the fold would have left it, and a service that starts with it.

A million samples take the whole line of services most of an hour. What is measured with them is whether a claim costs
more for their being there; so only the tasks that are worked on go through the log, and those that wait behind them
are copies of one of them, under ids of their own, with a later date.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from bench.client import BenchError
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


@asynccontextmanager
async def open_tasks_of(settings: BenchSettings, project: Project, size: int) -> AsyncIterator[dict[str, float]]:
    """Have so many open tasks for the block, the last of them in the store alone; then take those away again.

    Yields:
        How long task assignment took to start with them, and the memory it then had; nothing where all went through
        the log.

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
        await _copy(database["samples"], project, settings.partitions, size)
        yield await _restart(project, size)
        await _remove(database["samples"], project, size)
        await _restart(project, None)
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


async def _restart(project: Project, size: int | None) -> dict[str, float]:
    """Start task assignment anew, and wait until it has so many open tasks of the project."""
    places = PlaceSettings()
    stack = Stack(places.home, places.env_file)
    await asyncio.to_thread(stack.stop, _SERVICE)
    started = time.monotonic()
    await asyncio.to_thread(stack.start, _SERVICE)
    if size is None:
        return {}
    await project.until(lambda progress: open_tasks(progress) == size, _LOAD_SECONDS, f"{size} open tasks")
    return {"load_s": time.monotonic() - started, "rss_mb": Processes.of_stack().rss_mb(_SERVICE) or 0.0}
