"""What ingest does with each event."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.ingest.domain.declarations import require_checksum, require_size
from services.ingest.domain.duplicates import Content, on_content_met, on_content_released
from services.ingest.domain.erasing import (
    Erasure,
    erase,
    on_dataset_affected,
    on_sample_erased,
    on_sample_forgotten,
)
from services.ingest.domain.finding import Preview
from services.ingest.domain.language import detect_languages, wants_languages
from services.ingest.domain.limits import check_limits
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.resemblance import Band, on_image_left, on_image_met
from services.ingest.domain.sample import Sample, arrive, compare, on_replacement_decided, resemble, submit
from services.ingest.domain.upload import (
    Upload,
    on_media_uploaded,
    on_upload_awaited,
    on_upload_lapsed,
    on_upload_refused,
)
from services.ingest.probing import ProbePool
from services.ingest.stripping import serve_stripped
from shared.catalog import Catalog
from shared.declared import Declared
from shared.erasure import erased_key
from shared.errors import NotFoundError
from shared.events.duplicates import ContentCompared, ContentMet, ContentReleased
from shared.events.erasure import DatasetAffected, SampleErased, SampleForgotten
from shared.events.imports import (
    ImportCancelled,
    ImportLineFinished,
    ImportLinesFinished,
    ImportReceived,
    ImportRequested,
    ImportRested,
)
from shared.events.replacements import ReplacementDecided
from shared.events.resemblance import ImageLeft, ImageMet, ImageResembled
from shared.events.samples import SampleSubmitted
from shared.events.uploads import MediaDropped, MediaUploaded, UploadArrived, UploadAwaited, UploadLapsed, UploadRefused
from shared.job_lines import lines_key, on_lines_finished
from shared.jobs import (
    JobPart,
    head_key,
    on_cancelled,
    on_line_finished,
    on_received,
    on_requested,
    on_rested,
    part_key,
)
from shared.labels.faults import Fault
from shared.labels.policies import PiiPolicy
from shared.labels.project import AssetSpec, ProjectSpec
from shared.ledger import Delivery, Ledger, Step
from shared.media import Media, preview_object
from shared.routes import Reaction, Route

LARGE_BYTES: Final = 16 * 1024


def sample_key(event: SampleSubmitted | UploadArrived | ContentCompared | ReplacementDecided | ImageResembled) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def is_large(sample: Sample) -> bool:
    """Return whether a sample holds long texts or records: a thousand such, remembered by the fold, would fill memory."""
    inside = (facts for facts in sample.assets.values() if facts.text is not None or facts.record is not None)
    return sum(facts.size or 0 for facts in inside) > LARGE_BYTES


def upload_key(event: MediaUploaded | UploadAwaited | UploadRefused | UploadLapsed) -> str:
    """Return the id of the upload's document."""
    return f"{event.tenant_id}/{event.upload_id}"


