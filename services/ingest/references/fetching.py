"""Assets that a sample names by an address: fetched into our own store, and then probed as any upload."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.sample import Sample
from services.ingest.references.buckets import S3, Buckets
from services.ingest.references.egress import Egress, HostUnreachableError
from shared.catalog import Catalog
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.uploads import ReferenceAwaited, UploadArrived
from shared.labels.faults import Fault
from shared.ledger import Delivery, Ledger
from shared.media import Media, reference_object
from shared.routes import Reaction

TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0


class References:
    """Fetches what samples name by an address."""

    def __init__(
        self,
        media: Media,
        egress: Egress,
        buckets: Buckets,
        samples: Ledger[Sample],
        catalog: Catalog,
        publish: Callable[[Sequence[Event]], Awaitable[Any]],
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """Make it.

        Args:
            media: The object store: what is fetched goes there, and registered buckets are there.
            egress: Fetches by https.
            buckets: What may be named by s3://.
            samples: Tells which samples still wait.
            catalog: The limits of assets.
            publish: Puts facts into the log and returns once they are there.
            pause_seconds: Between the first tries, where a host does not answer; longer after each.
        """
        self._media = media
        self._egress = egress
        self._buckets = buckets
        self._samples = samples
        self._catalog = catalog
        self._publish = publish
        self._pause_seconds = pause_seconds

    def routes(self) -> list[Reaction]:
        """Return what fetches when an address is awaited."""
        return [Reaction(ReferenceAwaited, self.on_reference_awaited)]

    async def on_reference_awaited(self, deliveries: Sequence[Delivery]) -> None:
        """Fetch for samples that still wait. Done twice, the same object is put twice, and taken once."""
        events = [each.event for each in deliveries if isinstance(each.event, ReferenceAwaited)]
        known = await self._samples.read(list({f"{event.tenant_id}/{event.sample_id}" for event in events}))
        arrived = await asyncio.gather(
            *(self._arrived(event, known.get(f"{event.tenant_id}/{event.sample_id}")) for event in events)
        )
        await self._publish([event for event in arrived if event is not None])

    async def _arrived(self, event: ReferenceAwaited, sample: Sample | None) -> UploadArrived | None:
        if sample is None or sample.missing.get(event.slot) != event.reference_id:
            return None  # it was taken already, or is not wanted any more
        version = self._catalog.version(event.tenant_id, sample.project_id, sample.project_version)
        with tempfile.TemporaryDirectory(prefix="labelmesh-fetch-") as folder:
            path = Path(folder) / "file"
            try:
                limit = version.spec.assets[event.slot].max_bytes
                await self._fetch(event, path, limit, sample.sources[event.slot].etag)
            except MediaRejectedError as error:
                fault = Fault(pointer="/uri", code=error.code, message=error.detail)
                return _told(event, object="", size=0, refused=fault)
            place = reference_object(event.tenant_id, event.sample_id, event.slot, _name_of(event.uri))
            await self._media.put_file(place, path)
            stored = await self._media.find(place)
            if stored is None:
                raise NotFoundError(f"The object {place} was put and is not there.")
            return _told(event, object=place, size=stored.size, version=stored.version, etag=stored.etag)

    async def _fetch(self, event: ReferenceAwaited, path: Path, max_bytes: int | None, etag: str | None) -> None:
        if event.uri.startswith(S3):
            await self._copy(event, path, max_bytes, etag)
            return
        for attempt in range(TRIES):
            try:
                await self._egress.fetch(event.uri, path, max_bytes)
            except HostUnreachableError as error:
                if attempt == TRIES - 1:
                    message = f"The file cannot be fetched: {error}. Send the sample again later, or upload the file."
                    raise MediaRejectedError("unreachable", message) from error
                await asyncio.sleep(self._pause_seconds * 2**attempt)
            else:
                return

    async def _copy(self, event: ReferenceAwaited, path: Path, max_bytes: int | None, etag: str | None) -> None:
        """Copy an object of a registered bucket.

        Raises:
            MediaRejectedError: ``unregistered-bucket``, ``missing-object``, ``replaced-object`` or ``too-many-bytes``.
        """
        name = self._buckets.name(event.tenant_id, event.uri)
        stored = await self._media.find(name)
        if stored is None:
            raise MediaRejectedError("missing-object", f"There is no object at {event.uri}; check the address.")
        if max_bytes is not None and stored.size > max_bytes:
            raise MediaRejectedError("too-many-bytes", f"The object has {stored.size} bytes, more than {max_bytes}.")
        try:
            got = await self._media.get_version(name, path, stored.version)
        except NotFoundError as error:
            raise MediaRejectedError("missing-object", f"The object at {event.uri} was removed meanwhile.") from error
        if etag is not None and got != etag:
            message = f"Another object lies at {event.uri} than the one of this etag; sync again, or leave etag out."
            raise MediaRejectedError("replaced-object", message)


def _told(event: ReferenceAwaited, **about: Any) -> UploadArrived:
    return UploadArrived.caused_by(
        event,
        part=event.slot,
        sample_id=event.sample_id,
        slot=event.slot,
        upload_id=event.reference_id,
        **about,
    )


def _name_of(uri: str) -> str:
    return unquote(urlsplit(uri).path.rsplit("/", 1)[-1])
