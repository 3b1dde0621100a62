"""Choices, ratings, rankings, texts and records: what several annotators say together."""

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.qa.domain.kinds import KINDS, Answer, Consensus
from services.qa.domain.kinds.answers import weighted_median
from shared.labels.kinds import ChoiceOptions, RankingOptions, RatingOptions, RecordOptions, TextOptions

CHOICE = ChoiceOptions(kind="choice", options=("a", "b", "c"))
SEVERAL = ChoiceOptions(kind="choice", options=("a", "b", "c"), multiple=True)
RATING = RatingOptions(kind="rating", minimum=1, maximum=5, step=1)
RANKING = RankingOptions(kind="ranking", asset="responses")
STRICT = RankingOptions(kind="ranking", asset="responses", ties=False)
TEXT = TextOptions(kind="text")
RECORD = RecordOptions(kind="record", schema={"type": "object"})


def consensus(options: Any, *values: Any, weights: tuple[float, ...] = ()) -> Consensus:
    counts = weights or (1.0,) * len(values)
    answers = [Answer(f"annotator-{n}", v, w) for n, (v, w) in enumerate(zip(values, counts, strict=True))]
    return KINDS[options.kind].consensus(answers, options)


def distance(options: Any, left: Any, right: Any) -> float:
    return KINDS[options.kind].distance(left, right, options)


def test_the_option_with_the_most_weight_wins():
    assert consensus(CHOICE, "a", "b", "a").value == "a"
    assert consensus(CHOICE, "a", "b", "a", weights=(1, 3, 1)).value == "b"
    assert consensus(CHOICE, "a", "b", "a", weights=(1, 3, 1)).confidence == pytest.approx(3 / 5)


def test_a_tie_is_broken_by_name_and_never_sure():
    tied = consensus(CHOICE, "b", "a")

    assert (tied.value, tied.confidence) == ("a", 0.5)


def test_of_several_options_each_needs_its_own_majority():
    found = consensus(SEVERAL, ["a", "b"], ["a"], ["a", "c"])

    assert found.value == ["a"]
    assert found.support == pytest.approx({"a": 1, "b": 1 / 3, "c": 1 / 3})
    assert found.confidence == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_choices_of_several_options_are_apart_by_what_they_do_not_share():
    assert distance(SEVERAL, ["a", "b"], ["a"]) == 0.5
    assert distance(SEVERAL, ["a"], ["b"]) == 1
    assert distance(SEVERAL, [], []) == 0


def test_where_the_majority_breaks_the_fields_bounds_the_nearest_answer_stands():
    at_least_one = ChoiceOptions(kind="choice", options=("a", "b", "c"), multiple=True, min_items=1)

    found = consensus(at_least_one, ["a"], ["b"], ["a", "c"])  # nothing but "a" has two votes
    none_shared = consensus(at_least_one, ["a"], ["b"], ["c"])  # nothing has two votes

    assert found.value == ["a"]
    assert none_shared.value == ["a"]
    assert none_shared.confidence == 0


def test_a_rating_is_the_median_and_stays_on_the_scale():
    assert consensus(RATING, 1, 4, 5).value == 4
    assert consensus(RATING, 3, 4).value == 3  # and not 3.5, which nobody could give


def test_ratings_at_both_ends_of_the_scale_are_not_settled_by_the_middle():
    assert consensus(RATING, 1, 3, 5).confidence == pytest.approx(1 / 3)
    assert consensus(RATING, 1, 5).confidence == 0
    assert consensus(RATING, 3, 4, 4).confidence > 0.8


def test_the_weighted_median_splits_the_weight_in_halves():
    assert weighted_median([1, 2, 10], [1, 1, 1]) == 2
    assert weighted_median([1, 2, 10], [1, 1, 5]) == 10
    assert weighted_median([1, 2], [1, 1]) == 1.5
    assert weighted_median([1, 2], [1, 1], between=False) == 1


def test_rankings_are_apart_by_the_pairs_that_they_order_differently():
    assert distance(RANKING, [["A"], ["B"], ["C"]], [["C"], ["B"], ["A"]]) == 1
    assert distance(RANKING, [["A"], ["B"], ["C"]], [["B"], ["A"], ["C"]]) == pytest.approx(1 / 3)
    assert distance(RANKING, [["A", "B"]], [["A"], ["B"]]) == 0.5  # a tie is half way


def test_the_pairwise_majority_decides_a_ranking():
    found = consensus(RANKING, [["A"], ["B"], ["C"]], [["A"], ["C"], ["B"]], [["B"], ["A"], ["C"]])

    assert found.value == [["A"], ["B"], ["C"]]
    assert found.support == pytest.approx({"A>B": 2 / 3, "B>C": 2 / 3})


def test_where_two_candidates_are_even_they_are_tied_unless_the_field_forbids_it():
    assert consensus(RANKING, [["A"], ["B"]], [["B"], ["A"]]).value == [["A", "B"]]
    assert consensus(STRICT, [["A"], ["B"]], [["B"], ["A"]]).value == [["A"], ["B"]]


