"""What people have done: counted once however often it is told, and read by those who pay them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.working import DayWork
from services.task_assignment.handlers import create_work_routes
from services.task_assignment.workload_api import COLUMNS, create_workload_router
from shared.events import Event
from shared.events.work import AnnotatorWorked
from shared.ledger import Ledger
from shared.security import Lease
from tests.asking import asking
from tests.builders import (
    MORNING,
    a_qa_work_requested,
    a_sample_erased,
    a_sample_ingested,
    an_annotation_offered,
    an_annotator_voided,
    an_annotator_worked,
)
from tests.fakes import FakeClock, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog
from tests.work_documents import MemoryWorkloads

WHATS = ("counted", "revised", "surplus", "skipped", "reviewed", "rejected", "voided")


class WorkCounted:
    """The fold of what people have done, and the route by which it is read."""

    def __init__(self) -> None:
        documents = MemoryLedgerStore()
        work = Ledger(documents, RecordingPublisher(), DayWork)
        annotators = Ledger(MemoryLedgerStore(), RecordingPublisher(), Annotator)
        self.receiver = Receiver(create_work_routes(work, annotators))
        self.service = (create_workload_router, MemoryWorkloads(documents), FakeClock())

    async def ask(self, who: dict[str, Any] | None = None, **query: Any) -> Any:
        days = {"from": (MORNING - timedelta(days=40)).date(), "to": (MORNING + timedelta(days=40)).date()}
        async with asking(*self.service, **who or {}) as client:
            return await client.get("/workload", params=days | query)

    async def rows(self, **query: Any) -> list[dict[str, Any]]:
        return (await self.ask(**query)).json()["items"]


async def counted(*events: Event) -> WorkCounted:
    work = WorkCounted()
    await work.receiver.receive(*events)
    await work.receiver.receive_all_again()
    return work


@asynccontextmanager
async def two_slots() -> AsyncIterator[WorkUnderTest]:
    under_test = WorkUnderTest(await a_work_catalog(overlap=2))
    under_test.log.append(a_sample_ingested())
    await under_test.start()
    await under_test.fold()
    try:
        yield under_test
    finally:
        await under_test.stop()


def told(under_test: WorkUnderTest) -> Sequence[AnnotatorWorked]:
    return [*under_test.counted.of(AnnotatorWorked), *under_test.log.of(AnnotatorWorked)]


def said(under_test: WorkUnderTest) -> list[tuple[str, str, str]]:
    unique = {each.event_id: each for each in told(under_test)}
    return [(each.annotator_id, each.stage, each.what) for each in unique.values()]


async def test_answers_revisions_late_ones_and_skips_are_told_once_each():
    async with two_slots() as work:
        [ana] = (await work.claim("ana")).granted
        [bo] = (await work.claim("bo")).granted
        await work.give_back(bo.lease, "skipped")
        await work.give_back(bo.lease, "skipped")
        work.submit(ana.lease, intent="refund")
        work.submit(ana.lease, intent="other")
        work.clock.advance(100)
        work.submit(ana.lease, intent="delivery")
        await work.fold()
        await work.redeliver()

        assert sorted(said(work)) == [
            ("ana", "first_pass", "counted"),
            ("ana", "first_pass", "revised"),
            ("ana", "first_pass", "surplus"),
            ("bo", "first_pass", "skipped"),
        ]
        assert all(sample_id not in each.model_dump_json() for each in told(work) for sample_id in work.samples())


async def test_answers_that_tools_bring_are_counted_like_those_under_a_lease():
    async with two_slots() as work:
        offers = [("ana", "1"), ("ana", "1"), ("bo", "2"), ("chi", "3")]
        for who, annotation in offers:
            work.log.append(an_annotation_offered(annotator_id=who, annotation_id=annotation, seconds_spent=5))
        await work.fold()

        assert [(who, what) for who, _, what in said(work)] == [
            ("ana", "counted"),
            ("ana", "revised"),
            ("bo", "counted"),
            ("chi", "surplus"),
        ]
        assert {each.seconds_spent for each in told(work)} == {5}


async def rejected_by_chi(work: WorkUnderTest) -> Lease:
    """Let ana and bo label and chi reject it, and return chi's lease."""
    for who in ("ana", "bo"):
        [granted] = (await work.claim(who)).granted
        work.submit(granted.lease)
    work.log.append(a_qa_work_requested(stage="peer_review", slots=1))
    await work.fold()
    [review] = (await work.claim("chi", stages=frozenset({"peer_review"}))).granted
    submission, _ = work.submit(review.lease)
    waiting = work.log.waiting[submission.topic]
    waiting[-1] = waiting[-1].model_copy(update={"verdict": "reject"})
    await work.fold()
    return review.lease


