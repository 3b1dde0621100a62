"""What becomes of a request that is sent again under the same Idempotency-Key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.gateway.idempotency import KEPT_FOR, KeptAnswer, forget_expired
from shared.events.imports import ImportReceived
from shared.events.samples import SampleSubmitted
from shared.events.tasks import AnnotationSubmitted
from tests.builders import CHAT
from tests.unit.gateway.gateway_under_test import PROJECT, TASK, a_gateway

KEY = {"idempotency-key": "key-1"}
SAMPLES = f"/projects/{PROJECT}/samples"
IMPORTS = f"/projects/{PROJECT}/imports"


def a_body(external_id="sample-1", **changes):
    return {"external_id": external_id, "assets": {"chat": {"text": CHAT}}} | changes


def a_line(external_id):
    return b'{"external_id": "%s", "assets": {"chat": {"text": "Hello."}}}\n' % external_id.encode()


async def test_the_same_request_again_gets_the_same_answer_and_nothing_is_written_again():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        first = await client.post(SAMPLES, json=a_body(), headers=KEY)
        again = await client.post(SAMPLES, json=a_body(), headers=KEY)

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert len(gateway.log.of(SampleSubmitted)) == 1


async def test_another_body_under_the_same_key_is_refused_and_nothing_of_it_is_written():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        await client.post(SAMPLES, json=a_body(), headers=KEY)
        other = await client.post(SAMPLES, json=a_body("sample-2"), headers=KEY)

    assert other.status_code == 409
    assert other.json()["type"].endswith("/idempotency-conflict")
    assert "new key" in other.json()["detail"]
    assert len(gateway.log.events) == 1


async def test_keys_of_other_people_tenants_and_paths_are_other_keys():
    gateway = await a_gateway()
    jobs = set()

    for who in ("mo", "mia"):
        async with gateway.calling(who) as client:
            jobs |= {(await client.post(IMPORTS, content=a_line(who), headers=KEY)).json()["job_id"]}
            sample = await client.post(SAMPLES, json=a_body(who), headers=KEY)
            assert sample.status_code == 202

    assert len(jobs) == 2
    assert len({event.event_id for event in gateway.log.events}) == len(gateway.log.events)


async def test_an_answer_is_kept_for_a_day_and_then_the_key_is_new():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        await client.post(SAMPLES, json=a_body(), headers=KEY)
        gateway.clock.advance(KEPT_FOR)
        other = await client.post(SAMPLES, json=a_body("sample-2"), headers=KEY)

    first, second = gateway.log.of(SampleSubmitted)
    assert other.status_code == 202
    assert first.event_id != second.event_id


async def test_what_has_expired_is_forgotten_a_bounded_number_at_a_time():
    gateway = await a_gateway()
    async with gateway.calling() as client:
        for number in range(3):
            await client.post(SAMPLES, json=a_body(), headers={"idempotency-key": f"key-{number}"})
            gateway.clock.advance(timedelta(hours=1))
    gateway.clock.advance(KEPT_FOR - timedelta(hours=2))

    dropped = await gateway.answers.forget(gateway.clock(), limit=1)
    await forget_expired(gateway.answers, gateway.clock)

    assert dropped == 1
    assert len(gateway.answers.kept) == 1


async def test_a_refusal_is_not_kept_so_that_the_corrected_body_may_follow_under_its_key():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        shapeless = await client.post(SAMPLES, json={"external_id": "sample-1"}, headers=KEY)
        empty = await client.post(SAMPLES, json=a_body(assets={"chat": {"text": " "}}), headers=KEY)
        unknown = await client.post("/projects/nowhere/samples", json=a_body(), headers=KEY)
        corrected = await client.post(SAMPLES, json=a_body(), headers=KEY)

    statuses = [each.status_code for each in (shapeless, empty, unknown, corrected)]
    assert statuses == [422, 422, 404, 202]


async def test_where_the_log_did_not_answer_the_same_request_goes_on_under_the_same_id_and_another_is_refused():
    gateway = await a_gateway()
    offered = []
    gateway.log.on_event = lambda event: _acknowledgement_lost(gateway, offered, event)

    async with gateway.calling() as client:
        lost = await client.post(SAMPLES, json=a_body(), headers=KEY)
        other = await client.post(SAMPLES, json=a_body("sample-2"), headers=KEY)
        again = await client.post(SAMPLES, json=a_body(), headers=KEY)

    assert [each.status_code for each in (lost, other, again)] == [503, 409, 202]
    assert len(offered) == 2
    assert len(set(offered)) == 1


async def _acknowledgement_lost(gateway, offered, event):
    offered.append(event.event_id)
    if len(offered) == 1:
        raise TimeoutError


async def test_two_that_are_under_way_together_tell_one_fact_and_get_one_answer():
    gateway = await a_gateway()
    gateway.log.acknowledges.clear()

    async with gateway.calling() as client:
        uploads = [asyncio.create_task(client.post("/uploads", json=an_upload(), headers=KEY)) for _ in range(2)]
        imports = [asyncio.create_task(client.post(IMPORTS, content=a_line("s"), headers=KEY)) for _ in range(2)]
        for _ in imports:
            await gateway.log.offered.acquire()
        gateway.log.acknowledges.set()
        first, second, *jobs = [each.json() for each in await asyncio.gather(*uploads, *imports)]

    assert first == second
    assert jobs[0] == jobs[1]
    assert len({event.event_id for event in gateway.log.of(SampleSubmitted)}) == 1


def an_upload():
    return {"project": PROJECT, "filename": "a.jpg", "size": 3}


async def test_of_two_bodies_under_way_together_the_second_is_refused_before_it_says_anything():
    gateway = await a_gateway()
    gateway.log.acknowledges.clear()

    async with gateway.calling() as client:
        first = asyncio.create_task(client.post(SAMPLES, json=a_body(), headers=KEY))
        await gateway.log.offered.acquire()
        second = await client.post(SAMPLES, json=a_body("sample-2"), headers=KEY)
        gateway.log.acknowledges.set()

    assert (second.status_code, (await first).status_code) == (409, 202)
    assert len(gateway.log.events) == 1


async def test_an_import_sent_again_is_one_job_and_none_of_its_lines_is_written_again():
    gateway = await a_gateway()
    lines = b"".join(a_line(f"sample-{number}") for number in range(3))

    async with gateway.calling() as client:
        first = await client.post(IMPORTS, content=lines, headers=KEY)
        written = len(gateway.log.events)
        again = await client.post(IMPORTS, content=lines, headers=KEY)
        other = await client.post(IMPORTS, content=lines + a_line("sample-4"), headers=KEY)

    assert again.json() == first.json()
    assert other.status_code == 409
    assert len(gateway.log.events) == written == 4


async def test_an_import_that_broke_off_goes_on_as_the_same_job_with_the_same_ids():
    gateway = await a_gateway()
    lines = b"".join(a_line(f"sample-{number}") for number in range(600))

    async def away_after_the_first_lines(event):
        gateway.log.is_away = isinstance(event, SampleSubmitted) and event.line == 500

    gateway.log.on_event = away_after_the_first_lines
    async with gateway.calling() as client:
        broken = await client.post(IMPORTS, content=lines, headers=KEY)
        before = {event.event_id for event in gateway.log.of(SampleSubmitted)}
        gateway.log.is_away, gateway.log.on_event = False, None
        whole = await client.post(IMPORTS, content=lines, headers=KEY)

    submitted = gateway.log.of(SampleSubmitted)
    assert (broken.status_code, whole.status_code) == (503, 202)
    assert len(before) == 500
    assert len({event.event_id for event in submitted}) == 600
    assert {event.job_id for event in submitted} == {whole.json()["job_id"]}
    assert [event.lines for event in gateway.log.of(ImportReceived)] == [600]


async def test_an_answer_that_was_accepted_in_time_is_confirmed_after_its_lease_has_ended():
    gateway = await a_gateway()
    body = {"fields": {"intent": "refund"}}

    async with gateway.calling("ana", "annotator") as client:
        headers = gateway.holds("ana", seconds=60)
        first = await client.post(f"/tasks/{TASK}/annotations", json=body, headers=headers | KEY)
        gateway.clock.advance(timedelta(hours=1))
        again = await client.post(f"/tasks/{TASK}/annotations", json=body, headers=headers | KEY)
        late = await client.post(f"/tasks/{TASK}/annotations", json=body, headers=headers)

    assert [each.status_code for each in (first, again, late)] == [202, 202, 409]
    assert again.json() == first.json()
    assert len(gateway.log.of(AnnotationSubmitted)) == 2


async def test_the_secret_of_an_api_key_is_not_kept_and_no_second_key_is_made():
    gateway = await a_gateway()
    body = {"subject": "ana", "roles": ["annotator"]}

    async with gateway.calling("olga", "owner") as client:
        made = await client.post("/api-keys", json=body, headers=KEY)
        again = await client.post("/api-keys", json=body, headers=KEY)
        [(id_, record)] = gateway.answers.kept.items()
        gateway.answers.kept[id_] = replace(record, answer=None)  # it died before it had kept the answer
        after_a_crash = await client.post("/api-keys", json=body, headers=KEY)

    assert made.headers["cache-control"] == "no-store"
    assert record.answer == KeptAnswer(201, None, "application/json")
    assert [made.status_code, again.status_code, after_a_crash.status_code] == [201, 409, 409]
    assert made.json()["id"] in after_a_crash.json()["detail"]
    assert [key["_id"] for key in gateway.stored_keys.kept.values() if key["subject"] == "ana"] == [made.json()["id"]]


@pytest.mark.parametrize("path", ["/tasks/claim", f"/tasks/{TASK}/heartbeat"])
async def test_claims_and_heartbeats_tell_how_things_are_now(path):
    gateway = await a_gateway()
    gateway.services.replies = {
        f"/v1/tasks/{TASK}/heartbeat": (200, {"token": "t"}),
        "/v1/tasks/claim": (200, {"tasks": []}),
    }

    async with gateway.calling("ana", "annotator") as client:
        for count in (1, 2):
            answer = await client.post(path, json={"count": count}, headers=KEY | gateway.holds())
            assert answer.status_code == 200

    assert len(gateway.services.asked) == 2
    assert gateway.answers.kept == {}


async def test_without_a_key_nothing_is_kept_and_without_a_credential_nothing_is_reserved():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        assert (await client.post(SAMPLES, json=a_body())).status_code == 202
    async with gateway.anonymous() as client:
        assert (await client.post(SAMPLES, json=a_body(), headers=KEY)).status_code == 401

    assert gateway.answers.kept == {}
