"""What labeling tools publish to Kafka: checked as requests are, passed on, or refused with all reasons."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.door import Door, Pace, read_record
from shared.errors import UnavailableError
from shared.events import Event
from shared.events.external import AnnotationRefused, ExternalAnnotationReceived, ExternalPredictionReceived
from shared.events.feedback import PredictionSubmitted
from shared.events.tasks import AnnotationOffered
from tests.builders import PROJECT, TENANT, a_project_paused, a_project_spec, a_project_versioned
from tests.receiving import Receiver
from tests.unit.gateway.gateway_under_test import SAMPLE, GatewayUnderTest, a_gateway, the_facts, unavailable

FACTS = f"/v1/samples/{SAMPLE}/facts"
RULE = {
    "id": "no-refunds",
    "expression": "fields.intent != 'refund'",
    "severity": "block",
    "message": {"en": "No refunds.", "de": "Kein Geld zurück."},
}


class DoorUnderTest(Receiver):
    """The gateway's door, with a log of what tools wrote."""

    def __init__(self, gateway: GatewayUnderTest) -> None:
        self.gateway = gateway
        self.records: list[Event] = []
        super().__init__(Door(gateway.context, Pace(1e9)).reactions())

    async def publish(self, body: Any, key: str | None = "lm", prediction: bool = False) -> Event:
        """Publish as a tool does, and return what the gateway says to it."""
        topic = "external.prediction.v1" if prediction else "external.annotation.v1"
        headers = [] if key is None else [("Authorization", f"Bearer {key}".encode())]
        value = body if isinstance(body, bytes) else orjson.dumps(body)
        stamp = 1_700_000_000_000
        record = SimpleNamespace(
            topic=topic, partition=3, offset=len(self.records), headers=headers, value=value, timestamp=stamp
        )
        kind = ExternalPredictionReceived if prediction else ExternalAnnotationReceived
        [event] = read_record(kind)(record)  # type: ignore[arg-type]  # all that is read of a record
        self.records.append(event)
        before = len(self.gateway.log.events)
        assert await self.receive(event) == []
        [said] = self.gateway.log.events[before:]
        return said


async def a_door(*known: Event, **rules: Any) -> tuple[DoorUnderTest, str]:
    versions = known or (a_project_versioned(spec=a_project_spec(**rules)),)
    gateway = await a_gateway(*versions)
    gateway.services.replies[FACTS] = (200, the_facts())
    return DoorUnderTest(gateway), await gateway.key("label-tool", ["integration"])


def an_answer(**changes: Any) -> dict[str, Any]:
    known = {
        "id": "t-1",
        "project": PROJECT,
        "sample_id": SAMPLE,
        "annotator_id": "ana",
        "fields": {"intent": "refund"},
    }
    return {name: value for name, value in (known | changes).items() if value is not None}


def codes(event: Event) -> list[tuple[str, str]]:
    assert isinstance(event, AnnotationRefused)
    return [(fault.pointer, fault.code) for fault in event.faults]


async def test_an_answer_is_passed_on_for_its_annotator_under_the_tenant_of_the_key():
    door, key = await a_door()

    offered = await door.publish(an_answer(confidence=0.5, seconds_spent=9), key)

    assert isinstance(offered, AnnotationOffered)
    assert (offered.tenant_id, offered.sample_id, offered.annotator_id) == (TENANT, SAMPLE, "ana")
    assert (offered.fields, offered.project_version, offered.confidence) == ({"intent": "refund"}, 1, 0.5)


async def test_an_answer_says_that_a_tool_brought_it_and_under_which_versions():
    door, key = await a_door()

    offered = await door.publish(an_answer(), key)

    assert isinstance(offered, AnnotationOffered)
    assert offered.origin is not None
    assert (offered.origin.channel, offered.origin.client) == ("tool", "label-tool")
    assert (offered.origin.guideline_version, offered.origin.validation) == (1, "valid")


async def test_a_sample_may_be_named_by_the_tools_own_id():
    door, key = await a_door()

    offered = await door.publish(an_answer(sample_id=None, external_id="sample-1"), key)
    both = await door.publish(an_answer(external_id="sample-1"), key)

    assert isinstance(offered, AnnotationOffered)
    assert offered.sample_id == SAMPLE
    assert codes(both) == [("/sample_id", "missing")]
    assert codes(await door.publish(an_answer(languages=["en", "x" * 99]), key)) == [
        ("/languages/1", "string-too-long")
    ]


async def test_the_same_record_again_says_the_same_and_so_does_the_same_answer_published_again():
    door, key = await a_door()
    first = await door.publish(an_answer(), key)
    again = await door.publish(an_answer(), key)
    corrected = await door.publish(an_answer(fields={"intent": "other"}), key)
    ids = [event.event_id for event in door.gateway.log.events]

    await door.receive_all_again()

    assert first.event_id == again.event_id
    assert first.event_id != corrected.event_id
    assert isinstance(first, AnnotationOffered)
    assert isinstance(corrected, AnnotationOffered)
    assert first.annotation_id == corrected.annotation_id
    assert [event.event_id for event in door.gateway.log.events[len(ids) :]] == ids


async def test_every_fault_of_an_answer_is_told():
    door, key = await a_door()
    entities = [{"id": "1", "start": 0, "end": 9999, "label": "city"}]

    refused = await door.publish(an_answer(fields={"intent": "nothing", "entities": entities, "extra": 1}), key)

    assert isinstance(refused, AnnotationRefused)
    assert (refused.id, refused.project_id, refused.tenant_id) == ("t-1", PROJECT, TENANT)
    assert refused.record == "external.annotation.v1/3/0"
    assert {pointer for pointer, _ in codes(refused)} == {
        "/fields/intent",
        "/fields/entities/0/end",
        "/fields/extra",
    }


