"""Other assets for a sample that is in: what it had stays until the new ones are accepted, and goes then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.ingest.domain.resemblance import left
from shared.events import Event
from shared.events.duplicates import ContentReleased
from shared.events.uploads import MediaDropped, UploadRefused
from shared.ids import derived_id

if TYPE_CHECKING:
    from services.ingest.domain.sample import Sample


def left_behind(previous: Sample, replaced: Sample, cause: Event) -> list[Event]:
    """Return what tells others that a sample's earlier assets are gone.

    Uploads are let go by the submission that named them; one that the new submission names too stays. Content that
    is the same is not released.
    """
    images = [
        each
        for slot, facts in previous.assets.items()
        for each in left(cause, previous.sample_id, previous.project_id, slot, facts)
    ]
    uploads = [
        UploadRefused.caused_by(
            cause,
            part=f"{previous.sample_id}/{slot}/previous",
            upload_id=source.upload,
            sample_id=previous.sample_id,
            slot=slot,
            attempt=previous.attempt,
        )
        for slot, source in previous.sources.items()
        if source.upload is not None
    ]
    released = (
        []
        if previous.content_id in {None, replaced.content_id}
        else [
            ContentReleased.caused_by(
                cause, part=previous.sample_id, content_id=previous.content_id, sample_id=previous.sample_id
            )
        ]
    )
    return [*images, *uploads, *released, *_own_objects(previous, cause)]


def _own_objects(previous: Sample, cause: Event) -> Iterator[MediaDropped]:
    """Yield the removal of copies that were made for the sample alone: of what it named by an address, and stripped."""
    for slot, facts in previous.assets.items():
        is_ours = previous.sources[slot].uri is not None
        copies = [(facts.object, facts.version)] if is_ours or facts.original is not None else []
        if is_ours and facts.original is not None:
            copies.append((facts.original.object, facts.original.version))
        for object_, version in copies:
            if object_ is not None and version is not None:  # without versions, the new one lies in its place
                yield MediaDropped.caused_by(
                    cause,
                    part=f"{slot}/{object_}",
                    upload_id=derived_id("reference", previous.attempt, slot),
                    object=object_,
                    version=version,
                    reason="replaced",
                )
