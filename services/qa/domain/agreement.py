"""How far annotators agree beyond chance, for any kind of value that has a distance."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.errors import LabelmeshError

T = TypeVar("T")
Distance = Callable[[T, T], float]

MAX_PAIRS = 20_000
"""Pairs of values whose distance is taken for the expected disagreement; above it they are sampled (s.e. <= 0.0036)."""

SAMPLING_SEED = 2011


class AgreementUndefinedError(LabelmeshError):
    """Agreement beyond chance cannot be told: nothing was labeled twice, or every label is the same."""

    status, title = 422, "Agreement is undefined"

    def __init__(self, paired_units: int, differing: bool) -> None:
        what = "all of their labels are equal" if paired_units and not differing else "none has two labels"
        super().__init__(
            f"Krippendorff's alpha is undefined: of {paired_units} units labeled twice, {what}; "
            "wait for more labels, or read the mean pairwise agreement instead."
        )
        self.paired_units = paired_units


@dataclass(frozen=True)
class AlphaInterval:
    """Krippendorff's alpha with its 95 % bootstrap interval and the number of units labeled at least twice."""

    alpha: float
    low: float
    high: float
    units: int


def krippendorff_alpha(units: Sequence[Sequence[T]], distance: Distance[T], *, max_pairs: int = MAX_PAIRS) -> float:
    """Inter-annotator agreement for any number of annotators and any distance, corrected for chance.

    Args:
        units: One inner sequence per unit (a sample's field): the values its annotators gave, in any order.
            ``None`` is a missing value. Units with fewer than two values are left out.
        distance: Symmetric, 0 for equal values. Alpha takes it as it is, so an interval scale passes the
            squared difference. Called for all pairs within a unit and for at most ``max_pairs`` pairs overall.
        max_pairs: Bound on the pairs behind the expected disagreement; above it a fixed-seed sample is taken.

    Returns:
        Alpha, without unit, at most 1.0. 1.0 is perfect agreement, 0.0 is what chance alone
        would give, negative values are systematic disagreement.

    Raises:
        AgreementUndefinedError: No unit has two values, or no two values differ.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), sections C to E.
    """
    return _Disagreement.of(units, distance, max_pairs, SAMPLING_SEED).alpha()


def alpha_interval(
    units: Sequence[Sequence[T]],
    distance: Distance[T],
    seed: int,
    resamples: int = 200,
    *,
    max_pairs: int = MAX_PAIRS,
) -> AlphaInterval:
    """Krippendorff's alpha with a 95 % percentile bootstrap over units.

    Distances are taken once and reweighted for each resample, so the cost hardly grows with ``resamples``.
    A resample in which no two values differ carries no information and is left out.

    Args:
        units: As for :func:`krippendorff_alpha`.
        distance: As for :func:`krippendorff_alpha`.
        seed: Same seed and units, same interval.
        resamples: Bootstrap resamples, at least 1.
        max_pairs: As for :func:`krippendorff_alpha`.

    Returns:
        Alpha and its interval; ``low <= high``, both at most 1.0.

    Raises:
        AgreementUndefinedError: No unit has two values, or no two values differ.

    Source: A. Zapf et al., "Measuring inter-rater reliability for nominal data - which coefficients and
    confidence intervals are appropriate?", BMC Medical Research Methodology 16:93 (2016).
    """
    disagreement = _Disagreement.of(units, distance, max_pairs, SAMPLING_SEED)
    alpha = disagreement.alpha()
    count = len(disagreement.sizes)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    resampled = [value for draw in draws if (value := disagreement.reweighted(draw)) is not None]
    low, high = np.percentile(resampled, [2.5, 97.5]) if resampled else (alpha, alpha)
    return AlphaInterval(alpha=alpha, low=float(low), high=float(high), units=count)


def nominal(left: object, right: object) -> float:
    """Distance of categories: 0 when equal, else 1."""
    return 0.0 if left == right else 1.0


def interval(left: float, right: float) -> float:
    """Distance on an interval scale: the squared difference, in the scale's unit squared (Krippendorff 2011)."""
    return float((left - right) ** 2)


