"""Labels and verdicts that a manager dropped: forgotten, with what was decided by them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events.quality import LabelFinalized, QaWorkRequested
from tests.builders import (
    a_project_spec,
    a_review_stored,
    a_review_voided,
    a_task_completed,
    a_task_contested,
    an_annotation_stored,
    an_annotation_voided,
)
from tests.unit.qa.qa_under_test import QaUnderTest, answers

TWO = a_project_spec(quality={"overlap": 2, "max_overlap": 3, "quorum": 0.6})


def stored(who: str, said: str, stage: str = "first_pass") -> object:
    return an_annotation_stored(annotator_id=who, annotation_id=f"of-{who}", fields={"intent": said}, stage=stage)


async def test_what_was_decided_by_a_voided_label_is_decided_anew_by_the_one_in_its_place():
    qa = await QaUnderTest.of(TWO)
    both = [stored("ana", "refund"), stored("bo", "refund")]
    await qa.receive(*both, a_task_completed(annotators=["ana", "bo"]))
    [first] = qa.announced.of(LabelFinalized)

    await qa.receive(an_annotation_voided(annotation_id="of-ana", annotator_id="ana"))
    [request] = qa.announced.of(QaWorkRequested)
    forgotten = qa.sample
    await qa.receive(stored("cy", "refund"), a_task_completed(annotators=["bo", "cy"]))

    assert (request.stage, request.slots) == ("first_pass", 1)
    assert ([label.annotator_id for label in forgotten.labels], forgotten.final) == (["bo"], None)
    assert first.provenance.annotators == ["ana", "bo"]
    assert [each.provenance.annotators for each in qa.announced.of(LabelFinalized)][-1] == ["bo", "cy"]
    assert qa.sample.extra_slots == 0


async def test_a_label_that_is_voided_before_it_comes_never_counts():
    qa = await QaUnderTest.of(TWO)

    await qa.receive(an_annotation_voided(annotation_id="of-ana", annotator_id="ana"))
    await qa.receive(stored("ana", "refund"), stored("bo", "refund"))

    assert [label.annotator_id for label in qa.sample.labels] == ["bo"]
    assert len(qa.announced.of(QaWorkRequested)) == 1


async def test_told_twice_it_asks_once():
    qa = await QaUnderTest.of(TWO)
    await qa.receive(*answers({"ana": "refund"}))
    voided = an_annotation_voided(annotation_id="of-ana", annotator_id="ana")

    await qa.receive(voided)
    await qa.receive(voided.model_copy(update={"event_id": "told once more"}))
    await qa.receive_all_again()

    assert len({each.event_id for each in qa.announced.of(QaWorkRequested)}) == 1


async def test_what_a_person_has_decided_stands_unless_it_is_what_was_voided():
    qa = await QaUnderTest.of(TWO)
    await qa.receive(stored("ana", "refund"), stored("bo", "complaint"), a_task_completed(annotators=["ana", "bo"]))
    await qa.receive(stored("adi", "refund", stage="adjudication"))

    await qa.receive(an_annotation_voided(annotation_id="of-ana", annotator_id="ana"))
    stands = qa.sample.final
    await qa.receive(an_annotation_voided(annotation_id="of-adi", annotator_id="adi", stage="adjudication"))

    assert stands is not None and stands.decided_by == "adjudication"
    assert qa.sample.final is None
    assert [each.stage for each in qa.announced.of(QaWorkRequested)][-1] == "adjudication"


async def a_sample_that_rita_has_judged(verdict: str = "accept", **more: Any) -> QaUnderTest:
    qa = await QaUnderTest.of(a_project_spec(workflow={"peer_review": 1.0}))
    await qa.receive(*answers({"ana": "refund", "bo": "refund", "chi": "delivery"}), a_task_completed())
    await qa.receive(a_review_stored(verdict=verdict, **more))
    return qa


@pytest.mark.parametrize("more", [{}, {"verdict": "fix", "fields": {"intent": "other"}}], ids=["accept", "fix"])
async def test_what_a_voided_verdict_decided_is_decided_by_the_reviewer_in_its_place(more: dict[str, Any]):
    qa = await a_sample_that_rita_has_judged(**more)

    await qa.receive(a_review_voided())
    forgotten, request = qa.sample, qa.announced.of(QaWorkRequested)[-1]
    await qa.receive(a_review_stored(review_id="review-2", annotator_id="rob"))

    assert (request.stage, request.slots, request.proposal) == ("peer_review", 1, {"intent": "refund"})
    assert (forgotten.final, forgotten.open_work, forgotten.reviews) == (None, "peer_review", ())
    label = qa.announced.of(LabelFinalized)[-1]
    assert (label.fields, label.provenance.reviewers) == ({"intent": "refund"}, ["rob"])
    assert [each.annotator_id for each in label.provenance.contributions][-1] == "rob"


async def test_labels_do_not_decide_while_a_verdict_is_awaited_anew():
    qa = await a_sample_that_rita_has_judged()

    await qa.receive(a_review_voided())
    await qa.receive(*answers({"chi": "refund"}, revision=2))

    assert len(qa.announced.of(LabelFinalized)) == 1


async def test_a_verdict_is_voided_once_however_often_it_is_told():
    qa = await a_sample_that_rita_has_judged()

    await qa.receive(a_review_voided())
    await qa.receive(a_review_voided(event_id="told once more"))
    await qa.receive_all_again()

    asked = [each for each in qa.announced.of(QaWorkRequested) if each.reason == "a verdict was voided"]
    assert len({each.event_id for each in asked}) == 1


async def test_a_verdict_that_is_voided_before_it_comes_never_counts():
    qa = await QaUnderTest.of(a_project_spec(workflow={"peer_review": 1.0}))
    await qa.receive(*answers({"ana": "refund", "bo": "refund", "chi": "delivery"}), a_task_completed())

    await qa.receive(a_review_voided())
    await qa.receive(a_review_stored())

    assert qa.announced.of(LabelFinalized) == []
    assert [each.stage for each in qa.announced.of(QaWorkRequested)] == ["peer_review", "peer_review"]


async def test_under_a_voided_verdict_lies_what_the_one_before_has_decided():
    qa = await a_sample_that_rita_has_judged("fix", fields={"intent": "other"})
    senior = {"stage": "senior_qa", "review_id": "review-2", "annotator_id": "sam"}
    await qa.receive(a_review_stored(**senior, verdict="fix", fields={"intent": "complaint"}))

    await qa.receive(a_review_voided(**senior))

    request = qa.announced.of(QaWorkRequested)[-1]
    assert (request.stage, request.proposal) == ("senior_qa", {"intent": "other"})
    assert qa.sample.final is not None and qa.sample.final.fields == {"intent": "other"}


async def test_what_somebody_has_decided_after_a_voided_verdict_stands_and_nothing_voided_comes_back():
    qa = await a_sample_that_rita_has_judged("fix", fields={"intent": "other"})
    senior = {"stage": "senior_qa", "review_id": "review-2", "annotator_id": "sam"}
    await qa.receive(a_review_stored(**senior))
    asked = len(qa.announced.of(QaWorkRequested))

    await qa.receive(a_review_voided())
    stands = qa.sample.final
    await qa.receive(a_review_voided(**senior))

    assert stands is not None and stands.source_id == "review-2"
    assert qa.sample.final is None
    assert [each.stage for each in qa.announced.of(QaWorkRequested)[asked:]] == ["senior_qa"]


async def test_an_adjudicator_who_was_asked_by_a_voided_rejection_looks_at_it_all_the_same():
    qa = await a_sample_that_rita_has_judged("reject")
    asked = len(qa.announced.of(QaWorkRequested))

    await qa.receive(a_review_voided())

    assert len(qa.announced.of(QaWorkRequested)) == asked
    assert (qa.sample.open_work, qa.sample.rejections, qa.sample.deciders) == ("adjudication", 0, ())


async def test_a_voided_label_does_not_come_back_under_a_voided_verdict():
    qa = await QaUnderTest.of(TWO)
    both = [stored("ana", "refund"), stored("bo", "refund")]
    await qa.receive(*both, a_task_completed(annotators=["ana", "bo"]))
    await qa.receive(a_review_stored(stage="senior_qa"))

    await qa.receive(an_annotation_voided(annotation_id="of-ana", annotator_id="ana"))
    await qa.receive(a_review_voided(stage="senior_qa"))

    assert qa.sample.final is None


async def test_what_too_many_have_skipped_is_decided_by_an_adjudicator_who_is_asked_once():
    qa = await QaUnderTest.of(TWO)
    await qa.receive(stored("ana", "refund"))

    await qa.receive(a_task_contested())
    await qa.receive(a_task_contested(event_id="told once more"))

    [request] = qa.announced.of(QaWorkRequested)
    assert (request.stage, request.reason) == ("adjudication", "skipped by 2 annotators")
