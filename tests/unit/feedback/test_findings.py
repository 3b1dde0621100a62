from itertools import permutations

import pytest

from shared.events.feedback import (
    FindingClosed,
    FindingOpened,
    FindingSampleAwaited,
    PredictionJudged,
    TaskPriorityChanged,
)
from shared.events.quality import QaWorkRequested
from shared.ids import sample_id_of
from tests.builders import PROJECT, TENANT, a_finding_dismissed
from tests.unit.feedback.feedback_under_test import PRIORITY, FeedbackUnderTest, labels, predictions

RIGHT = {f"good-{number}": "refund" for number in range(40)}
WRONG = {f"bad-{number}": "delivery" for number in range(3)}
"""The model says delivery; true is refund."""
TRUTH = RIGHT | dict.fromkeys(WRONG, "refund")


def ids(samples: object) -> set[str]:
    return {sample_id_of(TENANT, PROJECT, str(each)) for each in samples}  # type: ignore[attr-defined]  # any iterable


async def a_model_with_a_confusion() -> FeedbackUnderTest:
    feedback = await FeedbackUnderTest.of()
    await feedback.hear(*labels(TRUTH), *predictions(RIGHT | WRONG))
    return feedback


async def test_a_confusion_that_occurs_three_times_is_a_finding_whose_samples_go_back_to_a_senior_reviewer():
    feedback = await a_model_with_a_confusion()

    [finding] = feedback.announced.of(FindingOpened)
    assert (finding.field, finding.slice, finding.judged) == ("intent", "refund -> delivery", 43)
    assert finding.error_rate == pytest.approx(3 / 43, abs=1e-6)
    assert set(finding.samples) == ids(WRONG)
    work = feedback.announced.of(QaWorkRequested)
    assert {each.sample_id for each in work} == ids(WRONG)
    assert {(each.stage, each.slots, each.finding_id) for each in work} == {("senior_qa", 1, finding.finding_id)}
    assert work[0].proposal == {"intent": "refund"}
    assert "takes refund -> delivery (label -> model) in intent" in work[0].reason
    sooner = feedback.announced.of(TaskPriorityChanged)
    assert {each.sample_id: each.priority for each in sooner} == dict.fromkeys(ids(WRONG), PRIORITY)


async def test_a_field_is_a_finding_when_enough_samples_are_judged_and_too_many_are_wrong():
    feedback = await FeedbackUnderTest.of(slice_errors=10)
    truth = {f"s{number}": "refund" for number in range(8)}
    said = truth | {"s0": "delivery", "s1": "other"}

    await feedback.hear(*labels(truth), *predictions({name: said[name] for name in list(said)[:7]}))
    assert feedback.announced.of(FindingOpened) == []

    await feedback.hear(*predictions({"s7": "refund"}))
    [finding] = feedback.announced.of(FindingOpened)
    assert (finding.slice, finding.error_rate, finding.judged) == ("whole field", 0.25, 8)
    assert set(finding.samples) == ids(["s0", "s1"])


async def test_a_finding_is_closed_when_each_of_its_samples_was_looked_at_again():
    feedback = await a_model_with_a_confusion()

    await feedback.hear(*labels({"bad-0": "delivery"}, revision=2), *labels({"bad-1": "refund"}, revision=2))
    assert feedback.announced.of(FindingClosed) == []

    await feedback.hear(*labels({"bad-2": "refund"}, revision=2))
    [closed] = feedback.announced.of(FindingClosed)
    assert (closed.outcome, closed.changed, closed.confirmed) == ("worked_off", 1, 2)
    async with feedback.asking() as client:
        [shown] = (await client.get("/projects/support/findings?state=closed")).json()["items"]
        still_open = (await client.get("/projects/support/findings?state=open")).json()["items"]
    assert (shown["state"], shown["changed"], shown["confirmed"], shown["waiting"]) == ("worked_off", 1, 2, 0)
    assert still_open == []


async def test_errors_that_people_have_confirmed_are_not_sent_back_again_but_new_ones_are():
    feedback = await a_model_with_a_confusion()
    await feedback.hear(*labels(dict.fromkeys(WRONG, "refund"), revision=2))
    assert len(feedback.announced.of(FindingOpened)) == 1

    fresh = {f"new-{number}": "delivery" for number in range(3)}
    await feedback.hear(*labels(dict.fromkeys(fresh, "refund")), *predictions(fresh))

    _, second = feedback.announced.of(FindingOpened)
    assert set(second.samples) == ids(fresh)


