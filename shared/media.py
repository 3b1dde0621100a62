"""The object store: MinIO's synchronous client behind threads, links that clients can follow, claim checks."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from datetime import timedelta
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import S3Error, ServerError

from shared.clock import to_ms
from shared.errors import NotFoundError
from shared.labels.facts import AssetFacts
from shared.settings import SharedSettings

MEDIA_BUCKET = "media"
DATASET_BUCKET = "datasets"
EXPORT_BUCKET = "exports"
PREVIEW_BUCKET = "previews"
CLAIM_CHECK_BUCKET = "claim-checks"
BUCKETS = (MEDIA_BUCKET, PREVIEW_BUCKET, DATASET_BUCKET, EXPORT_BUCKET, CLAIM_CHECK_BUCKET)
NOTIFICATION_TARGET = "arn:minio:sqs::LABELMESH:kafka"
"""MinIO's name for the Kafka target that its ``MINIO_NOTIFY_KAFKA_*_LABELMESH`` settings describe."""

LINK_LIFETIME = timedelta(hours=2)
LINK_KEPT = timedelta(minutes=1)
"""For how long the same link is given again; its lifetime is shorter by as much."""
MAX_LINKS = 20_000
PART_BYTES = 8 * 1024 * 1024
"""So much of an object of unknown length is held in memory at a time."""
_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchBucket", "NoSuchVersion"})


