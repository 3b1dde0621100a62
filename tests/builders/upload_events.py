"""Valid events of ``shared.events.uploads``."""

from typing import Any

from shared.events import uploads
from tests.builders.base import TENANT, an_event


def an_upload_awaited(**changes: Any) -> uploads.UploadAwaited:
    return an_event(uploads.UploadAwaited, changes, upload_id="upload-1", slot="screenshot")


def a_media_uploaded(**changes: Any) -> uploads.MediaUploaded:
    upload = changes.get("upload_id", "upload-1")
    special = {"object": f"media/{TENANT}/uploads/{upload}/photo.jpg", "size": 30_000, "etag": "0" * 32}
    return an_event(uploads.MediaUploaded, changes, upload_id=upload, **special)


def an_object_put(**changes: Any) -> uploads.ObjectPut:
    return an_event(uploads.ObjectPut, changes, object="raw/day-1/a.jpg", etag="0" * 32)


def an_upload_arrived(**changes: Any) -> uploads.UploadArrived:
    upload = changes.get("upload_id", "upload-1")
    place = f"media/{TENANT}/uploads/{upload}/photo.jpg"
    return an_event(uploads.UploadArrived, changes, upload_id=upload, slot="screenshot", object=place, size=30_000)


def an_upload_refused(**changes: Any) -> uploads.UploadRefused:
    return an_event(uploads.UploadRefused, changes, upload_id="upload-1", slot="screenshot", attempt="attempt-1")


def an_upload_lapsed(**changes: Any) -> uploads.UploadLapsed:
    return an_event(uploads.UploadLapsed, changes, upload_id="upload-1", since_ms=0)


def a_media_dropped(**changes: Any) -> uploads.MediaDropped:
    upload = changes.get("upload_id", "upload-1")
    place = f"media/{TENANT}/uploads/{upload}/photo.jpg"
    return an_event(uploads.MediaDropped, changes, upload_id=upload, object=place, reason="lapsed")


def a_reference_awaited(**changes: Any) -> uploads.ReferenceAwaited:
    special = {"reference_id": "reference-1", "uri": "https://media.example.org/photo.jpg"}
    return an_event(uploads.ReferenceAwaited, changes, slot="screenshot", **special)