def create_routes(
    samples: Ledger[Sample], uploads: Ledger[Upload], jobs: Ledger[JobPart], catalog: Catalog, media: Media
) -> list[Route | Reaction]:
    """Return the routes of everything that needs no look at media."""

    def on_sample_submitted(sample: Sample | None, event: SampleSubmitted) -> Step[Sample]:
        """Take in a sample. Sent twice, it is ``unchanged``."""
        return submit(sample, event, catalog.version(event.tenant_id, event.project_id, event.project_version).spec)

    async def on_media_dropped(deliveries: Sequence[Delivery]) -> None:
        """Remove the object; done twice, there is nothing left to remove."""
        for delivery in deliveries:
            dropped = delivery.event
            if isinstance(dropped, MediaDropped):
                await media.remove(dropped.object, dropped.version)

    async def prepare(events: Sequence[SampleSubmitted]) -> Sequence[SampleSubmitted]:
        """Add what has to be looked up or takes long."""
        events = await mark_cancelled(events)
        if any(wants_languages(event, catalog) for event in events):
            return await asyncio.to_thread(detect_languages, events, catalog)
        return events

    async def mark_cancelled(events: Sequence[SampleSubmitted]) -> Sequence[SampleSubmitted]:
        """Mark the lines of imports that nobody wants any more."""
        heads = list({f"{event.tenant_id}/{event.job_id}" for event in events if event.job_id is not None})
        cancelled = {id_ for id_, head in (await jobs.read(heads)).items() if head.is_cancelled} if heads else set()
        if not cancelled:
            return events
        return [
            event.model_copy(update={"is_cancelled": f"{event.tenant_id}/{event.job_id}" in cancelled})
            for event in events
        ]

    return [
        Route(SampleSubmitted, samples, on_sample_submitted, sample_key, enrich=prepare, begins=True),
        Route(MediaUploaded, uploads, on_media_uploaded, upload_key),
        Route(UploadAwaited, uploads, on_upload_awaited, upload_key),
        Route(UploadRefused, uploads, on_upload_refused, upload_key),
        Route(UploadLapsed, uploads, on_upload_lapsed, upload_key),
        Reaction(MediaDropped, on_media_dropped),
        Route(ImportRequested, jobs, on_requested, head_key),
        Route(ImportReceived, jobs, on_received, head_key),
        Route(ImportRested, jobs, on_rested, head_key),
        Route(ImportCancelled, jobs, on_cancelled, head_key),
        Route(ImportLineFinished, jobs, on_line_finished, part_key),
        Route(ImportLinesFinished, jobs, on_lines_finished, lines_key),
    ]


def content_key(event: ContentMet | ContentReleased) -> str:
    """Return the id of the content's document."""
    return f"{event.tenant_id}/{event.content_id}"


def create_content_routes(samples: Ledger[Sample], contents: Ledger[Content], catalog: Catalog) -> list[Route]:
    """Return the routes by which samples of one content find each other, and by which one takes another's place."""

    def on_content_compared(sample: Sample | None, event: ContentCompared) -> Step[Sample]:
        """Go on with the sample, link it or reject it, once."""
        return compare(sample, event, _spec_of(catalog, event, sample))

    def on_decided(sample: Sample | None, event: ReplacementDecided) -> Step[Sample]:
        """Begin with other assets, or tell what stands in the way, once."""
        return on_replacement_decided(sample, event, _spec_of(catalog, event, sample))

    return [
        Route(ReplacementDecided, samples, on_decided, sample_key),
        Route(ContentMet, contents, on_content_met, content_key),
        Route(ContentReleased, contents, on_content_released, content_key),
        Route(ContentCompared, samples, on_content_compared, sample_key),
    ]


def band_key(event: ImageMet | ImageLeft) -> str:
    """Return the id of the band's document."""
    return f"{event.tenant_id}/{event.band_id}"


def create_image_routes(samples: Ledger[Sample], bands: Ledger[Band]) -> list[Route]:
    """Return the routes by which images that look alike find each other."""
    return [
        Route(ImageMet, bands, on_image_met, band_key),
        Route(ImageLeft, bands, on_image_left, band_key),
        Route(ImageResembled, samples, resemble, sample_key),
    ]


def create_erasure_routes(samples: Ledger[Sample], erasures: Ledger[Erasure]) -> list[Route]:
    """Return the routes by which samples are forgotten, and by which the job learns of it."""
    return [
        Route(SampleErased, samples, erase, erased_key),
        Route(SampleErased, erasures, on_sample_erased, head_key),
        Route(SampleForgotten, erasures, on_sample_forgotten, head_key),
        Route(DatasetAffected, erasures, on_dataset_affected, head_key),
    ]


def create_media_routes(samples: Ledger[Sample], catalog: Catalog, prober: Prober) -> list[Route]:
    """Return the route that looks at media; in a group of its own, so that it keeps nobody waiting."""

    def on_upload_arrived(sample: Sample | None, event: UploadArrived) -> Step[Sample]:
        """Take in what the probe found. The slot that has its facts already keeps them."""
        return arrive(sample, event, _spec_of(catalog, event, sample))

    async def look(events: Sequence[UploadArrived]) -> Sequence[UploadArrived]:
        known = await samples.read(list({sample_key(event) for event in events}))
        return await asyncio.gather(*(_look(event, known.get(sample_key(event)), catalog, prober) for event in events))

    return [Route(UploadArrived, samples, on_upload_arrived, sample_key, enrich=look)]