def every_order(candidates: str) -> list[list[list[str]]]:
    places = (p for p in product(range(len(candidates)), repeat=len(candidates)) if set(p) == set(range(max(p) + 1)))
    return [
        [[c for c, place in zip(candidates, p, strict=True) if place == tier] for tier in range(max(p) + 1)]
        for p in places
    ]


ORDERS = every_order("ABCD")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(answers=st.lists(st.sampled_from(ORDERS), min_size=1, max_size=5))
def test_no_order_is_nearer_to_the_answers_than_the_consensus(answers):
    found = consensus(RANKING, *answers).value

    def farness(order: list[list[str]]) -> float:
        return sum(distance(RANKING, order, answer) for answer in answers)

    assert len(ORDERS) == 75
    assert farness(found) == pytest.approx(min(farness(order) for order in ORDERS))


def test_many_candidates_are_ranked_near_their_true_order():
    truth = [[f"candidate-{number:02}"] for number in range(30)]
    swapped = [[*truth[:n], truth[n + 1], truth[n], *truth[n + 2 :]] for n in (3, 11, 20)]

    assert consensus(RANKING, *swapped).value == truth
    assert consensus(RankingOptions(kind="ranking", asset="r", ties=False), *swapped).value == truth


def test_a_ranking_of_one_candidate_is_sure():
    assert consensus(RANKING, [["A"]], [["A"]]).confidence == 1


def test_of_texts_the_one_nearest_to_the_others_is_taken():
    found = consensus(TEXT, {"text": "the cat sat"}, {"text": "the cat sad"}, {"text": "a cat sat there"})

    assert found.value == {"text": "the cat sat"}
    assert found.support["annotator-0"] == 1
    assert 0.5 < found.confidence < 1


def test_white_space_and_unicode_forms_do_not_part_texts():
    assert distance(TEXT, {"text": "café  au\nlait"}, {"text": "cafe\u0301 au lait"}) == 0


def test_texts_in_two_languages_have_nothing_in_common():
    assert distance(TEXT, {"text": "ja", "language": "de"}, {"text": "ja", "language": "pl"}) == 1
    assert distance(TEXT, {"text": "yes", "language": "en"}, {"text": "yes", "language": "en-US"}) == 0
    assert distance(TEXT, {"text": "yes", "language": "en"}, {"text": "yes"}) == 0


def test_a_record_is_decided_key_by_key():
    found = consensus(
        RECORD,
        {"invoice": {"number": "17", "total": 3.5}, "paid": True},
        {"invoice": {"number": "17", "total": 8.5}, "paid": True, "note": "?"},
        {"invoice": {"number": "11", "total": 3.5}},
    )

    assert found.value == {"invoice": {"number": "17", "total": 3.5}, "paid": True}
    assert found.support == pytest.approx({"/invoice/number": 2 / 3, "/invoice/total": 2 / 3, "/paid": 2 / 3})


def test_records_are_apart_by_the_share_of_their_leaves_that_differ():
    assert distance(RECORD, {"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}) == 0.5
    assert distance(RECORD, {"a": 1}, {}) == 1
    assert distance(RECORD, {"a": [1, 2]}, {"a": [2, 1]}) == 1
    assert distance(RECORD, {"a": True}, {"a": 1}) == 1


def test_a_mixture_of_records_that_the_schema_refuses_is_replaced_by_an_answer():
    schema = {
        "type": "object",
        "properties": {"unit": {"type": "string"}, "value": {"type": "number"}},
        "oneOf": [
            {"properties": {"unit": {"const": "m"}, "value": {"maximum": 10}}},
            {"properties": {"unit": {"const": "cm"}, "value": {"minimum": 100}}},
        ],
    }
    options = RecordOptions(kind="record", schema=schema)
    answers = [
        {"unit": "m", "value": 2},
        {"unit": "cm", "value": 300},
        {"unit": "m", "value": 3},
        {"unit": "cm", "value": 300},
    ]

    found = consensus(options, *answers, weights=(1.5, 1, 1.5, 1.2))  # by key: metres, and 300 of them

    assert found.value in answers


def test_answers_need_a_weight_above_0():
    for weight in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above 0"):
            Answer("ana", "a", weight)


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (CHOICE, ["a", "b", "c"]),
        (RATING, [1, 2, 4, 5]),
        (RANKING, ORDERS[:6]),
        (TEXT, [{"text": t} for t in ("", "ab", "abc", "xyz")]),
    ],
    ids=["choice", "rating", "ranking", "text"],
)
def test_the_distance_of_values_obeys_the_triangle(options, values):
    for one, two in combinations(values, 2):
        for three in values:
            assert distance(options, one, two) <= distance(options, one, three) + distance(options, three, two) + 1e-9
