"""An upload: whichever comes last, the object or the sample that needs it, completes both.

The first object under an upload's address counts: what is put there later is another version, and is removed. An
object that no sample needs, be it that none ever named it or that all who did were rejected, is in quarantine: no
annotator is given a link to it, and after a set time it lapses and is removed. So does the hope for an object that is
needed and does not come.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import to_ms
from shared.events import Event
from shared.events.uploads import MediaDropped, MediaUploaded, UploadArrived, UploadAwaited, UploadLapsed, UploadRefused
from shared.ledger import Step


class Waiter(BaseModel):
    """A slot of a sample that needs an upload, and the submission that said so."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    slot: str
    attempt: str = ""


class Upload(BaseModel):
    """What ingest knows of an upload."""

    model_config = ConfigDict(frozen=True)

    upload_id: str
    object: str | None = None
    """``bucket/key``; None until it lies in the store."""
    version: str | None = None
    size: int = 0
    etag: str = ""
    waiters: list[Waiter] = Field(default_factory=list)
    """Who needs it; those whose samples were rejected are not among them."""
    half_since_ms: int | None = None
    """Since when the object lies there and nobody needs it, or is needed and does not come; else None."""
    lapsed: bool = False
    """It was half for too long: there is no object any more, and none is taken."""


def on_media_uploaded(upload: Upload | None, event: MediaUploaded) -> Step[Upload]:
    """Note that the object is there; the first notification counts, further ones change nothing."""
    upload = upload or Upload(upload_id=event.upload_id)
    if upload.lapsed:
        return Step(upload, _dropped(event, event.object, event.version, "lapsed"))
    if upload.object is not None:  # without versions, what was put over the first object has taken its place already
        is_other = event.version is not None and event.version != upload.version
        return Step(upload, _dropped(event, event.object, event.version, "replaced") if is_other else [])
    upload = upload.model_copy(
        update={"object": event.object, "version": event.version, "size": event.size, "etag": event.etag}
    )
    return Step(_since(upload, event), [_arrived(event, upload, waiter) for waiter in upload.waiters])


def on_upload_awaited(upload: Upload | None, event: UploadAwaited) -> Step[Upload]:
    """Note who waits; if the object is there already, tell them."""
    upload = upload or Upload(upload_id=event.upload_id)
    waiter = Waiter(sample_id=event.sample_id, slot=event.slot, attempt=event.attempt)
    if waiter not in upload.waiters:
        upload = upload.model_copy(update={"waiters": [*upload.waiters, waiter]})
    upload = _since(upload, event)
    is_known = upload.object is not None or upload.lapsed
    return Step(upload, [_arrived(event, upload, waiter)] if is_known else [])


def on_upload_refused(upload: Upload | None, event: UploadRefused) -> Step[Upload]:
    """Note that one needs it no more; another attempt of the same sample still does."""
    upload = upload or Upload(upload_id=event.upload_id)
    if event.erases:
        return _erased(upload, event)
    gone = Waiter(sample_id=event.sample_id, slot=event.slot, attempt=event.attempt)
    waiters = [waiter for waiter in upload.waiters if waiter != gone]
    return Step(_since(upload.model_copy(update={"waiters": waiters}), event))


def on_upload_lapsed(upload: Upload | None, event: UploadLapsed) -> Step[Upload]:
    """Give it up, unless its other half has come since the sweep looked: remove the object, or tell who waits."""
    upload = upload or Upload(upload_id=event.upload_id)
    if upload.half_since_ms is None or upload.half_since_ms > event.since_ms:
        return Step(upload)
    upload = upload.model_copy(update={"lapsed": True, "half_since_ms": None})
    told = [_arrived(event, upload, waiter) for waiter in upload.waiters]
    return Step(upload, [*told, *_dropped(event, upload.object, upload.version, "lapsed")])


def _erased(upload: Upload, event: UploadRefused) -> Step[Upload]:
    """Let an erased sample go, and the object with it unless another sample needs it."""
    others = [waiter for waiter in upload.waiters if waiter.sample_id != event.sample_id]
    if others or upload.lapsed:
        return Step(_since(upload.model_copy(update={"waiters": others}), event))
    gone = upload.model_copy(update={"lapsed": True, "half_since_ms": None, "waiters": []})
    return Step(gone, _dropped(event, upload.object, upload.version, "erased"))


def _since(upload: Upload, event: Event) -> Upload:
    """Note from when on it is half, by the time at which the event came into the log."""
    if upload.lapsed or (upload.object is None) == (not upload.waiters):
        return upload.model_copy(update={"half_since_ms": None})
    if upload.half_since_ms is not None:
        return upload
    return upload.model_copy(update={"half_since_ms": event.appended_at_ms or to_ms(event.occurred_at)})


def _dropped(
    cause: Event, object_: str | None, version: str | None, reason: Literal["lapsed", "replaced", "erased"]
) -> list[MediaDropped]:
    if object_ is None:
        return []
    upload_id = cause.key
    return [MediaDropped.caused_by(cause, upload_id=upload_id, object=object_, version=version, reason=reason)]


def _arrived(cause: Event, upload: Upload, waiter: Waiter) -> UploadArrived:
    return UploadArrived.caused_by(
        cause,
        part=waiter.slot,
        sample_id=waiter.sample_id,
        slot=waiter.slot,
        object=upload.object or "",
        **upload.model_dump(include={"upload_id", "version", "size", "etag", "lapsed"}),
    )
