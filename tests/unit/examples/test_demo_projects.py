"""The demo passes every check that the services will put it to: specs, samples, media, truths and simulated answers."""

from dataclasses import replace
from functools import cache

import pytest

from examples.compose import PROJECTS, corrupt_sample, demo_samples, load_project
from examples.model import fields_of
from examples.simulation import ANNOTATORS, MODEL, REVIEWERS
from services.ingest.domain.probe import probe
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.answer import check_answer
from shared.labels.project import check_spec
from shared.labels.sample import check_sample, inline_facts
from shared.labels.verdicts import evaluate_rules

SAMPLES = demo_samples()
OTHER_SEEDS = range(3)


@pytest.mark.parametrize("project", PROJECTS)
def test_each_spec_is_sound_and_leaves_nothing_unguided(project):
    checked = check_spec(load_project(project))

    assert not checked.faults
    assert {warning.code for warning in checked.warnings} <= {"without-force"}  # the demo states when it should be done


@pytest.mark.parametrize("project", PROJECTS)
def test_each_project_asks_three_annotators_and_at_most_five(project):
    quality = _spec(project).quality

    assert (quality.overlap, quality.max_overlap) == (3, 5)


def test_each_sample_is_one_that_its_project_takes():
    for sample in SAMPLES:
        assert not check_sample(_spec(sample.project), _submitted(sample)), sample.external_id


def test_what_the_demo_believes_of_its_media_is_what_ingest_measures():
    for sample in SAMPLES:
        for slot, facts in _facts(sample).items():
            bounds = sample.assets[slot].bounds

            assert (facts.width, facts.height) == (bounds.width, bounds.height)
            assert facts.frames == bounds.frames
            assert facts.text_length == bounds.length
            if facts.duration is not None:
                assert facts.duration == pytest.approx(bounds.duration, rel=0.03)


def test_each_truth_is_a_complete_and_valid_answer():
    for sample in SAMPLES:
        checked = check_answer(_spec(sample.project), _facts(sample), sample.truth)

        assert not checked.faults, sample.external_id
        assert sample.truth.keys() == _spec(sample.project).fields.keys()


def test_whatever_simulated_people_answer_is_valid():
    people = [replace(person, seed=seed) for person in (*ANNOTATORS, *REVIEWERS) for seed in OTHER_SEEDS]

    for person in (*ANNOTATORS, *REVIEWERS, *people):
        for sample in SAMPLES:
            answer = person.answer(sample, _fields(sample.project))

            assert not check_answer(_spec(sample.project), _facts(sample), answer).faults, sample.external_id


def test_what_a_reviewer_puts_right_is_a_valid_answer_too():
    reviewer = REVIEWERS[0]

    for sample in SAMPLES:
        fields = _fields(sample.project)
        review = reviewer.review(sample, fields, ANNOTATORS[-1].answer(sample, fields))

        if review.verdict == "fix":
            assert not check_answer(_spec(sample.project), _facts(sample), review.fields).faults


def test_what_the_model_predicts_are_options_of_the_project():
    spec = _spec("support")

    for sample in SAMPLES:
        if sample.project == "support":
            fields = MODEL.predict(sample, _fields("support")).fields

            assert all(option in spec.fields[name].options for name, option in fields.items())


def test_the_cross_modal_rule_warns_of_the_one_sample_that_contradicts_itself():
    support = [sample for sample in SAMPLES if sample.project == "support"]

    warned = [
        sample.external_id
        for sample in support
        for verdict in evaluate_rules(_spec("support"), _facts(sample), sample.truth)
        if not verdict.passed
    ]

    assert warned == ["support-16-dlg-sgd-1_00000"]


def test_ingest_rejects_the_corrupt_file(tmp_path):
    asset = corrupt_sample(tmp_path).assets["smear"]

    with pytest.raises(MediaRejectedError):
        probe(asset.file, "image", asset.file.name, asset.media_type)


@cache
def _spec(name):
    return check_spec(load_project(name)).spec


@cache
def _fields(name):
    return fields_of(load_project(name))


@cache
def _file_facts(file, modality, media_type):
    return probe(file, modality, file.name, media_type).facts


_FACTS = {}


def _facts(sample):
    if sample.external_id not in _FACTS:
        spec = _spec(sample.project)
        _FACTS[sample.external_id] = {
            slot: _file_facts(asset.file, spec.assets[slot].modality, asset.media_type)
            if asset.file
            else inline_facts(spec.assets[slot], _submitted(sample)[slot])
            for slot, asset in sample.assets.items()
        }
    return _FACTS[sample.external_id]


def _submitted(sample):
    """The sample's assets as a client sends them, its files uploaded."""
    return {
        slot: {"upload": "upload-1"} if asset.file else asset.model_dump(include={"text", "record"}, exclude_none=True)
        for slot, asset in sample.assets.items()
    }
