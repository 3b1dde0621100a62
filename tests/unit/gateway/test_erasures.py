"""Erasing a sample at the gateway."""

from __future__ import annotations

from shared.events.erasure import SampleErased
from tests.builders import PROJECT
from tests.unit.gateway.gateway_under_test import SAMPLE, a_gateway

PATH = f"/v1/samples/{SAMPLE}"


async def test_an_erasure_is_a_job_and_asked_for_again_it_is_the_same():
    gateway = await a_gateway()
    gateway.services.replies[PATH] = (200, {"project_id": PROJECT})

    async with gateway.calling() as client:
        first = await client.delete(f"/samples/{SAMPLE}")
        again = await client.delete(f"/samples/{SAMPLE}")
        gateway.services.replies[PATH] = (410, {"title": "Erased"})
        gone = await client.delete(f"/samples/{SAMPLE}")

    asked = gateway.log.of(SampleErased)
    assert [each.status_code for each in (first, again, gone)] == [202, 202, 202]
    assert first.json() == again.json() == gone.json()
    assert len({event.event_id for event in asked}) == 1
    assert (asked[0].job_id, asked[0].erased_by) == (first.json()["job_id"], "mo")


async def test_only_who_manages_the_project_may_erase_and_what_is_not_there_cannot_be():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        unknown = await client.delete(f"/samples/{SAMPLE}")
    gateway.services.replies[PATH] = (200, {"project_id": PROJECT})
    async with gateway.calling("ana", "annotator") as client:
        forbidden = await client.delete(f"/samples/{SAMPLE}")
    async with gateway.calling("mo", "manager", projects=("another",)) as client:
        elsewhere = await client.delete(f"/samples/{SAMPLE}")

    assert [each.status_code for each in (unknown, forbidden, elsewhere)] == [404, 403, 403]
    assert gateway.log.events == []
