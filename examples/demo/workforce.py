"""The people of the demo, in several processes that know the gateway's address and their own keys alone."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from examples.demo.setup import Member
from examples.simulation import ANNOTATORS, REVIEWERS

ANNOTATING_PROCESSES: Final = 3
ENDING_SECONDS: Final = 10.0


class WorkerFailedError(Exception):
    """A process of simulated people ended before its work was done."""

    def __init__(self, names: Sequence[str], code: int | None) -> None:
        super().__init__(f"The process of {', '.join(names)} ended with code {code}; its last words are above.")


def crews() -> list[list[str]]:
    """Who shares a process: those who stay in three, those who vanish in one, the reviewers in one."""
    staying = [person.name for person in ANNOTATORS if not person.vanishes]
    return [
        *(staying[number::ANNOTATING_PROCESSES] for number in range(ANNOTATING_PROCESSES)),
        vanishing(),
        [person.name for person in REVIEWERS],
    ]


def vanishing() -> list[str]:
    """Those who stop in the middle of the work."""
    return [person.name for person in ANNOTATORS if person.vanishes]


@dataclass
class Workforce:
    """Works while it is entered: ``async with Workforce(gateway, members): ...``."""

    gateway: str
    members: Mapping[str, Member]
    abandoned: dict[str, int] = field(default_factory=dict)
    """How many leases each of those who vanished held, in their own words."""
    _crews: list[tuple[list[str], Process]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        for names in crews():
            self._crews.append((names, await self._start(names)))
        for names, process in self._crews:
            if names == vanishing():
                self._tasks.append(asyncio.create_task(self._kill_when_holding(names, process)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(_end(process) for _, process in self._crews), *self._tasks, return_exceptions=True)

    def check(self) -> None:
        """Make sure that everybody who should be at work is.

        Raises:
            WorkerFailedError: A process has ended by itself.
        """
        for names, process in self._crews:
            if process.returncode is not None and not set(names) <= self.abandoned.keys():
                raise WorkerFailedError(names, process.returncode)

    async def _start(self, names: Iterable[str]) -> Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LABELMESH_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "examples.demo.worker", stdin=PIPE, stdout=PIPE, env=environment
        )
        if process.stdin is not None:
            orders = {"gateway": self.gateway, "keys": {name: self.members[name].key for name in names}}
            process.stdin.write(json.dumps(orders).encode() + b"\n")
            await process.stdin.drain()
        return process

    async def _kill_when_holding(self, names: Sequence[str], process: Process) -> None:
        """Let a process die as soon as each of its people holds leases: nothing is given back, nobody says goodbye."""
        holding: dict[str, int] = {}
        while not set(names) <= holding.keys() and process.stdout is not None:
            line = await process.stdout.readline()
            if not line:
                return
            told = json.loads(line)
            holding[told["name"]] = told["holds"]
        self.abandoned = holding
        process.kill()


async def _end(process: Process) -> None:
    """Close the process's standard input, by which it ends; kill it when it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), ENDING_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
