from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.domain.model_tally import ERRING, MAX_BYTES, FindingPolicy, ModelTally, count
from services.feedback.domain.naming import model_key_of
from services.feedback.domain.predicted_sample import MAX_PREDICTIONS
from shared.events.feedback import PredictionJudged, PredictionLineFinished
from tests.builders import (
    a_label_recorded,
    a_prediction_judged,
    a_prediction_line_finished,
    a_prediction_submitted,
    a_project_spec,
    a_project_versioned,
    predictions_received,
)
from tests.unit.feedback.feedback_under_test import FeedbackUnderTest, labels, predictions


@pytest.fixture
async def feedback() -> FeedbackUnderTest:
    return await FeedbackUnderTest.of()


async def test_a_prediction_is_judged_field_by_field_once_its_label_is_known(feedback: FeedbackUnderTest):
    found = [{"id": "x", "start": 2, "end": 5, "label": "city"}]
    await feedback.hear(a_prediction_submitted(fields={"intent": "delivery", "entities": found}))
    assert feedback.announced.of(PredictionJudged) == []

    await feedback.hear(a_label_recorded(fields={"intent": "refund", "entities": found}))

    [judged] = feedback.announced.of(PredictionJudged)
    assert judged.errors == {"intent": 1.0, "entities": 0.0}
    assert judged.confusions == {"intent": ("refund", "delivery")}
    assert judged.label_revision == 1


async def test_a_models_newer_word_takes_the_place_of_its_older_one(feedback: FeedbackUnderTest):
    await feedback.hear(*labels({"s": "refund"}), *predictions({"s": "delivery"}))
    await feedback.hear(*predictions({"s": "refund"}))

    assert (feedback.tally.samples, feedback.tally.fields["intent"].errors) == (1, 0)


async def test_versions_of_a_model_are_told_apart(feedback: FeedbackUnderTest):
    await feedback.hear(*labels({"s": "refund"}))
    await feedback.hear(*predictions({"s": "delivery"}, model_version="1"))
    await feedback.hear(*predictions({"s": "refund"}, model_version="2"))

    async with feedback.asking() as client:
        shown = (await client.get("/projects/support/errors")).json()["items"]
    assert {each["model_version"]: each["fields"][0]["error_rate"] for each in shown} == {"1": 1.0, "2": 0.0}


async def test_a_prediction_that_is_not_in_canonical_form_is_compared_as_if_it_were(feedback: FeedbackUnderTest):
    first, second = ({"id": name, "start": start, "end": 9, "label": "city"} for name, start in (("a", 1), ("b", 5)))
    await feedback.hear(a_label_recorded(fields={"entities": [first, second]}))

    await feedback.hear(a_prediction_submitted(fields={"entities": [second, first]}))

    [judged] = feedback.announced.of(PredictionJudged)
    assert judged.errors == {"entities": 0.0}


async def test_a_prediction_is_judged_by_the_project_version_of_the_label():
    newer = a_project_spec(fields={"mood": {"kind": "choice", "options": ["good", "bad"]}})
    feedback = await FeedbackUnderTest.of(a_project_versioned(), a_project_versioned(version=2, spec=newer))
    await feedback.hear(a_prediction_submitted(fields={"intent": "refund"}))

    await feedback.hear(a_label_recorded(project_version=2, fields={"mood": "good"}))

    [judged] = feedback.announced.of(PredictionJudged)
    assert (judged.project_version, judged.errors) == (2, {})


async def test_a_job_counts_each_line_and_gives_the_failed_ones_back(feedback: FeedbackUnderTest):
    job: dict[str, Any] = {"job_id": "feedback-1"}
    refused = a_prediction_line_finished(**job, line=2, outcome="rejected", source='{"sample_id": 1}')
    await feedback.hear(
        a_prediction_submitted(**job, line=0),
        a_prediction_submitted(**job, line=1),
        refused,
        predictions_received(**job, lines=3),
    )

    async with feedback.asking() as client:
        shown = (await client.get("/jobs/feedback-1")).json()
        errors = (await client.get("/jobs/feedback-1/errors")).text.splitlines()
    assert (shown["state"], shown["done"], shown["failed"]) == ("done", 3, 1)
    assert shown["outcomes"] == {"created": 1, "unchanged": 1, "rejected": 1}
    assert len(errors) == 1 and '"line":2' in errors[0]


async def test_a_prediction_for_a_sample_of_another_project_is_refused(feedback: FeedbackUnderTest):
    [label] = labels({"s": "refund"})
    stray = a_prediction_submitted(sample_id=label.sample_id, project_id="meeting", job_id="feedback-1", line=0)
    await feedback.hear(label)

    await feedback.hear(stray)

    [finished] = feedback.announced.of(PredictionLineFinished)
    assert (finished.outcome, finished.faults[0].code) == ("rejected", "other-project")


async def test_a_prediction_made_for_an_unknown_project_version_is_set_aside(feedback: FeedbackUnderTest):
    [dead] = await feedback.receive(a_prediction_submitted(project_version=9))

    assert "no version 9" in dead.detail


