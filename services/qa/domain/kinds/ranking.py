"""An order of candidates with ties, as tiers from best to worst: the Kemeny median, Borda where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from services.qa.domain.kinds.answers import Answer, Consensus, likeness
from services.qa.domain.kinds.pairs import Floats
from shared.labels.kinds.ranking import RankingOptions

Tiers = Sequence[Sequence[str]]

KEMENY_CANDIDATES = 8
"""Up to here the median is exact (3^n steps); above it, the nearest of Borda's order and the answers is taken."""


def distance(left: Tiers, right: Tiers, options: RankingOptions) -> float:
    """Tell how far two orders are apart: the share of candidate pairs that they order differently.

    A pair that is tied in one order only counts half. A candidate that an order leaves out is last in it.

    Returns:
        0 for the same order, 1 for the reverse of an order without ties.

    Source: R. Fagin et al., "Comparing and aggregating rankings with ties" (2004), K with penalty 1/2.
    """
    candidates = _candidates([left, right])
    if len(candidates) < 2:
        return 0.0
    apart = np.abs(_orders(left, candidates) - _orders(right, candidates)).sum()
    return float(apart) / (2 * len(candidates) * (len(candidates) - 1))


def consensus(answers: Sequence[Answer], options: RankingOptions) -> Consensus:
    """Return the order with ties that is nearest to all answers by :func:`distance`.

    Of several nearest orders the one with the most ties is taken: where the evidence is even, so is the order.
    Where the field allows no ties, names decide.

    Returns:
        Tiers; confidence is the mean likeness of the answers; support gives, for each candidate and the
        next, in the order ``"A>B"`` or tie ``"A=B"`` that the consensus has, the share of the weight that has it too.

    Source: J. Kemeny, "Mathematics without numbers" (1959); J.-C. de Borda (1781), mean rank, and
    N. Ailon et al., "Aggregating inconsistent information" (2008), pick-a-permutation, for many candidates.
    """
    candidates = _candidates([answer.value for answer in answers])
    orders = np.array([_orders(answer.value, candidates) for answer in answers])
    weights = np.array([answer.weight for answer in answers])
    costs = _Costs(
        before=np.tensordot(weights, (orders + 1) / 2, axes=1), beside=np.tensordot(weights, np.abs(orders) / 2, axes=1)
    )
    largest_tier = len(candidates) if options.ties else 1
    if len(candidates) <= KEMENY_CANDIDATES:
        places = _kemeny(costs, largest_tier)
    else:
        places = _best_known(costs, [_ranks(answer.value, candidates) for answer in answers], largest_tier)
    tiers = _tiers(candidates, places)
    final = _orders(tiers, candidates)
    by_rank = sorted(range(len(candidates)), key=lambda index: (places[index], candidates[index]))
    support = {}
    for better, worse in pairwise(by_rank):
        agreeing = weights[orders[:, better, worse] == final[better, worse]].sum() / weights.sum()
        support[f"{candidates[better]}{'>' if final[better, worse] else '='}{candidates[worse]}"] = float(agreeing)
    return Consensus(tiers, likeness(answers, lambda value: distance(value, tiers, options)), support)


@dataclass(frozen=True)
class _Costs:
    """For candidates a and b, the weight of the answers against an order of theirs; a tie counts half."""

    before: Floats
    """Against a before b, shape (n, n)."""
    beside: Floats
    """Against a tie of both, shape (n, n)."""

    def of(self, places: list[int]) -> tuple[float, int, list[int]]:
        """Tell how far an order is from all answers; of equal ones the one with fewer tiers comes first."""
        order = _signs(places)
        against = (self.before * (order < 0)).sum() + (np.triu(self.beside, 1) * (order == 0)).sum()
        return round(float(against), 9), len(set(places)), places


def _kemeny(costs: _Costs, largest_tier: int) -> list[int]:
    """Find the nearest order: the best for each set of candidates, by all ways to split off its last tier."""
    count = len(costs.before)
    best: dict[frozenset[int], tuple[float, int, list[int]]] = {frozenset(): (0.0, 0, [0] * count)}
    for size in range(1, count + 1):
        for placed in map(frozenset, combinations(range(count), size)):
            best[placed] = min(
                _with_last_tier(best[placed.difference(last)], sorted(placed.difference(last)), last, costs)
                for tier_size in range(1, min(size, largest_tier) + 1)
                for last in combinations(sorted(placed), tier_size)
            )
    return best[frozenset(range(count))][2]


def _with_last_tier(
    above: tuple[float, int, list[int]], better: Sequence[int], last: Sequence[int], costs: _Costs
) -> tuple[float, int, list[int]]:
    cost, tiers, places = above
    tied = sum(costs.beside.item(a, b) for a, b in combinations(last, 2))
    below = sum(costs.before.item(a, b) for a in better for b in last)
    # Rounded, so that equal costs compare equal and the tie-break (fewer tiers, then names) decides.
    return round(cost + tied + below, 9), tiers + 1, [tiers if i in last else place for i, place in enumerate(places)]


def _best_known(costs: _Costs, answered: Sequence[list[int]], largest_tier: int) -> list[int]:
    """Take the nearest of Borda's order, where a candidate's points are what is before it, and the answers."""
    points = np.round(costs.before.sum(axis=1), 9)
    order = np.argsort(points, kind="stable") if largest_tier == 1 else None
    borda = np.argsort(order) if order is not None else np.unique(points, return_inverse=True)[1]
    return min([borda.tolist(), *answered], key=costs.of)


def _candidates(orders: Sequence[Tiers]) -> list[str]:
    return sorted({name for tiers in orders for tier in tiers for name in tier})


def _ranks(tiers: Tiers, candidates: Sequence[str]) -> list[int]:
    """The tier of each candidate; what an order leaves out is last."""
    rank = {name: place for place, tier in enumerate(tiers) for name in tier}
    return [rank.get(name, len(tiers)) for name in candidates]


def _tiers(candidates: Sequence[str], places: Sequence[int]) -> list[list[str]]:
    return [
        [name for name, place in zip(candidates, places, strict=True) if place == tier] for tier in sorted(set(places))
    ]


def _orders(tiers: Tiers, candidates: Sequence[str]) -> Floats:
    """-1 where the first candidate is better, 1 where the second is, 0 for a tie, shape (n, n)."""
    return _signs(_ranks(tiers, candidates))


def _signs(places: Sequence[int]) -> Floats:
    place = np.array(places, dtype=np.float64)
    return np.sign(place[:, None] - place[None, :])
