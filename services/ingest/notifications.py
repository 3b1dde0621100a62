"""MinIO's bucket notifications: read as facts of ours, and written anew where one was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import orjson
from aiokafka import ConsumerRecord

from shared.errors import UndecodableEventError
from shared.events.samples import MediaUploaded
from shared.ids import derived_id
from shared.media import MEDIA_BUCKET, StoredObject, split_name


def read_notification(record: ConsumerRecord[Any, Any]) -> Sequence[MediaUploaded]:
    """Return the uploads that a record of ``media.uploaded`` tells of; other objects of the bucket are passed over.

    Raises:
        UndecodableEventError: It is no S3 notification.
    """
    try:
        entries = orjson.loads(record.value or b"")["Records"]
        found = [_uploaded(entry) for entry in entries if entry["eventName"].startswith("s3:ObjectCreated:")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UndecodableEventError(f"The record is no S3 notification: {error!r}.") from error
    return [event for event in found if event is not None]


def write_notification(found: StoredObject) -> bytes:
    """Return a notification for an object that lies there without one, in the store's own format."""
    bucket, key = split_name(found.name)
    told = {"key": quote_plus(key), "size": found.size, "eTag": found.etag}
    entry = {
        "eventName": "s3:ObjectCreated:Put",
        "eventTime": datetime.now(UTC).isoformat(),
        "s3": {
            "bucket": {"name": bucket},
            "object": told if found.version is None else told | {"versionId": found.version},
        },
    }
    return orjson.dumps({"EventName": entry["eventName"], "Key": found.name, "Records": [entry]})


def _uploaded(entry: dict[str, Any]) -> MediaUploaded | None:
    found = entry["s3"]["object"]
    key = unquote_plus(found["key"])
    parts = key.split("/")
    if entry["s3"]["bucket"]["name"] != MEDIA_BUCKET or len(parts) not in {4, 5} or parts[1] != "uploads":
        return None
    tenant_id, _, upload_id = parts[:3]
    etag, version = str(found.get("eTag", "")), found.get("versionId")
    return MediaUploaded(
        event_id=derived_id("media-uploaded", tenant_id, upload_id, etag, *([version] if version else [])),
        tenant_id=tenant_id,
        occurred_at=datetime.fromisoformat(entry["eventTime"]),
        upload_id=upload_id,
        object=f"{MEDIA_BUCKET}/{key}",
        size=int(found.get("size", 0)),
        etag=etag,
        version=version or None,
    )
