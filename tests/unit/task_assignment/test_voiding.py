"""Labels that a manager wants no more, and the work that comes in their place."""

from __future__ import annotations

from shared.events.tasks import AnnotationCounted, AnnotationVoided, TaskCompleted, TaskReleased
from shared.ids import derived_id
from tests.builders import TENANT, a_label_finalized, a_qa_work_requested, an_annotator_voided
from tests.unit.task_assignment.test_hand import work
from tests.unit.task_assignment.work_under_test import PARTITION, a_principal


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


async def test_told_again_it_tells_the_same_and_voids_nothing_that_came_after():
    async with work(samples=2) as under_test:
        first = (await under_test.claim("ana")).granted[0].lease
        under_test.submit(first)
        await under_test.fold()
        asked = an_annotator_voided(annotator_id="ana")

        await under_test.replicas[0].voiding.receive(asked)
        await under_test.replicas[0].voiding.receive_all_again()

        once, twice = under_test.log.of(AnnotationVoided)
        job = await under_test.store.job(TENANT, asked.job_id)
        assert once == twice
        assert job is not None
        assert (job.state, job.done, job.total, job.outcomes) == ("done", 1, 1, {"samples": 1, "labels": 1})
        assert await under_test.store.job("globex", asked.job_id) is None


async def test_a_lease_under_which_a_label_would_be_made_ends_and_its_slot_is_free():
    async with work(overlap=1) as under_test:
        lease = (await under_test.claim("ana")).granted[0].lease

        await under_test.replicas[0].voiding.receive(an_annotator_voided(annotator_id="ana"))
        under_test.submit(lease)
        await under_test.fold()

        assert [each.reason for each in under_test.log.of(TaskReleased)] == ["forced"]
        assert under_test.log.of(AnnotationVoided) == [] == under_test.counted.of(AnnotationCounted)
        assert (await under_test.claim("bo")).granted[0].lease.task_id == lease.task_id


async def test_verdicts_and_other_projects_labels_stay():
    async with work() as under_test:
        ana = (await under_test.claim("ana")).granted[0].lease
        under_test.submit(ana)
        under_test.log.append(a_qa_work_requested(external_id="s0", stage="peer_review", slots=1))
        await under_test.fold()
        review = (await under_test.claim("rita", stages=frozenset({"peer_review"}))).granted[0].lease
        under_test.submit(review)
        await under_test.fold()
        before = under_test.samples()

        for asked in (
            an_annotator_voided(annotator_id="rita"),
            an_annotator_voided(annotator_id="ana", only_project="x"),
        ):
            await under_test.replicas[0].voiding.receive(asked)

        assert under_test.samples() == before
        assert under_test.log.of(AnnotationVoided) == []


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
