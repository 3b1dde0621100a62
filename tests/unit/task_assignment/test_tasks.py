"""What becomes of a sample's tasks, event by event."""

from __future__ import annotations

from typing import Any

from services.task_assignment.domain.answering import on_annotation_submitted
from services.task_assignment.domain.erasing import erase
from services.task_assignment.domain.finalizing import on_label_finalized
from services.task_assignment.domain.tasks import (
    SampleTasks,
    Slot,
    ingest,
    on_qa_work_requested,
    reject,
)
from shared.events.tasks import AnnotationCounted, AnnotationSurplus, TaskCompleted, TaskCreated, TaskReleased
from shared.events.work import AnnotatorWorked
from shared.security import LEASE_GRACE, to_ms_delta
from tests.builders import (
    a_label_finalized,
    a_parsed_spec,
    a_qa_work_requested,
    a_sample_erased,
    a_sample_ingested,
    a_sample_rejected,
    an_annotation_submitted,
)

ENDS = 1_000_000


def a_sample(overlap: int = 2, **changes: Any) -> SampleTasks:
    spec = a_parsed_spec(quality={"overlap": overlap, "max_overlap": 5})
    sample = ingest(None, a_sample_ingested(**changes), spec, partition=3).state
    assert sample is not None
    return sample


def leased(sample: SampleTasks, slot: str, annotator: str, lease: str, key: str = "first_pass-1") -> SampleTasks:
    """Lease a slot as the compare-and-set in the store does."""
    task = sample.tasks[key]
    held = Slot(state="leased", lease_id=lease, annotator_id=annotator, expires_ms=ENDS)
    task = task.model_copy(update={"slots": task.slots | {slot: held}, "annotators": [*task.annotators, annotator]})
    return sample.with_task(key, task)


def an_answer(sample: SampleTasks, lease: str, at: int = ENDS, **changes: Any) -> Any:
    task = sample.tasks["first_pass-1"]
    return an_annotation_submitted(
        sample_id=sample.sample_id,
        task_id=task.task_id,
        lease_id=lease,
        lease_expires_ms=ENDS,
        appended_at_ms=at,
        **changes,
    )


def test_an_ingested_sample_opens_a_slot_for_each_annotator_of_the_overlap():
    step = ingest(None, a_sample_ingested(), a_parsed_spec(quality={"overlap": 3}), partition=3)

    assert step.state is not None
    [created] = step.emitted
    assert isinstance(created, TaskCreated)
    assert created.overlap == 3
    assert list(step.state.tasks["first_pass-1"].slots) == ["0", "1", "2"]
    assert step.state.state == "open"


def test_a_rejected_sample_that_is_sent_again_corrected_gets_its_tasks():
    rejected = reject(None, a_sample_rejected(), partition=3).state
    assert rejected is not None
    assert rejected.state == "rejected"

    corrected = ingest(rejected, a_sample_ingested(), a_parsed_spec(), partition=3).state

    assert corrected is not None
    assert corrected.state == "open"


def test_an_answer_in_time_counts_and_the_last_one_completes_the_task():
    sample = leased(leased(a_sample(), "0", "ana", "l1"), "1", "bo", "l2")

    first = on_annotation_submitted(sample, an_answer(sample, "l1", annotator_id="ana"))
    last = on_annotation_submitted(first.state, an_answer(sample, "l2", annotator_id="bo"))

    assert [type(event) for event in first.emitted] == [AnnotationCounted, AnnotatorWorked]
    assert [type(event) for event in last.emitted] == [AnnotationCounted, AnnotatorWorked, TaskCompleted]
    assert last.emitted[2].annotators == ["ana", "bo"]
    assert last.state.state == "judging"


def test_the_brokers_clock_alone_decides_whether_an_answer_is_in_time():
    sample = leased(a_sample(), "0", "ana", "l1")
    last_moment = ENDS + to_ms_delta(LEASE_GRACE)

    in_time = on_annotation_submitted(sample, an_answer(sample, "l1", at=last_moment))
    too_late = on_annotation_submitted(sample, an_answer(sample, "l1", at=last_moment + 1))

    assert isinstance(in_time.emitted[0], AnnotationCounted)
    surplus, work = too_late.emitted
    assert isinstance(surplus, AnnotationSurplus)
    assert surplus.reason == "lease-expired"
    assert isinstance(work, AnnotatorWorked) and work.what == "surplus"
    assert too_late.state == sample


def test_an_answer_under_a_lease_that_was_taken_back_is_kept_and_not_counted():
    sample = leased(a_sample(), "0", "bo", "l2")

    step = on_annotation_submitted(sample, an_answer(sample, "l1"))

    surplus, _ = step.emitted
    assert isinstance(surplus, AnnotationSurplus)
    assert surplus.reason == "lease-lost"
    assert surplus.fields == an_answer(sample, "l1").fields


def test_a_second_body_on_a_live_lease_counts_again_and_takes_no_second_slot():
    sample = leased(a_sample(), "0", "ana", "l1")
    once = on_annotation_submitted(sample, an_answer(sample, "l1"))

    twice = on_annotation_submitted(once.state, an_answer(sample, "l1", event_id="another-body"))

    assert [type(event) for event in twice.emitted] == [AnnotationCounted, AnnotatorWorked]
    assert twice.emitted[1].what == "revised"
    assert twice.state == once.state


def test_more_answers_are_asked_for_in_the_same_first_pass_so_that_nobody_answers_twice():
    sample = leased(a_sample(overlap=1), "0", "ana", "l1")
    done = on_annotation_submitted(sample, an_answer(sample, "l1")).state

    extended = on_qa_work_requested(done, a_qa_work_requested(stage="first_pass", slots=1)).state

    assert extended is not None
    task = extended.tasks["first_pass-1"]
    assert task.free == ["1"]
    assert task.annotators == ["ana"]


def test_a_review_is_a_task_of_its_own_and_a_second_request_joins_the_open_one():
    asked = on_qa_work_requested(a_sample(), a_qa_work_requested(stage="peer_review", slots=1)).state

    again = on_qa_work_requested(asked, a_qa_work_requested(stage="peer_review", slots=1, event_id="again")).state

    assert again is not None
    assert list(again.tasks) == ["first_pass-1", "peer_review-1"]
    assert again.tasks["peer_review-1"].free == ["0"]


def test_work_on_a_sample_that_is_not_known_yet_waits():
    assert on_qa_work_requested(None, a_qa_work_requested()).waits


def test_a_final_label_closes_free_slots_and_lets_holders_finish():
    sample = leased(a_sample(overlap=2), "0", "ana", "l1")

    final = on_label_finalized(sample, a_label_finalized()).state

    assert final is not None
    assert list(final.tasks["first_pass-1"].slots) == ["0"]
    assert final.state == "open"
    assert isinstance(on_annotation_submitted(final, an_answer(sample, "l1")).emitted[0], AnnotationCounted)


def test_an_erased_sample_has_no_tasks_and_who_held_a_lease_has_lost_it():
    sample = leased(a_sample(overlap=2, metadata={"from": "somebody"}), "0", "ana", "lease-1")

    step = erase(sample, a_sample_erased(sample_id=sample.sample_id), partition=3)

    assert step.erases
    assert step.state is not None
    assert (step.state.state, step.state.tasks, step.state.assets, step.state.metadata) == ("erased", {}, {}, {})
    [released] = step.emitted
    assert isinstance(released, TaskReleased)
    assert (released.lease_id, released.annotator_id, released.reason) == ("lease-1", "ana", "erased")
