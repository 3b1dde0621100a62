"""When work will be finished, by how fast it was worked on in the last while.

Answers are taken for a Poisson process of unknown rate. With Jeffreys' prior, N answers seen in a time T leave the rate
a gamma distribution of shape N + 1/2, and the time t until R more answers follows

    (t / R) / (T / (N + 1/2))  ~  F(2 R, 2 N + 1)

Where answers come less evenly than that, R and N are divided by the dispersion, as if they came in batches of that size.
It is said of the pace of the last while that it goes on; nights and holidays are not known here.

Sources: A. Gelman et al., "Bayesian Data Analysis" (3rd ed.), section 2.6, for the gamma posterior; W. Nelson, "Applied
Life Data Analysis" (1982), section 6.2, for prediction by F; R. Wedderburn, "Quasi-likelihood functions" (1974), for the
dispersion; E. Paulson, "An approximate normalization of the analysis of variance distribution" (1942), for F.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

from services.task_assignment.domain.pace import Window

COVERAGE: Final = 0.9
"""How often the end is to lie within the interval."""
FEWEST: Final = 3
"""Below so many answers nothing is forecast."""
_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf((1 + COVERAGE) / 2)


class Forecast(NamedTuple):
    """How long a number of answers takes from now on, in ms."""

    median_ms: float
    earliest_ms: float
    latest_ms: float


class Forecaster:
    """What was seen in a window says of any number of answers."""

    def __init__(self, window: Window) -> None:
        """Take what was seen; ``FEWEST`` answers at least."""
        seen = window.answers + 0.5
        self._ms_each = window.span_ms / seen
        self._dispersion = window.dispersion
        self._of_seen = 1 / (9 * max(seen / window.dispersion, 1.0))  # 2 / (9 df)

    def forecast(self, answers: int) -> Forecast:
        """Return how long so many more answers take."""
        if answers <= 0:
            return Forecast(0.0, 0.0, 0.0)
        return Forecast(self._quantile(answers, 0.0), self._quantile(answers, -_Z), self._quantile(answers, _Z))

    def median_ms(self, answers: int) -> float:
        """Return how long so many more answers take: as probably less as more."""
        return self._quantile(answers, 0.0) if answers > 0 else 0.0

    def miss_probability(self, answers: int, left_ms: float) -> float:
        """Return how probable it is that so many answers take longer than there is time."""
        if answers <= 0:
            return 0.0
        if left_ms <= 0:
            return 1.0
        root = (left_ms / (answers * self._ms_each)) ** (1 / 3)
        of_answers = self._of_answers(answers)
        z = ((1 - self._of_seen) * root - (1 - of_answers)) / sqrt(self._of_seen * root**2 + of_answers)
        return 1 - _NORMAL.cdf(z)

    def _of_answers(self, answers: int) -> float:
        return 1 / (9 * max(answers / self._dispersion, 1.0))

    def _quantile(self, answers: int, z: float) -> float:
        """Return the time by which so many answers are there with the probability that ``z`` stands for.

        Paulson's normal variate is solved for the cube root of F, a quadratic equation.
        """
        c1, c2 = self._of_answers(answers), self._of_seen  # at most 1/9 each, so there is always a solution
        a, b = 1 - c1, 1 - c2
        root = (a * b + z * sqrt(a * a * c2 + b * b * c1 - z * z * c1 * c2)) / (b * b - z * z * c2)
        return answers * self._ms_each * max(0.0, root) ** 3