class Media:
    """Objects in buckets. Every call that reaches the network runs in a thread."""

    def __init__(self, settings: SharedSettings) -> None:
        credentials: dict[str, Any] = {
            "access_key": settings.minio_access_key.get_secret_value(),
            "secret_key": settings.minio_secret_key.get_secret_value(),
            "region": settings.minio_region,
        }
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=3, read=20), maxsize=16, retries=urllib3.Retry(total=1, backoff_factor=0.2)
        )
        self._client = Minio(settings.minio_endpoint, secure=settings.minio_secure, http_client=pool, **credentials)
        public = urlsplit(settings.media_public_url)
        # A presigned link signs its host, so the address that clients reach must be the one that signs.
        self._signer = Minio(public.netloc, secure=public.scheme == "https", **credentials)
        self._links = KeptLinks(time.monotonic)

    @property
    def client(self) -> Minio:
        """The SDK's client at the address that services reach; its calls wait for the network."""
        return self._client

    @property
    def signer(self) -> Minio:
        """The SDK's client that signs for the address that clients reach; it makes no calls."""
        return self._signer

    def link(self, object_name: str, version: str | None = None, lifetime: timedelta = LINK_LIFETIME) -> str:
        """Return a signed address for GET of ``bucket/key``; made here, without asking the store."""
        bucket, key = split_name(object_name)
        return str(self._signer.presigned_get_object(bucket, key, expires=lifetime, version_id=version))

    def asset_link(self, facts: AssetFacts, lifetime: timedelta = LINK_LIFETIME) -> str:
        """Return a signed address for GET of an asset's original.

        The bytes are those that were probed, and are served as what the probe found: whoever uploaded them may have
        called a picture a web page. A link that was made in the last minute is given again, so that the annotators of
        one task cost one signature.

        Raises:
            NotFoundError: It has none, for it came inside its sample.
        """
        if facts.object is None:
            raise NotFoundError("The asset came inside its sample and has no file of its own.")
        bucket, key = split_name(facts.object)
        media_type = facts.media_type or "application/octet-stream"
        headers: dict[str, str | list[str] | tuple[str]] = {"response-content-type": media_type}
        return self._links.get(
            (facts.object, facts.version, media_type, lifetime),
            lambda: self._signer.presigned_get_object(
                bucket, key, expires=lifetime, version_id=facts.version, response_headers=headers
            ),
        )

    def upload_link(self, object_name: str, lifetime: timedelta = LINK_LIFETIME) -> str:
        """Return a signed address for PUT of ``bucket/key``."""
        bucket, key = split_name(object_name)
        return str(self._signer.presigned_put_object(bucket, key, expires=lifetime))

    async def size(self, object_name: str) -> int | None:
        """Return the object's size in bytes, None where there is no such object."""
        bucket, key = split_name(object_name)
        try:
            return int((await asyncio.to_thread(self._client.stat_object, bucket, key)).size or 0)
        except S3Error as error:
            if error.code in _ABSENT:
                return None
            raise

    async def put(self, object_name: str, content: bytes, media_type: str = "application/octet-stream") -> None:
        """Write an object from memory."""
        bucket, key = split_name(object_name)
        await asyncio.to_thread(
            self._client.put_object, bucket, key, BytesIO(content), len(content), content_type=media_type
        )

    async def put_file(self, object_name: str, path: Path, media_type: str = "application/octet-stream") -> None:
        """Write an object from a file, in parts where it is large."""
        bucket, key = split_name(object_name)
        await asyncio.to_thread(self._client.fput_object, bucket, key, str(path), content_type=media_type)

    async def put_stream(self, object_name: str, chunks: AsyncIterator[bytes], media_type: str) -> None:
        """Write an object of unknown length as it comes, in bounded memory; nothing is written when it breaks off."""
        bucket, key = split_name(object_name)
        source: Any = _Incoming(chunks, asyncio.get_running_loop())
        await asyncio.to_thread(
            self._client.put_object, bucket, key, source, -1, content_type=media_type, part_size=PART_BYTES
        )

    async def find(self, object_name: str, version: str | None = None) -> StoredObject | None:
        """Return what the store knows of a version of an object (the newest where None), None where there is none."""
        bucket, key = split_name(object_name)
        try:
            found = await asyncio.to_thread(self._client.stat_object, bucket, key, version_id=version)
        except S3Error as error:
            if error.code in _ABSENT:
                return None
            raise
        return _stored(bucket, found)

    def read_range(self, stored: StoredObject, offset: int, length: int) -> bytes:
        """Return at most ``length`` bytes of an object from ``offset`` on; blocks, so call it in a thread.

        Raises:
            NotFoundError: The object is gone, or another one lies there now.
        """
        length = min(length, stored.size - offset)
        if length <= 0:
            return b""
        bucket, key = split_name(stored.name)
        try:
            response = self._client.get_object(
                bucket,
                key,
                offset=offset,
                length=length,
                version_id=stored.version,
                request_headers={"If-Match": f'"{stored.etag}"'},
            )
        except S3Error as error:
            if error.code in _ABSENT or error.code == "PreconditionFailed":
                raise NotFoundError(f"The object {stored.name} is not there any more as it was.") from error
            raise
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    async def get(self, object_name: str) -> bytes:
        """Return an object's bytes; for objects that are known to fit in memory.

        Raises:
            NotFoundError: There is no such object (any more).
        """
        try:
            return await asyncio.to_thread(lambda: b"".join(self._chunks(object_name)))
        except S3Error as error:
            if error.code in _ABSENT:
                raise NotFoundError(f"There is no object {object_name}; it may have been removed.") from error
            raise

    async def get_file(self, object_name: str, path: Path) -> None:
        """Write an object's bytes to ``path``; see ``get_version``."""
        await self.get_version(object_name, path, None)

    async def get_version(self, object_name: str, path: Path, version: str | None) -> str:
        """Write the bytes of one version of an object (the newest where None) to ``path`` and return its entity tag.

        Raises:
            NotFoundError: There is no such object or version (any more).
        """
        bucket, key = split_name(object_name)
        try:
            found = await asyncio.to_thread(self._client.fget_object, bucket, key, str(path), version_id=version)
        except S3Error as error:
            if error.code in _ABSENT:
                raise NotFoundError(f"There is no object {object_name}; it may have been removed.") from error
            raise
        return (found.etag or "").strip('"')

    async def list(self, prefix: str, limit: int, after: str = "") -> list[StoredObject]:
        """Return at most ``limit`` objects whose ``bucket/key`` begins with ``prefix``, in the order of their keys.

        Args:
            prefix: What the names begin with.
            limit: How many to return at most.
            after: The key after which to begin.

        Raises:
            NotFoundError: There is no such bucket, or we may not look into it.
        """
        bucket, key = split_name(prefix)

        def fetch() -> list[StoredObject]:
            listed = self._client.list_objects(bucket, prefix=key, recursive=True, start_after=after or None)
            return [_stored(bucket, each) for each in islice(listed, limit)]

        try:
            return await asyncio.to_thread(fetch)
        except S3Error as error:
            if error.code in _ABSENT | {"AccessDenied"}:
                raise NotFoundError(f"The bucket {bucket} cannot be listed: {error.code}.") from error
            raise

    async def versions(self, prefix: str) -> Sequence[StoredObject]:
        """Return every version of the objects whose ``bucket/key`` begins with ``prefix``, the oldest first."""
        bucket, key = split_name(prefix)

        def fetch() -> list[StoredObject]:
            found = self._client.list_objects(bucket, prefix=key, recursive=True, include_version=True)
            oldest_first = sorted(found, key=lambda each: each.last_modified)
            return [_stored(bucket, each) for each in oldest_first if not each.is_delete_marker]

        return await asyncio.to_thread(fetch)

    async def remove(self, object_name: str, version: str | None = None) -> None:
        """Remove one version of an object, or all of it; it is no error when it is not there.

        Where a bucket keeps versions, a plain removal would hide the bytes and keep them.
        """
        bucket, key = split_name(object_name)

        def remove() -> None:
            versions = [version] if version else [None]
            if version is None:
                listed = self._client.list_objects(bucket, prefix=key, recursive=True, include_version=True)
                versions = [each.version_id for each in listed if each.object_name == key]
            for each in versions:
                self._client.remove_object(bucket, key, version_id=each)

        await asyncio.to_thread(remove)

    async def ping(self) -> None:
        """Raise when the store does not answer."""
        await asyncio.to_thread(self._client.bucket_exists, MEDIA_BUCKET)

    def _chunks(self, object_name: str) -> Iterator[bytes]:
        bucket, key = split_name(object_name)
        response = self._client.get_object(bucket, key)
        try:
            yield from response.stream(1 << 20)
        finally:
            response.close()
            response.release_conn()


