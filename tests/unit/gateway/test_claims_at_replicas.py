"""A claim at several replicas of task assignment, each of which gives out what it owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from services.gateway.inner import Answer, Inner, Members
from shared.clock import utc_now
from shared.errors import UnavailableError
from shared.events.tasks import AssignmentMemberAnnounced
from shared.health import Health
from shared.ids import new_id
from shared.security import Principal
from tests.unit.gateway.gateway_under_test import gateway_settings

FIRST, SECOND, THIRD = "http://one", "http://three", "http://two"
"""In the order of their addresses, in which they are asked; who asks begins with the first."""


class Asked(BaseModel):
    count: int = Field(1, ge=1, le=20, strict=True)


class Replicas(Inner):
    """Replicas that answer from what they own; an answer tells of all leases of the caller, whoever gave them."""

    def __init__(self, members: Members, owned: Mapping[str, int | None]) -> None:
        super().__init__(gateway_settings(), members, utc_now)
        self.left = dict(owned)
        """None: it is dead."""
        self.asked: list[str] = []
        self.leased: list[str] = []

    async def ask(self, *_: Any, body: bytes | None = None, address: str | None = None, **__: Any) -> Answer:
        self.asked.append(address or "")
        left = self.left[address or ""]
        if left is None:
            raise UnavailableError("dead")
        try:
            count = Asked.model_validate_json(body or b"{}").count
        except ValidationError:
            return Answer(422, {}, b"{}")
        given = min(left, count - len(self.leased))
        self.left[address or ""] = left - given
        self.leased += [f"task of {address}"] * given
        return Answer(200, {}, orjson.dumps({"tasks": [{"task": task} for task in self.leased]}))


async def replicas(owned: Mapping[str, int | None]) -> Replicas:
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
    return Replicas(members, owned)


async def claim(replicas: Replicas, body: bytes) -> Answer:
    scope = {"type": "http", "method": "POST", "path": "/v1/tasks/claim", "headers": [], "query_string": b""}
    return await replicas.claim(
        Principal(tenant_id="acme", subject="d", roles=frozenset({"annotator"})), Request(scope), body, ()
    )


async def test_many_tasks_come_from_as_many_replicas_as_it_takes():
    inner = await replicas({FIRST: 3, SECOND: 4, THIRD: 9})

    answer = await claim(inner, b'{"count": 6}')

    assert [task["task"] for task in answer.json()["tasks"]] == [f"task of {FIRST}"] * 3 + [f"task of {SECOND}"] * 3
    assert inner.asked == [FIRST, SECOND]


async def test_fewer_are_given_where_all_together_have_not_more():
    inner = await replicas({FIRST: 1, SECOND: 0, THIRD: 1})

    answer = await claim(inner, b'{"count": 20}')

    assert len(answer.json()["tasks"]) == 2
    assert inner.asked == [FIRST, SECOND, THIRD]


async def test_one_task_is_asked_of_one_replica_that_has_it():
    inner = await replicas({FIRST: 0, SECOND: 1, THIRD: 1})

    answer = await claim(inner, b"{}")

    assert [task["task"] for task in answer.json()["tasks"]] == [f"task of {SECOND}"]
    assert inner.asked == [FIRST, SECOND]


async def test_what_one_replica_gave_is_not_lost_when_the_next_is_dead():
    inner = await replicas({FIRST: 2, SECOND: None, THIRD: None})

    answer = await claim(inner, b'{"count": 5}')

    assert len(answer.json()["tasks"]) == 2


async def test_a_claim_that_no_replica_answers_is_told_so():
    inner = await replicas({FIRST: None, SECOND: None})

    with pytest.raises(UnavailableError):
        await claim(inner, b'{"count": 5}')


@pytest.mark.parametrize(
    "body", [b'{"count": 400}', b'{"count": 0}', b'{"count": "six"}', b'{"count": null}', b"[]", b"no"]
)
async def test_what_no_replica_would_take_is_refused_by_the_first(body: bytes):
    inner = await replicas({FIRST: 3, SECOND: 3})

    answer = await claim(inner, body)

    assert answer.status == 422
    assert inner.asked == [FIRST]
