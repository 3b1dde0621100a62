"""Labels and verdicts that a manager wants no more, and the work that comes in their place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.events.tasks import (
    AnnotationCounted,
    AnnotationVoided,
    ReviewCounted,
    ReviewVoided,
    TaskCompleted,
    TaskReleased,
)
from shared.events.work import AnnotatorWorked
from shared.ids import derived_id
from shared.security import Lease
from tests.builders import TENANT, a_label_finalized, a_qa_work_requested, an_annotator_voided
from tests.unit.task_assignment.test_hand import work
from tests.unit.task_assignment.work_under_test import PARTITION, WorkUnderTest, a_principal


async def test_labels_go_with_their_slots_and_what_asks_for_others_opens_the_tasks_again():
    async with work(samples=2) as under_test:
        ana = [granted.lease for granted in (await under_test.claim("ana", 2)).granted]
        bo = [granted.lease for granted in (await under_test.claim("bo", 2)).granted]
        for lease in (*ana, *bo):
            under_test.submit(lease)
        await under_test.fold()

        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="ana"))

        voided = under_test.log.of(AnnotationVoided)
        assert {each.annotation_id for each in voided} == {derived_id("annotation", each.lease_id) for each in ana}
        assert PARTITION == 0 and all(each.annotator_id == "ana" for each in voided)
        for sample in under_test.samples().values():
            task = sample.tasks["first_pass-1"]
            assert (task.annotators, task.skipped, len(task.slots), task.open) == (["bo"], ["ana"], 1, False)
        under_test.log.append(a_qa_work_requested(external_id="s0", stage="first_pass", slots=1))
        await under_test.fold()
        assert (await under_test.claim("ana")).granted == []
        [granted] = (await under_test.claim("cy")).granted
        under_test.submit(granted.lease)
        await under_test.fold()
        completed = [
            each for each in under_test.counted.of(TaskCompleted) if each.sample_id == granted.sample.sample_id
        ]
        assert completed[-1].annotators == ["bo", "cy"]


async def test_told_again_it_has_told_all_and_voids_nothing_that_came_after():
    async with work(samples=2) as under_test:
        first = (await under_test.claim("ana")).granted[0].lease
        under_test.submit(first)
        await under_test.fold()
        asked = an_annotator_voided(annotator_id="ana")

        await under_test.replicas[0].voiding.receive(asked)
        await under_test.replicas[0].voiding.receive_all_again()

        assert len(under_test.log.of(AnnotationVoided)) == 1
        job = await under_test.store.job(TENANT, asked.job_id)
        assert job is not None
        assert (job.state, job.done, job.total, job.outcomes) == (
            "done",
            1,
            1,
            {"samples": 1, "labels": 1, "verdicts": 0},
        )
        assert await under_test.store.job("globex", asked.job_id) is None


async def test_what_was_voided_before_a_crash_and_not_told_is_told_after_it():
    async with work(samples=2) as under_test:
        under_test.submit((await under_test.claim("ana")).granted[0].lease)
        await under_test.fold()
        asked = an_annotator_voided(annotator_id="ana")
        under_test.log.is_away = True
        with pytest.raises(TimeoutError):
            await under_test.replicas[0].voiding.receive(asked)
        assert under_test.log.of(AnnotationVoided) == []

        under_test.log.is_away = False
        await under_test.replicas[0].voiding.receive_all_again()

        assert len(under_test.log.of(AnnotationVoided)) == 1
        job = await under_test.store.job(TENANT, asked.job_id)
        assert job is not None and job.outcomes == {"samples": 1, "labels": 1, "verdicts": 0}


async def test_a_lease_under_which_a_label_would_be_made_ends_and_its_slot_is_free():
    async with work(overlap=1) as under_test:
        lease = (await under_test.claim("ana")).granted[0].lease

        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="ana"))
        under_test.submit(lease)
        await under_test.fold()

        assert [each.reason for each in under_test.log.of(TaskReleased)] == ["forced"]
        assert under_test.log.of(AnnotationVoided) == [] == under_test.counted.of(AnnotationCounted)
        assert (await under_test.claim("bo")).granted[0].lease.task_id == lease.task_id


async def reviewed(under_test: WorkUnderTest, stage: str = "peer_review") -> Lease:
    """Let ana label and rita judge, and return rita's lease."""
    under_test.submit((await under_test.claim("ana")).granted[0].lease)
    under_test.log.append(a_qa_work_requested(external_id="s0", stage=stage, slots=1))
    await under_test.fold()
    review = (await under_test.claim("rita", stages=frozenset({stage}))).granted[0].lease
    under_test.submit(review)
    await under_test.fold()
    return review


