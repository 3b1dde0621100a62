"""Time points with labels: points that most marked, at the median time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from services.qa.domain.kinds.answers import Answer, Consensus, likeness, weighted_median
from services.qa.domain.kinds.items import Cluster, clusters, merge_clusters, with_details
from services.qa.domain.kinds.pairs import Floats, Indices, Item, Pairs, compare
from shared.labels.kinds.moments import MomentsOptions


def distance(left: Sequence[Item], right: Sequence[Item], options: MomentsOptions) -> float:
    """Tell how far two lists of moments are apart: 1 - F1 with moments of one label matched by their nearness.

    Attributes and channels scale the nearness.

    Returns:
        0 for the same moments (ids do not count), 1 where none of one label are within twice the tolerance.
    """
    near = moment_likeness(left, right, options)
    return with_details(near, left, right, "attributes", "channels").distance()


def consensus(answers: Sequence[Answer], options: MomentsOptions) -> Consensus:
    """Keep the moments that more than half of the weight marked, at the weighted median of their times.

    Returns:
        Moments; confidence is the mean likeness of the answers to them, support each one's share by id.
    """
    found = clusters(answers, partial(moment_likeness, options=options))
    items, support = merge_clusters(found, _median_moment)
    return Consensus(items, likeness(answers, lambda value: distance(value, items, options)), support)


def moment_likeness(left: Sequence[Item], right: Sequence[Item], options: MomentsOptions) -> Pairs:
    """Return how near moments of one label are: 1 at the same time, a half at the field's tolerance, 0 at twice that."""
    reach = 2 * options.tolerance
    one, other = _times(left), _times(right)

    def score(rows: Indices, columns: Indices) -> Floats:
        near: Floats = np.clip(1.0 - np.abs(one[rows] - other[columns]) / reach, 0.0, 1.0)
        return near

    return compare(left, right, (_around(one, reach / 2), _around(other, reach / 2)), score)


def _times(items: Sequence[Item]) -> Floats:
    return np.array([item["time"] for item in items], dtype=np.float64)


def _around(times: Floats, reach: float) -> Floats:
    return np.stack((times - reach, times + reach), axis=1)


def _median_moment(cluster: Cluster) -> dict[str, Any]:
    return {"time": weighted_median([item["time"] for item in cluster.items], cluster.weights)}