async def test_errors_that_come_while_a_finding_is_open_are_the_next_one_once_it_is_closed():
    feedback = await a_model_with_a_confusion()
    fresh = {f"new-{number}": "delivery" for number in range(3)}
    await feedback.hear(*labels(dict.fromkeys(fresh, "refund")), *predictions(fresh))
    assert len(feedback.announced.of(FindingOpened)) == 1

    await feedback.hear(*labels(dict.fromkeys(WRONG, "refund"), revision=2))

    first, second = feedback.announced.of(FindingOpened)
    assert first.finding_id != second.finding_id
    assert set(second.samples) == ids(fresh)


async def test_a_dismissed_finding_is_closed_and_covers_what_was_known_by_then():
    feedback = await a_model_with_a_confusion()
    fresh = {f"new-{number}": "delivery" for number in range(3)}
    await feedback.hear(*labels(dict.fromkeys(fresh, "refund")), *predictions(fresh))
    [finding] = feedback.announced.of(FindingOpened)

    await feedback.hear(a_finding_dismissed(finding_id=finding.finding_id, dismissed_by="mo", reason="known"))
    await feedback.hear(*labels(dict.fromkeys(WRONG, "refund"), revision=2))

    [closed] = feedback.announced.of(FindingClosed)
    assert closed.outcome == "dismissed"
    assert len(feedback.announced.of(FindingOpened)) == 1
    async with feedback.asking() as client:
        shown = (await client.get(f"/projects/support/findings/{finding.finding_id}")).json()
    assert (shown["state"], shown["dismissed_by"], shown["reason"]) == ("dismissed", "mo", "known")


async def test_one_look_at_a_sample_answers_all_findings_that_wait_for_it():
    feedback = await FeedbackUnderTest.of()
    await feedback.hear(*labels(TRUTH))
    await feedback.hear(*predictions(WRONG, model="one"), *predictions(WRONG, model="two"))

    assert len(feedback.announced.of(FindingSampleAwaited)) == 6
    assert len(feedback.announced.of(QaWorkRequested)) == 3

    await feedback.hear(*labels(dict.fromkeys(WRONG, "refund"), revision=2))
    assert len(feedback.announced.of(FindingClosed)) == 2


async def test_a_finding_sends_back_the_worst_samples_and_no_more_than_it_may():
    feedback = await FeedbackUnderTest.of(finding_samples=2)
    await feedback.hear(*labels(TRUTH), *predictions(RIGHT | WRONG))

    [finding] = feedback.announced.of(FindingOpened)
    assert len(finding.samples) == 2


async def test_everything_told_again_changes_nothing():
    feedback = await a_model_with_a_confusion()
    await feedback.hear(*labels({"bad-0": "delivery"}, revision=2))
    before = {name: store.states for name, store in feedback.documents.items()}, feedback.announced.ids

    await feedback.hear_all_again()

    assert ({name: store.states for name, store in feedback.documents.items()}, feedback.announced.ids) == before


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_prediction_and_labels_may_come_in_any_order(order: tuple[int, ...]):
    feedback = await FeedbackUnderTest.of()
    events = [
        *predictions({"s": "delivery"}),
        *labels({"s": "refund"}, revision=1),
        *labels({"s": "delivery"}, revision=2),
    ]

    for index in order:
        await feedback.hear(events[index])

    of_intent = feedback.tally.fields["intent"]
    assert (of_intent.judged, of_intent.errors) == (1, 0)


async def test_a_judgement_that_was_overtaken_does_not_count():
    feedback = await FeedbackUnderTest.of()
    await feedback.receive(*predictions({"s": "delivery"}), *labels({"s": "refund"}))
    await feedback.receive(*labels({"s": "delivery"}, revision=2))
    older, newer = feedback.announced.of(PredictionJudged)

    await feedback.receive(newer, older)

    assert feedback.tally.fields["intent"].errors == 0
    assert feedback.tally.samples == 1
