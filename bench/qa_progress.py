"""How far the end of the line is: the answers that QA has taken in, from its metrics."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final

from bench.client import BenchError, Client
from bench.project import BenchSettings

_FOLDED: Final = re.compile(rb'^labelmesh_events_folded_total\{event="AnnotationStored",group="qa"\} (\S+)$', re.M)


async def answers_judged(settings: BenchSettings) -> float:
    """Return how many stored answers QA has folded since it started, redeliveries included."""
    async with Client(settings.qa_url, "") as client:
        found = _FOLDED.search((await client.call("GET", "/metrics")).expect(200).body)
    return float(found[1]) if found else 0.0


async def until_judged(settings: BenchSettings, wanted: float, seconds: float) -> None:
    """Wait until QA has folded so many answers.

    Raises:
        BenchError: It had not in time.
    """
    deadline = time.monotonic() + seconds
    while (judged := await answers_judged(settings)) < wanted:
        if time.monotonic() > deadline:
            raise BenchError(f"Not within {seconds:g} s: {wanted:g} answers at QA. It stands at {judged:g}.")
        await asyncio.sleep(0.1)
