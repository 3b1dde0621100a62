"""The annotation store: the one place that knows its parts, and wires them."""

from __future__ import annotations

from datetime import timedelta

from services.annotation_store import store
from services.annotation_store.api import create_router
from services.annotation_store.checking import Checker
from services.annotation_store.domain.annotation import Annotation, Review
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.migration import MigrationChunk, MigrationJob
from services.annotation_store.domain.recheck import Recheck
from services.annotation_store.domain.surplus import Surplus
from services.annotation_store.handlers import (
    Barriers,
    create_check_routes,
    create_migration_routes,
    create_routes,
    create_scan_routes,
)
from services.annotation_store.migrating import MigrationScan, Stragglers
from services.annotation_store.migration_jobs import MigrationJobs
from services.annotation_store.migrations_api import create_migrations_router
from services.annotation_store.reading import Reader
from services.annotation_store.settings import AnnotationStoreSettings
from services.annotation_store.vocabulary import CatalogVocabulary
from shared.clock import utc_now
from shared.job_errors import MongoJobErrors
from shared.jobs import REMEMBERED_EVENTS, JobPart
from shared.service import Service


def create_service(settings: AnnotationStoreSettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service("annotation_store", settings, settings.annotation_store_port)
    annotations = service.ledger(store.ANNOTATIONS, Annotation)
    reviews = service.ledger(store.REVIEWS, Review)
    labels = service.ledger(store.LABELS, SampleLabel)
    surplus = service.ledger(store.SURPLUS, Surplus)
    drafts = store.MongoDrafts(service.database)
    barriers = Barriers(store.MongoCuts(service.database), service.producer.publish)
    migrations = service.ledger(store.MIGRATIONS, MigrationJob)
    jobs = service.ledger(store.JOBS, JobPart, remembers=REMEMBERED_EVENTS)
    migration_jobs = MigrationJobs(migrations, jobs, MongoJobErrors(service.database))
    queries = store.MongoAnnotationQueries(service.database)
    scan = MigrationScan(queries, queries, labels, service.catalog)
    known = CatalogVocabulary(service.catalog)
    service.consume(
        *create_routes(annotations, reviews, labels, surplus, drafts, barriers, known, scan),
        *create_migration_routes(migrations, jobs),
        service.eraser("annotation_store", store.Remains(service.database).remove).reaction(),
    )
    chunks = service.ledger(store.MIGRATION_CHUNKS, MigrationChunk)
    service.consume(*create_scan_routes(chunks, scan), group="annotation_store-migrations", batch_records=1)
    stragglers = Stragglers(queries, migration_jobs, service.catalog, service.producer.publish, utc_now)

    async def send_stragglers() -> None:
        await stragglers.send()

    service.every(timedelta(minutes=1), "send labels after migrations", send_stragglers)
    rechecks = service.ledger(store.RECHECKS, Recheck, remembers=store.REMEMBERED_CHECKS)
    checker = Checker(labels, queries, service.catalog)
    service.consume(*create_check_routes(labels, rechecks, checker, service.catalog), group="annotation_store-rules")
    service.at_start(lambda: store.ensure_indexes(service.database))
    reader = Reader(annotations, labels, surplus, rechecks, migration_jobs, queries, service.catalog)
    service.app.include_router(create_router(service.caller, reader, drafts, settings.annotation_store_draft_bytes))
    service.app.include_router(create_migrations_router(service.caller, queries, migration_jobs))
    return service