@pytest.mark.parametrize("stage", ["peer_review", "senior_qa", "audit"])
async def test_a_verdict_goes_with_its_slot_and_somebody_else_is_asked_for_another(stage: str):
    async with work(overlap=1) as under_test:
        rita = await reviewed(under_test, stage)

        await under_test.replicas[0].voiding.receive(asked := an_annotator_voided(annotator_id="rita"))

        [voided] = under_test.log.of(ReviewVoided)
        assert (voided.stage, voided.review_id) == (stage, derived_id("review", rita.lease_id))
        [sample] = under_test.samples().values()
        task = sample.tasks[f"{stage}-1"]
        assert (task.slots, task.annotators, task.open) == ({}, [], False)
        job = await under_test.store.job(TENANT, asked.job_id)
        assert job is not None and job.outcomes == {"samples": 1, "labels": 0, "verdicts": 1}
        under_test.log.append(a_qa_work_requested(external_id="s0", stage=stage, slots=1))
        await under_test.fold()
        assert (await under_test.claim("rita", stages=frozenset({stage}))).granted == []
        [granted] = (await under_test.claim("rob", stages=frozenset({stage}))).granted
        assert granted.lease.task_id != rita.task_id


async def test_a_verdict_is_voided_once_however_often_its_author_s_work_is():
    async with work(overlap=1) as under_test:
        await reviewed(under_test)
        asked = an_annotator_voided(annotator_id="rita")
        days_later = {"occurred_at": asked.occurred_at + timedelta(days=3), "job_id": "another"}

        await under_test.replicas[0].voiding.receive(asked)
        await under_test.replicas[0].voiding.receive_all_again()
        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="rita", **days_later))

        assert len(under_test.log.of(ReviewVoided)) == 1
        [lost] = [each for each in under_test.log.of(AnnotatorWorked) if each.what == "voided"]
        assert (lost.stage, lost.occurred_at) == ("peer_review", asked.occurred_at)


async def test_what_a_reviewer_sends_under_a_lease_that_was_voided_does_not_count():
    async with work(overlap=1) as under_test:
        under_test.submit((await under_test.claim("ana")).granted[0].lease)
        under_test.log.append(a_qa_work_requested(external_id="s0", stage="peer_review", slots=1))
        await under_test.fold()
        lease = (await under_test.claim("rita", stages=frozenset({"peer_review"}))).granted[0].lease

        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="rita"))
        under_test.submit(lease)
        await under_test.fold()

        assert under_test.counted.of(ReviewCounted) == [] == under_test.log.of(ReviewVoided)
        assert (await under_test.claim("rob", stages=frozenset({"peer_review"}))).granted[0].lease.slot == lease.slot


async def test_other_projects_work_and_other_peoples_stays():
    async with work(overlap=1) as under_test:
        await reviewed(under_test)
        before = under_test.samples()

        for asked in (
            an_annotator_voided(annotator_id="rob"),
            an_annotator_voided(annotator_id="ana", only_project="x"),
            an_annotator_voided(annotator_id="rita", only_project="x"),
        ):
            await under_test.replicas[0].voiding.receive(asked)

        assert under_test.samples() == before
        assert under_test.log.of(AnnotationVoided) == [] == under_test.log.of(ReviewVoided)


async def test_a_label_that_a_voided_verdict_made_does_not_close_the_review_that_was_asked_for_after():
    async with work(overlap=1) as under_test:
        await reviewed(under_test)
        final = a_label_finalized(external_id="s0")
        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="rita"))
        request = a_qa_work_requested(external_id="s0", stage="peer_review", slots=1)
        later = request.model_copy(update={"occurred_at": final.occurred_at.replace(year=final.occurred_at.year + 1)})
        under_test.log.append(later)
        await under_test.fold()

        under_test.log.append(final)
        await under_test.fold()

        assert len((await under_test.claim("rob", stages=frozenset({"peer_review"}))).granted) == 1


async def test_a_label_that_was_final_before_does_not_close_what_was_asked_for_after():
    async with work(overlap=1) as under_test:
        ana = (await under_test.claim("ana")).granted[0].lease
        under_test.submit(ana)
        await under_test.fold()
        final = a_label_finalized(external_id="s0")
        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="ana"))
        request = a_qa_work_requested(external_id="s0", stage="first_pass", slots=1)
        later = request.model_copy(update={"occurred_at": final.occurred_at.replace(year=final.occurred_at.year + 1)})
        under_test.log.append(later)
        await under_test.fold()

        under_test.log.append(final)
        await under_test.fold()

        assert a_principal("bo").subject == (await under_test.claim("bo")).granted[0].lease.annotator_id
