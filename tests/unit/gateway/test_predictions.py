"""Predictions at the gateway: lines of a model's word, and what becomes of personal data in them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.events.feedback import PredictionLineFinished, PredictionSubmitted
from tests.builders import PROJECT, a_project_spec, a_project_versioned
from tests.unit.gateway.gateway_under_test import GatewayUnderTest, a_gateway

SAMPLE = "sample-1"
MAIL = "anna@example.org"
MASKED = "█" * len(MAIL)


def a_line(**changes: Any) -> bytes:
    known = {"sample_id": SAMPLE, "model": "m", "version": "2", "fields": {"answer": {"text": f"Ask {MAIL}"}}}
    return orjson.dumps(known | changes) + b"\n"


async def a_gateway_that(action: str) -> GatewayUnderTest:
    answer = {"kind": "text", "asset": "chat"}
    spec = a_project_spec(fields={"answer": answer}, intake={"pii": {"action": action}})
    return await a_gateway(a_project_versioned(spec=spec))


async def send(gateway: GatewayUnderTest, *lines: bytes) -> None:
    async with gateway.calling() as client:
        answer = await client.post(f"/projects/{PROJECT}/predictions", content=b"".join(lines))
    assert answer.status_code == 202


async def test_the_log_never_sees_what_a_prediction_held_where_the_project_masks():
    gateway = await a_gateway_that("mask")

    await send(gateway, a_line(prompt=f"Who writes from {MAIL}?"))

    [told] = gateway.log.of(PredictionSubmitted)
    assert (told.fields, told.prompt) == ({"answer": {"text": f"Ask {MASKED}"}}, f"Who writes from {MASKED}?")
    assert [finding.pointer for finding in told.pii] == ["/fields/answer/text", "/prompt"]


async def test_a_flagged_prediction_is_passed_on_as_it_is_and_says_where():
    gateway = await a_gateway_that("flag")

    await send(gateway, a_line())

    [told] = gateway.log.of(PredictionSubmitted)
    assert told.fields == {"answer": {"text": f"Ask {MAIL}"}}
    assert [(finding.kind, finding.start) for finding in told.pii] == [("email", 4)]


@pytest.mark.parametrize(
    ("action", "line", "code"),
    [
        ("reject", a_line(), "pii-found"),
        ("mask", a_line(fields={"answer": 1, "contact": MAIL}), "wrong-type"),
        ("mask", a_line(score=2, external_id=MAIL), "less-than-equal"),
        ("reject", a_line()[:-5] + b"\n", "invalid-json"),
    ],
    ids=["refused for it", "refused for its fields", "refused for its shape", "no JSON"],
)
async def test_a_prediction_that_is_refused_is_kept_without_its_personal_data(action: str, line: bytes, code: str):
    gateway = await a_gateway_that(action)

    await send(gateway, line, a_line(fields={"answer": {"text": "Nobody"}}))

    [refused] = gateway.log.of(PredictionLineFinished)
    assert refused.faults[0].code == code
    assert refused.source and MAIL not in refused.model_dump_json()
    assert len(gateway.log.of(PredictionSubmitted)) == 1
