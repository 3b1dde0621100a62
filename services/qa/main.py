"""QA: the one place that knows its parts, and wires them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.qa import store
from services.qa.api import create_router
from services.qa.consistency import Counters, create_consistency_router
from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.consistency import ConsistencyCount
from services.qa.domain.sample import JudgedSample
from services.qa.handlers import create_routes, create_tally_routes
from services.qa.settings import QaSettings
from services.qa.skills import Skills
from shared.consumer import TALLY_EVERY
from shared.service import Service


def create_service(settings: QaSettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service("qa", settings, settings.qa_port)

    async def read_annotators(ids: Sequence[str]) -> Mapping[str, AssessedAnnotator]:
        return await annotators.read(ids)

    skills = Skills(read_annotators, timedelta(seconds=settings.qa_skill_seconds))
    samples = service.ledger(store.SAMPLES, JudgedSample, in_thread=True)  # judging matches items, milliseconds each
    annotators = service.ledger(
        store.ANNOTATORS, AssessedAnnotator, on_saved=skills.learn, remembers=store.REMEMBERED_ASSESSMENTS
    )
    consistency = service.ledger(store.CONSISTENCY, ConsistencyCount, remembers=store.REMEMBERED_MEASUREMENTS)
    service.consume(*create_routes(samples, service.catalog, skills), service.eraser("qa").reaction())
    tallies = create_tally_routes(annotators, consistency)
    service.consume(*tallies, group="qa-tallies", batch_every=TALLY_EVERY)
    service.at_start(lambda: store.ensure_indexes(service.database))
    queries = store.MongoQaQueries(service.database)
    service.app.include_router(create_router(service.caller, queries, service.catalog, settings.qa_report_samples))
    counters = Counters(consistency, settings.partitions)
    service.app.include_router(create_consistency_router(service.caller, queries, counters, service.catalog))
    return service
