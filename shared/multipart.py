"""Uploads in parts, for files that are too large to be sent again from their beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from minio.datatypes import Part
from minio.error import S3Error

from shared.media import Media, split_name

PARTS_FROM = 64 * 1024 * 1024
"""Bytes above which a file is uploaded in parts."""
_SMALLEST_PART = 16 * 1024 * 1024
_MOST_PARTS = 200
_PAGE = 1000


class PartLink(NamedTuple):
    """Where one part is PUT: bytes ``(number - 1) * part_size`` and so on, ``size`` of them."""

    number: int
    size: int
    url: str


def part_size_of(size: int) -> int:
    """Return the bytes of each part but the last, in whole MiB, so that there are at most 200 parts."""
    mebibyte = 1024 * 1024
    return max(_SMALLEST_PART, -(-size // (_MOST_PARTS * mebibyte)) * mebibyte)


def sizes_of(size: int) -> dict[int, int]:
    """Return the bytes of each part of a file, by its number from 1."""
    each = part_size_of(size)
    whole, rest = divmod(size, each)
    return dict.fromkeys(range(1, whole + 1), each) | ({whole + 1: rest} if rest else {})


class Multipart:
    """S3's multipart uploads: begun here, filled by clients through signed links, completed here.

    The store forgets what is not completed: MinIO by itself after 24 hours, others by a lifecycle rule.
    """

    def __init__(self, media: Media) -> None:
        self._media = media

    async def begin(self, object_name: str) -> str:
        """Begin an upload and return the store's id of it."""
        bucket, key = split_name(object_name)
        # The SDK has no public way to let others send the parts.
        return await asyncio.to_thread(self._media.client._create_multipart_upload, bucket, key, {})

    async def links(
        self, object_name: str, store_id: str, sizes: Mapping[int, int], lifetime: timedelta
    ) -> list[PartLink]:
        """Return a signed address for each part."""
        bucket, key = split_name(object_name)

        def sign() -> list[PartLink]:
            return [
                PartLink(
                    number,
                    size,
                    self._media.signer.get_presigned_url(
                        "PUT",
                        bucket,
                        key,
                        expires=lifetime,
                        extra_query_params={"partNumber": str(number), "uploadId": store_id},
                    ),
                )
                for number, size in sizes.items()
            ]

        return await asyncio.to_thread(sign)

    async def arrived(self, object_name: str, store_id: str) -> dict[int, Part] | None:
        """Return the parts that the store has, by number; None where it knows of no such upload (any more)."""
        bucket, key = split_name(object_name)

        def fetch() -> dict[int, Part]:
            found: dict[int, Part] = {}
            marker: str | None = None
            while True:
                page = self._media.client._list_parts(bucket, key, store_id, max_parts=_PAGE, part_number_marker=marker)
                found |= {part.part_number: part for part in page.parts}
                if not page.is_truncated:
                    return found
                marker = str(page.next_part_number_marker)

        try:
            return await asyncio.to_thread(fetch)
        except S3Error as error:
            if error.code == "NoSuchUpload":
                return None
            raise

    async def complete(self, object_name: str, store_id: str, parts: Sequence[Part]) -> None:
        """Make one object of the parts; the store tells of it as of any other."""
        bucket, key = split_name(object_name)
        await asyncio.to_thread(self._media.client._complete_multipart_upload, bucket, key, store_id, list(parts))
