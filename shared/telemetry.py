"""Metrics, logs and traces: what a process tells those who run it."""

from __future__ import annotations

import logging
import sys
from collections import Counter as Counted
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

from shared.events import Event

EVENTS_FOLDED = Counter("labelmesh_events_folded_total", "Events applied, redeliveries included.", ["group", "event"])
FOLD_SECONDS = Histogram(
    "labelmesh_fold_duration_seconds",
    "Time to apply the events of one type in one batch, their announcement included.",
    ["group", "event"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FOLD_FAILURES = Counter("labelmesh_fold_failures_total", "Batches that failed unexpectedly and are retried.", ["group"])
DEAD_LETTERS = Counter(
    "labelmesh_dead_letters_total", "Events set aside because no retry can help.", ["group", "event"]
)
LAG = Gauge("labelmesh_consumer_lag_records", "Records not yet read.", ["group", "topic", "partition"])
CATALOG_AGE = Gauge(
    "labelmesh_catalog_age_seconds", "Time since a reader last knew itself to be at the end of its topics.", ["reader"]
)
HTTP_SECONDS = Histogram(
    "labelmesh_http_request_duration_seconds",
    "Time from a request to its answer.",
    ["service", "method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("labelmesh")
MAX_LINKS = 32
_exports = False
"""Whether spans go anywhere: else their links are not made."""

_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without the values of variables: they are samples, answers and keys of our users."""

_JSON = structlog.processors.JSONRenderer(
    serializer=lambda entry, **how: orjson.dumps(entry, how.get("default")).decode()
)


def configure(service: str, *, level: str, otlp_endpoint: str) -> None:
    """Write logs as JSON lines to standard output, and send traces where a collector is named."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]
    structlog.configure(
        processors=[*shared, _TRACEBACKS, _JSON],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACKS,
                _JSON,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(service=service)
    global _exports  # noqa: PLW0603 - as the tracer provider is
    _exports = bool(otlp_endpoint)
    if otlp_endpoint:
        provider = TracerProvider(resource=Resource.create({"service.name": f"labelmesh-{service}"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
        trace.set_tracer_provider(provider)


def traceparent() -> str:
    """Return the W3C trace context of the present span, empty where there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(parent: str) -> Context:
    """Return the context that a W3C ``traceparent`` describes."""
    return _propagator.extract({"traceparent": parent})


@contextmanager
def span(name: str, parent: str = "", kind: SpanKind = SpanKind.INTERNAL) -> Iterator[None]:
    """Run the block within a span, below ``parent`` where one is given."""
    if not (_exports or parent):
        yield  # nobody would see it, and there is no trace that events could carry on
        return
    with _tracer.start_as_current_span(name, context=context_of(parent) if parent else None, kind=kind):
        yield


@contextmanager
def folding(group: str, events: Sequence[Event]) -> Iterator[None]:
    """Measure and trace the handling of one batch; its span links to the traces of its events."""
    name = events[0].name()
    parents = {event.traceparent for event in events if event.traceparent}
    linked = list(parents)[:MAX_LINKS] if _exports else ()
    links = [Link(trace.get_current_span(context_of(parent)).get_span_context()) for parent in linked]
    alone = context_of(next(iter(parents))) if len(parents) == 1 else None
    with (
        FOLD_SECONDS.labels(group, name).time(),
        _tracer.start_as_current_span(f"fold {name}", context=alone, kind=SpanKind.CONSUMER, links=links),
    ):
        yield
    for name, count in Counted(event.name() for event in events).items():
        EVENTS_FOLDED.labels(group, name).inc(count)


def forget_lag(group: str, topic: str, partition: int) -> None:
    """Drop the lag of a partition that this process does not read any more."""
    with suppress(KeyError):
        LAG.remove(group, topic, str(partition))


def _add_trace(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    found = trace.get_current_span().get_span_context()
    if found.is_valid:
        entry["trace_id"] = f"{found.trace_id:032x}"
    return entry
