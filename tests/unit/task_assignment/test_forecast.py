"""How fast work is done, and when it will be finished: the figures of the sources, and how often the interval holds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f as f_distribution

from services.task_assignment.domain.forecast import COVERAGE, FEWEST, Forecaster
from services.task_assignment.domain.pace import ENOUGH, KEPT, WIDTHS_MS, Pace, Window, window_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 1_795_507_200_000
Arrivals = Iterator[tuple[float, int]]


# --- the method -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [5, 30, 400])
@pytest.mark.parametrize("answers", [1, 10, 500, 100_000])
@pytest.mark.parametrize("dispersion", [1.0, 3.0])
def test_quantiles_are_those_of_f(seen: int, answers: int, dispersion: float):
    forecast = Forecaster(Window(seen, HOUR, dispersion)).forecast(answers)

    degrees = 2 * max(answers / dispersion, 1.0), (2 * seen + 1) / dispersion
    scale = answers * HOUR / (seen + 0.5)
    shares = (0.5, (1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
    exact = [scale * f_distribution.ppf(share, *degrees) for share in shares]
    assert forecast.median_ms == pytest.approx(exact[0], rel=0.05)
    assert forecast.latest_ms == pytest.approx(exact[2], rel=0.25)
    if answers > 3:  # of very few answers the lower end is near to zero, and no approximation is good there
        assert forecast.earliest_ms == pytest.approx(exact[1], rel=0.1)


@settings(deadline=None)
@given(st.integers(FEWEST, 10_000), st.integers(1, 10**6), st.floats(1, 50))
def test_the_interval_is_around_the_median_at_which_a_miss_is_as_probable_as_not(
    seen: int, answers: int, dispersion: float
):
    forecaster = Forecaster(Window(seen, HOUR, dispersion))

    forecast = forecaster.forecast(answers)

    assert 0 <= forecast.earliest_ms <= forecast.median_ms <= forecast.latest_ms
    assert forecaster.miss_probability(answers, forecast.median_ms) == pytest.approx(0.5, abs=1e-6)
    assert forecaster.miss_probability(answers, forecast.latest_ms) == pytest.approx(0.05, abs=1e-6)


def test_nothing_left_is_done_at_once_and_no_time_left_is_a_miss():
    forecaster = Forecaster(Window(30, HOUR, 1.0))

    assert forecaster.forecast(0) == (0.0, 0.0, 0.0)
    assert (forecaster.miss_probability(0, -1), forecaster.miss_probability(1, 0)) == (0.0, 1.0)


# --- calibration ------------------------------------------------------------------------------------------------------


def one_by_one(rng: Random, each_ms: float) -> Arrivals:
    now = 0.0
    while True:
        now += rng.expovariate(1 / each_ms)
        yield now, 1


def in_batches(rng: Random, each_ms: float, size: float) -> Arrivals:
    """Batches of a geometrically distributed number of answers."""
    now = 0.0
    while True:
        now += rng.expovariate(1 / (each_ms * size))
        batch = 1
        while rng.random() > 1 / size:
            batch += 1
        yield now, batch


def coming_and_going(rng: Random, each_ms: float) -> Arrivals:
    """The pace changes to 0.5, 1 or 1.5 times the usual one, every two minutes on average."""
    now, level, until = 0.0, 1.0, 0.0
    while True:
        if now >= until:
            level, until = rng.choice((0.5, 1.0, 1.5)), now + rng.expovariate(1 / (2 * MINUTE))
        now += rng.expovariate(level / each_ms)
        yield now, 1


def covered(arrivals: Arrivals, observed_ms: int, answers: int) -> tuple[bool, float]:
    """Forecast after a while, and return whether the true end is in the interval, and its ratio to the median."""
    pace, done = Pace(START), 0
    for after_ms, batch in arrivals:
        if after_ms <= observed_ms:
            pace = pace.plus(batch, START + int(after_ms))
            continue
        done += batch
        if done >= answers:
            break
    window = window_of(pace, START + observed_ms)
    assert window is not None
    forecast = Forecaster(window).forecast(answers)
    took = after_ms - observed_ms
    return forecast.earliest_ms <= took <= forecast.latest_ms, took / forecast.median_ms


@pytest.mark.parametrize(
    ("arrivals", "observed_ms", "answers", "at_least", "at_most"),
    [
        (lambda rng: one_by_one(rng, 5_000), 15 * MINUTE, 200, 0.88, 0.98),
        (lambda rng: one_by_one(rng, 5_000), 2 * MINUTE, 50, 0.84, 0.96),
        (lambda rng: one_by_one(rng, 10 * MINUTE), 4 * HOUR, 40, 0.85, 0.97),
        (lambda rng: in_batches(rng, 5_000, 5), 15 * MINUTE, 200, 0.84, 0.96),
        (lambda rng: in_batches(rng, 2_000, 20), 15 * MINUTE, 1000, 0.82, 0.95),
        # A pace that changes within the window is not what the method takes it for: the interval holds less often.
        (lambda rng: coming_and_going(rng, 2_000), 15 * MINUTE, 50, 0.75, 0.92),
        (lambda rng: coming_and_going(rng, 2_000), 15 * MINUTE, 500, 0.55, 0.80),
    ],
    ids=["even", "even, soon", "even, slow", "batches of 5", "batches of 20", "changing, soon", "changing, later"],
)
def test_the_interval_holds_as_often_as_it_says(arrivals, observed_ms, answers, at_least, at_most):
    rng = Random(27)

    results = [covered(arrivals(rng), observed_ms, answers) for _ in range(400)]

    share = sum(is_in for is_in, _ in results) / len(results)
    median = sorted(ratio for _, ratio in results)[len(results) // 2]
    assert at_least <= share <= at_most
    assert median == pytest.approx(1, abs=0.12)


# --- the pace ---------------------------------------------------------------------------------------------------------


def test_the_window_is_as_short_as_it_can_be():
    slow = Pace(START)
    for hour in range(30):
        slow = slow.plus(2, START + hour * HOUR)
    now = START + 30 * HOUR
    quick = slow.plus(ENOUGH, now)

    assert window_of(Pace(START), now) is None
    of_slow, of_quick = window_of(slow, now), window_of(quick, now)
    assert of_slow is not None and of_quick is not None
    assert (of_slow.answers, of_slow.span_ms) == (60, 30 * HOUR)
    assert of_quick.answers == ENOUGH
    assert of_quick.span_ms <= KEPT * WIDTHS_MS[0]


arrived = st.lists(st.tuples(st.integers(0, 5 * DAY), st.integers(1, 9), st.integers(0, 2)), max_size=30)


@settings(deadline=None)
@given(arrived)
def test_partitions_add_up_to_what_one_would_have_counted(answers: list[tuple[int, int, int]]):
    in_order = sorted(answers)
    parts, whole = [Pace(START) for _ in range(3)], Pace(START)
    for after, number, partition in in_order:
        parts[partition] = parts[partition].plus(number, START + after)
        whole = whole.plus(number, START + after)
    now = START + 5 * DAY

    assert window_of(Pace.sum_of(parts) or Pace(START), now) == window_of(whole, now)


@settings(deadline=None)
@given(arrived)
def test_no_more_is_kept_than_is_needed(answers: list[tuple[int, int, int]]):
    pace = Pace(START)
    for after, number, _ in sorted(answers):
        pace = pace.plus(number, START + after)

    assert all(len(counts) <= KEPT + 1 for counts in pace.counts)
