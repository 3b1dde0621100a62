"""Valid events of ``shared.events.samples``."""

from typing import Any

from shared.events import samples
from shared.labels.faults import Fault
from tests.builders.base import CHAT, TENANT, an_event, text_facts


def a_sample_submitted(**changes: Any) -> samples.SampleSubmitted:
    assets = {"chat": samples.AssetSource(text=CHAT)}
    return an_event(samples.SampleSubmitted, changes, assets=assets, language="en")


def an_upload_awaited(**changes: Any) -> samples.UploadAwaited:
    return an_event(samples.UploadAwaited, changes, upload_id="upload-1", slot="screenshot")


def a_media_uploaded(**changes: Any) -> samples.MediaUploaded:
    upload = changes.get("upload_id", "upload-1")
    special = {"object": f"media/{TENANT}/uploads/{upload}/photo.jpg", "size": 30_000, "etag": "0" * 32}
    return an_event(samples.MediaUploaded, changes, upload_id=upload, **special)


def an_object_put(**changes: Any) -> samples.ObjectPut:
    return an_event(samples.ObjectPut, changes, object="raw/day-1/a.jpg", etag="0" * 32)


def an_upload_arrived(**changes: Any) -> samples.UploadArrived:
    upload = changes.get("upload_id", "upload-1")
    place = f"media/{TENANT}/uploads/{upload}/photo.jpg"
    return an_event(samples.UploadArrived, changes, upload_id=upload, slot="screenshot", object=place, size=30_000)


def an_upload_refused(**changes: Any) -> samples.UploadRefused:
    return an_event(samples.UploadRefused, changes, upload_id="upload-1", slot="screenshot", attempt="attempt-1")


def an_upload_lapsed(**changes: Any) -> samples.UploadLapsed:
    return an_event(samples.UploadLapsed, changes, upload_id="upload-1", since_ms=0)


def a_media_dropped(**changes: Any) -> samples.MediaDropped:
    upload = changes.get("upload_id", "upload-1")
    place = f"media/{TENANT}/uploads/{upload}/photo.jpg"
    return an_event(samples.MediaDropped, changes, upload_id=upload, object=place, reason="lapsed")


def a_sample_ingested(**changes: Any) -> samples.SampleIngested:
    return an_event(samples.SampleIngested, changes, assets={"chat": text_facts()}, language="en")


def a_sample_rejected(**changes: Any) -> samples.SampleRejected:
    fault = Fault(pointer="/assets/chat", code="missing", message="The asset chat is missing; send it.")
    return an_event(samples.SampleRejected, changes, faults=[fault])


def an_import_received(**changes: Any) -> samples.ImportReceived:
    return an_event(samples.ImportReceived, changes, lines=1)


def an_import_rested(**changes: Any) -> samples.ImportRested:
    source = samples.ImportSource(prefix="s3://raw/calls/", follow_seconds=60)
    return an_event(samples.ImportRested, changes, source=source, cursor=samples.ImportCursor(chunk=1, listing=1))


def an_import_line_finished(**changes: Any) -> samples.ImportLineFinished:
    return an_event(samples.ImportLineFinished, changes, line=1, outcome="created")


def an_import_requested(**changes: Any) -> samples.ImportRequested:
    source = samples.ImportSource(object=f"media/{TENANT}/imports/job-1", format="ndjson")
    return an_event(samples.ImportRequested, changes, source=source)


def an_import_continued(**changes: Any) -> samples.ImportContinued:
    source = samples.ImportSource(object=f"media/{TENANT}/imports/job-1", format="ndjson")
    return an_event(samples.ImportContinued, changes, source=source, cursor=samples.ImportCursor(chunk=1))


def an_import_cancelled(**changes: Any) -> samples.ImportCancelled:
    return an_event(samples.ImportCancelled, changes, cancelled_by="mo")


def a_content_met(**changes: Any) -> samples.ContentMet:
    return an_event(samples.ContentMet, changes, content_id="content-1", attempt="attempt-1")


def a_content_compared(**changes: Any) -> samples.ContentCompared:
    return an_event(samples.ContentCompared, changes, content_id="content-1", attempt="attempt-1", first="another")


def a_content_released(**changes: Any) -> samples.ContentReleased:
    return an_event(samples.ContentReleased, changes, content_id="content-1")


def a_reference_awaited(**changes: Any) -> samples.ReferenceAwaited:
    special = {"reference_id": "reference-1", "uri": "https://media.example.org/photo.jpg"}
    return an_event(samples.ReferenceAwaited, changes, slot="screenshot", **special)
