"""What the processes of the stack use of the machine, read from ``/proc``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.local.places import PlaceSettings
from deploy.local.stack import SERVICES, Stack

SERVERS: Final = ("kafka", "mongo", "minio")
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


class Processes:
    """The services and servers of the local stack that run on this machine; none where they run in containers."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)

    @classmethod
    def of_stack(cls) -> Processes:
        """Return those of the stack that the settings name."""
        places = PlaceSettings()
        stack = Stack(places.home, places.env_file)
        found = {name: stack.pid(name) for name in (*SERVICES, *SERVERS)}
        return cls({name: pid for name, pid in found.items() if pid is not None})

    def cpu_ms(self) -> dict[str, float]:
        """Return the CPU time of each so far, that of its children included, in milliseconds."""
        return {name: sum(map(_cpu_ms, _family(pid))) for name, pid in self._pids.items()}

    def rss_mb(self, name: str) -> float | None:
        """Return the resident memory of one process and its children in MB; None when it does not run here."""
        pid = self._pids.get(name)
        return None if pid is None else sum(_rss_bytes(each) for each in _family(pid)) / 1e6


class Memory:
    """Resident memory of some processes, as it was seen while they worked."""

    def __init__(self, processes: Processes, names: Sequence[str]) -> None:
        self._processes = processes
        self._seen: dict[str, list[float]] = {name: [] for name in names}

    async def watch(self, every_seconds: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            for name, seen in self._seen.items():
                if (rss := self._processes.rss_mb(name)) is not None:
                    seen.append(rss)
            await asyncio.sleep(every_seconds)

    def peaks(self) -> dict[str, float]:
        """Return the most that each process had, in MB."""
        return {name: max(seen) for name, seen in self._seen.items() if seen}

    def growth(self) -> dict[str, float]:
        """Return the most of the second half over the most of the first: 1.0 where memory stays flat."""
        halves = {name: len(seen) // 2 for name, seen in self._seen.items() if len(seen) > 1}
        return {name: max(self._seen[name][half:]) / max(self._seen[name][:half]) for name, half in halves.items()}


def cpu_per_cycle(before: Mapping[str, float], after: Mapping[str, float], cycles: int) -> dict[str, float]:
    """Return the CPU milliseconds that each process used for one cycle, and all of them together.

    Args:
        before: By process, as ``Processes.cpu_ms`` tells it.
        after: The same, later.
        cycles: What was done in between.

    Returns:
        Figures ``cpu_ms_per_cycle`` and ``cpu_ms_per_cycle_<process>``; empty without cycles or processes.
    """
    used = {name: (after[name] - spent) / cycles for name, spent in before.items() if name in after and cycles}
    if not used:
        return {}
    return {"cpu_ms_per_cycle": sum(used.values())} | {f"cpu_ms_per_cycle_{name}": ms for name, ms in used.items()}


def children_cpu_ms() -> float:
    """Return the CPU time so far of all processes below this one that live."""
    return sum(_cpu_ms(each) for each in _family(os.getpid()) if each != os.getpid())


def _family(pid: int) -> Iterable[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _family(int(child))


def _cpu_ms(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own_and_reaped = sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime: proc(5)
    return own_and_reaped * 1000 / _TICKS_PER_SECOND


def _rss_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
