"""The routes of the manager's hand, as the gateway calls them."""

from __future__ import annotations

from services.task_assignment.manager_api import create_manager_router
from shared.ids import derived_id
from shared.security import read_lease
from tests.asking import asking
from tests.builders import an_annotator_voided
from tests.unit.task_assignment.test_hand import hand_of, lease_of, work
from tests.unit.task_assignment.work_under_test import SECRET, a_principal


async def test_a_manager_sees_ends_and_passes_on_leases():
    async with work(samples=2) as under_test:
        lease = await lease_of(under_test)
        parts = hand_of(under_test), under_test.store, SECRET
        async with asking(create_manager_router, *parts) as manager:
            seen = (await manager.get("/leases")).json()
            given = await manager.post(f"/tasks/{lease.task_id}/reassign", json={"to": "bo", "holder": "ana"})
            ended = await manager.post(f"/tasks/{lease.task_id}/force-release", json={})
            missing = await manager.get("/jobs/task_assignment-none")

        assert [each["annotator_id"] for each in seen["items"]] == ["ana"] and seen["next"] is None
        assert given.json()["annotator_id"] == "bo"
        assert [each["annotator_id"] for each in ended.json()["released"]] == ["bo"]
        assert missing.status_code == 404


async def test_others_may_not():
    async with work() as under_test:
        lease = await lease_of(under_test)
        parts = hand_of(under_test), under_test.store, SECRET
        async with asking(create_manager_router, *parts, who="ana", roles=("annotator",)) as ana:
            refused = [
                await ana.get("/leases"),
                await ana.post(f"/tasks/{lease.task_id}/reassign", json={"to": "bo"}),
                await ana.post(f"/tasks/{lease.task_id}/force-release", json={}),
                await ana.get("/jobs/task_assignment-1"),
            ]

        assert [each.status_code for each in refused] == [403] * 4


async def test_an_author_gets_a_token_for_their_own_answer_and_a_manager_reads_how_far_a_job_is():
    async with work() as under_test:
        lease = await lease_of(under_test)
        under_test.submit(lease)
        await under_test.fold()
        annotation = derived_id("annotation", lease.lease_id)
        parts = hand_of(under_test), under_test.store, SECRET

        async with asking(create_manager_router, *parts, who="ana", roles=("annotator",)) as ana:
            reopened = await ana.post(f"/tasks/{lease.task_id}/reopen", json={"annotation_id": annotation})
        voided = an_annotator_voided(annotator_id="ana")
        await under_test.replicas[0].voiding.receive(voided)
        async with asking(create_manager_router, *parts) as manager:
            job = (await manager.get(f"/jobs/{voided.job_id}")).json()

        token = reopened.json()["lease"]["token"]
        assert read_lease(SECRET, token, a_principal("ana"), lease.task_id).lease_id == lease.lease_id
        assert (job["state"], job["outcomes"]) == ("done", {"samples": 1, "labels": 1, "verdicts": 0})
