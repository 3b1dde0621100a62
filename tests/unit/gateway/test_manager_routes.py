"""A manager's wishes, and an author's to have an answer back, as the gateway passes them on."""

from __future__ import annotations

import orjson

from shared.events.tasks import AnnotatorVoided
from tests.builders import PROJECT
from tests.unit.gateway.gateway_under_test import TASK, a_gateway


async def test_an_answer_that_its_author_wants_back_is_asked_for_at_the_task_it_is_of():
    gateway = await a_gateway()
    gateway.services.replies |= {
        "/v1/annotations/a-1": (200, {"task_id": TASK}),
        f"/v1/tasks/{TASK}/reopen": (200, {"task": TASK, "lease": {"token": "t"}}),
    }
    async with gateway.calling("ana", "annotator") as ana:
        answer = await ana.post("/annotations/a-1/reopen")
        missing = await ana.post("/annotations/a-2/reopen")

    asked = next(each for each in gateway.services.asked if each.path.endswith("/reopen"))
    assert (answer.status_code, answer.json()["lease"]) == (200, {"token": "t"})
    assert orjson.loads(asked.body or b"") == {"annotation_id": "a-1"}
    assert asked.told["content-type"] == "application/json", "the service reads no body of an unknown type"
    assert missing.status_code == 404


async def test_somebodys_labels_are_voided_by_managers_of_the_project_alone():
    gateway = await a_gateway()
    body = {"reason": "guesses", "project": PROJECT}
    async with gateway.calling() as manager:
        accepted = await manager.post("/annotators/ana/void", json=body)
        unknown = await manager.post("/annotators/ana/void", json=body | {"project": "nowhere"})
    async with gateway.calling("mo", "manager", projects=[PROJECT]) as limited:
        everywhere = await limited.post("/annotators/ana/void", json={"reason": "guesses"})
    async with gateway.calling("ana", "annotator") as ana:
        forbidden = await ana.post("/annotators/bo/void", json=body)

    [event] = gateway.log.of(AnnotatorVoided)
    assert accepted.status_code == 202
    assert accepted.json() == {"job_id": event.job_id}
    assert (event.annotator_id, event.only_project, event.reason) == ("ana", PROJECT, "guesses")
    assert event.job_id.startswith("task_assignment-")
    assert [each.status_code for each in (unknown, everywhere, forbidden)] == [404, 403, 403]


async def test_the_same_wish_with_the_same_key_is_one_job():
    gateway = await a_gateway()
    async with gateway.calling() as manager:
        headers = {"idempotency-key": "once"}
        first, second = [
            await manager.post("/annotators/ana/void", json={"reason": "guesses"}, headers=headers) for _ in range(2)
        ]

    assert first.json() == second.json()
    assert len(gateway.log.of(AnnotatorVoided)) == 1
