"""Copies of images without their files' metadata, for projects that do not serve those."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from services.ingest.domain.metadata import write_stripped
from shared.errors import NotFoundError
from shared.events.uploads import UploadArrived
from shared.labels.facts import AssetFacts, OriginalFile
from shared.media import Media, stripped_object


async def serve_stripped(media: Media, event: UploadArrived, path: Path, facts: AssetFacts) -> AssetFacts:
    """Store a copy of an image without metadata, to be served in its stead; made again, it is the same once more.

    Args:
        media: Where the copy goes.
        event: Tells whose image it is, and where the original lies.
        path: The original, fetched; the copy is written beside it.
        facts: Of the original.

    Returns:
        The facts of the copy, which name the original.

    Raises:
        MediaRejectedError: ``metadata-not-removable``.
    """
    target = path.with_name("stripped")
    orientation = (facts.details and facts.details.orientation) or 1
    media_type = facts.media_type or "application/octet-stream"
    await asyncio.to_thread(write_stripped, path, target, media_type, orientation)
    place = stripped_object(event.tenant_id, event.sample_id, event.slot, event.object)
    await media.put_file(place, target, media_type)
    stored = await media.find(place)
    if stored is None:
        raise NotFoundError(f"The object {place} was put and is not there.")
    served = {
        "object": place,
        "version": stored.version,
        "size": stored.size,
        "sha256": await asyncio.to_thread(_sha256, target),
        "original": OriginalFile(object=event.object, version=event.version, size=facts.size, sha256=facts.sha256),
    }
    return facts.model_copy(update=served)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
