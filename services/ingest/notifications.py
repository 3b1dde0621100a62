"""MinIO's bucket notifications: read as facts of ours, and written anew where one was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote_plus

import orjson
from aiokafka import ConsumerRecord

from services.ingest.references.buckets import Buckets
from shared.errors import UndecodableEventError
from shared.events.uploads import MediaUploaded, ObjectPut
from shared.ids import derived_id
from shared.media import MEDIA_BUCKET, StoredObject, split_name

E = TypeVar("E")


def read_notification(record: ConsumerRecord[Any, Any]) -> Sequence[MediaUploaded]:
    """Return the uploads that a record of ``media.uploaded`` tells of; other objects are passed over.

    Raises:
        UndecodableEventError: It is no S3 notification.
    """
    return [event for event in _each(record, _uploaded) if event is not None]


def read_notifications_of(
    buckets: Buckets,
) -> Callable[[ConsumerRecord[Any, Any]], Sequence[MediaUploaded | ObjectPut]]:
    """Return what reads uploads, and objects put into registered buckets: one event for each tenant that may name it."""

    def read(record: ConsumerRecord[Any, Any]) -> Sequence[MediaUploaded | ObjectPut]:
        put = _each(record, lambda entry: _put(entry, buckets))
        return [*read_notification(record), *chain.from_iterable(put)]

    return read


def _each(record: ConsumerRecord[Any, Any], read: Callable[[dict[str, Any]], E]) -> list[E]:
    try:
        entries = orjson.loads(record.value or b"")["Records"]
        return [read(entry) for entry in entries if entry["eventName"].startswith("s3:ObjectCreated:")]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UndecodableEventError(f"The record is no S3 notification: {error!r}.") from error


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


def _put(entry: dict[str, Any], buckets: Buckets) -> list[ObjectPut]:
    found = entry["s3"]["object"]
    name = f"{entry['s3']['bucket']['name']}/{unquote_plus(found['key'])}"
    etag = str(found.get("eTag", ""))
    return [
        ObjectPut(
            event_id=derived_id("object-put", tenant_id, name, etag, entry["eventTime"]),
            tenant_id=tenant_id,
            occurred_at=datetime.fromisoformat(entry["eventTime"]),
            object=name,
            etag=etag,
        )
        for tenant_id in buckets.tenants_of(name)
    ]
