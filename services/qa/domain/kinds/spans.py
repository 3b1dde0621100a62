"""Character ranges with labels: ranges that most marked, with the median borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.qa.domain.kinds.answers import Answer, Consensus, likeness, weighted_median
from services.qa.domain.kinds.items import Cluster, clusters, merge_clusters, with_details, without_overlaps
from services.qa.domain.kinds.pairs import Floats, Item, Pairs, compare, interval_ious
from shared.labels.kinds.spans import SpansOptions


def distance(left: Sequence[Item], right: Sequence[Item], options: SpansOptions) -> float:
    """Tell how far two lists of spans are apart: 1 - F1 with spans of one label matched by their overlap.

    Attributes scale the overlap.

    Returns:
        0 for the same spans (ids do not count), 1 where none of one label overlap.

    Source: the partial matching of SemEval-2013 task 9, with the IoU of characters in place of a half.
    """
    return with_details(range_likeness(left, right), left, right, "attributes").distance()


def consensus(answers: Sequence[Answer], options: SpansOptions) -> Consensus:
    """Keep the spans that more than half of the weight marked, with the weighted median of each border.

    Returns:
        Spans; confidence is the mean likeness of the answers to them, support each one's share by id.
    """
    items, support = merge_clusters(clusters(answers, range_likeness), _median_span)
    spans = items if options.overlapping else without_overlaps(items, support)
    return Consensus(spans, likeness(answers, lambda value: distance(value, spans, options)), support)


def range_likeness(left: Sequence[Item], right: Sequence[Item]) -> Pairs:
    """Return the intersection over union of ranges of one label."""
    one, other = borders(left), borders(right)
    return compare(left, right, (one, other), lambda rows, columns: interval_ious(one[rows], other[columns]))


def borders(items: Sequence[Item]) -> Floats:
    """Return start and end of items, shape (n, 2)."""
    return np.array([(item["start"], item["end"]) for item in items], dtype=np.float64).reshape(-1, 2)


def _median_span(cluster: Cluster) -> dict[str, Any]:
    # Both are lower medians of the same answers, so the start stays before the end.
    return {
        border: weighted_median([item[border] for item in cluster.items], cluster.weights, between=False)
        for border in ("start", "end")
    }
