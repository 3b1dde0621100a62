"""Answers under leases that ended before their time, as far as the gateway knows of it."""

from __future__ import annotations

import pytest

from services.gateway.ended import KEPT, EndedLeases
from shared.events.tasks import AnnotationSubmitted
from tests.builders import a_task_released, an_annotator_profile, an_annotator_updated
from tests.unit.gateway.gateway_under_test import TASK, a_gateway

ANSWER = {"fields": {"intent": "refund"}}


async def test_an_answer_under_a_lease_that_was_given_back_here_is_refused_and_kept():
    gateway = await a_gateway()
    gateway.services.replies[f"/v1/tasks/{TASK}/release"] = (204, None)
    async with gateway.calling("ana", "annotator") as ana:
        token = gateway.holds()
        given_back = await ana.post(f"/tasks/{TASK}/release", headers=token)

        refused = await ana.post(f"/tasks/{TASK}/annotations", json=ANSWER, headers=token)

    assert given_back.status_code == 204
    assert (refused.status_code, refused.json()["title"]) == (409, "Lease lost")
    assert "kept as a draft" in refused.json()["detail"]
    assert len(gateway.log.of(AnnotationSubmitted)) == 1, "task assignment keeps it as surplus"


@pytest.mark.parametrize("reason", ["forced", "reassigned", "released", "skipped", "voided"])
async def test_an_answer_under_a_lease_that_ended_elsewhere_is_refused(reason: str):
    gateway = await a_gateway()
    gateway.context.ended.learn(a_task_released(lease_id="lease-1", reason=reason))
    async with gateway.calling("ana", "annotator") as ana:
        refused = await ana.post(f"/tasks/{TASK}/annotations", json=ANSWER, headers=gateway.holds())

    assert refused.status_code == 409


async def test_of_a_lease_that_ended_by_itself_the_brokers_clock_decides():
    gateway = await a_gateway()
    gateway.context.ended.learn(a_task_released(lease_id="lease-1", reason="expired"))
    async with gateway.calling("ana", "annotator") as ana:
        accepted = await ana.post(f"/tasks/{TASK}/annotations", json=ANSWER, headers=gateway.holds())

    assert accepted.status_code == 202


async def test_who_is_paused_is_refused_before_anything_is_written_until_they_are_not():
    gateway = await a_gateway()
    paused = an_annotator_updated(annotator_id="ana", profile=an_annotator_profile(paused=True))
    gateway.context.ended.learn(paused)
    async with gateway.calling("ana", "annotator") as ana:
        refused = await ana.post(f"/tasks/{TASK}/annotations", json=ANSWER, headers=gateway.holds())
        gateway.context.ended.learn(an_annotator_updated(annotator_id="ana", profile=an_annotator_profile()))
        accepted = await ana.post(f"/tasks/{TASK}/annotations", json=ANSWER, headers=gateway.holds())

    assert (refused.status_code, accepted.status_code) == (403, 202)
    assert len(gateway.log.of(AnnotationSubmitted)) == 1


async def test_a_lease_is_kept_and_given_back_at_the_replica_that_serves_its_sample():
    gateway = await a_gateway()
    gateway.members.owner = "http://owner"
    gateway.services.replies["http://owner"] = (200, {"token": "t"})
    async with gateway.calling("ana", "annotator") as ana:
        kept = await ana.post(f"/tasks/{TASK}/heartbeat", headers=gateway.holds())

    assert kept.status_code == 200
    assert [each.address for each in gateway.services.asked] == ["http://owner"]


def test_what_is_remembered_is_bounded():
    ended = EndedLeases()

    for number in range(KEPT + 10):
        ended.note(str(number))

    assert len(ended._ended) == KEPT