async def test_an_integer_that_would_be_rounded_is_refused_by_its_place():
    door, key = await a_door()

    refused = await door.publish(json.dumps(an_answer(fields={"intent": 2**64})).encode(), key)

    assert codes(refused) == [("/fields/intent", "out-of-range")]


async def test_a_blocking_rule_refuses_with_its_reason():
    door, key = await a_door(rules=[RULE])

    refused = await door.publish(an_answer(languages=["de"]), key)
    taken = await door.publish(an_answer(fields={"intent": "other"}), key)

    assert codes(refused) == [("/fields/intent", "rule-no-refunds")]
    assert isinstance(refused, AnnotationRefused)
    assert refused.faults[0].message == "Kein Geld zurück."
    assert isinstance(taken, AnnotationOffered)
    assert [each.passed for each in taken.verdicts] == [True]


@pytest.mark.parametrize("key", [None, "", "nonsense", "lm_" + "0" * 16 + "_" + "0" * 64])
async def test_without_a_key_that_is_known_nothing_is_taken_and_no_tenant_is_told(key: str | None):
    door, _ = await a_door()

    refused = await door.publish(an_answer(), key)

    assert codes(refused) == [("", "unauthenticated")]
    assert refused.tenant_id == ""


async def test_the_key_must_be_an_integrations_and_for_the_project():
    door, _ = await a_door()
    annotator = await door.gateway.key("ana", ["annotator"])
    elsewhere = await door.gateway.key("tool", ["integration"], ["other"])

    assert codes(await door.publish(an_answer(), annotator)) == [("", "forbidden")]
    assert codes(await door.publish(an_answer(), elsewhere)) == [("", "forbidden")]


async def test_what_belongs_to_another_tenant_is_not_there():
    door, _ = await a_door()
    stranger = await door.gateway.key("tool", ["integration"], tenant="globex")

    refused = await door.publish(an_answer(), stranger)

    assert codes(refused) == [("", "not-found")]
    assert refused.tenant_id == "globex"


async def test_a_sample_that_is_not_ingested_is_refused_and_asked_for_again_later():
    door, key = await a_door()
    del door.gateway.services.replies[FACTS]

    early = await door.publish(an_answer(), key)
    door.gateway.services.replies[FACTS] = (200, the_facts())
    later = await door.publish(an_answer(), key)

    assert codes(early) == [("", "not-found")]
    assert isinstance(later, AnnotationOffered)


async def test_a_project_that_takes_no_work_takes_none_from_tools():
    door, key = await a_door(a_project_versioned(), a_project_paused())

    assert codes(await door.publish(an_answer(), key)) == [("", "conflict")]


@pytest.mark.parametrize("reply", [unavailable(), (503, {"title": "away"})])
async def test_while_a_service_is_away_the_record_waits(reply: Any):
    door, key = await a_door()
    door.gateway.services.replies[FACTS] = reply

    with pytest.raises(UnavailableError):
        await door.publish(an_answer(), key)


async def test_a_prediction_is_checked_and_passed_on():
    door, key = await a_door()
    body = {"id": "p-1", "project": PROJECT, "sample_id": SAMPLE, "model": "m", "version": "2"}

    taken = await door.publish(body | {"fields": {"intent": "refund"}}, key, prediction=True)
    refused = await door.publish(body | {"fields": {"intent": "nothing"}, "score": 2}, key, prediction=True)
    unknown = await door.publish(body | {"fields": {"intent": "nothing"}}, key, prediction=True)

    assert isinstance(taken, PredictionSubmitted)
    assert (taken.sample_id, taken.model, taken.model_version, taken.job_id) == (SAMPLE, "m", "2", None)
    assert [pointer for pointer, _ in codes(refused)] == ["/score"]
    assert [pointer for pointer, _ in codes(unknown)] == ["/fields/intent"]
    assert isinstance(unknown, AnnotationRefused)
    assert unknown.kind == "prediction"


@pytest.mark.parametrize(("action", "kept"), [("mask", "Ask " + "█" * 16), ("reject", None)])
async def test_a_prediction_of_a_tool_is_searched_for_personal_data(action: str, kept: str | None):
    fields = {"answer": {"kind": "text", "asset": "chat"}}
    door, key = await a_door(fields=fields, intake={"pii": {"action": action}})
    body = {"id": "p-1", "project": PROJECT, "sample_id": SAMPLE, "model": "m", "version": "2"}

    answer = await door.publish(body | {"fields": {"answer": {"text": "Ask anna@example.org"}}}, key, prediction=True)

    assert "anna" not in answer.model_dump_json()
    if isinstance(answer, PredictionSubmitted):
        assert answer.fields == {"answer": {"text": kept}}
    else:
        assert codes(answer) == [("/fields/answer/text", "pii-found")]


async def test_the_credential_is_written_nowhere():
    door, key = await a_door()

    await door.publish(an_answer(fields={"intent": "nothing"}), key)

    assert all(key not in event.model_dump_json() for event in [*door.gateway.log.events, *door.records])


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "project", "fields", "sample_id", "annotator_id"]), inner, max_size=5)
    ),
)


@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_record_can_stop_the_door(body: bytes):
    door, key = await a_door()

    refused = await door.publish(body, key)

    assert codes(refused)


async def test_beyond_the_pace_records_wait():
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(10, lambda: now, sleep)

    for count in (10, 5, 1):
        await pace.take(count)

    assert slept == [1.0, 1.5]
