"""Claims of people whom profiles and projects bound, over replicas that get in each other's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.events.tasks import TaskReleased
from shared.security import Lease
from tests.builders import TENANT, a_sample_ingested
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog


@asynccontextmanager
async def work(samples: int = 6, overlap: int = 1, **assignment: Any) -> AsyncIterator[WorkUnderTest]:
    under_test = WorkUnderTest(await a_work_catalog(overlap, assignment), replicas=2)
    for number in range(samples):
        under_test.log.append(a_sample_ingested(external_id=f"s{number}"))
    await under_test.start()
    await under_test.fold()
    await under_test.replicas[1].keeper.repair()
    try:
        yield under_test
    finally:
        await under_test.stop()


async def leases(under_test: WorkUnderTest, who: str, count: int = 1, **more: Any) -> list[Lease]:
    return [granted.lease for granted in (await under_test.claim(who, count, **more)).granted]


async def answer_all(under_test: WorkUnderTest, held: list[Lease]) -> None:
    for lease in held:
        under_test.submit(lease)
    await under_test.fold()


async def test_nobody_holds_more_of_a_project_than_it_says_whichever_replicas_they_ask():
    async with work(max_held=2) as under_test:
        await under_test.declare("ana", max_leases=10)

        one = await leases(under_test, "ana", 5)
        both = await asyncio.gather(leases(under_test, "ana", 5), leases(under_test, "ana", 5, replica=1))
        full = await under_test.claim("ana", 5)

        assert len(one) == 2
        assert both == [one, one]
        assert full.reason == "project-lease-limit"


async def test_whoever_has_answered_enough_for_a_day_gets_more_tomorrow():
    async with work(max_per_day=2) as under_test:
        for _ in range(2):
            await answer_all(under_test, await leases(under_test, "ana"))

        today = await under_test.claim("ana")
        under_test.clock.advance(today.retry_after.total_seconds())
        tomorrow = await leases(under_test, "ana")

        assert (today.granted, today.reason) == ([], "project-daily-cap")
        assert len(tomorrow) == 1


async def test_a_cap_is_overshot_by_no_more_than_what_is_held():
    async with work(max_in_project=2) as under_test:
        held = await leases(under_test, "ana", 3)
        await answer_all(under_test, held)

        after = await under_test.claim("ana")
        counted = (await under_test.store.holdings([f"{TENANT}/ana"]))[f"{TENANT}/ana"]

        assert len(held) == 3
        assert (after.granted, after.reason) == ([], "project-cap")
        assert (
            counted.leases == () or len(counted.leases) == 3
        )  # it is written with the next lease, and counted till then


async def test_answers_count_once_however_often_somebody_claims():
    async with work(max_in_project=3) as under_test:
        first = await leases(under_test, "ana")
        await answer_all(under_test, first)

        second = await leases(under_test, "ana")
        again = await leases(under_test, "ana")
        counted = (await under_test.store.holdings([f"{TENANT}/ana"]))[f"{TENANT}/ana"].answered

        assert second == again
        assert [count.total for count in counted.values()] == [1]


async def test_one_person_answers_no_larger_share_of_a_project_than_it_says():
    async with work(samples=4, max_share=0.5) as under_test:
        await under_test.replicas[0].keeper.write_progress()
        for _ in range(2):
            await answer_all(under_test, await leases(under_test, "ana"))

        after = await under_test.claim("ana")

        assert (after.granted, after.reason) == ([], "project-share")
        assert len(await leases(under_test, "bo", 2)) == 2


async def test_only_those_who_have_the_skills_get_the_work():
    async with work(skills={"radiology": 3}) as under_test:
        await under_test.declare("ana", skills={"radiology": 3})
        await under_test.declare("bo", skills={"radiology": 2})

        assert len(await leases(under_test, "ana")) == 1
        assert (await under_test.claim("bo")).reason == "skills-missing"
        assert (await under_test.claim("cy")).reason == "skills-missing"


async def test_a_samples_labels_come_from_several_teams_though_all_claim_at_once():
    async with work(samples=1, overlap=4, diversity={"by": "team", "max_share": 0.5}) as under_test:
        for who in ("ana", "al", "abe"):
            await under_test.declare(who, team="a")
        await under_test.declare("bo", team="b")

        team = ("ana", "al", "abe")
        claims = [leases(under_test, who, replica=number % 2) for number, who in enumerate(team)]
        of_a = dict(zip(team, await asyncio.gather(*claims), strict=True))
        for who in team:  # whoever lost the race may try again
            of_a[who] = of_a[who] or await leases(under_test, who)
        of_b, nobodys = await leases(under_test, "bo"), await leases(under_test, "cy")

        [sample] = under_test.samples().values()
        groups = [slot.group for slot in sample.tasks["first_pass-1"].slots.values()]
        assert sorted(len(held) for held in of_a.values()) == [0, 1, 1]
        assert len(of_b) == len(nobodys) == 1
        assert sorted(map(str, groups)) == ["None", "a", "a", "b"]


async def test_who_is_paused_loses_what_they_hold_and_gets_no_more():
    async with work() as under_test:
        await under_test.declare("ana")
        held = await leases(under_test, "ana", 2)

        await under_test.declare("ana", paused=True)
        after = await under_test.claim("ana")

        assert (after.granted, after.reason) == ([], "paused")
        released = under_test.log.of(TaskReleased)
        assert {each.lease_id for each in released} == {each.lease_id for each in held}
        assert {each.reason for each in released} == {"forced"}


async def test_an_empty_answer_says_which_filter_emptied_it():
    async with work(samples=1) as under_test:
        await under_test.declare("bo", languages=["de"])
        await under_test.declare("cy", projects=["another"])

        reasons = {
            "languages": (await under_test.claim("bo")).reason,
            "projects": (await under_test.claim("cy")).reason,
            "stages": (await under_test.claim("di", stages=frozenset({"adjudication"}))).reason,
        }
        await leases(under_test, "ana")
        reasons["no-open-tasks"] = (await under_test.claim("eve")).reason

        assert reasons == {name: name for name in reasons}


async def test_how_much_somebody_has_done_is_told_by_project_whether_or_not_they_claim_again():
    async with work() as under_test:
        first = await leases(under_test, "ana")
        await answer_all(under_test, first)
        held = await leases(under_test, "ana", 2)
        await answer_all(under_test, held[:1])
        await under_test.give_back(held[1])
        third = await leases(under_test, "ana")

        [(project, done)] = (await under_test.replicas[0].hand.workload(TENANT, "ana")).items()

        assert project == third[0].project_id
        assert (done.answers, done.answers_on_last_day, done.held) == (2, 2, 1)
        assert await under_test.replicas[0].hand.workload("globex", "ana") == {}
