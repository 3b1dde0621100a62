"""What the servers need before the services start: topics, buckets, versions and notifications of uploads."""

from __future__ import annotations

from minio import Minio
from minio.error import S3Error
from minio.notificationconfig import NotificationConfig, QueueConfig
from minio.versioningconfig import VersioningConfig

from shared.events.uploads import MediaUploaded
from shared.kafka import create_topics
from shared.media import BUCKETS, MEDIA_BUCKET, NOTIFICATION_TARGET
from shared.settings import SharedSettings


async def provision(settings: SharedSettings) -> list[str]:
    """Make what is missing; harmless when nothing is.

    Returns:
        What was made, for a person to read.
    """
    made = [f"topic {name}" for name in await create_topics(settings)]
    client = Minio(
        settings.minio_endpoint,
        access_key=settings.minio_access_key.get_secret_value(),
        secret_key=settings.minio_secret_key.get_secret_value(),
        region=settings.minio_region,
        secure=settings.minio_secure,
    )
    made += [f"bucket {bucket}" for bucket in BUCKETS if _make_bucket(client, bucket)]
    # What was looked at is what is served, whatever is put under the same address later.
    client.set_bucket_versioning(MEDIA_BUCKET, VersioningConfig("Enabled"))
    uploads = QueueConfig(queue=NOTIFICATION_TARGET, events=["s3:ObjectCreated:*"], config_id=MediaUploaded.topic)
    client.set_bucket_notification(MEDIA_BUCKET, NotificationConfig(queue_config_list=[uploads]))
    return made


def _make_bucket(client: Minio, bucket: str) -> bool:
    """Make a bucket, and return whether it was missing; another may have made it since the look."""
    if client.bucket_exists(bucket):
        return False
    try:
        client.make_bucket(bucket)
    except S3Error as error:
        if error.code != "BucketAlreadyOwnedByYou":
            raise
    return True
