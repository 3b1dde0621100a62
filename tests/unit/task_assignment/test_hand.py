"""What managers do to leases by hand, and what becomes of those whose leases they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.task_assignment.hand import AlreadyJudgedError, CannotTakeError, Hand
from shared.errors import ForbiddenError, NotFoundError
from shared.events.tasks import AnnotationCounted, TaskLeased, TaskReleased
from shared.ids import derived_id, sample_id_of, sample_of_task
from shared.security import Lease, Principal
from tests.builders import PROJECT, TENANT, a_label_finalized, a_qa_work_requested, a_sample_ingested
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_principal, a_work_catalog

MANAGER = a_principal("mo", "manager")
ELSEWHERE = a_principal("mo", "manager", tenant="globex")


@asynccontextmanager
async def work(samples: int = 1, overlap: int = 2, **assignment: Any) -> AsyncIterator[WorkUnderTest]:
    under_test = WorkUnderTest(await a_work_catalog(overlap, assignment=assignment))
    for number in range(samples):
        under_test.log.append(a_sample_ingested(external_id=f"s{number}"))
    await under_test.start()
    await under_test.fold()
    try:
        yield under_test
    finally:
        await under_test.stop()


def hand_of(under_test: WorkUnderTest) -> Hand:
    return under_test.replicas[0].hand


async def lease_of(under_test: WorkUnderTest, who: str = "ana", **more: Any) -> Lease:
    [granted] = (await under_test.claim(who, **more)).granted
    return granted.lease


async def test_a_lease_that_a_manager_ends_is_free_for_others_at_once_and_once():
    async with work(overlap=1) as under_test:
        lease = await lease_of(under_test)

        ended = await hand_of(under_test).force_release(MANAGER, lease.task_id, None)
        again = await hand_of(under_test).force_release(MANAGER, lease.task_id, None)
        others = await lease_of(under_test, "bo")
        under_test.submit(lease)
        await under_test.fold()

        [released] = under_test.log.of(TaskReleased)
        assert (ended, again) == ([lease], [])
        assert (released.lease_id, released.reason) == (lease.lease_id, "forced")
        assert others.task_id == lease.task_id
        assert [each.reason for each in under_test.surplus()] == ["lease-lost"]


async def test_only_the_lease_of_the_person_who_is_named_ends():
    async with work() as under_test:
        ana, bo = await lease_of(under_test), await lease_of(under_test, "bo")

        ended = await hand_of(under_test).force_release(MANAGER, ana.task_id, "ana")

        assert ended == [ana]
        assert [each.lease for each in (await under_test.claim("bo")).granted] == [bo]


async def test_a_task_goes_from_one_person_to_another_who_finds_it_at_their_next_claim():
    async with work(samples=3) as under_test:
        lease = await lease_of(under_test)

        given = await hand_of(under_test).reassign(MANAGER, lease.task_id, "ana", "bo")
        again = await hand_of(under_test).reassign(MANAGER, lease.task_id, "ana", "bo")
        found = await lease_of(under_test, "bo")
        submission, _ = under_test.submit(found)
        under_test.submit(lease)
        await under_test.fold()

        assert given == again == found
        assert [each.reason for each in under_test.log.of(TaskReleased)] == ["reassigned"]
        assert [each.annotator_id for each in under_test.log.of(TaskLeased)] == ["ana", "bo"]
        assert [each.lease_id for each in under_test.counted.of(AnnotationCounted)] == [submission.lease_id]
        assert [each.annotator_id for each in under_test.surplus()] == ["ana"]


async def test_a_free_slot_is_given_before_one_is_taken_from_anybody():
    async with work() as under_test:
        lease = await lease_of(under_test)

        given = await hand_of(under_test).reassign(MANAGER, lease.task_id, None, "bo")

        assert (given.task_id, given.slot) == (lease.task_id, "1")
        assert under_test.log.of(TaskReleased) == []


async def test_nobody_is_given_what_they_may_not_take():
    async with work(samples=2, overlap=1) as under_test:
        lease = await lease_of(under_test)
        sample = under_test.samples()[sample_of_task(lease.task_id)]
        wanted = a_qa_work_requested(external_id=sample.external_id, stage="peer_review", slots=1)
        under_test.log.append(wanted)
        await under_test.fold()
        review = lease.task_id.replace("first_pass", "peer_review")
        await under_test.declare("cy", paused=True)
        await under_test.declare("di", max_leases=1)
        await lease_of(under_test, "di", stages=frozenset({"first_pass"}))
        hand = hand_of(under_test)

        async def refused(task: str, holder: str | None, to: str) -> str:
            with pytest.raises(CannotTakeError) as error:
                await hand.reassign(MANAGER, task, holder, to)
            return error.value.detail

        assert "had a part in" in await refused(review, None, "ana")
        assert "is paused" in await refused(review, None, "cy")
        assert "holds 1 tasks already" in await refused(review, None, "di")
        assert "does not hold" in await refused(lease.task_id, "bo", "cy")


@pytest.mark.parametrize(
    "act",
    [
        lambda hand, who, task: hand.force_release(who, task, None),
        lambda hand, who, task: hand.reassign(who, task, None, "bo"),
        lambda hand, who, task: hand.reopen(who, task, "an annotation"),
    ],
    ids=["force-release", "reassign", "reopen"],
)
async def test_another_tenants_task_is_not_there_and_another_projects_is_not_theirs(
    act: Callable[[Hand, Principal, str], Awaitable[Any]],
):
    async with work() as under_test:
        lease = await lease_of(under_test)

        with pytest.raises(NotFoundError):
            await act(hand_of(under_test), ELSEWHERE, lease.task_id)
        with pytest.raises(ForbiddenError):
            await act(hand_of(under_test), a_principal("mo", "manager", projects=["another"]), lease.task_id)


async def test_a_task_is_not_given_to_a_group_that_has_given_its_share_of_the_labels():
    async with work(overlap=2, diversity={"by": "team", "max_share": 0.5}) as under_test:
        for who, team in (("ana", "red"), ("bo", "red"), ("chi", "blue"), ("dee", "blue")):
            await under_test.declare(who, team=team)
        lease = await lease_of(under_test)
        hand = hand_of(under_test)

        with pytest.raises(CannotTakeError, match="red"):
            await hand.reassign(MANAGER, lease.task_id, None, "bo")
        await hand.reassign(MANAGER, lease.task_id, "ana", "bo")
        await hand.reassign(MANAGER, lease.task_id, None, "chi")

        [sample] = under_test.samples().values()
        assert [slot.group for slot in sample.tasks["first_pass-1"].slots.values()] == ["red", "blue"]
        with pytest.raises(CannotTakeError, match="blue"):
            await hand.reassign(MANAGER, lease.task_id, "bo", "dee")


async def test_live_leases_are_listed_person_by_person_and_those_that_ended_are_not():
    async with work(samples=3) as under_test:
        leases = {who: await lease_of(under_test, who) for who in ("ana", "bo", "cy")}
        await under_test.give_back(leases["bo"])
        hand = hand_of(under_test)

        first, behind = await hand.leases(MANAGER, None, "", 2)
        rest, end = await hand.leases(MANAGER, None, behind, 2)
        of_ana, _ = await hand.leases(MANAGER, "ana", "", 2)
        elsewhere, _ = await hand.leases(ELSEWHERE, None, "", 2)
        other_project, _ = await hand.leases(a_principal("mo", "manager", projects=["another"]), None, "", 9)

        assert (first, behind) == ([leases["ana"]], "bo")
        assert (rest, end) == ([leases["cy"]], "")
        assert of_ana == [leases["ana"]]
        assert elsewhere == other_project == []
        under_test.clock.advance(61)
        assert (await hand.leases(MANAGER, None, "", 9))[0] == []


async def test_an_answer_is_opened_again_by_its_author_until_the_task_has_all_answers():
    async with work() as under_test:
        lease = await lease_of(under_test)
        other = await lease_of(under_test, "bo")
        under_test.submit(lease, said="one thing")
        await under_test.fold()
        under_test.clock.advance(100)
        annotation = derived_id("annotation", lease.lease_id)

        again, _ = await hand_of(under_test).reopen(a_principal("ana"), lease.task_id, annotation)
        revised, counts = under_test.submit(again, said="another")
        await under_test.fold()

        assert counts and again.lease_id == lease.lease_id
        assert revised.event_id != lease.lease_id
        assert [each.fields["said"] for each in under_test.counted.of(AnnotationCounted)] == ["one thing", "another"]
        with pytest.raises(NotFoundError):
            await hand_of(under_test).reopen(a_principal("bo"), lease.task_id, annotation)
        prolonged = other.model_copy(update={"expires_ms": again.expires_ms})
        under_test.submit(prolonged)
        await under_test.fold()
        with pytest.raises(AlreadyJudgedError):
            await hand_of(under_test).reopen(a_principal("ana"), lease.task_id, annotation)


async def test_the_only_answer_to_a_sample_is_opened_again_for_a_day_unless_somebody_is_asked_to_look_at_it():
    async with work(samples=2, overlap=1) as under_test:
        leases = {lease.task_id: lease for lease in [each.lease for each in (await under_test.claim("ana", 2)).granted]}
        for lease in leases.values():
            under_test.submit(lease, said="one thing")
        await under_test.fold()
        looked_at, alone = (
            next(i for i in leases if sample_of_task(i) == sample_id_of(TENANT, PROJECT, name)) for name in ("s0", "s1")
        )
        under_test.log.append(a_qa_work_requested(external_id="s0", stage="peer_review", slots=1))
        under_test.log.append(a_label_finalized(external_id="s1"))
        await under_test.fold()
        hand, ana = hand_of(under_test), a_principal("ana")
        annotation = {task: derived_id("annotation", lease.lease_id) for task, lease in leases.items()}

        again, _ = await hand.reopen(ana, alone, annotation[alone])
        under_test.submit(again, said="another")
        await under_test.fold()

        said = [each.fields["said"] for each in under_test.counted.of(AnnotationCounted) if each.task_id == alone]
        assert said == ["one thing", "another"]
        with pytest.raises(AlreadyJudgedError):
            await hand.reopen(ana, looked_at, annotation[looked_at])
        under_test.clock.advance(24 * 3600)
        with pytest.raises(AlreadyJudgedError):
            await hand.reopen(ana, alone, annotation[alone])


async def test_listing_names_the_project():
    async with work() as under_test:
        await lease_of(under_test)

        [lease], _ = await hand_of(under_test).leases(MANAGER, None, "", 9)

        assert lease.project_id == PROJECT
