"""What every service process is made of, started and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from faststream.kafka import KafkaBroker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from shared import telemetry
from shared.body_limit import BodyLimit
from shared.catalog import Catalog, CatalogReader
from shared.clock import utc_now
from shared.consumer import BATCH_EVERY, BATCH_RECORDS, Consumer, PartitionWatcher, RawDecoder
from shared.erasure import Eraser, MongoErasures, Remove
from shared.events import Event
from shared.events.erasure import ErasingService
from shared.health import Health
from shared.http import Measured, OrjsonResponse, caller, install_problems
from shared.kafka import LINGER_MS, Producer
from shared.ledger import SEEN_EVENTS, Ledger, S, Saved, says_nothing
from shared.media import Media
from shared.mongo import MongoLedgerStore, connect
from shared.routes import Reaction, Route
from shared.security import Principal, read_internal
from shared.settings import SharedSettings

log = structlog.get_logger()

START_RETRY = 1.0
ERASE_AGAIN = timedelta(minutes=1)
COLLECT_AFTER = (50_000, 20, 100)
"""How many new objects, and how many younger collections, let Python look for cycles. By default it does so at every
700th object: a batch is some 100,000 of them, none in a cycle, and a third of its time went into looking at them. Most
of a batch is gone before it makes 50,000 more than it drops."""


class Service:
    """One service process: its connections, its consumers, its HTTP application."""

    def __init__(
        self,
        name: str,
        settings: SharedSettings,
        port: int,
        *,
        public: bool = False,
        linger_ms: int = LINGER_MS,
        max_body_bytes: int = 16 * 1024 * 1024,
        streamed_paths: tuple[str, ...] = (),
    ) -> None:
        """Prepare everything and connect nothing.

        Args:
            name: The service's name in the design, e.g. ``task_assignment``.
            settings: Where the servers are.
            port: The HTTP port.
            public: Whether clients call it, so that it shows its OpenAPI document and pages.
            linger_ms: How long a record waits for others to go with it; 0 where people wait for each answer.
            max_body_bytes: Longest body of a request.
            streamed_paths: Ends of paths whose bodies are read as they come, without that limit.
        """
        telemetry.configure(name, level=settings.log_level, otlp_endpoint=settings.otlp_endpoint)
        self.name = name
        self.settings = settings
        self.port = port
        self.health = Health()
        self.media = Media(settings)
        self.producer = Producer(settings, name, self.media, linger_ms=linger_ms)
        self.mongo_client, self.database = connect(settings, name)
        self.catalog = Catalog()
        self.catalog_reader = CatalogReader(settings, self.catalog, self.health)
        self.broker = KafkaBroker(
            settings.kafka_bootstrap.split(","),
            client_id=f"labelmesh-{name}",
            apply_types=False,
            logger=None,
            allow_auto_create_topics=False,  # `labelmesh-ops provision` makes them as they have to be
        )
        self._at_start: list[Callable[[], Awaitable[None]]] = []
        self._at_stop: list[Callable[[], Awaitable[None]]] = []
        self._loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.health.add("kafka", self.producer.ping)
        self.health.add("mongodb", self._ping_mongo)
        self.app = self._make_app(public=public)
        self.app.add_middleware(BodyLimit, max_bytes=max_body_bytes, streamed=streamed_paths)
        self.app.add_middleware(Measured, service=name)

    def ledger(
        self,
        collection: str,
        state: type[S],
        *,
        on_saved: Callable[[Mapping[str, Saved[S]]], None] | None = None,
        on_unchanged: Callable[[Mapping[str, Saved[S]]], None] | None = None,
        in_thread: bool = False,
        remembers: int = SEEN_EVENTS,
        after_erasure: Callable[[Any], Sequence[Event]] | None = None,
        is_large: Callable[[S], bool] | None = None,
        without_none: bool = False,
        together: Callable[[Sequence[Event]], Sequence[Event]] | None = None,
    ) -> Ledger[S]:
        """Return the ledger of one collection of this service's database; see ``Ledger``.

        Where ``together`` is given, it says as fewer events what a batch has to announce.
        """
        store = MongoLedgerStore(self.database, collection)

        async def announce(events: Sequence[Event]) -> None:
            await self.producer.publish(events if together is None else together(events))

        return Ledger(
            store,
            announce,
            state,
            on_saved=on_saved,
            on_unchanged=on_unchanged,
            in_thread=in_thread,
            remembers=remembers,
            after_erasure=after_erasure or says_nothing,
            is_large=is_large,
            without_none=without_none,
        )

    def consume(
        self,
        *routes: Route | Reaction,
        group: str | None = None,
        raw_topics: Mapping[str, RawDecoder] | None = None,
        watcher: PartitionWatcher | None = None,
        batch_every: timedelta = BATCH_EVERY,
        batch_records: int = BATCH_RECORDS,
    ) -> Consumer:
        """Read the topics of ``routes`` in a consumer group named after the service (or ``group``); see ``Consumer``."""
        return Consumer(
            self.broker,
            self.producer,
            self.health,
            group=group or self.name,
            routes=routes,
            object_store=self.media,
            commit_delay=timedelta(seconds=self.settings.commit_delay_seconds),
            raw_topics=raw_topics,
            watcher=watcher,
            before=self.catalog_reader.ensure,
            batch_every=batch_every,
            batch_records=batch_records,
        )

    def eraser(self, service: ErasingService, remove: Remove | None = None) -> Eraser:
        """Return what this service does about erased samples, and have it done again for a while; see ``Eraser``."""
        eraser = Eraser(service, MongoErasures(self.database), self.producer.publish, utc_now, remove)
        if remove is not None:
            self.every(ERASE_AGAIN, "erase again", eraser.again)
        return eraser

    async def caller(self, request: Request) -> Principal:
        """Return who calls through the gateway; a FastAPI dependency, async so that no thread is asked."""
        return self._as_known(caller(request, self.settings.internal_secret.get_secret_value()))

    def holder(self, token: str) -> tuple[Principal, str]:
        """Return who holds an internal token, and the id of their request.

        Raises:
            UnauthenticatedError: It is none of ours, or has expired.
        """
        principal, request_id = read_internal(self.settings.internal_secret.get_secret_value(), token)
        return self._as_known(principal), request_id

    def _as_known(self, principal: Principal) -> Principal:
        deleted = self.catalog.deleted(principal.tenant_id)
        return principal.model_copy(update={"deleted": deleted}) if deleted else principal

    def at_start(self, start: Callable[[], Awaitable[None]]) -> None:
        """Run ``start`` once the producer and the catalog are there, before events are read."""
        self._at_start.append(start)

    def at_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Run ``stop`` after the last batch was finished."""
        self._at_stop.append(stop)

    def every(self, interval: timedelta, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` again and again while the service runs; an exception is logged and does not end it."""

        async def loop() -> None:
            while True:
                try:
                    await work()
                except Exception:
                    log.exception("background_work_failed", work=name)
                await asyncio.sleep(interval.total_seconds())

        self._loops.append((name, loop))

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish the batch, commit and leave."""
        gc.set_threshold(*COLLECT_AFTER)
        uvicorn.run(
            self.app,
            host=self.settings.host,
            port=self.port,
            log_level=logging.WARNING,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            backlog=4096,
        )

    async def start(self) -> None:
        """Connect, catch up with the catalog, and begin to read; tries again until the servers answer."""
        self.health.start()
        await self._until_it_works("kafka", self.producer.start)
        await self.catalog_reader.start()
        for start in self._at_start:
            await self._until_it_works("start", start)
        await self._until_it_works("consumers", self.broker.start)
        self._tasks += [asyncio.create_task(loop(), name=name) for name, loop in self._loops]
        log.info("started", port=self.port)

    async def stop(self) -> None:
        """Leave in order: no new work, finish the batch, commit, disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.broker.stop()
        for stop in self._at_stop:
            await stop()
        await self.catalog_reader.stop()
        await self.health.stop()
        await self.producer.stop()
        await self.mongo_client.close()
        log.info("stopped")

    async def _ping_mongo(self) -> None:
        await self.mongo_client.admin.command("ping")

    async def _until_it_works(self, name: str, start: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await start()
            except Exception as error:
                self.health.fail(f"start of {name}", repr(error))
                await asyncio.sleep(START_RETRY)
            else:
                self.health.heal(f"start of {name}")
                return

    def _make_app(self, *, public: bool) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            self.health.fail("service", "starting")
            starting = asyncio.create_task(self._start_and_say(), name="start")
            yield
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self.stop()

        app = FastAPI(
            title=f"Labelmesh {self.name}",
            lifespan=lifespan,
            default_response_class=OrjsonResponse,
            openapi_url="/openapi.json" if public else None,
            docs_url="/docs" if public else None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # Measured does that, for less
        )
        install_problems(app)
        add_probes(app, self.health)
        return app

    async def _start_and_say(self) -> None:
        try:
            await self.start()
        except Exception:
            log.exception("start_failed")
            raise
        gc.freeze()  # modules and what was loaded stay; nobody need look through them again
        self.health.heal("service")


class Readiness(BaseModel):
    """Whether the process can work, and what keeps it from it."""

    ready: bool
    faults: dict[str, str]


def add_probes(app: FastAPI, health: Health) -> None:
    """Add ``/healthz``, ``/readyz`` and ``/metrics``."""

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """The process lives."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"], response_model=Readiness)
    async def readyz() -> Response:
        """The process can work; 503 with the reasons while it cannot."""
        faults = health.faults
        return OrjsonResponse(Readiness(ready=not faults, faults=faults).model_dump(), 503 if faults else 200)

    @app.get("/metrics", tags=["operations"])
    async def metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
