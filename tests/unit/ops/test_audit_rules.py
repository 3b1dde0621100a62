"""What the audit finds wrong with a sample, and with what was told of a submission."""

from __future__ import annotations

from typing import Any

import pytest

from ops.audit.rules import Due, answers_of, check_sample, has_slot, standing_of
from ops.audit.told import Told
from services.task_assignment.domain.tasks import EndedHow, EndedLease, SampleTasks, Slot, ingest
from shared.events.tasks import AnnotationCounted, AnnotationSurplus
from shared.ids import derived_id
from tests.builders import TENANT, a_parsed_spec, a_sample_ingested, an_annotation_submitted
from tests.task_store_rules import a_review

ENDS = 1_000_000
PATIENCE = 60_000


def a_sample(*slots: Slot, annotators: list[str] | None = None, **changes: Any) -> SampleTasks:
    """A sample whose first pass has these slots."""
    sample = ingest(None, a_sample_ingested(), a_parsed_spec(), partition=3).state
    assert sample is not None
    holders = [slot.annotator_id for slot in slots if slot.annotator_id] if annotators is None else annotators
    changed = {"slots": {str(number): slot for number, slot in enumerate(slots)}, "annotators": holders} | changes
    return sample.with_task("first_pass-1", sample.tasks["first_pass-1"].model_copy(update=changed))


def with_slot(state: str, who: str = "ana", lease: str = "l1") -> Slot:
    return Slot.model_validate({"state": state, "lease_id": lease, "annotator_id": who, "expires_ms": ENDS})


def rules(sample: SampleTasks, now_ms: int = ENDS) -> list[str]:
    return [wrong.rule for wrong in check_sample(sample, now_ms, PATIENCE)]


def submission(sample: SampleTasks, lease: str = "l1", at: int = ENDS) -> Any:
    task = sample.tasks["first_pass-1"].task_id
    return an_annotation_submitted(task_id=task, lease_id=lease, lease_expires_ms=ENDS, appended_at_ms=at)


def test_a_sample_on_its_way_has_nothing_wrong():
    assert rules(a_sample(Slot(), with_slot("leased"), with_slot("done", "bo", "l2"))) == []


@pytest.mark.parametrize(
    ("sample", "rule"),
    [
        (a_sample(with_slot("done"), with_slot("leased", lease="l2")), "twice-on-a-task"),
        (a_sample(with_slot("done"), Slot(), annotators=["bo"]), "lists-differ"),
        (a_sample(Slot(), open=False), "neither-finished-nor-claimable"),
        (a_sample(with_slot("done")), "neither-finished-nor-claimable"),
    ],
)
def test_what_must_not_be_in_a_task_is_found(sample: SampleTasks, rule: str):
    assert rules(sample) == [rule]


def test_a_lease_that_ended_long_ago_and_is_still_there_is_found():
    sample = a_sample(with_slot("leased"))

    assert rules(sample, ENDS + PATIENCE) == []
    assert rules(sample, ENDS + PATIENCE + 1) == ["neither-finished-nor-claimable"]


def test_who_judges_their_own_work_is_found():
    sample = a_review(a_sample(with_slot("done"), Slot()))
    review = sample.tasks["peer_review-1"].model_copy(
        update={"slots": {"0": with_slot("leased", "ana", "l9")}, "annotators": ["ana"]}
    )

    assert rules(sample.with_task("peer_review-1", review)) == ["reviewed-own-work"]


@pytest.mark.parametrize(
    ("sample", "at", "due", "is_wrong"),
    [
        (a_sample(with_slot("done"), Slot()), ENDS + 5000, "counted", False),
        (a_sample(with_slot("done"), Slot()), ENDS + 5001, "surplus", False),
        (a_sample(with_slot("leased"), Slot()), ENDS, "anything", True),
        (a_sample(Slot(), Slot()), ENDS, "anything", True),
    ],
)
def test_a_submission_in_time_has_its_slot(sample: SampleTasks, at: int, due: Due, is_wrong: bool):
    standing = standing_of(submission(sample, at=at), sample)

    assert (standing.due, standing.wrong is not None) == (due, is_wrong)


@pytest.mark.parametrize(("how", "due", "is_wrong"), [("released", "kept", False), ("expired", "anything", True)])
def test_only_who_gave_a_task_back_may_lose_an_answer_in_time(how: EndedHow, due: Due, is_wrong: bool):
    sample = a_sample(Slot(), ended=[EndedLease(lease_id="l1", annotator_id="ana", how=how)])

    standing = standing_of(submission(sample), sample)

    assert (standing.due, standing.wrong is not None) == (due, is_wrong)


def test_an_answer_on_record_has_a_slot():
    sample = a_sample(with_slot("done"), with_slot("leased", "bo", "l2"))
    task, first, second = (
        sample.tasks["first_pass-1"].task_id,
        *(derived_id("annotation", each) for each in ("l1", "l2")),
    )

    assert answers_of(sample) == {f"{TENANT}/{first}": "annotation"}
    assert has_slot(sample, task, first)
    assert not has_slot(sample, task, second)
    assert not has_slot(None, task, first)


@pytest.mark.parametrize(
    ("due", "told", "rule"),
    [
        ("counted", [AnnotationCounted], None),
        ("counted", [], "accepted-uncounted"),
        ("counted", [AnnotationSurplus], "accepted-uncounted"),
        ("surplus", [AnnotationSurplus], None),
        ("surplus", [], "work-lost"),
        ("surplus", [AnnotationCounted, AnnotationSurplus], "late-counted"),
        ("kept", [AnnotationSurplus], None),
        ("kept", [AnnotationCounted], None),
        ("kept", [], "work-lost"),
        ("nothing", [], None),
        ("nothing", [AnnotationCounted], "late-counted"),
        ("anything", [], None),
    ],
)
def test_what_was_told_is_what_had_to_be_told(due: Due, told: list[Any], rule: str | None):
    answer = submission(a_sample(with_slot("done")))

    with Told() as kept:
        kept.expect(answer, due, "here")
        kept.expect(answer, "nothing", "a second record of the same submission decides nothing")
        kept.told([kind.id_from(answer.event_id, answer.sample_id) for kind in told])
        found = [wrong.rule for wrong in kept.wrong()]

    assert found == ([] if rule is None else [rule])
