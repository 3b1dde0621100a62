"""A number on a scale: the weighted median."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.qa.domain.kinds.answers import Answer, Consensus, shares, weighted_median
from shared.labels.kinds.rating import RatingOptions


def distance(left: float, right: float, options: RatingOptions) -> float:
    """Tell how far two ratings are apart, as a share of the scale: 0 for the same, 1 for its two ends."""
    return min(1.0, abs(left - right) / _scale(options))


def consensus(answers: Sequence[Answer], options: RatingOptions) -> Consensus:
    """Return the weighted median, the lower one where two share the middle, so that it is on the scale's steps.

    Returns:
        Confidence is 1 when all agree and 0 when the answers are split between the scale's ends (a mean likeness
        would call three ratings of 1, 3 and 5 two thirds sure). Support gives the share of each rating given.
    """
    values, weights = [answer.value for answer in answers], [answer.weight for answer in answers]
    median = weighted_median(values, weights, between=False)
    spread = math.fsum(weight * distance(value, median, options) for value, weight in zip(values, weights, strict=True))
    # Around a median the mean deviation is at most half the scale.
    confidence = max(0.0, 1.0 - 2 * spread / math.fsum(weights))
    return Consensus(median, confidence, shares((f"{answer.value:g}", answer.weight) for answer in answers))


def _scale(options: RatingOptions) -> float:
    return float(options.maximum - options.minimum) or 1.0
