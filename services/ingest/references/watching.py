"""Has the object store tell of what is put into registered buckets; where it cannot, listing finds it later."""

from __future__ import annotations

import asyncio

import structlog
from minio import Minio
from minio.error import MinioException, S3Error
from minio.notificationconfig import NotificationConfig, PrefixFilterRule, QueueConfig
from urllib3.exceptions import HTTPError

from services.ingest.references.buckets import Buckets
from shared.media import MEDIA_BUCKET, NOTIFICATION_TARGET

log = structlog.get_logger()

CONFIG_ID = "labelmesh-objects"


class Watching:
    """Sets notifications on buckets that are registered, and sets them again where they were lost."""

    def __init__(self, client: Minio, buckets: Buckets) -> None:
        self._client = client
        self._buckets = buckets
        self._refused: dict[str, str] = {}

    async def watch(self) -> None:
        """Look at each bucket; what else its owner has told the store of it stays."""
        for bucket, prefix in self._buckets.by_bucket().items():
            if bucket == MEDIA_BUCKET:
                continue
            refused = ""
            try:
                if await asyncio.to_thread(self._watch, bucket, prefix):
                    log.info("bucket_watched", bucket=bucket, prefix=prefix)
            except (MinioException, HTTPError, ValueError) as error:
                refused = error.code if isinstance(error, S3Error) and error.code else type(error).__name__
                if self._refused.get(bucket) != refused:
                    log.warning("bucket_not_watched", bucket=bucket, error=str(error))
            self._refused[bucket] = refused

    def _watch(self, bucket: str, prefix: str) -> bool:
        known = self._client.get_bucket_notification(bucket)
        queues = known.queue_config_list or []
        ours = [each for each in queues if each.queue == NOTIFICATION_TARGET]
        if len(ours) == 1 and _prefix_of(ours[0]) == prefix:
            return False
        wanted = QueueConfig(
            queue=NOTIFICATION_TARGET,
            events=["s3:ObjectCreated:*"],
            config_id=CONFIG_ID,
            prefix_filter_rule=PrefixFilterRule(prefix) if prefix else None,
        )
        kept = [each for each in queues if each.queue != NOTIFICATION_TARGET]
        self._client.set_bucket_notification(
            bucket,
            NotificationConfig(
                cloud_func_config_list=known.cloud_func_config_list,
                queue_config_list=[*kept, wanted],
                topic_config_list=known.topic_config_list,
            ),
        )
        return True


def _prefix_of(config: QueueConfig) -> str:
    return config.prefix_filter_rule.value if config.prefix_filter_rule is not None else ""
