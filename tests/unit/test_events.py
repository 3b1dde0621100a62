"""The events by which the services meet: told in full, written and read back, made and consumed by whom they name."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from deploy.local.environment import SERVICES
from services.gateway import feed
from shared.errors import UndecodableEventError
from shared.events import EVENTS, SAMPLE_TOPICS, Event, decode, encode
from shared.events.erasure import ERASING
from shared.events.external import ExternalAnnotationReceived, ExternalPredictionReceived
from shared.events.projects import ProjectPaused, ProjectRefused, ProjectVersioned
from shared.events.samples import SampleSubmitted
from shared.events.tasks import AssignmentMemberAnnounced, TaskCreated
from shared.events.taxonomies import TaxonomyRefused, TaxonomyVersioned
from shared.events.uploads import MediaUploaded, ObjectPut
from shared.ids import derived_id
from shared.kafka import topics
from shared.settings import SharedSettings
from tests.builders import BUILDERS, a_sample_ingested, a_sample_submitted, an_annotation_submitted
from tests.fakes import as_read

OUTSIDE = frozenset({"minio", "tools"})
READ_WHOLE = frozenset({ProjectVersioned, ProjectPaused, ProjectRefused, TaxonomyVersioned, TaxonomyRefused})
"""What the catalog of every service reads, beside its consumer group."""
NAMES = {event.__name__: event for event in EVENTS}

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
every_service = pytest.mark.parametrize("service", SERVICES)


@every_event
def test_an_event_is_told_in_full(event: type[Event]) -> None:
    assert event.__doc__ and event.__doc__ != Event.__doc__
    assert event.topic.endswith(".v1")
    assert event.producers and event.producers <= {*SERVICES, *OUTSIDE}
    assert event.consumers and event.consumers <= set(SERVICES)
    assert event.key_field in event.model_fields
    assert event in BUILDERS, "tests/builders has no builder for it"


@every_event
def test_an_event_that_is_keyed_by_its_sample_is_on_a_topic_of_samples(event: type[Event]) -> None:
    if event.key_field == "sample_id":
        assert event.topic in SAMPLE_TOPICS
    elif event.topic in SAMPLE_TOPICS:
        marks = "target_partition" in vars(event) or event.__name__ == "Ticked"
        assert marks, "what is no sample's may stand on a topic of samples only as a mark for one partition"


@every_event
def test_events_of_one_topic_agree_on_how_it_is_kept(event: type[Event]) -> None:
    beside = [other for other in EVENTS if other.topic == event.topic]

    assert {(other.compacted, other.broker_stamped) for other in beside} == {(event.compacted, event.broker_stamped)}


@every_event
def test_an_event_is_read_as_it_was_written(event: type[Event]) -> None:
    made = BUILDERS[event](traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", request_id="r-1")

    assert as_read(made, 1_795_507_200_000) == made.model_copy(update={"appended_at_ms": 1_795_507_200_000})


@every_event
def test_a_reader_passes_over_what_it_does_not_know_however_deep(event: type[Event]) -> None:
    made = BUILDERS[event]()
    value, headers = encode(made, "tests")

    wider = orjson.dumps(_with_more(made, orjson.loads(value)))

    assert decode({event.name(): event}, wider, headers, 0) == as_read(made, 0)


@every_event
def test_what_only_a_reader_adds_is_never_written(event: type[Event]) -> None:
    value, _ = encode(BUILDERS[event](log_offset=41, appended_at_ms=42), "tests")

    assert not {name for name, field in event.model_fields.items() if field.exclude and f'"{name}"'.encode() in value}


@every_event
def test_a_reader_passes_over_fields_that_it_does_not_know(event: type[Event]) -> None:
    made = BUILDERS[event]()
    value, headers = encode(made, "a newer version")

    assert decode({event.name(): event}, value[:-1] + b',"added_later":1}', headers, 0) == made


def test_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    event = an_annotation_submitted(event_id="e-1")

    headers = dict(encode(event, "gateway")[1])

    assert headers["ce_specversion"] == b"1.0"
    assert (headers["ce_id"], headers["ce_type"], headers["ce_source"]) == (
        b"e-1",
        b"AnnotationSubmitted",
        b"/labelmesh/gateway",
    )
    assert (headers["ce_subject"], headers["content-type"]) == (event.sample_id.encode(), b"application/json")


def test_a_type_that_the_reader_does_not_want_is_passed_over() -> None:
    value, headers = encode(a_sample_submitted(), "gateway")

    assert decode({"Other": TaskCreated}, b"not even looked at", headers, 0) is None
    assert decode({}, value, headers, 0) is None


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{}", [("ce_type", b"SampleSubmitted")]),
        (b"{", [("ce_type", b"SampleSubmitted")]),
        (None, [("ce_type", b"SampleSubmitted")]),
        (b"\xff\xfe", [("ce_type", b"SampleSubmitted")]),
        (b"{}", []),
        (b"{}", [("ce_type", b"")]),
    ],
)
def test_a_record_that_is_no_event_is_refused(value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(UndecodableEventError):
        decode({"SampleSubmitted": SampleSubmitted}, value, headers, 0)


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_derived_ids_are_equal_for_equal_causes_alone(some: list[str], others: list[str]) -> None:
    assert (derived_id(*some) == derived_id(*others)) == (some == others)


def test_what_follows_from_an_event_is_the_same_event_each_time() -> None:
    cause = a_sample_ingested(event_id="cause", traceparent="00-ab-cd-01", request_id="r-1")
    about: dict[str, Any] = {"project_id": "support", "task_id": "t", "stage": "first_pass", "overlap": 3}

    first, again = (TaskCreated.caused_by(cause, sample_id="s-1", **about) for _ in range(2))
    other_key = TaskCreated.caused_by(cause, sample_id="s-2", **about)
    other_part = TaskCreated.caused_by(cause, part="2", sample_id="s-1", **about)

    assert first == again
    assert len({first.event_id, other_key.event_id, other_part.event_id, cause.event_id}) == 4
    assert (first.tenant_id, first.occurred_at) == (cause.tenant_id, cause.occurred_at)
    assert (first.traceparent, first.request_id) == (cause.traceparent, "r-1")


def test_every_topic_is_made_with_what_its_events_need() -> None:
    anywhere = dict.fromkeys(
        ("kafka_bootstrap", "mongo_url", "minio_endpoint", "minio_access_key", "minio_secret_key", "internal_secret"),
        "test:1",
    )
    made = {
        topic.name: topic
        for topic in topics(SharedSettings(**anywhere, media_public_url="http://test:1", partitions=7, replication=3))  # type: ignore[arg-type]  # pydantic reads text as secrets
    }

    for event in EVENTS:
        config = made[event.topic].topic_configs
        assert (config.get("cleanup.policy") == "compact") == event.compacted
        assert (config.get("message.timestamp.type") == "LogAppendTime") == event.broker_stamped
        assert config["min.insync.replicas"] == "2"
        assert (made[event.topic].num_partitions == 7) == (event.topic in SAMPLE_TOPICS)


@every_service
def test_a_service_consumes_what_says_so_and_nothing_else(service: str) -> None:
    declared = {event for event in EVENTS if service in event.consumers}

    routed = _routed(service)
    read_whole = READ_WHOLE & declared
    if service == "gateway":  # its live feed follows from the declarations; its members are read as a whole
        read_whole |= {event for event in declared if not event.compacted} | {AssignmentMemberAnnounced}

    assert declared - read_whole == routed - read_whole


@every_service
def test_a_service_makes_what_names_it_as_producer(service: str) -> None:
    declared = {event for event in EVENTS if service in event.producers}

    assert declared <= _made(service)


def test_what_comes_from_outside_is_read_by_the_service_at_its_door_alone() -> None:
    doors = {
        MediaUploaded: "ingest",
        ObjectPut: "ingest",
        ExternalAnnotationReceived: "gateway",
        ExternalPredictionReceived: "gateway",
    }

    assert {event for event in EVENTS if event.producers & OUTSIDE} == doors.keys()
    for event, service in doors.items():
        assert event.consumers == {service}
        assert event in _routed(service)


def test_what_tools_write_is_not_shown_in_the_feed() -> None:
    assert not any(topic.startswith("external.") for topic in feed._TOPICS)


@cache
def _calls(service: str) -> list[ast.Call]:
    root = Path(__file__).parents[2]
    sources = [*sorted((root / "services" / service).rglob("*.py")), *(root / each for each in _LENT.get(service, ()))]
    trees = [ast.parse(source.read_text()) for source in sources]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _routed(service: str) -> set[type[Event]]:
    """Return the events that stand in a ``Route`` or ``Reaction`` of the service."""
    routes = [call for call in _calls(service) if isinstance(call.func, ast.Name) and call.func.id in _ROUTES]
    return {NAMES[call.args[0].id] for call in routes if isinstance(call.args[0], ast.Name)}


def _made(service: str) -> set[type[Event]]:
    """Return the events that the service makes, from nothing or from a cause."""
    makers = [call.func.value if isinstance(call.func, ast.Attribute) else call.func for call in _calls(service)]
    return {NAMES[maker.id] for maker in makers if isinstance(maker, ast.Name) and maker.id in NAMES}


_ROUTES = frozenset({"Route", "Reaction"})
_LENT = {
    "gateway": ("shared/sample_lines.py",),
    "ingest": ("shared/sample_lines.py", "shared/erasure.py", "shared/job_lines.py"),
    **dict.fromkeys(ERASING - {"ingest"}, ("shared/erasure.py",)),
}
"""Modules of ``shared`` that make events in the name of whoever uses them."""


def _with_more(part: Any, written: Any) -> Any:
    """Return what was written of a part of an event, with a field more wherever a model stands."""
    if isinstance(part, BaseModel):
        known = {name: _with_more(getattr(part, name, None), value) for name, value in written.items()}
        return known | {"of_a_later_version": 1}
    if isinstance(part, Mapping):
        return {name: _with_more(part.get(name), value) for name, value in written.items()}
    if isinstance(part, list | tuple):
        return [_with_more(each, value) for each, value in zip(part, written, strict=True)]
    return written
