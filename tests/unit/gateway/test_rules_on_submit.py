"""What the rules of a project do to an answer on its way in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events.tasks import AnnotationSubmitted
from shared.labels.facts import Clock
from shared.languages import preferred_languages
from tests.builders import a_project_spec, a_project_versioned
from tests.unit.gateway.gateway_under_test import TASK, a_gateway, the_facts

ENTITIES = [
    {"id": "late", "start": 43, "end": 49, "label": "city"},
    {"id": "early", "start": 0, "end": 1, "label": "date"},
]
NO_DATES = {
    "id": "no-dates",
    "expression": "fields.entities.all(e, e.label != 'date')",
    "severity": "block",
    "message": {"en": "Leave dates out.", "de": "Lass Daten weg."},
    "marks": ["fields.entities.filter(e, e.label == 'date')"],
}


async def a_strict_gateway(*rules: dict[str, Any]):
    return await a_gateway(a_project_versioned(spec=a_project_spec(rules=list(rules)), version=1))


async def submit(gateway, fields: dict[str, Any], **headers: str):
    async with gateway.calling("ana", "annotator") as client:
        sent = gateway.holds("ana") | headers
        return await client.post(f"/tasks/{TASK}/annotations", json={"fields": fields}, headers=sent)


async def test_a_blocking_rule_refuses_with_the_items_in_the_annotators_language():
    gateway = await a_strict_gateway(NO_DATES)

    answer = await submit(gateway, {"intent": "refund", "entities": ENTITIES}, **{"accept-language": "de-CH, en;q=0.5"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/fields/entities/1", "code": "rule-no-dates", "message": "Lass Daten weg."}
    ]
    assert gateway.log.events == []


async def test_a_warning_is_told_and_the_verdict_goes_with_the_answer():
    gateway = await a_strict_gateway(NO_DATES | {"severity": "warn"})

    answer = await submit(gateway, {"intent": "refund", "entities": ENTITIES})

    assert answer.status_code == 202
    [warning] = answer.json()["warnings"]
    assert (warning["message"], warning["marks"]) == ("Leave dates out.", ["/fields/entities/0"])
    [submitted] = gateway.log.of(AnnotationSubmitted)
    assert [(each.rule_id, each.passed, each.project_version) for each in submitted.verdicts] == [
        ("no-dates", False, 1)
    ]


async def test_a_rule_that_cannot_be_run_does_not_stop_the_annotator():
    gateway = await a_strict_gateway(NO_DATES | {"expression": "fields.entities[7].label == 'city'"})

    answer = await submit(gateway, {"intent": "refund", "entities": ENTITIES})

    assert answer.status_code == 202
    [submitted] = gateway.log.of(AnnotationSubmitted)
    assert "could not be run" in str(submitted.verdicts[0].error)


async def test_rules_see_the_metadata_of_the_sample():
    gateway = await a_strict_gateway(
        NO_DATES
        | {"expression": 'metadata.channel != "phone" || fields.intent == "refund"', "marks": ["fields.intent"]}
    )
    gateway.services.replies[f"/v1/tasks/{TASK}/facts"] = (200, the_facts() | {"metadata": {"channel": "phone"}})

    refused = await submit(gateway, {"intent": "other"})
    taken = await submit(gateway, {"intent": "refund"})

    assert [error["pointer"] for error in refused.json()["errors"]] == ["/fields/intent"]
    assert taken.status_code == 202


async def test_a_sample_with_a_clock_for_an_asset_without_times_is_refused():
    gateway = await a_strict_gateway()
    clocks = {"chat": Clock(offset=1.0).model_dump(), "nowhere": {"rate": 2}}

    async with gateway.calling() as client:
        body = {"external_id": "sample-1", "assets": {"chat": {"text": "Hello"}}, "clocks": clocks}
        answer = await client.post("/projects/support/samples", json=body)

    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
        ("/clocks/chat", "contradiction"),
        ("/clocks/nowhere", "unknown-asset"),
    ]


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("de", ["de"]),
        ("en;q=0.5, pt-BR, *;q=0.1, fr;q=0", ["pt-BR", "en"]),
        ("de;q=x, en", ["en"]),
    ],
)
def test_languages_are_taken_in_the_order_in_which_they_are_wanted(header: str, tags: list[str]):
    assert preferred_languages(header) == tags