class KeptLinks:
    """Links that were signed a moment ago."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock that tells seconds and never goes back."""
        self._clock = clock
        self._links: OrderedDict[Hashable, tuple[float, str]] = OrderedDict()

    def get(self, what: Hashable, sign: Callable[[], str]) -> str:
        """Return the link to ``what`` if it is not older than ``LINK_KEPT``, else sign one."""
        now = self._clock()
        until, link = self._links.get(what, (now, ""))
        if until > now:
            return link
        link = sign()
        self._links.pop(what, None)
        self._links[what] = (now + LINK_KEPT.total_seconds(), link)
        if len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)
        return link


class _Incoming:
    """Chunks of an event loop as a file that is read in another thread."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        while not self._rest:
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if chunk is None:
                return b""
            self._rest = chunk
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    async def _next(self) -> bytes | None:
        return await anext(self._chunks, None)


class StoredObject(NamedTuple):
    """An object as a listing tells of it."""

    name: str
    size: int
    etag: str
    version: str | None = None
    modified_ms: int = 0
    """When it came to lie there, by the store's clock, in milliseconds since 1970."""


async def find_upload(media: Media, tenant_id: str, upload_id: str) -> StoredObject | None:
    """Return the object that came first under an upload's address, None while there is none."""
    found = await media.versions(f"{MEDIA_BUCKET}/{tenant_id}/uploads/{upload_id}/")
    return found[0] if found else None


def _stored(bucket: str, found: Any) -> StoredObject:
    version = found.version_id if found.version_id != "null" else None  # what lay there before versions were kept
    return StoredObject(
        f"{bucket}/{found.object_name}",
        int(found.size or 0),
        (found.etag or "").strip('"'),
        version or None,
        0 if found.last_modified is None else to_ms(found.last_modified),
    )


def is_transient(error: BaseException) -> bool:
    """Return whether the object store may answer the same call later."""
    return isinstance(error, urllib3.exceptions.HTTPError | ServerError) or (
        isinstance(error, S3Error) and error.code in {"SlowDown", "InternalError", "ServiceUnavailable"}
    )


def split_name(object_name: str) -> tuple[str, str]:
    """Split ``bucket/key`` at the first slash."""
    bucket, _, key = object_name.partition("/")
    return bucket, key


def upload_object(tenant_id: str, upload_id: str, filename: str, declared: str = "") -> str:
    """Return ``media/<tenant>/uploads/<upload id>/[<declared>/]<file name>``.

    The name is kept only as far as it is harmless. What the client declared of the file is as ``Declared`` writes it.
    """
    folder = f"{MEDIA_BUCKET}/{tenant_id}/uploads/{upload_id}" + (f"/{declared}" if declared else "")
    return f"{folder}/{_harmless(filename)}"


def _harmless(filename: str) -> str:
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in filename)
    return safe.lstrip(".")[-100:] or "file"


def preview_object(tenant_id: str, sample_id: str, slot: str, filename: str) -> str:
    """Return ``previews/<tenant>/<sample id>/<slot>/<file name>``: all of a sample's lie under one prefix."""
    return f"{PREVIEW_BUCKET}/{tenant_id}/{sample_id}/{slot}/{filename}"


def import_object(tenant_id: str, job_id: str) -> str:
    """Return where a table that came as a body waits to be imported."""
    return f"{MEDIA_BUCKET}/{tenant_id}/imports/{job_id}"


def reference_object(tenant_id: str, sample_id: str, slot: str, filename: str) -> str:
    """Return where a file lies that a sample names by its address."""
    return f"{MEDIA_BUCKET}/{tenant_id}/references/{sample_id}/{slot}/{_harmless(filename)}"


def stripped_object(tenant_id: str, sample_id: str, slot: str, original: str) -> str:
    """Return where the copy of an image lies that is served in its stead; ``original`` is ``bucket/key`` of that."""
    return reference_object(tenant_id, sample_id, slot, f"stripped-{original.rpartition('/')[2]}")


def sample_prefixes(tenant_id: str, sample_id: str) -> list[str]:
    """Return what the names of a sample's own objects begin with, its uploads aside."""
    return [f"{PREVIEW_BUCKET}/{tenant_id}/{sample_id}/", f"{MEDIA_BUCKET}/{tenant_id}/references/{sample_id}/"]
