"""The gateway: the one place that knows its parts, and wires them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware

from services.gateway import (
    access,
    datasets,
    erasure,
    feedback,
    imports,
    jobs,
    manager,
    media,
    migrations,
    projects,
    reads,
    samples,
    tasks,
    taxonomies,
)
from services.gateway.claiming import Claiming
from services.gateway.context import Context
from services.gateway.door import BATCH_RECORDS as DOOR_BATCH_RECORDS
from services.gateway.door import Door, Pace, read_record
from services.gateway.ended import EndedReader
from services.gateway.facts import FactsCache
from services.gateway.feed import Feed, create_feed_router
from services.gateway.idempotency import STREAMED, MongoAnswers, forget_expired, repeatable
from services.gateway.inner import Inner, Members
from services.gateway.keys import KeyStore
from services.gateway.openapi import BEARER, PROBLEMS, complete_openapi
from services.gateway.settings import GatewaySettings
from shared.clock import utc_now
from shared.direct import DirectRoutes
from shared.events.external import ExternalAnnotationReceived, ExternalPredictionReceived
from shared.service import Service


def create_service(settings: GatewaySettings) -> Service:
    """Return the service, wired and not yet started."""
    service = Service(
        "gateway",
        settings,
        settings.gateway_port,
        public=True,
        linger_ms=0,
        max_body_bytes=settings.max_body_bytes,
        streamed_paths=STREAMED,
    )
    members = Members(settings, service.health)
    inner = Inner(settings, members, utc_now)
    keys = KeyStore(service.database, settings.api_key_pepper.get_secret_value(), utc_now)
    answers = MongoAnswers(service.database)
    feed = Feed(settings)
    context = Context(
        settings=settings,
        catalog=service.catalog,
        producer=service.producer,
        media=service.media,
        keys=keys,
        inner=inner,
        claiming=Claiming(inner, members, settings),
        clock=utc_now,
        facts=FactsCache(),
        route=repeatable(keys.authenticate, answers, utc_now),
    )
    door = Door(context, Pace(settings.door_records_per_second))
    raw_topics = {
        ExternalAnnotationReceived.topic: read_record(ExternalAnnotationReceived),
        ExternalPredictionReceived.topic: read_record(ExternalPredictionReceived),
    }
    service.consume(*door.reactions(), group="gateway-door", raw_topics=raw_topics, batch_records=DOOR_BATCH_RECORDS)
    ended = EndedReader(settings, context.ended, utc_now)
    for start in (keys.ensure_indexes, answers.ensure_indexes, members.start, ended.start):
        service.at_start(start)
    for stop in (ended.stop, feed.stop, members.stop, inner.stop):
        service.at_stop(stop)
    service.every(timedelta(minutes=1), "forget old answers", lambda: forget_expired(answers, utc_now))
    add_routes(service.app, context, feed)
    service.app.add_middleware(
        CORSMiddleware, allow_origins=settings.origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["*"]
    )
    return service


def add_routes(app: FastAPI, context: Context, feed: Feed) -> None:
    """Let ``app`` serve the API."""
    app.user_middleware.append(Middleware(DirectRoutes, routes=tasks.create_direct_routes(context)))
    described: dict[str, Any] = {"dependencies": [Depends(BEARER)], "responses": PROBLEMS}
    for module in (
        projects,
        taxonomies,
        migrations,
        samples,
        imports,
        erasure,
        media,
        tasks,
        manager,
        datasets,
        feedback,
        access,
        reads,
        jobs,
    ):
        app.include_router(module.create_router(context), **described)
    app.include_router(create_feed_router(context, feed), **described)
    complete_openapi(app)
