"""A claim at several replicas of task assignment, each of which gives out what it owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
import pytest
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from services.gateway.claiming import Claiming
from services.gateway.inner import Answer, Inner, Members
from shared.claims import AskedClaim
from shared.clock import utc_now
from shared.errors import MalformedBodyError, UnavailableError
from shared.events.tasks import AssignmentMemberAnnounced
from shared.health import Health
from shared.ids import new_id
from shared.security import Principal
from tests.builders import TENANT
from tests.unit.gateway.gateway_under_test import CLAIM, gateway_settings

FIRST, SECOND, THIRD = "http://one", "http://three", "http://two"
"""In the order of their addresses, in which they are asked; who asks begins with the first."""


class ClaimBody(BaseModel):
    count: int = Field(1, ge=1, le=20, strict=True)


class Replicas(Inner):
    """Replicas that answer from what they own; an answer tells of all leases of the caller, whoever gave them."""

    def __init__(self, members: Members, owned: Mapping[str, int | None]) -> None:
        super().__init__(gateway_settings(), members, utc_now)
        self.left = dict(owned)
        """None: it is dead."""
        self.asked: list[str] = []
        self.leased: list[str] = []

    async def claim(self, address: str, claims: Sequence[AskedClaim]) -> list[Answer]:
        return [self._answer(address, each) for each in claims]

    def _answer(self, address: str, claim: AskedClaim) -> Answer:
        self.asked.append(address)
        left = self.left[address]
        if left is None:
            raise UnavailableError("dead")
        try:
            count = ClaimBody.model_validate_json(claim.body).count
        except ValidationError:
            return Answer(422, {}, b"{}")
        given = min(left, count - len(self.leased))
        self.left[address] = left - given
        self.leased += [f"task of {address}"] * given
        return Answer(200, {}, orjson.dumps({"tasks": [{"task": task} for task in self.leased]}))


async def replicas(owned: Mapping[str, int | None]) -> tuple[Replicas, Claiming]:
    members = Members(gateway_settings(), Health())
    for number, address in enumerate(owned):
        member = AssignmentMemberAnnounced(
            event_id=new_id(),
            tenant_id="-",
            occurred_at=utc_now(),
            member_id=new_id(),
            address=address,
            partitions=[number],
        )
        await members._on_announced(member)
    inner = Replicas(members, owned)
    return inner, Claiming(inner, members, gateway_settings())


async def claim(claiming: Claiming, body: bytes, who: str = "d") -> Answer:
    scope = {"type": "http", "method": "POST", "path": CLAIM, "headers": [], "query_string": b""}
    request = Request(scope | {"state": {"request_id": "r1"}})
    caller = Principal(tenant_id=TENANT, subject=who, roles=frozenset({"annotator"}))
    return await claiming.claim(caller, request, body, ())


async def test_many_tasks_come_from_as_many_replicas_as_it_takes():
    inner, claiming = await replicas({FIRST: 3, SECOND: 4, THIRD: 9})

    answer = await claim(claiming, b'{"count": 6}')

    assert [task["task"] for task in answer.json()["tasks"]] == [f"task of {FIRST}"] * 3 + [f"task of {SECOND}"] * 3
    assert inner.asked == [FIRST, SECOND]


async def test_fewer_are_given_where_all_together_have_not_more():
    inner, claiming = await replicas({FIRST: 1, SECOND: 0, THIRD: 1})

    answer = await claim(claiming, b'{"count": 20}')

    assert len(answer.json()["tasks"]) == 2
    assert inner.asked == [FIRST, SECOND, THIRD]


async def test_one_task_is_asked_of_one_replica_that_has_it():
    inner, claiming = await replicas({FIRST: 0, SECOND: 1, THIRD: 1})

    answer = await claim(claiming, b"{}")

    assert [task["task"] for task in answer.json()["tasks"]] == [f"task of {SECOND}"]
    assert inner.asked == [FIRST, SECOND]


async def test_what_one_replica_gave_is_not_lost_when_the_next_is_dead():
    _, claiming = await replicas({FIRST: 2, SECOND: None, THIRD: None})

    answer = await claim(claiming, b'{"count": 5}')

    assert len(answer.json()["tasks"]) == 2


async def test_a_claim_that_no_replica_answers_is_told_so():
    _, claiming = await replicas({FIRST: None, SECOND: None})

    with pytest.raises(UnavailableError):
        await claim(claiming, b'{"count": 5}')


@pytest.mark.parametrize(
    "body", [b'{"count": 400}', b'{"count": 0}', b'{"count": "six"}', b'{"count": null}', b"[]", b"no"]
)
async def test_what_no_replica_would_take_is_refused_by_the_first(body: bytes):
    inner, claiming = await replicas({FIRST: 3, SECOND: 3})

    answer = await claim(claiming, body)

    assert answer.status == 422
    assert inner.asked == [FIRST]


async def test_a_body_that_is_no_text_is_refused_before_any_replica_is_asked():
    inner, claiming = await replicas({FIRST: 3})

    with pytest.raises(MalformedBodyError):
        await claim(claiming, b"\xff")

    assert inner.asked == []
