"""Memory of the gateway and of ingest while gigabytes of lines stream through them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final, NamedTuple

import orjson

from bench.client import BenchError, run_in_processes
from bench.importing import ImportLoad, stream
from bench.processes import Memory, Processes
from bench.project import BenchSettings, Project

SENTENCE: Final = (
    "The parcel came two days late and its corner was dented, but what was inside still works as it should. "
)
SAMPLES: Final = 1200
"""Different ones: sent over and over, they go the whole way and are found to be unchanged, so that stores stay small.
More than a fold remembers, so that what it remembers is in the memory that is measured."""
BYTES_AT_ONCE: Final = 1_000_000
LOOK_SECONDS: Final = 0.5
SLOWEST_MB_PER_S: Final = 1.5


class Volume(NamedTuple):
    """How much to send, and in lines of what length."""

    megabytes: int
    line_kilobytes: int


async def measure_volume(settings: BenchSettings, project: Project, volume: Volume) -> dict[str, float]:
    """Import long texts as one streamed body, and watch memory until each has its outcome.

    Args:
        settings: Where the stack is.
        project: What to import into; its ``text`` takes long ones.
        volume: How much to send.

    Returns:
        The rate, the highest resident memory of each process, and that of the second half over that of the first.
    """
    megabytes, line_kilobytes = volume
    lines = megabytes * 1000 // line_kilobytes
    load = ImportLoad.of(settings, project, lines, line_kilobytes * 1000)
    memory = Memory(Processes.of_stack(), ("gateway", "ingest"))
    started = time.monotonic()
    watching = asyncio.create_task(memory.watch(LOOK_SECONDS))
    [job] = await asyncio.to_thread(run_in_processes, send, [load])
    await _until_done(project, job, 60 + megabytes / SLOWEST_MB_PER_S)
    watching.cancel()
    seconds = time.monotonic() - started
    return {
        "volume_mb": float(megabytes),
        "volume_line_kb": float(line_kilobytes),
        "volume_mb_per_s": megabytes / seconds,
        **{f"volume_{name}_rss_mb": peak for name, peak in memory.peaks().items()},
        **{f"volume_{name}_rss_growth": growth for name, growth in memory.growth().items()},
    }


async def send(load: ImportLoad) -> str:
    """Send the import as one streamed body, and return its job."""
    known = [_line(number, load.line_bytes) for number in range(SAMPLES)]

    async def body() -> AsyncIterator[bytes]:
        for some in _together(known, load.lines):
            yield some

    return str((await stream(load, body())).json()["job_id"])


async def _until_done(project: Project, job: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (told := (await project.owner.call("GET", f"/v1/jobs/{job}")).expect(200).json())["state"] != "done":
        if time.monotonic() > deadline:
            raise BenchError(f"Not within {seconds:g} s: the end of {job}. It stands at {told}.")
        await asyncio.sleep(LOOK_SECONDS)
    if told["failed"]:
        raise BenchError(f"{told['failed']} lines of {job} failed; GET /v1/jobs/{job}/errors tells why.")


def _together(known: Sequence[bytes], lines: int) -> Iterator[bytes]:
    """Yield so many lines, about a megabyte at a time."""
    at_once = max(1, BYTES_AT_ONCE // len(known[0]))
    for first in range(0, lines, at_once):
        yield b"".join(known[number % len(known)] for number in range(first, min(first + at_once, lines)))


def _line(number: int, length: int) -> bytes:
    text = f"Report {number}. " + SENTENCE * (length // len(SENTENCE))
    line = {"external_id": f"long-{number}", "assets": {"text": {"text": text}}, "language": "en"}
    return orjson.dumps(line) + b"\n"
