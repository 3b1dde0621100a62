"""Work that goes on beside all else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """One piece of work at a time, in a task of its own, until it is done or stopped."""

    def __init__(self, name: str) -> None:
        """Prepare it; the name is the task's."""
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin the work, unless some goes on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(work(), name=self._name)

    async def ended(self) -> None:
        """Return once nothing goes on; what was raised is the work's own to tell."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        """End the work."""
        if self._task is not None:
            self._task.cancel()
        await self.ended()
