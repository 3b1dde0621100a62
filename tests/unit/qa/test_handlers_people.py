from itertools import permutations

import pytest

from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.deciding import MAX_REJECTIONS
from shared.events.quality import AnnotatorAssessed, AnnotatorScored, LabelFinalized, QaWorkRequested
from shared.events.tasks import ReviewIssue
from tests.builders import (
    a_project_spec,
    a_review_stored,
    a_task_completed,
    an_annotation_stored,
    an_annotator_assessed,
    an_origin,
)
from tests.unit.qa.qa_under_test import QaUnderTest, answers

AGREED = {"ana": "refund", "bo": "refund", "chi": "delivery"}
REVIEWED = a_project_spec(workflow={"peer_review": 1.0})
DISPUTED = a_project_spec(quality={"overlap": 3, "max_overlap": 3, "quorum": 0.9})


async def a_reviewed_sample() -> QaUnderTest:
    qa = await QaUnderTest.of(REVIEWED)
    await qa.receive(*answers(AGREED), a_task_completed())
    return qa


async def test_a_share_of_consensus_labels_goes_to_a_reviewer_first():
    qa = await a_reviewed_sample()

    [request] = qa.announced.of(QaWorkRequested)
    assert (request.stage, request.proposal) == ("peer_review", {"intent": "refund"})
    assert qa.announced.of(LabelFinalized) == []


async def test_what_a_reviewer_accepts_becomes_the_label():
    qa = await a_reviewed_sample()

    await qa.receive(a_review_stored(verdict="accept"))

    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "refund"}
    assert (label.provenance.decided_by, label.provenance.reviewers) == ("review", ["rita"])
    assert label.provenance.confidence["intent"] == pytest.approx(2 / 3)


async def test_what_a_reviewer_fixes_becomes_the_label_and_annotators_are_held_to_it():
    qa = await a_reviewed_sample()

    await qa.receive(a_review_stored(verdict="fix", fields={"intent": "delivery", "entities": None}))

    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "delivery"}
    assert "intent" not in label.provenance.confidence
    scores = {each.annotator_id: each.scores["intent"] for each in qa.announced.of(AnnotatorAssessed)}
    assert scores == {"ana": 0.0, "bo": 0.0, "chi": 1.0}


async def test_what_a_reviewer_rejects_goes_to_an_adjudicator_whose_answer_is_final():
    qa = await a_reviewed_sample()

    issue = ReviewIssue(pointer="/fields/intent", tag="wrong-option")
    await qa.receive(a_review_stored(verdict="reject", issues=[issue]))
    request = qa.announced.of(QaWorkRequested)[-1]
    await qa.receive(an_annotation_stored(stage="adjudication", annotator_id="noor", fields={"intent": "other"}))

    assert (request.stage, request.reason) == ("adjudication", "rejected by a reviewer, wrong-option")
    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "other"}
    assert (label.provenance.decided_by, label.provenance.reviewers) == ("adjudication", ["rita", "noor"])
    assert qa.sample.open_work is None


async def test_a_review_that_overtook_its_label_waits_for_it():
    qa = await QaUnderTest.of(REVIEWED)

    await qa.receive(a_review_stored(verdict="accept"))
    assert qa.announced.events == []
    await qa.receive(*answers(AGREED), a_task_completed())

    [label] = qa.announced.of(LabelFinalized)
    assert label.provenance.decided_by == "review"


async def test_the_same_review_told_anew_is_taken_in_once():
    qa = await a_reviewed_sample()

    await qa.receive(a_review_stored(), a_review_stored())

    assert len(qa.announced.of(LabelFinalized)) == 1


async def test_a_reviewer_who_thinks_again_decides_anew():
    qa = await a_reviewed_sample()

    await qa.receive(a_review_stored(verdict="accept"))
    await qa.receive(a_review_stored(verdict="fix", fields={"intent": "other"}, revision=2))

    assert [each.fields["intent"] for each in qa.announced.of(LabelFinalized)] == ["refund", "other"]


async def test_annotators_who_cannot_agree_are_settled_by_an_adjudicator():
    qa = await QaUnderTest.of(DISPUTED)

    await qa.receive(*answers(AGREED), a_task_completed())
    [request] = qa.announced.of(QaWorkRequested)
    answer = an_annotation_stored(stage="adjudication", annotator_id="noor", fields={"intent": "delivery"})
    await qa.receive(answer, answer)

    assert request.stage == "adjudication"
    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "delivery"}


async def test_labels_do_not_overrule_a_person():
    qa = await a_reviewed_sample()
    await qa.receive(a_review_stored(verdict="fix", fields={"intent": "other"}))

    await qa.receive(*answers({"ana": "delivery", "bo": "delivery"}, revision=2))

    assert len(qa.announced.of(LabelFinalized)) == 1


async def test_senior_qa_looks_at_a_finished_label_and_confirms_or_corrects_it():
    qa = await QaUnderTest.of()
    await qa.receive(*answers(AGREED), a_task_completed())

    await qa.receive(a_review_stored(stage="senior_qa", review_id="r-1", verdict="accept"))
    corrected = a_review_stored(stage="senior_qa", review_id="r-2", verdict="fix", fields={"intent": "delivery"})
    await qa.receive(corrected)

    labels = qa.announced.of(LabelFinalized)
    assert [each.fields["intent"] for each in labels] == ["refund", "refund", "delivery"]
    assert [each.provenance.reviewers for each in labels] == [[], ["rita"], ["rita", "rita"]]


