"""What QA learns of an annotator, and how much that makes an answer count."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from services.qa.domain.skill import (
    HIGHEST_ACCURACY,
    UNKNOWN_ACCURACY,
    UNKNOWN_WEIGHT,
    AnnotatorSkill,
    score_answer,
    weight_of,
)
from shared.labels.spec import ProjectSpec

PROJECT = ProjectSpec.model_validate(
    {
        "title": "Support conversations",
        "objective": {"goal": "Route requests", "output": "predictive"},
        "assets": {"chat": {"modality": "text"}},
        "fields": {
            "intent": {"kind": "choice", "options": ["refund", "repair"], "required": True},
            "helpfulness": {"kind": "rating", "minimum": 1, "maximum": 5},
            "entities": {"kind": "spans", "asset": "chat", "labels": ["date"]},
        },
    }
)


def an_annotator(right: int, wrong: int) -> AnnotatorSkill:
    skill = AnnotatorSkill("ana")
    for score in [1.0] * right + [0.0] * wrong:
        skill = skill.assess({"intent": score})
    return skill


def test_a_new_annotator_weighs_as_one_who_is_right_seven_times_in_ten():
    newcomer = AnnotatorSkill("ana")

    assert newcomer.weight("intent") == pytest.approx(math.log(0.7 / 0.3)) == pytest.approx(UNKNOWN_WEIGHT)
    assert newcomer.accuracy("intent").estimate == UNKNOWN_ACCURACY
    assert (newcomer.accuracy("intent").low, newcomer.accuracy("intent").high) == (0, 1)


def test_assessing_leaves_the_old_value_as_it_was():
    newcomer = AnnotatorSkill("ana")

    assessed = newcomer.assess({"intent": 1.0, "helpfulness": 0.25})

    assert not newcomer.tallies
    assert assessed.accuracy("helpfulness").estimate == 0.25
    assert assessed.accuracy().answers == 2


def test_the_interval_is_wilsons():
    reference = binomtest(17, 20).proportion_ci(method="wilson")

    accuracy = an_annotator(right=17, wrong=3).accuracy("intent")

    assert accuracy.estimate == 0.85
    assert (accuracy.low, accuracy.high) == pytest.approx((reference.low, reference.high))


def test_weight_rises_with_evidence_and_is_bounded():
    assert an_annotator(5, 0).weight("intent") < an_annotator(50, 0).weight("intent")
    assert an_annotator(1000, 0).weight("intent") == weight_of(HIGHEST_ACCURACY) < 5 * UNKNOWN_WEIGHT
    assert 0 < an_annotator(0, 1000).weight("intent") < UNKNOWN_WEIGHT


def test_what_is_known_of_one_field_says_nothing_of_another():
    assert an_annotator(50, 0).weight("helpfulness") == UNKNOWN_WEIGHT


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_a_score_outside_0_to_1_is_refused(score):
    with pytest.raises(ValueError, match="share that was right"):
        AnnotatorSkill("ana").assess({"intent": score})


@given(st.lists(st.floats(0, 1), max_size=30))
def test_an_interval_always_holds_its_estimate(scores):
    skill = AnnotatorSkill("ana")
    for score in scores:
        skill = skill.assess({"intent": score})

    accuracy = skill.accuracy("intent")

    assert 0 <= accuracy.low <= accuracy.estimate + 1e-9
    assert accuracy.estimate - 1e-9 <= accuracy.high <= 1


def test_an_answer_is_scored_field_by_field_by_its_likeness_to_the_final_label():
    answer = {"intent": "refund", "helpfulness": 4, "entities": []}
    final = {"intent": "repair", "helpfulness": 3, "entities": []}

    assert score_answer(PROJECT, answer, final) == {"intent": 0, "helpfulness": 0.75, "entities": 1}


def test_fields_that_both_leave_empty_are_no_evidence_and_one_sided_ones_are_wrong():
    answer = {"intent": "refund", "helpfulness": None}
    final = {"intent": "refund", "entities": [{"id": "1", "start": 0, "end": 4, "label": "date"}]}

    assert score_answer(PROJECT, answer, final) == {"intent": 1, "entities": 0}
