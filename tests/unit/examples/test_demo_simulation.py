"""Simulated annotators: repeatable, as skilled as stated, wrong together where a sample is hard."""

from collections import Counter
from functools import cache
from statistics import mean

import pytest

from examples.compose import PROJECTS, corrupt_sample, demo_samples, load_project
from examples.model import fields_of
from examples.noise import distort
from examples.scoring import accuracy
from examples.simulation import ANNOTATORS, MODEL, REVIEWERS, NoTruthError, rng_for


@cache
def _fields(project):
    return fields_of(load_project(project))


SAMPLES = demo_samples()
SUPPORT = [sample for sample in SAMPLES if sample.project == "support"]


def test_an_answer_depends_on_who_and_what_and_not_on_when():
    ana = ANNOTATORS[0]

    forward = {sample.external_id: ana.answer(sample, _fields(sample.project)) for sample in SAMPLES}
    backward = {sample.external_id: ana.answer(sample, _fields(sample.project)) for sample in reversed(SAMPLES)}

    assert forward == backward


def test_answering_leaves_the_truth_as_it_was():
    before = [sample.model_copy(deep=True) for sample in SAMPLES]

    for sample in SAMPLES:
        ANNOTATORS[-1].answer(sample, _fields(sample.project))

    assert before == SAMPLES


def test_two_annotators_and_two_occasions_err_differently():
    sample = next(sample for sample in SAMPLES if sample.project == "blood-cells")
    bo, chi = ANNOTATORS[1:3]

    answers = [
        bo.answer(sample, _fields("blood-cells")),
        chi.answer(sample, _fields("blood-cells")),
        bo.answer(sample, _fields("blood-cells"), occasion="again"),
    ]

    assert all(answers.count(answer) == 1 for answer in answers)


def test_there_are_twelve_annotators_of_whom_two_vanish_and_enough_for_each_language_remain():
    staying = [annotator for annotator in ANNOTATORS if not annotator.vanishes]

    speakers = Counter(language for annotator in staying for language in annotator.languages)

    assert (len(ANNOTATORS), len(staying)) == (12, 10)
    assert min(annotator.skill for annotator in ANNOTATORS) == 0.70
    assert max(annotator.skill for annotator in ANNOTATORS) == 0.97
    assert all(speakers[language] >= load_project("support")["quality"]["max_overlap"] for language in speakers)


def test_the_skilled_are_more_often_right():
    by_skill = {
        annotator.skill: _mean_accuracy(annotator) for annotator in (ANNOTATORS[0], ANNOTATORS[7], ANNOTATORS[11])
    }

    assert by_skill[0.97] > by_skill[0.85] > by_skill[0.70] > 0.6


def test_reviewers_see_better_than_the_mean_annotator():
    assert min(map(_mean_accuracy, REVIEWERS)) > mean(map(_mean_accuracy, ANNOTATORS)) + 0.05


def test_someone_without_error_is_right_about_every_kind():
    for sample in SAMPLES:
        for name, field in _fields(sample.project).items():
            truth, bounds = sample.truth[name], sample.assets[field.asset].bounds

            assert accuracy(field.kind, distort(truth, field, bounds, 0.0, rng_for(1, name)), truth) == 1.0


def test_a_hard_sample_gets_the_same_wrong_answer_from_most():
    hard = [sample for sample in SUPPORT if sample.hard]

    for sample in hard:
        for field, wrong in sample.confused_with.items():
            given = Counter(annotator.answer(sample, _fields("support"))[field] for annotator in ANNOTATORS)
            assert given[wrong] >= 9


def test_reviewers_do_not_fall_for_hard_samples():
    for sample in SUPPORT:
        for reviewer in REVIEWERS:
            answer = reviewer.answer(sample, _fields("support"), occasion="adjudication")

            assert all(answer[field] != wrong for field, wrong in sample.confused_with.items())


def test_a_reviewer_accepts_the_truth_and_fixes_what_is_wrong_in_it():
    sample, reviewer = SUPPORT[0], REVIEWERS[0]

    accepted = reviewer.review(sample, _fields("support"), sample.truth)
    fixed = reviewer.review(sample, _fields("support"), {**sample.truth, "sentiment": "negative"})

    assert (accepted.verdict, accepted.fields) == ("accept", None)
    assert (fixed.verdict, fixed.changed) == ("fix", ("sentiment",))
    assert fixed.fields["sentiment"] == sample.truth["sentiment"]
    assert fixed.fields.keys() == sample.truth.keys()


def test_the_model_is_wrong_on_the_whole_of_its_blind_spot():
    asked = [sample for sample in SUPPORT if sample.truth["intent"] == "get_information"]

    said = {MODEL.predict(sample, _fields("support")).fields["intent"] for sample in asked}

    assert len(asked) >= 3
    assert said == {"out_of_scope"}


def test_elsewhere_the_model_errs_about_as_often_as_stated_and_is_right_where_annotators_are_confused():
    predictions = [(sample, MODEL.predict(sample, _fields("support")).fields) for sample in SUPPORT]

    wrong = [
        fields[name] != sample.truth[name]
        for sample, fields in predictions
        for name in fields
        if not (name == "intent" and sample.truth[name] == "get_information")
    ]
    confused = [fields[name] == sample.truth[name] for sample, fields in predictions for name in sample.confused_with]

    assert 0 < mean(wrong) < 3 * MODEL.error_rate
    assert all(confused)


def test_nobody_can_answer_the_corrupt_sample(tmp_path):
    sample = corrupt_sample(tmp_path)

    with pytest.raises(NoTruthError, match="corrupt"):
        ANNOTATORS[0].answer(sample, _fields("blood-cells"))
    with pytest.raises(NoTruthError):
        MODEL.predict(sample, _fields("support"))


def test_every_kind_of_the_label_model_is_in_the_demo():
    kinds = {field.kind for project in PROJECTS for field in _fields(project).values()}

    assert kinds == {
        "choice",
        "rating",
        "ranking",
        "text",
        "record",
        "spans",
        "regions",
        "segments",
        "tracks",
    }


def _mean_accuracy(annotator):
    return mean(
        accuracy(_fields(sample.project)[name].kind, value, sample.truth[name])
        for sample in SAMPLES
        for name, value in annotator.answer(sample, _fields(sample.project)).items()
    )
