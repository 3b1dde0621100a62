"""Ingest: the one place that knows its parts, and wires them."""

from __future__ import annotations

from datetime import timedelta

from services.ingest import store
from services.ingest.api import create_router
from services.ingest.domain.duplicates import Content
from services.ingest.domain.erasing import Erasure, after_erasure
from services.ingest.domain.resemblance import Band
from services.ingest.domain.sample import Sample
from services.ingest.domain.upload import Upload
from services.ingest.handlers import (
    Prober,
    create_content_routes,
    create_erasure_routes,
    create_image_routes,
    create_media_routes,
    create_routes,
    is_large,
)
from services.ingest.imports.noticing import Noticing
from services.ingest.imports.prefixes import PrefixReader
from services.ingest.imports.reading import FileImports
from services.ingest.notifications import read_notifications_of
from services.ingest.probing import ProbePool
from services.ingest.references.buckets import Buckets
from services.ingest.references.egress import Egress
from services.ingest.references.fetching import References
from services.ingest.references.watching import Watching
from services.ingest.settings import IngestSettings
from services.ingest.sweep import Sweep
from shared.clock import utc_now
from shared.events.uploads import MediaUploaded
from shared.job_errors import MongoJobErrors
from shared.job_lines import told_together
from shared.jobs import REMEMBERED_EVENTS, JobPart
from shared.service import Service

FETCHES_AT_ONCE = 8
LOOK_EVERY = timedelta(seconds=1)
WATCH_EVERY = timedelta(minutes=5)


def create_service(settings: IngestSettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service("ingest", settings, settings.ingest_port)
    samples = service.ledger(
        store.SAMPLES,
        Sample,
        after_erasure=after_erasure,
        is_large=is_large,
        without_none=True,
        together=told_together,
    )
    uploads = service.ledger(store.UPLOADS, Upload)
    jobs = service.ledger(store.JOBS, JobPart, remembers=REMEMBERED_EVENTS)
    pool = ProbePool(workers=settings.ingest_probe_workers, time_limit=timedelta(seconds=settings.ingest_probe_seconds))

    quarantine = timedelta(days=settings.ingest_quarantine_days)
    sweep = Sweep(service.database, service.media, service.producer, service.catalog, utc_now, quarantine)
    erasures = service.ledger(store.ERASURE_JOBS, Erasure)
    errors = MongoJobErrors(service.database)
    eraser = service.eraser("ingest", store.Remains(service.database, service.media, errors).remove)
    buckets = Buckets(settings.buckets)
    notices = store.MongoNotices(service.database)
    settles = timedelta(seconds=settings.ingest_settle_seconds)
    noticing = Noticing(notices, buckets, jobs, service.catalog, service.producer.publish, utc_now, settles)
    service.consume(
        *create_erasure_routes(samples, erasures),
        *create_content_routes(samples, service.ledger(store.CONTENTS, Content), service.catalog),
        *create_image_routes(samples, service.ledger(store.BANDS, Band)),
        *create_routes(samples, uploads, jobs, service.catalog, service.media),
        *noticing.routes(),
        eraser.reaction(),
        raw_topics={MediaUploaded.topic: read_notifications_of(buckets)},
    )
    service.consume(*create_media_routes(samples, service.catalog, Prober(service.media, pool)), group="ingest-media")
    imports = FileImports(
        service.media,
        PrefixReader(service.media, buckets, store.MongoToldBefore(service.database), utc_now),
        jobs,
        store.MongoProgress(service.database),
        service.catalog,
        service.producer.publish,
        notices.forget,
        settings.max_line_bytes,
    )
    service.consume(*imports.routes(), group="ingest-imports", batch_records=1)
    references = References(
        service.media,
        Egress(settings.egress),
        buckets,
        samples,
        service.catalog,
        service.producer.publish,
    )
    service.consume(*references.routes(), group="ingest-references", batch_records=FETCHES_AT_ONCE)
    service.at_start(lambda: store.ensure_indexes(service.database))
    service.at_start(errors.ensure_indexes)
    service.at_stop(pool.close)
    interval = timedelta(seconds=settings.ingest_sweep_seconds)
    service.every(interval, "search for unnoticed uploads", sweep.find_unnoticed)
    service.every(interval, "lapse of uploads", sweep.let_lapse)
    service.every(LOOK_EVERY, "look at noticed objects", noticing.look_at_quiet)
    service.every(WATCH_EVERY, "watch over registered buckets", Watching(service.media.client, buckets).watch)
    service.every(interval, "listing of followed prefixes", sweep.list_again)
    service.app.include_router(
        create_router(service.caller, samples, uploads, jobs, errors, erasures, service.media, service.catalog)
    )
    return service