class Prober:
    """Fetches an object and has a worker process look at it."""

    def __init__(self, media: Media, pool: ProbePool, fetches: int = 4) -> None:
        self._media = media
        self._pool = pool
        self._slots = asyncio.Semaphore(fetches)

    async def look(self, event: UploadArrived, slot: AssetSpec, pii: PiiPolicy | None = None) -> UploadArrived:
        """Return the event with the facts of its object, or with the reason why it cannot be used.

        The previews of what the slot takes are in the store when this returns.

        Raises:
            UnavailableError: No worker can look at it now; the batch is tried again.
        """
        declared = Declared.of(event.object)
        async with self._slots:
            with tempfile.TemporaryDirectory(prefix="labelmesh-probe-") as folder:
                path = Path(folder) / "file"  # the name the client gave stays out of our file system
                try:
                    await self._fetch(event, path)
                    found = await self._pool.probe(
                        path, slot.modality, event.object.rsplit("/", 1)[-1], declared.media_type, pii
                    )
                    require_checksum(declared, found.sha256)
                    if check_limits(slot, found.facts):
                        return event.model_copy(update={"facts": found.facts})
                    facts = found.facts
                    if slot.exif != "keep":
                        facts = await serve_stripped(self._media, event, path, facts)
                except MediaRejectedError as error:
                    fault = Fault(pointer="", code=error.code, message=error.detail)
                    return event.model_copy(update={"fault": fault})
        facts = facts.model_copy(update={"previews": await self._keep(event, found.previews) or None})
        return event.model_copy(update={"facts": facts, "pii": list(found.pii), "is_masked": found.is_masked})

    async def _keep(self, event: UploadArrived, previews: Sequence[Preview]) -> dict[str, str]:
        """Store previews and return their objects; made again, they are the same objects again."""
        kept = {
            preview.name: preview_object(event.tenant_id, event.sample_id, event.slot, preview.filename)
            for preview in previews
        }
        for preview in previews:
            await self._media.put(kept[preview.name], preview.content, preview.media_type)
        return kept

    async def _fetch(self, event: UploadArrived, path: Path) -> None:
        """Get the very bytes that were told of.

        Raises:
            MediaRejectedError: ``upload-lapsed``, ``wrong-size``, ``missing-object`` or ``replaced-object``.
        """
        if event.lapsed:
            raise MediaRejectedError(
                "upload-lapsed",
                "The upload was given up: its file did not come in time, or no sample needed it for long; upload it again.",
            )
        require_size(Declared.of(event.object), event.size)
        try:
            etag = await self._media.get_version(event.object, path, event.version)
        except NotFoundError as error:
            raise MediaRejectedError(
                "missing-object", "The uploaded file is not in the store any more; upload it again."
            ) from error
        if event.etag and etag != event.etag:
            raise MediaRejectedError(
                "replaced-object",
                "Another file was put over the uploaded one, so which was meant is unknown; upload it under a new address.",
            )


async def _look(event: UploadArrived, sample: Sample | None, catalog: Catalog, prober: Prober) -> UploadArrived:
    spec = _spec_of(catalog, event, sample)
    if sample is None or spec is None or sample.missing.get(event.slot) != event.upload_id:
        return event  # the sample has it already, or does not want it any more
    if event.refused is not None:
        return event.model_copy(update={"fault": event.refused})
    return await prober.look(event, spec.assets[event.slot], spec.pii_of(event.slot))


def _spec_of(
    catalog: Catalog, event: UploadArrived | ContentCompared | ReplacementDecided, sample: Sample | None
) -> ProjectSpec | None:
    if sample is None:
        return None
    return catalog.version(event.tenant_id, sample.project_id, sample.project_version).spec
