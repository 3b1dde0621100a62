"""Checks that every partition's samples can be claimed: that a replica serves them, and answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import httpx2

from ops.audit.rules import Wrong

PAUSE: Final = 1.0
"""Seconds between two looks."""


async def unserved(
    addresses: Callable[[], Awaitable[Mapping[int, str]]],
    partitions: int,
    patience: timedelta,
    *,
    answers: Callable[[str], Awaitable[bool]] | None = None,
) -> list[Wrong]:
    """Return the partitions that nobody serves, as they stand when all is well or patience is at its end.

    A replica that leaves is followed by another one only after Kafka has told the group, so a rolling restart is no fault.

    Args:
        addresses: Tells by partition who says to serve it now.
        partitions: How many there are.
        patience: How long a partition may pass from one replica to another.
        answers: Whether a replica answers at an address; None: asked over HTTP.
    """
    asked, deadline = answers or _answers, time.monotonic() + patience.total_seconds()
    while True:
        found = await _look(await addresses(), partitions, asked)
        if not found or time.monotonic() >= deadline:
            return found
        await asyncio.sleep(PAUSE)


async def _look(
    addresses: Mapping[int, str], partitions: int, answers: Callable[[str], Awaitable[bool]]
) -> list[Wrong]:
    alive = {address: await answers(address) for address in set(addresses.values())}
    found = []
    for partition in range(partitions):
        address = addresses.get(partition)
        if address is None:
            found.append((partition, "no replica of task_assignment says that it serves it"))
        elif not alive[address]:
            found.append((partition, f"{address} is down"))
    return [Wrong("not-claimable", f"partition {partition}", what) for partition, what in found]


async def _answers(address: str) -> bool:
    try:
        async with httpx2.AsyncClient(timeout=5) as client:
            return (await client.get(f"{address}/healthz")).status_code == 200
    except httpx2.HTTPError:
        return False
