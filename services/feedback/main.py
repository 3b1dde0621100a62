"""Feedback: the one place that knows its parts, and wires them."""

from __future__ import annotations

from services.feedback import store
from services.feedback.api import create_router
from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import FindingPolicy, ModelTally
from services.feedback.domain.predicted_sample import PredictedSample, after_erasure
from services.feedback.handlers import create_routes
from services.feedback.settings import FeedbackSettings
from shared.job_errors import MongoJobErrors
from shared.jobs import REMEMBERED_EVENTS, JobPart
from shared.service import Service


def create_service(settings: FeedbackSettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service("feedback", settings, settings.feedback_port)
    findings = service.ledger(store.FINDINGS, Finding)
    errors = MongoJobErrors(service.database)
    jobs = service.ledger(store.JOBS, JobPart, remembers=REMEMBERED_EVENTS)
    policy = FindingPolicy(
        min_judged=settings.feedback_min_judged,
        error_rate=settings.feedback_error_rate,
        slice_errors=settings.feedback_slice_errors,
        finding_samples=settings.feedback_finding_samples,
    )
    routes = create_routes(
        predictions=service.ledger(  # comparing takes milliseconds
            store.PREDICTIONS, PredictedSample, in_thread=True, after_erasure=after_erasure
        ),
        models=service.ledger(store.MODELS, ModelTally, in_thread=True),
        findings=findings,
        jobs=jobs,
        catalog=service.catalog,
        policy=policy,
        priority=settings.feedback_priority,
    )
    eraser = service.eraser("feedback", errors.remove)
    service.consume(*routes, eraser.reaction())
    service.at_start(lambda: store.ensure_indexes(service.database))
    service.at_start(errors.ensure_indexes)
    queries = store.MongoFeedbackStore(service.database)
    service.app.include_router(create_router(service.caller, queries, findings, jobs, errors))
    return service
