from datetime import timedelta

import pytest

from services.qa.domain.annotator import AssessedAnnotator, FieldTally
from shared.errors import UnknownVersionError
from shared.events.quality import AnnotatorAssessed, LabelFinalized, QaWorkRequested
from tests.builders import (
    MORNING,
    a_project_spec,
    a_task_completed,
    an_annotation_stored,
)
from tests.unit.qa.qa_under_test import QaUnderTest, answers

AGREED = {"ana": "refund", "bo": "refund", "chi": "refund"}
SPLIT = {"ana": "refund", "bo": "delivery", "chi": "other"}


async def test_annotators_who_agree_make_the_label():
    qa = await QaUnderTest.of()

    await qa.receive(*answers(AGREED), a_task_completed())

    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "refund"}
    assert label.provenance.decided_by == "consensus"
    assert label.provenance.annotators == ["ana", "bo", "chi"]
    assert label.provenance.agreement["intent"] == 1.0
    assert qa.announced.of(QaWorkRequested) == []


async def test_a_sample_is_judged_when_its_task_is_complete_and_all_answers_are_here_in_any_order():
    qa = await QaUnderTest.of()
    first, second, third = answers(AGREED)

    await qa.receive(a_task_completed(), first, second)
    assert qa.announced.events == []
    await qa.receive(third)

    assert len(qa.announced.of(LabelFinalized)) == 1


async def test_nothing_is_judged_before_the_task_is_complete():
    qa = await QaUnderTest.of()

    await qa.receive(*answers(AGREED))

    assert qa.announced.events == []
    assert qa.sample.decision is None


async def test_annotators_who_differ_get_one_more_and_then_one_more_up_to_the_bound():
    qa = await QaUnderTest.of()

    await qa.receive(*answers(SPLIT), a_task_completed())
    await qa.receive(*answers({"dora": "refund"}), a_task_completed(annotators=[*SPLIT, "dora"]))
    [*extensions] = qa.announced.of(QaWorkRequested)
    await qa.receive(*answers({"emil": "delivery"}), a_task_completed(annotators=[*SPLIT, "dora", "emil"]))

    assert [(each.stage, each.slots) for each in extensions] == [("first_pass", 1), ("first_pass", 1)]
    last = qa.announced.of(QaWorkRequested)[-1]
    assert (last.stage, last.reason) == ("adjudication", "no quorum on intent")
    assert last.proposal is not None
    assert last.proposal["intent"] in {"refund", "delivery"}
    assert qa.announced.of(LabelFinalized) == []


async def test_labels_from_before_a_field_was_required_make_no_label_without_it_and_an_adjudicator_decides():
    intent = a_project_spec()["fields"]["intent"]
    why = {"kind": "text", "required_if": {"field": "intent", "any_of": ["refund"]}}
    quality = {"overlap": 3, "max_overlap": 3, "quorum": 0.6}
    qa = await QaUnderTest.of(
        a_project_spec(fields={"intent": intent}, quality=quality),
        a_project_spec(fields={"intent": intent, "why": why}, quality=quality),
    )
    new = an_annotation_stored(
        annotator_id="chi", fields={"intent": "refund", "why": {"text": "Broken."}}, project_version=2
    )

    await qa.receive(*answers({"ana": "refund", "bo": "refund"}), new, a_task_completed())

    assert qa.announced.of(LabelFinalized) == []
    [request] = qa.announced.of(QaWorkRequested)
    assert (request.stage, request.reason, request.project_version) == ("adjudication", "no quorum on why", 2)


async def test_one_more_annotator_is_asked_for_once_while_the_answer_is_on_its_way():
    qa = await QaUnderTest.of(a_project_spec(quality={"overlap": 3, "max_overlap": 5, "quorum": 0.9}))

    await qa.receive(*answers(SPLIT), a_task_completed())
    await qa.receive(*answers({"ana": "delivery"}, revision=2), *answers({"ana": "refund"}, revision=3))

    assert len(qa.announced.of(QaWorkRequested)) == 1


async def test_a_revision_that_makes_them_agree_settles_the_sample_before_the_extra_answer_comes():
    qa = await QaUnderTest.of()

    await qa.receive(*answers({"ana": "refund", "bo": "refund", "chi": "refund"} | SPLIT), a_task_completed())
    await qa.receive(*answers({"bo": "refund", "chi": "refund"}, revision=2))

    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "refund"}
    assert qa.sample.open_work is None


async def test_a_revised_answer_judges_a_sample_again_that_only_labels_had_decided():
    qa = await QaUnderTest.of()

    await qa.receive(*answers({"ana": "refund", "bo": "refund", "chi": "delivery"}), a_task_completed())
    await qa.receive(*answers({"ana": "delivery"}, revision=2))
    await qa.receive(*answers({"chi": "delivery"}, revision=2))

    assert [each.fields["intent"] for each in qa.announced.of(LabelFinalized)] == ["refund", "delivery"]


