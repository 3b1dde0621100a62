"""What kinds share: answers with weights, the consensus they make, and ways to vote."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.labels.canonical import canonical_json

MAJORITY = 0.5
"""An item, option or key is kept when more than this share of the weight stands behind it."""

_TIE = 1e-9  # shares closer than this are equal: sums of weights carry rounding


@dataclass(frozen=True)
class Answer:
    """One annotator's value for one field, and how much it counts (log-odds of accuracy, above 0)."""

    annotator_id: str
    value: Any
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"The weight of {self.annotator_id} is {self.weight}; give a finite number above 0.")


@dataclass(frozen=True)
class Consensus:
    """What the answers say together.

    ``confidence`` is the weighted share of the answers that the value stands for, 0..1: for a choice the share of the
    winner, for structured values the mean likeness of the answers to it. ``support`` tells the same for each part of
    the value (option, item id, key), and for parts that did not make it.
    """

    value: Any
    confidence: float
    support: Mapping[str, float] = field(default_factory=dict)


def canonical(value: object) -> str:
    """Return the same string for equal JSON values, so that they can be grouped and put in an order of their own."""
    return canonical_json(value).decode()


def shares(votes: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return each candidate's share of all weight, by falling share, equal shares by name."""
    weights: dict[str, list[float]] = {}
    for candidate, weight in votes:
        weights.setdefault(candidate, []).append(weight)
    total = math.fsum(weight for given in weights.values() for weight in given)
    found = {candidate: math.fsum(given) / total for candidate, given in weights.items()}
    return dict(sorted(found.items(), key=lambda item: (-round(item[1], 9), item[0])))


def elect(values: Sequence[Any], weights: Sequence[float]) -> tuple[Any, float]:
    """Return the value with the largest share of the weight, and that share; a tie goes to the first in JSON order.

    Args:
        values: At least one JSON value; equal ones are one candidate.
        weights: As many, above 0.
    """
    names = [canonical(value) for value in values]
    winner, share = next(iter(shares(zip(names, weights, strict=True)).items()))
    return values[names.index(winner)], share


def is_majority(share: float) -> bool:
    """Tell whether more than half of the weight is behind something (a tie is not)."""
    return share > MAJORITY + _TIE


def weighted_median(values: Sequence[float], weights: Sequence[float], *, between: bool = True) -> float:
    """Return the value that splits the weight in halves.

    Args:
        values: At least one number.
        weights: As many, above 0.
        between: Where the halves meet between two values, return their mean; else the lower one (a scale with
            steps, or character offsets, has nothing in between).

    Source: F. Y. Edgeworth, "On a new method of reducing observations" (1888).
    """
    ranked = sorted(zip(values, weights, strict=True))
    half = math.fsum(weights) / 2
    for position, (value, _) in enumerate(ranked):
        reached = math.fsum(weight for _, weight in ranked[: position + 1])
        if reached > half + _TIE:
            return value
        if reached >= half - _TIE and position + 1 < len(ranked):
            return (value + ranked[position + 1][0]) / 2 if between else value
    return ranked[-1][0]


def medoid(values: Sequence[Any], weights: Sequence[float], distance: Callable[[Any, Any], float]) -> tuple[int, float]:
    """Find the value that is nearest to all others, and how near.

    Args:
        values: At least one.
        weights: As many, above 0.
        distance: Symmetric, in 0..1, 0 for equal values.

    Returns:
        Its index, and the weighted mean likeness (1 - distance) of all values to it, itself included.
        A tie goes to the first in JSON order.

    Source: L. Kaufman and P. Rousseeuw, "Clustering by means of medoids" (1987).
    """
    names = [canonical(value) for value in values]
    apart = np.zeros((len(values), len(values)))
    for row, column in combinations(range(len(values)), 2):
        if names[row] != names[column]:
            apart[row, column] = apart[column, row] = distance(values[row], values[column])
    return nearest(apart, weights, names)


def nearest(apart: NDArray[np.float64], weights: Sequence[float], names: Sequence[str]) -> tuple[int, float]:
    """Find the medoid where the distances are known.

    Args:
        apart: Distance of each value to each, 0..1, shape (n, n).
        weights: n weights above 0.
        names: n names that decide a tie, the first in order.

    Returns:
        Its index, and the weighted mean likeness (1 - distance) of all values to it, itself included.
    """
    costs = [math.fsum(row) for row in (apart * np.array(weights)).tolist()]
    best = min(range(len(names)), key=lambda index: (round(costs[index], 9), names[index]))
    return best, 1.0 - costs[best] / math.fsum(weights)


def likeness(answers: Sequence[Answer], distance: Callable[[Any], float]) -> float:
    """Return the weighted mean of ``1 - distance(answer's value)``, in 0..1."""
    total = math.fsum(answer.weight for answer in answers)
    near = math.fsum(answer.weight * (1.0 - distance(answer.value)) for answer in answers) / total
    return min(1.0, max(0.0, near))