async def test_a_rejected_review_is_told_of_the_reviewer_and_of_everybody_whose_label_it_is_about():
    async with two_slots() as work:
        await rejected_by_chi(work)

        assert [each for each in said(work) if each[2] != "counted" or each[0] == "chi"] == [
            ("chi", "peer_review", "counted"),
            ("ana", "first_pass", "reviewed"),
            ("ana", "first_pass", "rejected"),
            ("bo", "first_pass", "reviewed"),
            ("bo", "first_pass", "rejected"),
        ]


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_a_rejection_that_is_voided_is_taken_back_once_from_the_day_on_which_it_was_counted(is_told_first: bool):
    async with two_slots() as work:
        await rejected_by_chi(work)
        if is_told_first:
            await work.count_work()
        void = an_annotator_voided(annotator_id="chi", occurred_at=MORNING + timedelta(days=9))

        await work.replicas[0].voiding.receive(void)
        await work.replicas[0].voiding.receive_all_again()
        await work.count_work()
        await work.count_work_again()

        done = work.worked()
        assert {(who, stage): (each.reviewed, each.rejected) for (who, stage), each in done.items()} == {
            ("ana", "first_pass"): (0, 0),
            ("bo", "first_pass"): (0, 0),
            ("chi", "peer_review"): (0, 0),
        }
        assert (done["ana", "first_pass"].counted, done["chi", "peer_review"].voided) == (1, 1)
        days = [DayWork.model_validate(each["state"]) for each in work.work_documents.documents.values()]
        assert all(work.reviewed >= 0 <= work.rejected for day in days for work in day.stages.values())


async def test_of_two_verdicts_only_the_voided_one_is_taken_back_and_of_a_revised_one_what_was_counted():
    async with two_slots() as work:
        review = await rejected_by_chi(work)
        work.submit(review)
        await work.fold()
        work.log.append(a_qa_work_requested(stage="audit", slots=1))
        await work.fold()
        [audit] = (await work.claim("dan", stages=frozenset({"audit"}))).granted
        work.submit(audit.lease)
        await work.fold()

        await work.replicas[0].voiding.receive(an_annotator_voided(annotator_id="chi"))
        await work.count_work()

        done = work.worked()
        assert [(done[who, "first_pass"].reviewed, done[who, "first_pass"].rejected) for who in ("ana", "bo")] == [
            (1, 0),
            (1, 0),
        ]


async def test_labels_that_are_voided_are_told_once_and_an_erased_sample_takes_nothing_from_what_was_counted():
    async with two_slots() as work:
        [ana] = (await work.claim("ana")).granted
        work.submit(ana.lease)
        await work.fold()
        asked = an_annotator_voided(annotator_id="ana")
        await work.replicas[0].voiding.receive(asked)
        await work.replicas[0].voiding.receive_all_again()
        before = said(work)
        work.log.append(a_sample_erased())
        await work.fold()

        assert before == said(work) == [("ana", "first_pass", "counted"), ("ana", "first_pass", "voided")]


pieces = st.tuples(
    st.sampled_from(["ana", "bo@example.org"]),
    st.sampled_from(["p1", "p2"]),
    st.integers(0, 2),
    st.sampled_from(["first_pass", "adjudication"]),
    st.sampled_from(WHATS),
    st.integers(0, 100),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(pieces, max_size=6), max_size=6))
