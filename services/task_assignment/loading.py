"""Reads the samples of partitions that came, beside all other work.

Kafka waits for a member of a group to take over its partitions no longer than for its heartbeat: ten seconds. Reading a
large backlog takes longer, so whoever took the partitions over only after it would lose them again, for ever.

Where a partition has an image, only the samples that somebody works on are read; else every one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from services.task_assignment.bookkeeping import Bookkeeper
from services.task_assignment.domain.board import Board
from services.task_assignment.images import Manifest
from services.task_assignment.imaging import Imager
from services.task_assignment.store import Store
from shared.background import Background

log = structlog.get_logger()

AGAIN_SECONDS: Final = 1.0


@dataclass(slots=True, eq=False)
class Coming:
    """A partition that is to be read; another each time that it comes from others."""

    manifest: Manifest | None
    """The image to begin from."""
    listed: tuple[str, ...] | None = None
    """What is left to read beside the image, once that is on the board."""


class Loader:
    """Loads partition after partition. What is known of one is given out meanwhile, and events are folded."""

    def __init__(self, store: Store, board: Board, books: Bookkeeper, imager: Imager) -> None:
        self._store = store
        self._board = board
        self._books = books
        self._imager = imager
        self._unread: dict[int, Coming] = {}
        self._background = Background("load the board")

    def load(self, partitions: Mapping[int, Manifest | None]) -> None:
        """Begin to read the samples of partitions that the board owns from now on, from their images if they have any."""
        self._unread |= {partition: Coming(partitions[partition]) for partition in sorted(partitions)}
        if self._unread:
            self._background.begin(self._run)

    def forget(self, partitions: Collection[int]) -> None:
        """Do not read these partitions any more."""
        for partition in partitions:
            self._unread.pop(partition, None)

    async def finished(self) -> None:
        """Return once all that came has been read."""
        await self._background.ended()

    async def stop(self) -> None:
        """Read no more."""
        await self._background.stop()

    async def _run(self) -> None:
        while self._unread:
            partition, came = next(iter(self._unread.items()))
            try:
                await self._read(partition, came)
            except Exception:
                log.exception("partition_not_read", partition=partition)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self, partition: int, came: Coming) -> None:
        if came.manifest is not None and came.listed is None:
            await self._begin(partition, came, came.manifest)
        if came.listed is None:
            await self._read_all(partition, came)
        else:
            async for documents in self._store.documents(came.listed):
                self._board.load(documents)
        if self._unread.get(partition) is not came:
            return  # it went meanwhile, and perhaps came again: the first of what was read is forgotten
        await self._books.take_over({partition})
        if self._unread.get(partition) is came:
            del self._unread[partition]
            self._board.complete(partition)
            log.info("partition_read", partition=partition, left=len(self._unread), image=came.listed is not None)

    async def _begin(self, partition: int, came: Coming, manifest: Manifest) -> None:
        """Put the image of a partition on the board, if it can be used and the partition is still to be read."""
        found = await self._imager.read(manifest)
        if found is not None and self._unread.get(partition) is came:
            image, sums = found
            self._imager.take_in(partition, image, sums)
            came.listed = image.listed

    async def _read_all(self, partition: int, came: Coming) -> None:
        async for documents in self._store.of_partitions([partition]):
            if self._unread.get(partition) is not came:
                return  # a run of what was meant for its last stay would stand beside the image that it came back with
            self._board.load(documents)
            await self._imager.pack_while_read(partition)
        if self._unread.get(partition) is came:
            await self._imager.pack(partition)
