"""Claims and answers that skip the framework are answered as the framework answers them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.direct import DirectRoutes
from shared.events.tasks import AnnotationSubmitted
from tests.unit.gateway.gateway_under_test import TASK, GatewayUnderTest, a_gateway

CLAIM = "/tasks/claim"
SUBMIT = f"/tasks/{TASK}/annotations"


def without_direct_routes(gateway: GatewayUnderTest) -> GatewayUnderTest:
    direct = [each for each in gateway.app.user_middleware if each.cls is DirectRoutes]
    assert direct, "otherwise nothing is compared"
    for each in direct:
        gateway.app.user_middleware.remove(each)
    return gateway


async def ask(gateway: GatewayUnderTest, path: str, who: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    claimed = {"task": TASK, "project": "support", "project_version": 1, "assets": {}}
    gateway.services.replies["/v1/tasks/claim"] = (200, {"tasks": [claimed]})
    holding = gateway.holds() if "no-token" not in headers else {}
    sent = {"content-type": "application/json", "x-request-id": "r1"} | holding | headers
    async with gateway.calling(who, "auditor" if who == "olga" else "annotator") as client:
        if who == "nobody":
            del client.headers["authorization"]
        answer = await client.post(path, content=body, headers=sent)
    return {
        "status": answer.status_code,
        "body": answer.content,
        "headers": sorted(answer.headers.items()),
        "asked": [(each.service, each.method, each.path, each.body) for each in gateway.services.asked],
        "written": [(event.annotation_id, event.fields) for event in gateway.log.of(AnnotationSubmitted)],
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"fields": {"intent": "refund"}}',
        b'{"fields": {}}',
        b"{",
        b"[]",
        b"",
        b"\xff",
        b'{"fields": {"intent": NaN}}',
        b'{"x": 1}',
    ],
)
@pytest.mark.parametrize(("path", "who"), [(CLAIM, "ana"), (CLAIM, "olga"), (CLAIM, "nobody"), (SUBMIT, "ana"), (SUBMIT, "olga"), (SUBMIT, "nobody"), (SUBMIT, "bo")])  # fmt: skip
async def test_the_answer_is_the_one_that_the_framework_gives(path: str, who: str, body: bytes):
    direct = await ask(await a_gateway(), path, who, {}, body)
    usual = await ask(without_direct_routes(await a_gateway()), path, who, {}, body)

    assert direct == usual


@pytest.mark.parametrize(
    "headers",
    [
        {"no-token": "1"},
        {"lease-token": "forged"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "application/merge-patch+json"},
        {"prefer": "wait=0"},
        {"authorization": "Basic YQ=="},
        {"x-request-id": ""},
    ],
    ids="-".join,
)
async def test_headers_are_heeded_alike(headers: dict[str, str]):
    body = b'{"fields": {"intent": "refund"}}'

    direct = await ask(await a_gateway(), SUBMIT, "ana", headers, body)
    usual = await ask(without_direct_routes(await a_gateway()), SUBMIT, "ana", headers, body)

    if headers.get("x-request-id") == "":
        direct.pop("headers"), usual.pop("headers")  # it is born anew
    assert direct == usual


async def test_plain_claims_and_answers_do_not_reach_the_framework():
    gateway = await a_gateway()
    gateway.app.router.routes.clear()

    for path in (CLAIM, SUBMIT):
        answer = await ask(gateway, path, "ana", {}, b'{"fields": {"intent": "refund"}}')
        assert answer["status"] in {200, 202}


async def test_a_body_that_is_too_long_is_refused_alike():
    body = b'{"fields": {"intent": "' + b"x" * 30_000 + b'"}}'

    for path in (CLAIM, SUBMIT):
        direct = await ask(await a_gateway(), path, "ana", {}, body)
        usual = await ask(without_direct_routes(await a_gateway()), path, "ana", {}, body)
        assert direct == usual
        assert direct["status"] == 413


async def test_an_idempotency_key_is_heeded():
    gateway = await a_gateway()

    first = await ask(gateway, SUBMIT, "ana", {"idempotency-key": "k1"}, b'{"fields": {"intent": "refund"}}')
    again = await ask(gateway, SUBMIT, "ana", {"idempotency-key": "k1"}, b'{"fields": {"intent": "refund"}}')

    assert first["status"] == again["status"] == 202
    assert len(gateway.log.of(AnnotationSubmitted)) == 1


async def test_a_claim_tells_of_what_was_answered_since_the_last_one():
    gateway = await a_gateway()
    await ask(gateway, SUBMIT, "ana", {}, b'{"fields": {"intent": "refund"}}')

    await ask(gateway, CLAIM, "ana", {}, b"{}")
    await ask(gateway, CLAIM, "ana", {}, b"{}")

    told = [each.told for each in gateway.services.asked if each.path == "/v1/tasks/claim"]
    assert told == [{"answered": "lease-1"}, {"answered": ""}]
