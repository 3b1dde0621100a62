"""Claims that came together, as the gateway asks for them: each is answered by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pymongo.errors import AutoReconnect

from services.task_assignment.claims_api import create_direct_routes
from shared.claims import CLAIMS_PATH, AskedClaim, AskedClaims, read_answers
from shared.clock import utc_now
from shared.direct import DirectRoutes
from shared.http import install_problems
from shared.security import Role, sign_internal
from tests.unit.task_assignment.test_hand import work
from tests.unit.task_assignment.work_under_test import INTERNAL_SECRET, WorkUnderTest, a_principal


def a_claim(who: str, body: str = "{}", *, role: Role = "annotator", secret: str = INTERNAL_SECRET) -> AskedClaim:
    token = sign_internal(secret, a_principal(who, role), f"request of {who}", utc_now())  # it lives for minutes alone
    return AskedClaim(token=token, body=body)


async def answers(under_test: WorkUnderTest, claims: Sequence[AskedClaim]) -> list[tuple[int, dict[str, str], Any]]:
    app = FastAPI()
    install_problems(app)
    served = DirectRoutes(app, create_direct_routes(under_test.replicas[0].parts))
    transport = httpx2.ASGITransport(app=served)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        body = AskedClaims(claims=list(claims)).model_dump_json()
        answer = await client.post(CLAIMS_PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    return read_answers(answer.content)


async def test_each_caller_is_given_tasks_of_their_own():
    async with work(samples=2) as under_test:
        ana, bo = await answers(under_test, [a_claim("ana"), a_claim("bo", '{"count": 2}')])

        assert [(status, len(told["tasks"])) for status, _, told in (ana, bo)] == [(200, 1), (200, 2)]
        assert ana[2]["tasks"][0]["lease"]["token"] not in {task["lease"]["token"] for task in bo[2]["tasks"]}


@pytest.mark.parametrize(
    ("wrong", "status", "problem"),
    [
        ({"secret": "a secret that is not ours, and long enough"}, 401, "unauthenticated"),
        ({"role": "viewer"}, 403, "forbidden"),
        ({"body": "{"}, 400, "malformed-body"),
        ({"body": ""}, 400, "malformed-body"),
        ({"body": '{"count": 0}'}, 422, "invalid-body"),
        ({"body": '{"counts": 1}'}, 422, "invalid-body"),
        ({"body": "[]"}, 422, "invalid-body"),
    ],
)
async def test_what_is_wrong_with_one_is_its_own(wrong: dict[str, Any], status: int, problem: str):
    async with work() as under_test:
        refused, served = await answers(under_test, [a_claim("eve", **wrong), a_claim("bo")])

        told_status, headers, told = refused
        assert (told_status, told["type"].rpartition("/")[2]) == (status, problem)
        assert headers["content-type"] == "application/problem+json"
        assert told["instance"] == "/v1/tasks/claim"
        assert told["request_id"] == ("" if status == 401 else "request of eve")
        assert (served[0], len(served[2]["tasks"])) == (200, 1)


async def test_the_fault_is_named_as_where_the_framework_reads_the_body():
    async with work() as under_test:
        [(_, _, told)] = await answers(under_test, [a_claim("ana", '{"count": 0, "stages": ["none"]}')])

        assert sorted(fault["pointer"] for fault in told["errors"]) == ["/count", "/stages/0"]


async def test_a_store_that_is_away_is_told_to_those_whose_claims_need_it():
    async with work() as under_test:

        async def away(*_: Any) -> Any:
            raise AutoReconnect("no server")

        under_test.store.holdings = away  # type: ignore[method-assign]
        found = await answers(under_test, [a_claim("ana"), a_claim("eve", "{")])

        assert [status for status, _, _ in found] == [503, 400]


async def test_what_we_did_not_foresee_is_our_fault_and_leaves_the_others_alone():
    async with work() as under_test:
        require = under_test.replicas[0].desk.claim

        async def broken(request: Any) -> Any:
            if request.principal.subject == "ana":
                raise KeyError("a bug of ours")
            return await require(request)

        under_test.replicas[0].desk.claim = broken  # type: ignore[method-assign]
        found = await answers(under_test, [a_claim("ana"), a_claim("bo")])

        assert [status for status, _, _ in found] == [500, 200]