async def test_a_sample_keeps_the_newest_model_versions(feedback: FeedbackUnderTest):
    await feedback.hear(*(a_prediction_submitted(model_version=str(number)) for number in range(MAX_PREDICTIONS + 1)))

    [sample] = feedback.documents["predictions"].states.values()
    kept = [each["model_version"] for each in sample["predictions"]]
    assert kept == [str(number) for number in range(1, MAX_PREDICTIONS + 1)]


async def test_errors_are_shown_with_their_most_frequent_confusions(feedback: FeedbackUnderTest):
    truth = {f"s{number}": "refund" for number in range(6)}
    said = truth | {"s0": "delivery", "s1": "delivery", "s2": "other"}
    await feedback.hear(*labels(truth), *predictions(said))

    async with feedback.asking() as client:
        [model] = (await client.get("/projects/support/errors?model=router")).json()["items"]
        nothing = (await client.get("/projects/support/errors?model=unheard-of")).json()["items"]
    [field] = model["fields"]
    assert (field["error_rate"], field["n"], field["erring"]) == (0.5, 6, 3)
    assert field["confusions"] == [
        {"label": "refund", "prediction": "delivery", "count": 2},
        {"label": "refund", "prediction": "other", "count": 1},
    ]
    assert nothing == []


async def test_models_are_listed_page_by_page_and_to_their_own_tenant_alone(feedback: FeedbackUnderTest):
    await feedback.hear(*labels({"s": "refund"}))
    for model in ("a/b", "b", "c"):
        await feedback.hear(*predictions({"s": "refund"}, model=model))

    async with feedback.asking() as client:
        first = (await client.get("/projects/support/errors?limit=2")).json()
        rest = (await client.get("/projects/support/errors", params={"limit": 2, "cursor": first["next"]})).json()
    async with feedback.asking(tenant="rivals") as client:
        hidden = (await client.get("/projects/support/errors")).json()["items"]
    async with feedback.asking(projects=("meeting",)) as client:
        forbidden = (await client.get("/projects/support/errors")).status_code

    assert [each["model"] for page in (first, rest) for each in page["items"]] == ["a/b", "b", "c"]
    assert (rest["next"], hidden, forbidden) == (None, [], 403)


def test_models_whose_names_hold_slashes_are_not_mixed_up():
    assert model_key_of("t", "p", "a/b", "c") != model_key_of("t", "p", "a", "b/c")


judgements = st.lists(
    st.builds(
        lambda sample, sequence, error, pair: a_prediction_judged(
            external_id=sample,
            sequence=sequence,
            errors={"intent": error},
            confusions={"intent": pair} if error else {},
        ),
        st.sampled_from(["s1", "s2", "s3", "s4"]),
        st.integers(1, 5),
        st.sampled_from([0.0, 0.1, 1.0]),
        st.sampled_from([("a", "b"), ("b", "a")]),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(judgements)
def test_sums_are_those_of_the_last_judgement_of_each_sample(events: list[PredictionJudged]):
    tally: ModelTally | None = None
    last: dict[str, PredictionJudged] = {}
    for event in events:
        tally = count(tally, event, FindingPolicy(min_judged=2)).state
        if event.sample_id not in last or event.sequence > last[event.sample_id].sequence:
            last[event.sample_id] = event

    sums = (tally or a_tally()).fields.get("intent")
    errors = [event.errors["intent"] for event in last.values()]
    if sums is None:
        assert not errors
        return
    assert (sums.judged, sums.errors) == (len(errors), round(sum(errors) * 10_000))
    assert sums.erring == sum(error * 10_000 >= ERRING for error in errors)
    assert tally is not None
    assert sums.fresh == sum(
        sample.fresh("intent") for sample_id in last if (sample := tally.sample(sample_id)) is not None
    )
    counted = {(each.label, each.prediction): each.count for each in tally.confusions.get("intent", ()) if each.count}
    pairs = [event.confusions["intent"] for event in last.values() if event.confusions]
    assert counted == {pair: pairs.count(pair) for pair in pairs}


def test_a_model_that_is_full_takes_no_new_samples_but_new_judgements_of_those_it_has():
    first = count(None, a_prediction_judged(sample_id="known"), FindingPolicy()).state
    assert first is not None
    full = first.model_copy(update={"packed_bytes": MAX_BYTES})

    new = count(full, a_prediction_judged(sample_id="new"), FindingPolicy()).state
    again = count(full, a_prediction_judged(sample_id="known", sequence=2), FindingPolicy()).state

    assert new is not None and (new.full, new.samples) == (True, 1)
    assert again is not None and again.sample("known") != first.sample("known")


def a_tally(**changes: Any) -> ModelTally:
    named = {"model_key": "acme/support/router/1", "project_id": "support", "project_version": 1}
    return ModelTally.model_validate(named | {"model": "router", "model_version": "1"} | changes)
