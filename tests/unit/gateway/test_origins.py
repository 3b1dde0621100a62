"""What is known of an answer beside its fields goes into the log with it."""

from datetime import timedelta
from typing import Any

from shared.events.tasks import AnnotationSubmitted, ReviewSubmitted
from shared.ids import born_at, new_id
from shared.security import Role
from tests.builders import a_project_spec, a_project_versioned
from tests.unit.gateway.gateway_under_test import TASK, GatewayUnderTest, a_gateway

WARNING = {"id": "never-a-refund", "expression": 'fields.intent != "refund"', "message": "Look again."}


async def submitted(gateway: GatewayUnderTest, *roles: Role, **headers: str) -> AnnotationSubmitted:
    async with gateway.calling("ana", *(roles or ("annotator",))) as client:
        answer = await client.post(
            f"/tasks/{TASK}/annotations", json={"fields": {"intent": "refund"}, "confidence": 0.8}, headers=headers
        )
    assert answer.status_code == 202, answer.text
    return gateway.log.of(AnnotationSubmitted)[-1]


async def test_an_answer_carries_who_when_how_and_under_which_versions():
    gateway = await a_gateway(a_project_versioned(guideline_version=4))
    lease_id = new_id()
    held = gateway.holds(lease_id=lease_id)
    facts: Any = gateway.services.replies[f"/v1/tasks/{TASK}/facts"]
    facts[1]["language"] = "de"

    event = await submitted(gateway, **held, **{"user-agent": "labelmesh-python/0.1.0\t\x7f" + "x" * 300})

    origin = event.origin
    assert origin is not None
    assert (origin.role, origin.channel, origin.language, origin.guideline_version) == ("annotator", "client", "de", 4)
    assert (origin.validation, origin.started_at) == ("valid", born_at(lease_id))
    assert origin.client is not None
    assert (origin.client[:24], len(origin.client)) == ("labelmesh-python/0.1.0xx", 200)


async def test_an_answer_that_a_rule_warns_of_says_so():
    gateway = await a_gateway(a_project_versioned(spec=a_project_spec(rules=[WARNING])))

    event = await submitted(gateway, **gateway.holds())

    assert event.origin is not None
    assert event.origin.validation == "warned"


async def test_the_role_is_the_one_that_the_stage_is_for():
    gateway = await a_gateway()
    as_reviewer = gateway.holds(stage="peer_review")

    async with gateway.calling("ana", "annotator", "reviewer") as client:
        await client.post(f"/tasks/{TASK}/reviews", json={"verdict": "accept"}, headers=as_reviewer)
    event = await submitted(gateway, "annotator", "reviewer", **gateway.holds())

    [review] = gateway.log.of(ReviewSubmitted)
    assert review.origin is not None
    assert event.origin is not None
    assert (review.origin.role, event.origin.role) == ("reviewer", "annotator")


def test_an_id_tells_when_it_was_made():
    earlier, later = new_id(), new_id()

    born = born_at(earlier)

    assert born is not None
    assert timedelta() <= born_at(later) - born < timedelta(seconds=60)  # type: ignore[operator]
    assert born_at("lease-1") is born_at("6f0d5d5e-6f6b-5a0e-9d4c-0c6c61626d73") is None
