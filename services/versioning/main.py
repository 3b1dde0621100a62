"""Versioning: the one place that knows its parts, and wires them."""

from __future__ import annotations

from datetime import timedelta

from services.versioning import store
from services.versioning.api import create_router
from services.versioning.binding import BoundProjects
from services.versioning.datasets import Datasets
from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.export import Export
from services.versioning.domain.label_row import LabelRow
from services.versioning.domain.project import Project
from services.versioning.domain.taxonomy import KeptTaxonomy
from services.versioning.erasing import HeldSamples
from services.versioning.exporting import Exporter
from services.versioning.freezing import Freezer
from services.versioning.handlers import create_job_routes, create_routes
from services.versioning.settings import VersioningSettings
from shared.clock import utc_now
from shared.service import Service


def create_service(settings: VersioningSettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service("versioning", settings, settings.versioning_port)
    queries = store.MongoVersioningStore(service.database)
    jobs = service.ledger(store.DATASET_JOBS, DatasetJob)
    datasets = service.ledger(store.DATASETS, Dataset)
    tags = service.ledger(store.TAGS, Tag)
    exports = service.ledger(store.EXPORTS, Export)
    found = Datasets(datasets, tags, service.media)
    freezer = Freezer(
        queries,
        jobs,
        service.media,
        service.catalog,
        utc_now,
        batch_rows=settings.versioning_batch_rows,
        patience=timedelta(seconds=settings.versioning_facts_seconds),
    )
    exporter = Exporter(found, exports, service.media, service.catalog)
    rows = service.ledger(store.LABEL_ROWS, LabelRow)
    routes = create_routes(
        projects=service.ledger(store.PROJECTS, Project),
        taxonomies=service.ledger(store.TAXONOMIES, KeptTaxonomy, in_thread=True),
        rows=rows,
        jobs=jobs,
        datasets=datasets,
        tags=tags,
        exports=exports,
        partitions=settings.partitions,
        bound=BoundProjects(service.catalog, service.catalog_reader.sync),
        held=HeldSamples(queries, rows),
    )
    service.consume(*routes, service.eraser("versioning", queries.remove).reaction())
    service.consume(*create_job_routes(jobs, exports, freezer, exporter), group="versioning-jobs", batch_records=1)
    service.at_start(lambda: store.ensure_indexes(service.database))
    service.app.include_router(create_router(service.caller, service.media, queries, found, jobs, exports))
    return service
