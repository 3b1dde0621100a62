"""Whether a process can work: checks that run in the background, so that asking costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.background import Background

log = structlog.get_logger()

CHECK_INTERVAL: Final = 1.0
CHECK_TIMEOUT: Final = 2.0

Check = Callable[[], Awaitable[None]]


class Health:
    """Knows, by name, what is wrong at the moment; ready when nothing is."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._faults: dict[str, str] = {}
        self._background = Background("health")

    def add(self, name: str, check: Check) -> None:
        """Run ``check`` every second; while it raises or takes over two seconds, the process is not ready."""
        self._checks[name] = check
        self._faults[name] = "not checked yet"

    def fail(self, name: str, reason: str) -> None:
        """Say that ``name`` does not work."""
        if self._faults.get(name) != reason:
            log.warning("not_ready", check=name, reason=reason)
        self._faults[name] = reason

    def heal(self, name: str) -> None:
        """Say that ``name`` works."""
        if self._faults.pop(name, None) is not None:
            log.info("ready_again", check=name)

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by name; empty when the process can work."""
        return dict(self._faults)

    def start(self) -> None:
        """Begin to run the checks."""
        self._background.begin(self._run)

    async def stop(self) -> None:
        """End the checks."""
        await self._background.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
            await asyncio.sleep(CHECK_INTERVAL)

    async def _check(self, name: str, check: Check) -> None:
        try:
            await asyncio.wait_for(check(), CHECK_TIMEOUT)
        except TimeoutError:
            self.fail(name, f"no answer within {CHECK_TIMEOUT:g} s")
        except Exception as error:
            self.fail(name, f"{type(error).__name__}: {error}")
        else:
            self.heal(name)
