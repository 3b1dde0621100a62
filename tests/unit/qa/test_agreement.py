"""Krippendorff's alpha: the numbers of the paper, the reference package, and what bounds its cost."""

from collections.abc import Sequence

import krippendorff
import numpy as np
import pytest

from services.qa.domain.agreement import (
    AgreementUndefinedError,
    alpha_interval,
    interval,
    krippendorff_alpha,
    nominal,
    ordinal,
)

# Krippendorff (2011), section C: four observers, twelve units, None where nobody looked.
PAPER = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [list(unit) for unit in zip(*PAPER, strict=True)]


def ratio(left: float, right: float) -> float:
    return ((left - right) / (left + right)) ** 2


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [(nominal, 0.743), (ordinal(UNITS), 0.815), (interval, 0.849), (ratio, 0.797)],
    ids=["nominal", "ordinal", "interval", "ratio"],
)
def test_the_worked_example_of_the_paper_is_met_on_every_scale(metric, alpha):
    assert krippendorff_alpha(UNITS, metric) == pytest.approx(alpha, abs=5e-4)


def a_study(seed: int, units: int = 60, annotators: int = 4, ranks: int = 5) -> list[list[float | None]]:
    chance = np.random.default_rng(seed)
    study = []
    for _ in range(units):
        truth = int(chance.integers(ranks))
        given = [truth if chance.random() < 0.7 else int(chance.integers(ranks)) for _ in range(annotators)]
        study.append([rank if chance.random() < 0.8 else None for rank in given])
    return study


def by_the_reference_package(units: Sequence[Sequence[float | None]], level: str) -> float:
    data = np.array([[np.nan if value is None else value for value in unit] for unit in units]).T
    return krippendorff.alpha(reliability_data=data, level_of_measurement=level)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_reference_package(seed):
    units = a_study(seed)

    assert krippendorff_alpha(units, nominal) == pytest.approx(by_the_reference_package(units, "nominal"))
    assert krippendorff_alpha(units, ordinal(units)) == pytest.approx(by_the_reference_package(units, "ordinal"))
    assert krippendorff_alpha(units, interval) == pytest.approx(by_the_reference_package(units, "interval"))


def test_values_that_cannot_be_hashed_give_the_same_alpha():
    units = a_study(seed=1)
    boxed = [[None if value is None else {"rank": value} for value in unit] for unit in units]

    alpha = krippendorff_alpha(boxed, lambda left, right: interval(left["rank"], right["rank"]))

    assert alpha == pytest.approx(krippendorff_alpha(units, interval))


def test_a_large_study_is_sampled_and_comes_close_at_bounded_cost():
    chance = np.random.default_rng(3)
    truths = chance.normal(size=500)
    units = [(truth + chance.normal(scale=0.5, size=4)).tolist() for truth in truths]
    calls = 0

    def counted(left: float, right: float) -> float:
        nonlocal calls
        calls += 1
        return interval(left, right)

    sampled = krippendorff_alpha(units, counted, max_pairs=20_000)

    assert calls <= 20_000 + 500 * 6
    assert sampled == pytest.approx(krippendorff_alpha(units, interval, max_pairs=10**7), abs=0.01)
    assert sampled == krippendorff_alpha(units, interval, max_pairs=20_000)  # the same sample each time


@pytest.mark.parametrize("units", [[], [[]], [["a"], ["b"]], [["a", None], [None, "b"]]])
def test_without_a_unit_labeled_twice_agreement_is_undefined(units):
    with pytest.raises(AgreementUndefinedError, match="none has two labels"):
        krippendorff_alpha(units, nominal)


def test_when_all_labels_are_equal_agreement_beyond_chance_is_undefined():
    with pytest.raises(AgreementUndefinedError, match="all of their labels are equal"):
        krippendorff_alpha([["a", "a"], ["a", "a", "a"]], nominal)


def test_annotators_who_always_disagree_are_below_chance():
    assert krippendorff_alpha([["a", "b"], ["b", "a"], ["a", "b"]], nominal) < 0


def test_the_interval_holds_alpha_and_narrows_with_more_units():
    few, many = a_study(seed=4, units=30), a_study(seed=4, units=600)

    narrow, wide = alpha_interval(many, nominal, seed=7), alpha_interval(few, nominal, seed=7)

    assert narrow.low <= narrow.alpha == krippendorff_alpha(many, nominal) <= narrow.high <= 1
    assert narrow.high - narrow.low < wide.high - wide.low
    assert narrow.units == sum(sum(value is not None for value in unit) >= 2 for unit in many)


def test_the_same_seed_gives_the_same_interval():
    units = a_study(seed=5)

    assert alpha_interval(units, interval, seed=1) == alpha_interval(units, interval, seed=1)
    assert alpha_interval(units, interval, seed=1) != alpha_interval(units, interval, seed=2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    truth = krippendorff_alpha(a_study(seed=99, units=20_000), nominal)

    intervals = [alpha_interval(a_study(seed=seed), nominal, seed=seed) for seed in range(100)]

    covered = sum(found.low <= truth <= found.high for found in intervals)
    assert 88 <= covered <= 99