async def test_whatever_is_delivered_again_every_count_is_that_of_the_pieces(batches: list[list[Any]]):
    work, plain = WorkCounted(), Counter[tuple[str, str, int, str, str]]()
    for batch in batches:
        events = [
            an_annotator_worked(
                annotator_id=who,
                project_id=project,
                occurred_at=MORNING + timedelta(days=day),
                stage=stage,
                what=what,
                seconds_spent=seconds,
            )
            for who, project, day, stage, what, seconds in batch
        ]
        for who, project, day, stage, what, seconds in batch:
            plain[who, project, day, stage, what] += 1
            plain[who, project, day, stage, "seconds_spent"] += seconds
        await work.receiver.receive(*events, *events)
        await work.receiver.receive_all_again()

    found = Counter[tuple[str, str, int, str, str]]()
    for row in await work.rows(limit=200):
        day = [(MORNING + timedelta(days=day)).date().isoformat() for day in range(3)].index(row["from"])
        for what in (*WHATS, "seconds_spent"):
            found[row["annotator_id"], row["project"], day, row["stage"], what] += row[what]
        assert row["submitted"] == row["counted"] + row["surplus"]
    assert +found == +plain


def pieces_of(people: int, **more: Any) -> list[AnnotatorWorked]:
    return [an_annotator_worked(annotator_id=f"a{number:02}", **more) for number in range(people)]


async def test_pages_hold_whole_people_and_each_once():
    later = MORNING + timedelta(days=1)
    work = await counted(*pieces_of(5), *pieces_of(5, occurred_at=later), *pieces_of(5, project_id="other"))

    first = (await work.ask(limit=2)).json()
    second = (await work.ask(limit=2, cursor=first["next"])).json()
    last = (await work.ask(limit=2, cursor=second["next"])).json()

    rows = [row for page in (first, second, last) for row in page["items"]]
    assert [len(page["items"]) for page in (first, second, last)] == [6, 6, 3]
    assert len({(row["annotator_id"], row["from"], row["project"]) for row in rows}) == 15
    assert last["next"] is None


async def test_a_period_is_summed_and_the_days_outside_of_it_are_not_in_it():
    days = [MORNING + timedelta(days=number) for number in range(4)]
    work = await counted(*(an_annotator_worked(occurred_at=day, seconds_spent=2.5) for day in days))

    [row] = await work.rows(**{"from": days[1].date(), "to": days[2].date(), "by": "period"})

    assert (row["counted"], row["seconds_spent"]) == (2, 5.0)
    assert (row["from"], row["to"]) == (days[1].date().isoformat(), days[2].date().isoformat())


async def test_as_csv_a_page_tells_by_a_link_where_the_next_begins():
    work = await counted(*pieces_of(3))

    page = await work.ask(format="csv", limit=2)
    rest = await work.ask(format="csv", limit=2, cursor="a01")

    rows = list(csv.DictReader(page.text.splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [row["annotator_id"] for row in rows] == ["a00", "a01"]
    assert page.headers["content-type"].startswith("text/csv")
    assert "cursor=a01" in page.headers["link"] and 'rel="next"' in page.headers["link"]
    assert "link" not in rest.headers


async def test_only_managers_read_it_of_their_projects_and_tenant():
    work = await counted(*pieces_of(1), *pieces_of(1, project_id="other"))

    others = await work.ask({"tenant": "another"})
    narrow = await work.ask({"projects": ["other"]})
    refused = [await work.ask({"roles": (role,)}) for role in ("annotator", "auditor", "viewer")]
    beyond = await work.ask({"projects": ["other"]}, project="support")

    assert others.json() == {"items": [], "next": None}
    assert {row["project"] for row in narrow.json()["items"]} == {"other"}
    assert {answer.status_code for answer in [*refused, beyond]} == {403}
    assert len(await work.rows(project="other")) == 1
    assert await work.rows(stage="adjudication") == []
    assert len(await work.rows(annotator="a00")) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-02-02", "to": "2026-02-01"},
        {"from": "2025-01-01", "to": "2026-12-31"},
        {"from": "soon"},
        {"format": "xlsx"},
        {"limit": 0},
        {"by": "hour"},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(query: dict[str, Any]):
    answer = await (await counted()).ask(**query)

    assert answer.status_code == 422


async def test_without_a_period_it_is_the_last_month():
    today = FakeClock()()
    work = await counted(
        an_annotator_worked(occurred_at=today - timedelta(days=30)),
        an_annotator_worked(occurred_at=today - timedelta(days=31)),
    )

    async with asking(*work.service) as client:
        [row] = (await client.get("/workload")).json()["items"]

    assert row["from"] == (today - timedelta(days=30)).date().isoformat()
    assert row["counted"] == 1