def ordinal(units: Sequence[Sequence[float | None]]) -> Distance[float]:
    """Make the distance of ranks, which depends on how often each rank was given.

    Args:
        units: The same units that alpha is asked for; those with fewer than two values do not count.

    Returns:
        ``distance(a, b)``: the square of the number of values from rank a to rank b, each end counted half. Ranks
        that no paired unit gave count as given zero times.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D.
    """
    given = np.sort([value for unit in paired(units) for value in unit])

    def distance(left: float, right: float) -> float:
        if left == right:
            return 0.0
        below, above = min(left, right), max(left, right)
        # Values below the rank, and up to it: their mean is the rank's middle in the sorted values.
        middle = [
            (np.searchsorted(given, at, "left") + np.searchsorted(given, at, "right")) / 2 for at in (below, above)
        ]
        return float((middle[1] - middle[0]) ** 2)

    return distance


def paired(units: Sequence[Sequence[T | None]]) -> list[list[T]]:
    """Keep the units that at least two annotators labeled, without their missing (``None``) values."""
    present = ([value for value in unit if value is not None] for unit in units)
    return [unit for unit in present if len(unit) >= 2]


@dataclass(frozen=True)
class _Disagreement(Generic[T]):
    """All distances that alpha needs, so that a bootstrap can weigh units anew without taking one again.

    An atom is a group of equal values where values can be grouped, else one value. Expected disagreement is a weighted
    sum over pairs of atoms; ``pair_share`` is the share of all such pairs that was looked at.
    """

    observed: NDArray[np.float64]  # per unit: sum over its ordered pairs of the distance, by (values - 1)
    sizes: NDArray[np.int64]  # per unit: how many values
    unit_of: NDArray[np.int64]  # per value: its unit
    atom_of: NDArray[np.int64]  # per value: its atom
    left: NDArray[np.int64]  # per pair of atoms
    right: NDArray[np.int64]
    distances: NDArray[np.float64]
    pair_share: float

    @classmethod
    def of(cls, units: Sequence[Sequence[T]], distance: Distance[T], max_pairs: int, seed: int) -> _Disagreement[T]:
        kept = paired(units)
        if not kept:
            raise AgreementUndefinedError(paired_units=0, differing=False)
        values = list(chain.from_iterable(kept))
        representatives, atom_of = _atoms(values, max_pairs)
        left, right, share = _pairs(len(representatives), max_pairs, seed)
        sizes = np.array([len(unit) for unit in kept])
        return cls(
            observed=np.array(
                [2 * sum(distance(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in kept]
            ),
            sizes=sizes,
            unit_of=np.repeat(np.arange(len(kept)), sizes),
            atom_of=atom_of,
            left=left,
            right=right,
            distances=np.array(
                [distance(representatives[a], representatives[b]) for a, b in zip(left, right, strict=True)],
                dtype=float,
            ),
            pair_share=share,
        )

    def alpha(self) -> float:
        alpha = self.reweighted(np.ones(len(self.sizes), dtype=np.int64))
        if alpha is None:
            raise AgreementUndefinedError(paired_units=len(self.sizes), differing=False)
        return alpha

    def reweighted(self, times: NDArray[np.int64]) -> float | None:
        """Return alpha with each unit counted ``times`` over, or None where no two values differ."""
        atoms = np.bincount(self.atom_of, weights=times[self.unit_of])
        total = float(times @ self.sizes)
        differing = 2 * float(np.sum(atoms[self.left] * atoms[self.right] * self.distances)) / self.pair_share
        if differing <= 0:
            return None
        return 1.0 - (float(times @ self.observed) / total) / (differing / (total * (total - 1)))


def _atoms(values: Sequence[T], max_pairs: int) -> tuple[list[T], NDArray[np.int64]]:
    """Group equal values where that is possible and makes all pairs of groups affordable."""
    if all(isinstance(value, Hashable) for value in values):
        index: dict[T, int] = {}
        atom_of = np.array([index.setdefault(value, len(index)) for value in values])
        if len(index) * (len(index) - 1) // 2 <= max_pairs:
            return list(index), atom_of
    return list(values), np.arange(len(values))


def _pairs(atoms: int, max_pairs: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """All pairs of atoms, or a fixed-seed sample of them with the share that it is."""
    possible = atoms * (atoms - 1) // 2
    if possible <= max_pairs:
        left, right = np.triu_indices(atoms, k=1)
        return left, right, 1.0
    random = np.random.default_rng(seed)
    left = random.integers(atoms, size=max_pairs)
    right = random.integers(atoms - 1, size=max_pairs)
    return left, right + (right >= left), max_pairs / possible
