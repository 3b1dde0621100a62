"""Where images of partitions are kept: chunks of bytes, and a manifest that is written last and names them.

A crash in between leaves the image before it. A manifest is written under its revision, so of two replicas that both
believe to own a partition, the one that was late writes none; either's image would do, for each tells how far it goes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from services.task_assignment.domain.image import FORMAT
from shared.mongo import Collection, Database, write_guarded
from shared.packing import Document

IMAGES: Final = "images"
CHUNK_BYTES: Final = 8 * 1024 * 1024
REPLAY_COST: Final = 2
"""How many samples are read from the store in the time in which one event is folded again."""
ALWAYS_REPLAYED: Final = 1_000
"""So few events are folded again however few samples there are."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an image is of, and where it is."""

    partition: int
    revision: int
    """How many images of the partition there have been."""
    generation: str
    """Begins the ids of its chunks; ids of later ones are greater."""
    partitions: int
    """Of how many in all the partition was one."""
    offsets: Mapping[str, int]
    """By topic: the offset up to which events had been folded when it was taken."""
    samples: int
    chunks: int
    digest: str
    format: str = FORMAT

    def is_usable(self, positions: Mapping[str, int | None], partitions: int) -> bool:
        """Return whether to begin from this image, and not by reading every sample.

        Args:
            positions: By topic, where events would be read on; None where that is not known.
            partitions: How many partitions there are now.
        """
        if (self.format, self.partitions) != (FORMAT, partitions) or self.offsets.keys() != positions.keys():
            return False
        known = {topic: at for topic, at in positions.items() if at is not None}
        replayed = sum(max(0, at - self.offsets[topic]) for topic, at in known.items())
        return known.keys() == positions.keys() and (
            replayed <= ALWAYS_REPLAYED or REPLAY_COST * replayed <= self.samples
        )


class Images:
    """The images of all partitions."""

    def __init__(self, database: Database) -> None:
        self._images: Collection = database[IMAGES]

    async def manifests(self, partitions: Iterable[int]) -> dict[int, Manifest]:
        """Return the manifests of those partitions that have an image."""
        found = self._images.find({"_id": {"$in": [str(partition) for partition in partitions]}})
        manifests = [manifest_of(each) async for each in found]
        return {each.partition: each for each in manifests}

    async def read(self, manifest: Manifest) -> bytes | None:
        """Return an image; None where it is not whole, or another has taken its place."""
        within = _from(manifest.partition, manifest.generation)
        chunks = [each["bytes"] async for each in self._images.find(within, sort=[("_id", 1)])]
        data = b"".join(chunks)
        return data if await asyncio.to_thread(digest_of, data) == manifest.digest else None

    async def write(self, manifest: Manifest, data: bytes) -> bool:
        """Write an image, and remove those before it; False when somebody else has written one meanwhile."""
        place = f"{manifest.partition}/{manifest.generation}"
        for number in range(manifest.chunks):
            chunk = data[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            await self._images.insert_one({"_id": f"{place}/{number:06}", "bytes": chunk})
        if await write_guarded(self._images, [document_of(manifest)]):
            await self._images.delete_many(_from(manifest.partition, manifest.generation))
            return False
        await self._images.delete_many({"_id": {"$gt": f"{manifest.partition}/", "$lt": place}})
        return True


def digest_of(data: bytes) -> str:
    """Return what tells whether an image is whole."""
    return hashlib.sha256(data).hexdigest()


def _from(partition: int, generation: str) -> Document:
    return {"_id": {"$gt": f"{partition}/{generation}/", "$lt": f"{partition}/{generation}0"}}  # 0 comes after /


def document_of(manifest: Manifest) -> Document:
    """Return a manifest as it is kept."""
    offsets = [list(each) for each in manifest.offsets.items()]  # a topic's name has dots, which no key may have
    return {"_id": str(manifest.partition), **asdict(manifest), "offsets": offsets}


def manifest_of(document: Document) -> Manifest:
    """Return a manifest that was kept, without what it may have in a later format: that is told by the rest."""
    known = {each.name: document[each.name] for each in fields(Manifest)}
    return Manifest(**known | {"offsets": dict(document["offsets"])})
