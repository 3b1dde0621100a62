"""Labels that a manager dropped: forgotten, with what was decided by them."""

from __future__ import annotations

from shared.events.quality import LabelFinalized, QaWorkRequested
from tests.builders import (
    a_project_spec,
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


async def test_what_too_many_have_skipped_is_decided_by_an_adjudicator_who_is_asked_once():
    qa = await QaUnderTest.of(TWO)
    await qa.receive(stored("ana", "refund"))

    await qa.receive(a_task_contested())
    await qa.receive(a_task_contested(event_id="told once more"))

    [request] = qa.announced.of(QaWorkRequested)
    assert (request.stage, request.reason) == ("adjudication", "skipped by 2 annotators")