async def test_an_older_revision_that_comes_late_changes_nothing():
    qa = await QaUnderTest.of()

    await qa.receive(*answers(AGREED, revision=2), a_task_completed())
    await qa.receive(*answers({"ana": "other"}, revision=1))

    assert len(qa.announced.of(LabelFinalized)) == 1
    assert qa.sample.label_of("ana").revision == 2  # type: ignore[union-attr]  # it is there


async def test_all_of_it_again_changes_nothing_and_says_the_same():
    qa = await QaUnderTest.of()
    await qa.receive(*answers(SPLIT), a_task_completed())
    await qa.receive(*answers({"dora": "refund"}), a_task_completed(annotators=[*SPLIT, "dora"]))
    documents, ids = qa.sample_documents.documents, set(qa.announced.ids)

    await qa.receive_all_again()

    assert qa.sample_documents.documents == documents
    assert qa.announced.ids == ids


async def test_a_project_whose_overlap_grew_asks_for_the_answers_that_are_missing():
    grown = a_project_spec(quality={"overlap": 5, "max_overlap": 5, "quorum": 0.6})
    qa = await QaUnderTest.of(a_project_spec(), grown)

    await qa.receive(*answers(AGREED, project_version=2), a_task_completed())

    [request] = qa.announced.of(QaWorkRequested)
    assert (request.stage, request.slots, request.project_version) == ("first_pass", 2, 2)


async def test_answers_of_an_older_version_count_as_far_as_the_newer_one_knows_their_values():
    renamed = a_project_spec()
    renamed["fields"]["intent"]["options"] = ["money_back", "delivery", "other"]
    qa = await QaUnderTest.of(a_project_spec(), renamed)

    await qa.receive(*answers({"ana": "refund"}), *answers({"bo": "delivery", "chi": "delivery"}, project_version=2))
    await qa.receive(a_task_completed())

    [label] = qa.announced.of(LabelFinalized)
    assert (label.fields, label.project_version) == ({"intent": "delivery"}, 2)


async def test_an_answer_under_a_version_that_was_never_published_is_set_aside_and_the_rest_goes_on():
    qa = await QaUnderTest.of()

    unknown = an_annotation_stored(external_id="other-sample", annotator_id="dora", project_version=9)
    dead = await qa.receive(
        unknown, a_task_completed(external_id="other-sample", annotators=["dora"]), *answers(AGREED), a_task_completed()
    )

    assert [type(letter.delivery.event).__name__ for letter in dead] == ["TaskCompleted"]
    assert dead[0].error == UnknownVersionError.slug()
    assert len(qa.announced.of(LabelFinalized)) == 1


async def test_each_annotator_is_told_how_the_answer_compares_with_the_label():
    qa = await QaUnderTest.of()

    await qa.receive(*answers({"ana": "refund", "bo": "refund", "chi": "delivery"}), a_task_completed())

    scores = {each.annotator_id: each.scores["intent"] for each in qa.announced.of(AnnotatorAssessed)}
    assert scores == {"ana": 1.0, "bo": 1.0, "chi": 0.0}


async def test_an_answer_that_made_the_label_alone_is_not_assessed_by_itself():
    qa = await QaUnderTest.of(a_project_spec(quality={"overlap": 1, "max_overlap": 1, "quorum": 0.6}))

    await qa.receive(*answers({"ana": "refund"}), a_task_completed(annotators=["ana"]))

    assert len(qa.announced.of(LabelFinalized)) == 1
    assert qa.announced.of(AnnotatorAssessed) == []


async def test_an_annotator_who_is_known_to_be_good_outweighs_two_who_are_known_to_be_bad():
    qa = await QaUnderTest.of(a_project_spec(quality={"overlap": 3, "max_overlap": 3, "quorum": 0.6}))
    for who, right, wrong in (("ana", 200.0, 0.0), ("bo", 10.0, 190.0), ("chi", 10.0, 190.0)):
        known = AssessedAnnotator(
            annotator_id=who, project_id="support", tallies={"intent": FieldTally(right=right, wrong=wrong)}
        )
        qa.annotator_documents = await _with(qa, f"acme/{who}/support", known)

    await qa.receive(*answers({"ana": "refund", "bo": "delivery", "chi": "delivery"}), a_task_completed())

    [label] = qa.announced.of(LabelFinalized)
    assert label.fields == {"intent": "refund"}


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1)])
async def test_of_two_annotations_by_one_annotator_one_counts(later: timedelta):
    qa = await QaUnderTest.of()

    first = an_annotation_stored(annotation_id="a-1", fields={"intent": "other"})
    second = an_annotation_stored(annotation_id="a-2", fields={"intent": "refund"}, occurred_at=MORNING + later)
    await qa.receive(second, first)

    [label] = qa.sample.labels
    assert label.annotation_id == "a-2"


async def _with(qa: QaUnderTest, key: str, known: AssessedAnnotator):
    document = {"_id": key, "revision": 1, "tenant_id": "acme", "state": known.model_dump(mode="json")}
    await qa.annotator_documents.replace([document | {"lanes": {}, "seen": [], "outbox": [], "pending": []}])
    return qa.annotator_documents
