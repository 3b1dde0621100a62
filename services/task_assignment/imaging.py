"""Keeps what the board knows of each partition small, and an image of it in the store, from which the next owner begins.

An image need not be new: what has changed since is folded again from the log, which the consumer reads on from where
the image ends, and what stands in no event (a claim that was not answered) is found by the next comparison with the
store, or by the compare-and-set that fails on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.image import Image, from_bytes, to_bytes
from services.task_assignment.domain.packed import Sums, pack, sums_of
from services.task_assignment.images import CHUNK_BYTES, Images, Manifest, digest_of
from shared.ids import new_id

log = structlog.get_logger()

KEEP_EVERY: Final = timedelta(minutes=1)
KEEP_REST: Final = 20
PACK_FROM: Final = 500
"""So few samples beside a run are not merged into it for an image, but read from the store by whoever uses it."""
PACK_WHILE_READ: Final = 20_000
"""So many are merged while a partition is read: the event loop takes their entries away in some 10 ms."""
ASK_SECONDS: Final = 3.0
"""The group expels a member that is busy for longer than its heartbeat, ten seconds."""


class Imager:
    """Packs partitions, takes their images, and begins from them."""

    def __init__(
        self,
        images: Images,
        board: Board,
        *,
        partitions: int,
        every: timedelta = KEEP_EVERY,
        rest: float = KEEP_REST,
    ) -> None:
        """Begin with no partitions.

        Args:
            images: Where images are kept.
            board: What is packed, and what images are taken of.
            partitions: How many partitions there are in all.
            every: How soon an image of a partition may follow the one before.
            rest: How many times as long as a round of images took there is none, at least.
        """
        self._every = every.total_seconds()
        self._rest = rest
        self._images = images
        self._board = board
        self._partitions = partitions
        self._reached: dict[int, dict[str, int | None]] = {}
        """By partition and topic, how far events are folded; None where that is not known."""
        self._revisions: dict[int, int] = {}
        """The revision of each partition's manifest, as far as known."""
        self._kept: dict[int, tuple[object, float]] = {}
        """By partition: what its last image is of (``_state``), and when it was written."""
        self._rests_until = 0.0

    async def begin(self, positions: Mapping[int, Mapping[str, int | None]]) -> dict[int, Manifest]:
        """Take note of partitions that came, by the topics they have and where each is read on.

        Returns:
            The images to begin from.
        """
        self._reached |= {partition: dict(topics) for partition, topics in positions.items()}
        try:
            manifests = await asyncio.wait_for(self._images.manifests(positions), ASK_SECONDS)
        except (PyMongoError, TimeoutError) as error:
            log.warning("images_not_found", error=repr(error))
            return {}
        self._revisions |= {
            partition: manifests[partition].revision if partition in manifests else 0 for partition in positions
        }
        usable = {
            partition: manifest
            for partition, manifest in manifests.items()
            if manifest.is_usable(positions[partition], self._partitions)
        }
        for partition, manifest in usable.items():
            ends = manifest.offsets
            self._reached[partition] = {topic: min(at or 0, ends[topic]) for topic, at in positions[partition].items()}
        return usable

    def forget(self, partitions: Collection[int]) -> None:
        """Keep no images of these partitions any more."""
        for known in (self._reached, self._revisions, self._kept):
            for partition in partitions:
                known.pop(partition, None)

    def on_folded(self, topic: str, partition: int, offset: int) -> None:
        """Take note that events of a topic are folded up to an offset."""
        if partition in self._reached:
            self._reached[partition][topic] = offset

    async def read(self, manifest: Manifest) -> tuple[Image, Sums] | None:
        """Return an image and what it adds up to; None where it cannot be used."""
        data = await self._images.read(manifest)
        if data is None:
            log.warning("image_not_whole", partition=manifest.partition)
            return None
        return await asyncio.to_thread(_opened, data)

    def take_in(self, partition: int, image: Image, sums: Sums) -> None:
        """Put on the board what an image has, but for what it lists."""
        self._board.take_in(partition, image.run, sums)
        self._kept[partition] = None, time.monotonic()

    async def pack(self, partition: int, least: int = 1) -> None:
        """Merge what is known of a partition beside its run into it, if that is so much."""
        if self._board.shelf.loose(partition) >= least or self._board.shelf.run(partition) is None:
            self._board.swap(partition, await asyncio.to_thread(pack, self._board.shelf.snapshot(partition)))

    async def pack_while_read(self, partition: int) -> None:
        """Do the same between two parts of what is read: seldom enough that all of it is merged a few times only."""
        run = self._board.shelf.run(partition)
        await self.pack(partition, max(PACK_WHILE_READ, 0 if run is None else len(run) // 8))

    async def keep(self) -> None:
        """Write an image of each partition that has changed: once a minute at most, and in a twentieth of the time."""
        began = time.monotonic()
        if began < self._rests_until:
            return
        try:
            for partition in sorted(self._board.whole):
                if self._is_due(partition, began):
                    await self._try_to_keep(partition)
        finally:  # what failed has cost as much
            ended = time.monotonic()
            self._rests_until = ended + self._rest * (ended - began)

    async def _try_to_keep(self, partition: int) -> None:
        try:
            await self._keep(partition)
        except Exception:  # the next partition may have better luck
            log.exception("image_not_kept", partition=partition)

    def _is_due(self, partition: int, now: float) -> bool:
        state, at = self._kept.get(partition, (None, float("-inf")))
        return state != self._state(partition) and now - at >= self._every

    def _state(self, partition: int) -> object:
        """Return what tells two images apart. An event that changed nothing must not be read again for ever."""
        return self._board.shelf.changes(partition), dict(self._reached.get(partition, {}))

    async def _keep(self, partition: int) -> None:
        if partition not in self._revisions:
            known = await self._images.manifests([partition])
            self._revisions[partition] = known[partition].revision if partition in known else 0
        await self.pack(partition, PACK_FROM)
        reached = self._reached.get(partition, {})
        offsets = {topic: at for topic, at in reached.items() if at is not None}
        if partition not in self._board.whole or len(offsets) < len(reached):
            return  # it went meanwhile; or the broker did not say where it is read on, and some topic has brought nothing
        image, state = self._board.shelf.image(partition), self._state(partition)
        revision = self._revisions[partition] + 1
        data, digest = await asyncio.to_thread(_closed, image)
        manifest = Manifest(
            partition=partition,
            revision=revision,
            generation=new_id(),
            partitions=self._partitions,
            offsets=offsets,
            samples=len(image.run) + len(image.listed),
            chunks=-(-len(data) // CHUNK_BYTES),
            digest=digest,
        )
        if not await self._images.write(manifest, data):
            self._revisions.pop(partition, None)  # somebody else wrote one; it is looked up before the next
        elif partition in self._board.whole:
            self._revisions[partition] = revision
            self._kept[partition] = state, time.monotonic()
            log.info("image_kept", partition=partition, samples=manifest.samples, bytes=len(data))


def _opened(data: bytes) -> tuple[Image, Sums]:
    image = from_bytes(data)
    return image, sums_of(image.run)


def _closed(image: Image) -> tuple[bytes, str]:
    data = to_bytes(image)
    return data, digest_of(data)
