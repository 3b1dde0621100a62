"""What is late or will be, as a manager lists it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.task_assignment.domain.due_book import DueWork
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.late import DueSpan, Late, late_of
from services.task_assignment.domain.outlook import outlook_of
from services.task_assignment.domain.pace import Pace
from services.task_assignment.late_api import LateReader, create_late_router
from shared.clock import to_ms
from tests.asking import asking
from tests.builders import MORNING, PROJECT, a_label_finalized
from tests.unit.task_assignment.test_watching import Watched, watched

NOW = to_ms(MORNING)
PATH = f"/projects/{PROJECT}/late"


def parts(seen: Watched) -> tuple[Any, ...]:
    return LateReader(seen.work.store, seen.work.clock, partitions=1), seen.work.catalog


def names(answer: httpx2.Response) -> list[tuple[str, str]]:
    return [(each["sample_id"], each["late"]) for each in answer.json()["items"]]


async def test_what_is_past_its_due_date_is_listed_with_what_it_lacks_and_who_holds_it():
    async with watched() as seen:
        await seen.ingest(2, due_in=30)
        await seen.ingest(1, due_in=20)
        await seen.ingest(3, due_in=3600)
        await seen.work.claim("ana")
        await seen.look(after=40)

        async with asking(create_late_router, *parts(seen)) as manager:
            found = await manager.get(PATH)

    assert names(found) == [("s1", "overdue"), ("s2", "overdue")]
    [task] = found.json()["items"][0]["tasks"]
    assert (task["stage"], task["missing"], task["held_by"]) == ("first_pass", 2, ["ana"])
    assert found.json()["next"] is None


async def test_what_has_its_label_or_no_due_date_is_not_late():
    async with watched() as seen:
        await seen.ingest(1, due_in=20)
        await seen.ingest(2, due_in=20)
        seen.work.log.append(a_label_finalized(sample_id="s1"))
        await seen.work.fold()
        await seen.look(after=40)

        async with asking(create_late_router, *parts(seen)) as manager:
            found = await manager.get(PATH)

    assert names(found) == [("s2", "overdue")]


async def test_what_the_pace_will_not_reach_in_time_is_forecast_and_pages_go_through_all_of_it_once():
    async with watched() as seen:
        for number in range(8):
            await seen.ingest(number, due_in=900 + number)
        await seen.ingest(9, due_in=100_000)
        await seen.look()
        for _ in range(4):  # an answer a minute, and twelve are needed in eleven minutes
            seen.work.submit((await seen.work.claim("ana")).granted[0].lease)
            await seen.work.fold()
            await seen.look(after=60)

        async with asking(create_late_router, *parts(seen)) as manager:
            whole = await manager.get(PATH)
            pages, cursor = [], ""
            while cursor is not None:
                page = (await manager.get(PATH, params={"limit": 2, "cursor": cursor})).json()
                pages += [each["sample_id"] for each in page["items"]]
                cursor = page["next"]
            overdue = await manager.get(PATH, params={"which": "overdue"})

    listed = names(whole)
    assert {how for _, how in listed} == {"forecast"} and 1 <= len(listed) < 9
    assert ("s9", "forecast") not in listed and ("s7", "forecast") in listed
    assert pages == [name for name, _ in listed]
    assert names(overdue) == []


async def test_only_managers_and_auditors_of_the_project_may_look():
    async with watched() as seen:
        async with asking(create_late_router, *parts(seen), roles=("annotator",)) as ana:
            refused = await ana.get(PATH)
        async with asking(create_late_router, *parts(seen), projects=("other",)) as elsewhere:
            hidden = await elsewhere.get(PATH)

    assert refused.status_code == 403
    assert hidden.status_code in {403, 404}


@given(
    st.lists(st.tuples(st.integers(-60, 600), st.integers(1, 5)), max_size=20),
    st.integers(3, 40),
)
def test_the_list_and_the_count_of_what_will_be_late_are_of_the_same_work(line: list[tuple[int, int]], answers: int):
    work = [DueWork("first_pass", NOW + seconds * 1000, 1, slots) for seconds, slots in line]
    pace = Pace(NOW - 600_000).plus(answers, NOW)
    figures = Figures({"slots.first_pass.free": sum(each.slots for each in work)}, {"first_pass": pace}, work)

    late = late_of(figures, NOW)
    outlook = outlook_of("first_pass", figures.missing("first_pass"), work, pace, NOW, None)

    listed = [each for each in work if any(each.due_ms in span for span in late.spans("forecast"))]
    assert len([each for each in work if each.due_ms in late.overdue]) == outlook.overdue
    assert len(listed) >= outlook.projected  # of work due at once the count takes one after the other
    if len({each.due_ms for each in work}) == len(work):
        assert len(listed) == outlook.projected


def test_stretches_that_touch_are_one():
    late = Late(DueSpan(0, 5), {"first_pass": [DueSpan(5, 9)], "peer_review": [DueSpan(7, 12), DueSpan(20, 21)]})

    assert late.spans("forecast") == [DueSpan(5, 12), DueSpan(20, 21)]
    assert late.spans("overdue") == [DueSpan(0, 5)]


@pytest.mark.parametrize(("due_ms", "within"), [(5, False), (6, True), (9, True), (10, False)])
def test_a_stretch_begins_behind_a_moment_and_ends_with_one(due_ms: int, within: bool):
    assert (due_ms in DueSpan(5, 9)) is within
