"""What is looked after from time to time: lost notifications, uploads that stay half, prefixes that are followed."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.ingest import store
from services.ingest.notifications import write_notification
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.errors import NotFoundError
from shared.events.imports import ImportContinued, ImportReceived
from shared.events.uploads import MediaUploaded, UploadLapsed
from shared.ids import derived_id
from shared.jobs import Follow, JobPart
from shared.kafka import Producer
from shared.labels.faults import Fault
from shared.media import Media, find_upload
from shared.mongo import Database


class Sweep:
    """Goes through the uploads, a bounded number each time. Replicas may do so at the same time."""

    def __init__(
        self,
        database: Database,
        media: Media,
        producer: Producer,
        catalog: Catalog,
        clock: Clock,
        kept: timedelta,
    ) -> None:
        """Prepare it.

        Args:
            database: Ingest's.
            media: The object store.
            producer: Where what was found is told.
            catalog: The versions of projects.
            clock: The present time.
            kept: How long an upload may be half: in quarantine, or awaited.
        """
        self._database = database
        self._media = media
        self._producer = producer
        self._catalog = catalog
        self._clock = clock
        self._kept = kept
        self._after = ""

    async def find_unnoticed(self) -> None:
        """Look for objects whose notification was lost, and put it on the topic in the store's stead.

        Goes on where the last call ended, so that uploads which never come keep nobody from being found.
        """
        awaited = await store.awaited_uploads(self._database, self._after)
        for upload in awaited:
            found = await find_upload(self._media, upload.tenant_id, upload.upload_id)
            if found is not None:
                await self._producer.raw(MediaUploaded.topic, write_notification(found), found.name.encode(), [])
        self._after = awaited[-1].document_id if len(awaited) == store.SWEEP_LIMIT else ""

    async def list_again(self) -> None:
        """Begin the next listing of prefixes that are followed, under the newest version of their projects.

        Begun twice, it is listed once; a listing that takes long is begun again, to no effect, until it is through.
        """
        now = self._clock()
        due = await store.due_listings(self._database, to_ms(now))
        begun = [
            next_listing(each.tenant_id, each.head, each.head.follow, self._catalog, now)
            for each in due
            if each.head.follow
        ]
        if begun:
            await self._producer.publish(begun)

    async def let_lapse(self) -> None:
        """Tell of uploads that have been half for too long; the fold decides whether they still are."""
        now = self._clock()
        halves = await store.half_uploads(self._database, to_ms(now - self._kept))
        lapsed = [
            UploadLapsed(
                event_id=derived_id("upload-lapsed", half.tenant_id, half.upload_id, str(half.since_ms)),
                tenant_id=half.tenant_id,
                occurred_at=now,
                upload_id=half.upload_id,
                since_ms=half.since_ms,
            )
            for half in halves
        ]
        if lapsed:
            await self._producer.publish(lapsed)


def next_listing(
    tenant_id: str, head: JobPart, follow: Follow, catalog: Catalog, now: datetime
) -> ImportContinued | ImportReceived:
    """Return what begins a listing, or ends the import where its project is gone."""
    listing = str(follow.cursor.listing)
    known = {
        "event_id": derived_id("list-again", tenant_id, head.job_id, listing),
        "tenant_id": tenant_id,
        "occurred_at": now,
        "job_id": head.job_id,
        "project_id": head.project_id,
    }
    try:
        version = catalog.latest(tenant_id, head.project_id).number
    except NotFoundError as error:
        fault = Fault(pointer="", code="project-gone", message=error.detail)
        return ImportReceived(**known, lines=follow.cursor.total, last_line=follow.cursor.line, fault=fault)
    return ImportContinued(
        **known,
        project_version=version,
        source=follow.source,
        on_conflict=follow.on_conflict,
        due_at=follow.due_at,
        cursor=follow.cursor,
    )