async def test_rejections_end_somewhere_and_whoever_asked_gets_a_label():
    qa = await QaUnderTest.of()
    await qa.receive(*answers(AGREED), a_task_completed())

    for number in range(MAX_REJECTIONS + 1):
        await qa.receive(a_review_stored(stage="senior_qa", review_id=f"r-{number}", verdict="reject"))
        if qa.sample.open_work == "adjudication":
            again = {"annotation_id": f"j-{number}", "annotator_id": f"judge-{number}", "fields": {"intent": "other"}}
            await qa.receive(an_annotation_stored(stage="adjudication", **again))

    asked = [each for each in qa.announced.of(QaWorkRequested) if each.stage == "adjudication"]
    assert len(asked) == MAX_REJECTIONS
    assert qa.sample.open_work is None
    last = qa.announced.of(LabelFinalized)[-1]
    assert (last.fields, last.provenance.decided_by) == ({"intent": "other"}, "review")


async def test_two_rejections_open_one_adjudication():
    qa = await a_reviewed_sample()

    await qa.receive(
        a_review_stored(review_id="r-1", verdict="reject"), a_review_stored(review_id="r-2", verdict="reject")
    )

    assert [each.stage for each in qa.announced.of(QaWorkRequested)] == ["peer_review", "adjudication"]


async def test_an_annotators_scores_add_up_over_samples():
    qa = await QaUnderTest.of()

    await qa.receive(
        an_annotator_assessed(external_id="s-1", scores={"intent": 1.0, "entities": 0.5}),
        an_annotator_assessed(external_id="s-2", scores={"intent": 0.0}),
    )

    last = qa.announced.of(AnnotatorScored)[-1]
    assert (last.annotator_id, last.assessed, last.accuracy) == ("ana", 2, 0.5)


async def test_a_label_decided_anew_replaces_the_scores_of_its_sample():
    qa = await QaUnderTest.of()
    await qa.receive(*answers(AGREED), a_task_completed())
    await qa.receive(a_review_stored(stage="senior_qa", verdict="fix", fields={"intent": "delivery"}))

    await qa.receive(*qa.announced.of(AnnotatorAssessed))

    scored = {each.annotator_id: (each.assessed, each.accuracy) for each in qa.announced.of(AnnotatorScored)}
    assert scored == {"ana": (1, 0.0), "bo": (1, 0.0), "chi": (1, 1.0)}
    [*states] = qa.annotator_documents.states.values()
    assert {AssessedAnnotator.model_validate(each).annotator_id for each in states} == {"ana", "bo", "chi"}


async def test_a_skill_is_told_again_only_when_it_is_news():
    qa = await QaUnderTest.of()

    await qa.receive(*(an_annotator_assessed(external_id=f"s-{number}") for number in range(1000)))

    scored = qa.announced.of(AnnotatorScored)
    assert [each.assessed for each in scored[:5]] == [1, 2, 3, 4, 5]
    assert len(scored) < 300
    assert scored[-1].assessed >= 1000 / 1.02


async def test_the_order_in_which_topics_are_read_makes_no_difference():
    review = a_review_stored(verdict="fix", fields={"intent": "other"})
    first, second, third = answers(AGREED)
    orders = [
        order
        for order in permutations([first, second, third, a_task_completed(), review])
        if order.index(first) < order.index(second) < order.index(third)
    ]

    outcomes = set()
    for order in orders:
        qa = await QaUnderTest.of(REVIEWED)
        for event in order:
            await qa.receive(event)
        [label] = qa.announced.of(LabelFinalized)
        [request] = qa.announced.of(QaWorkRequested)
        outcomes.add((label.model_dump_json(exclude={"event_id"}), request.model_dump_json(exclude={"event_id"})))

    assert len(orders) == 20
    assert len(outcomes) == 1


async def test_a_label_tells_of_everybody_who_gave_to_it_and_how():
    qa = await QaUnderTest.of(REVIEWED)
    said = answers(AGREED, origin=an_origin(client="tool/1"), seconds_spent=7.5, confidence=0.6)
    await qa.receive(*said, a_task_completed())
    rejected = a_review_stored(verdict="reject", origin=an_origin(role="reviewer"), seconds_spent=3.0)
    await qa.receive(rejected)
    await qa.receive(an_annotation_stored(stage="adjudication", annotator_id="noor", fields={"intent": "other"}))

    given = qa.announced.of(LabelFinalized)[-1].provenance.contributions

    assert [(each.annotator_id, each.stage, each.role) for each in given] == [
        ("ana", "first_pass", "annotator"),
        ("bo", "first_pass", "annotator"),
        ("chi", "first_pass", "annotator"),
        ("rita", "peer_review", "reviewer"),
        ("noor", "adjudication", None),
    ]
    assert [each.seconds_spent for each in given] == [7.5, 7.5, 7.5, 3.0, None]
    assert (given[0].client, given[0].confidence, given[0].submitted_at) == ("tool/1", 0.6, said[0].occurred_at)
    assert given[3].source_id == rejected.review_id


async def test_a_review_that_was_changed_counts_as_one_contribution():
    qa = await a_reviewed_sample()

    await qa.receive(a_review_stored(verdict="accept"))
    await qa.receive(a_review_stored(verdict="fix", fields={"intent": "delivery"}, revision=2))

    given = qa.announced.of(LabelFinalized)[-1].provenance.contributions
    assert [(each.source_id, each.revision) for each in given if each.stage == "peer_review"] == [("review-1", 2)]
