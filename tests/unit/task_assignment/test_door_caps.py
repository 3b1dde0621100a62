"""What tools bring for people who have reached a cap, or get no work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.events.tasks import AnnotationCounted
from tests.builders import MORNING, PROJECT, TENANT, a_sample_ingested, an_annotation_offered
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog

SAMPLES = 6


@asynccontextmanager
async def work(**assignment: Any) -> AsyncIterator[WorkUnderTest]:
    under_test = WorkUnderTest(await a_work_catalog(overlap=2, assignment=assignment))
    for number in range(SAMPLES):
        under_test.log.append(a_sample_ingested(external_id=f"s{number}"))
    await under_test.start()
    await under_test.fold()
    await under_test.replicas[0].keeper.write_progress()
    try:
        yield under_test
    finally:
        await under_test.stop()


def offer(under_test: WorkUnderTest, number: int, who: str = "ana", day: int = 0, **more: Any) -> None:
    sent = {"occurred_at": MORNING + timedelta(days=day)} | more
    event = an_annotation_offered(external_id=f"s{number}", annotator_id=who, annotation_id=f"{who}-{number}", **sent)
    under_test.log.append(event)


def counted(under_test: WorkUnderTest) -> list[str]:
    return [each.annotation_id for each in under_test.counted.of(AnnotationCounted)]


@pytest.mark.parametrize(
    "assignment", [{"max_per_day": 2}, {"max_in_project": 2}, {"max_share": 0.33}], ids=lambda each: next(iter(each))
)
async def test_whoever_has_reached_a_cap_of_the_project_gets_no_slot_for_what_a_tool_brings(assignment: dict[str, Any]):
    async with work(**assignment) as under_test:
        for number in range(4):
            offer(under_test, number)
        offer(under_test, 0, "bo")
        await under_test.fold()

        assert counted(under_test) == ["ana-0", "ana-1", "bo-0"]
        assert [(each.annotation_id, each.reason) for each in under_test.surplus()] == [
            ("ana-2", "cap-reached"),
            ("ana-3", "cap-reached"),
        ]


async def test_a_persons_own_cap_of_a_day_holds_over_batches_and_a_new_day_begins_anew():
    async with work() as under_test:
        await under_test.declare("ana", max_per_day=2)
        for number in range(3):
            offer(under_test, number)
            await under_test.fold()
        offer(under_test, 4, day=1)
        await under_test.fold()

        assert counted(under_test) == ["ana-0", "ana-1", "ana-4"]


async def test_what_was_counted_before_a_restart_or_under_a_lease_is_counted_for_the_cap():
    async with work(max_in_project=2) as under_test:
        [granted] = (await under_test.claim("ana")).granted
        under_test.submit(granted.lease)
        await under_test.fold()
        await under_test.count_work()
        free = [n for n in range(SAMPLES) if granted.sample.external_id != f"s{n}"]
        for number in free[:2]:
            offer(under_test, number)
        await under_test.fold()

        assert counted(under_test)[1:] == [f"ana-{free[0]}"]


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ({"max_per_day": 2}, "project-daily-cap"),
        ({"max_in_project": 2}, "project-cap"),
        ({"max_share": 0.33}, "project-share"),
    ],
)
async def test_what_tools_brought_counts_for_the_cap_of_whoever_claims(assignment: dict[str, Any], reason: str):
    async with work(**assignment) as under_test:
        for number in (0, 1):
            offer(under_test, number, occurred_at=under_test.clock())
        offer(under_test, 0, occurred_at=under_test.clock(), fields={"intent": "other"})
        await under_test.fold()
        [granted] = (await under_test.claim("bo")).granted
        under_test.submit(granted.lease)
        await under_test.fold()
        await under_test.count_work()
        await under_test.count_work_again()

        assert (await under_test.claim("ana")).reason == reason
        assert len((await under_test.claim("bo")).granted) == 1
        shown = (await under_test.replicas[0].hand.workload(TENANT, "ana"))[PROJECT]
        assert (shown.answers, shown.answers_on_last_day) == (2, 2)


async def test_a_persons_own_cap_of_a_day_counts_what_tools_brought_on_that_day_and_what_was_claimed():
    async with work() as under_test:
        await under_test.declare("ana", max_per_day=2)
        offer(under_test, 0, occurred_at=under_test.clock() - timedelta(days=1))
        offer(under_test, 1, occurred_at=under_test.clock())
        await under_test.fold()
        await under_test.count_work()

        [granted] = (await under_test.claim("ana")).granted
        under_test.submit(granted.lease)
        await under_test.fold()

        assert (await under_test.claim("ana")).reason == "your-daily-cap"


async def test_a_revision_is_taken_whatever_the_cap_and_a_batch_that_is_read_again_counts_once():
    async with work(max_per_day=2) as under_test:
        offer(under_test, 0)
        offer(under_test, 1)
        await under_test.fold()
        for _ in range(3):
            await under_test.redeliver()
        offer(under_test, 0, fields={"intent": "other"})
        await under_test.fold()

        assert counted(under_test)[-1] == "ana-0"
        assert under_test.surplus() == []


async def test_whoever_lacks_a_skill_of_the_project_gets_no_slot_by_a_tool_either():
    async with work(skills={"radiology": 4}) as under_test:
        await under_test.declare("ana", skills={"radiology": 4})
        await under_test.declare("bo", skills={"radiology": 3})
        for who in ("ana", "bo", "nobody-knows"):
            offer(under_test, 0, who)
        await under_test.fold()

        assert counted(under_test) == ["ana-0"]
        assert {each.annotator_id: each.reason for each in under_test.surplus()} == {
            "bo": "skills-missing",
            "nobody-knows": "skills-missing",
        }


async def test_who_has_lost_a_skill_may_still_mend_what_they_gave():
    async with work(skills={"radiology": 4}) as under_test:
        await under_test.declare("ana", skills={"radiology": 4})
        offer(under_test, 0)
        await under_test.fold()
        await under_test.declare("ana", skills={})
        offer(under_test, 0, fields={"intent": "other"})
        offer(under_test, 1)
        await under_test.fold()

        assert counted(under_test) == ["ana-0", "ana-0"]
        assert [each.annotation_id for each in under_test.surplus()] == ["ana-1"]


async def test_hours_are_the_tools_to_keep():
    never = {"zone": "UTC", "days": ["sun"], "start": "03:00", "end": "03:01"}
    async with work(working_hours=never) as under_test:
        await under_test.declare("ana", working_hours=never)
        offer(under_test, 0)
        await under_test.fold()

        assert counted(under_test) == ["ana-0"]


@pytest.mark.parametrize("idle", ["paused", "banned"])
async def test_whoever_gets_no_work_gets_no_slot_by_a_tool_either(idle: str):
    async with work() as under_test:
        await under_test.declare("ana", **{idle: True})
        offer(under_test, 0)
        offer(under_test, 1, "bo")
        await under_test.fold()
        await under_test.declare("bo", **{idle: True})
        offer(under_test, 1, "bo", fields={"intent": "other"})
        await under_test.fold()

        assert [each.reason for each in under_test.surplus()] == ["annotator-paused"] * 2
        assert counted(under_test) == ["bo-1"]
