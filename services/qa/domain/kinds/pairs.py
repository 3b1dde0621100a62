"""Which items of two lists are alike, and which of them belong together.

Only pairs that have something in common are looked at, so that lists of thousands of items stay affordable: candidates
are found along one axis (characters, seconds, pixels), and what is far apart is matched apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Item = Mapping[str, Any]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Score = Callable[[Indices, Indices], Floats]

MOST_PARTNERS = 50
"""Best partners kept of an item; only piles of items on one spot have more."""

FEW = MOST_PARTNERS
"""Pairs of items that are scored one by one, as many as two annotators make who mark seven things each."""

_CHUNK = 200_000  # candidate pairs scored at once, which bounds the memory
_SMALL_CELLS = 2_500  # smaller tables are solved as a whole; finding groups first would take longer
_EXACT_CELLS = 250_000  # larger tangles of overlapping items are matched greedily; the exact way takes cubic time


@dataclass(frozen=True)
class Pairs:
    """Likeness, above 0 and up to 1, of pairs of items; pairs that are not listed have nothing in common."""

    rows: Indices
    columns: Indices
    scores: Floats
    shape: tuple[int, int]
    """The lengths of the two lists."""

    def scaled(self, factors: Sequence[float] | Floats) -> Pairs:
        """Multiply each pair's likeness by a factor in 0..1."""
        return self.kept(self.scores * np.asarray(factors, dtype=np.float64))

    def kept(self, scores: Floats, least: float = 0.0) -> Pairs:
        """Take new scores; pairs with 0, or less than ``least``, are left out."""
        keep = (scores > 0) & (scores >= least)
        return Pairs(self.rows[keep], self.columns[keep], scores[keep], self.shape)

    def matched(self) -> Pairs:
        """Choose pairs so that each item is in at most one and their likeness adds up to the most.

        Source: H. Kuhn, "The Hungarian method for the assignment problem" (1955), for each group of items that
        are connected through pairs.
        """
        if not (_repeats(self.rows) or _repeats(self.columns)):
            return self
        height, width = self.shape
        if height * width <= _SMALL_CELLS:
            chosen = np.sort(_best_of(self.rows, self.columns, self.scores, self.shape))
            return Pairs(self.rows[chosen], self.columns[chosen], self.scores[chosen], self.shape)
        graph = coo_array((np.ones(len(self.rows)), (self.rows, height + self.columns)), shape=(height + width,) * 2)
        group = connected_components(graph, directed=False)[1][self.rows]
        order = np.argsort(group, kind="stable")
        edges = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
        chosen = np.sort(np.concatenate([self._choose(edge) if len(edge) > 1 else edge for edge in edges]))
        return Pairs(self.rows[chosen], self.columns[chosen], self.scores[chosen], self.shape)

    def distance(self) -> float:
        """Tell how far the two lists are apart: 1 - F1, where a matched pair counts by its likeness.

        Returns:
            0 for lists with equal items, 1 where nothing is alike; two empty lists are equal.
        """
        total = sum(self.shape)
        return max(0.0, 1.0 - 2 * math.fsum(self.matched().scores) / total) if total else 0.0

    def _choose(self, edges: Indices) -> Indices:
        """Match one group of connected items; returns the chosen ones of its edges."""
        rows, row_of = np.unique(self.rows[edges], return_inverse=True)
        columns, column_of = np.unique(self.columns[edges], return_inverse=True)
        if len(rows) * len(columns) > _EXACT_CELLS:
            return self._choose_greedily(edges)
        chosen: Indices = edges[_best_of(row_of, column_of, self.scores[edges], (len(rows), len(columns)))]
        return chosen

    def _choose_greedily(self, edges: Indices) -> Indices:
        chosen, rows, columns = [], set(), set()
        for edge in edges[np.argsort(-self.scores[edges], kind="stable")].tolist():
            row, column = int(self.rows[edge]), int(self.columns[edge])
            if row not in rows and column not in columns:
                chosen.append(edge)
                rows.add(row)
                columns.add(column)
        return np.array(chosen, dtype=np.intp)


def compare(left: Sequence[Item], right: Sequence[Item], extents: tuple[Floats, Floats], score: Score) -> Pairs:
    """Score all pairs of one label whose extents touch.

    Args:
        left: Labeled items.
        right: The same.
        extents: Of the left and of the right items: from and to on one axis, shapes (n, 2) and (m, 2). Items whose
            extents do not touch must have nothing in common.
        score: Gives the likeness, 0..1, of the pairs of given left and right indices.

    Returns:
        The pairs above 0, of each left item at most the best ``MOST_PARTNERS``.
    """
    codes: dict[Any, int] = {}
    one, other = (np.array([codes.setdefault(item["label"], len(codes)) for item in items]) for items in (left, right))
    found = [Pairs(*(np.zeros(0, dtype=np.intp),) * 2, np.zeros(0), (len(left), len(right)))]
    for rows, columns in touching(*extents):
        same = one[rows] == other[columns]
        candidates = Pairs(rows[same], columns[same], np.zeros(int(same.sum())), (len(left), len(right)))
        found.append(_best_partners(candidates.kept(score(candidates.rows, candidates.columns))))
    return Pairs(
        np.concatenate([pairs.rows for pairs in found]),
        np.concatenate([pairs.columns for pairs in found]),
        np.concatenate([pairs.scores for pairs in found]),
        (len(left), len(right)),
    )


def compare_few(left: Sequence[Item], right: Sequence[Item], likeness: Callable[[Item, Item], float]) -> Pairs:
    """Score all pairs of one label, one by one: for short lists, where arrays cost more to make than they save.

    Args:
        left: Labeled items, so few that all pairs of them are at most ``FEW``.
        right: The same.
        likeness: Of two items, 0..1.

    Returns:
        What ``compare`` gives.
    """
    found = [
        (row, column, score)
        for row, item in enumerate(left)
        for column, other in enumerate(right)
        if item["label"] == other["label"] and (score := likeness(item, other)) > 0
    ]
    rows, columns, scores = zip(*found, strict=True) if found else ((), (), ())
    return Pairs(
        np.array(rows, dtype=np.intp),
        np.array(columns, dtype=np.intp),
        np.array(scores, dtype=np.float64),
        (len(left), len(right)),
    )


def touching(left: Floats, right: Floats) -> Iterator[tuple[Indices, Indices]]:
    """Find the pairs of ranges that share at least a point, in portions of bounded size.

    Args:
        left: From and to, shape (n, 2).
        right: The same, shape (m, 2).

    Yields:
        Indices into left and right; all pairs of a left range are in one portion.
    """
    if not len(left) or not len(right):
        return
    order = np.argsort(right[:, 0], kind="stable")
    starts, furthest = right[order, 0], np.maximum.accumulate(right[order, 1])
    # In the order of their starts, the ranges that can touch lie between these two places.
    first, last = np.searchsorted(furthest, left[:, 0], "left"), np.searchsorted(starts, left[:, 1], "right")
    counts = np.maximum(0, last - first)
    portion = np.cumsum(counts) // _CHUNK
    for rows in np.split(np.arange(len(left)), np.flatnonzero(np.diff(portion)) + 1):
        row = np.repeat(rows, counts[rows])
        offset = np.arange(len(row)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
        column = order[first[row] + offset]
        touch = right[column, 1] >= left[row, 0]
        yield row[touch], column[touch]


def interval_ious(left: Floats, right: Floats) -> Floats:
    """Return the intersection over union of ranges, pair by pair.

    Args:
        left: From and to, shape (n, 2).
        right: The same.

    Returns:
        0..1, shape (n,): what ``shared.labels.geometry.segment_iou`` gives, and 1 for equal ranges without extent.
    """
    shared = np.minimum(left[:, 1], right[:, 1]) - np.maximum(left[:, 0], right[:, 0])
    joined = np.maximum(left[:, 1], right[:, 1]) - np.minimum(left[:, 0], right[:, 0])
    return ratio(shared, joined, np.all(left == right, axis=-1))


def box_ious(left: Floats, right: Floats) -> Floats:
    """Return the intersection over union of boxes, broadcast over the leading axes.

    Args:
        left: ``(..., 4)`` of x, y, width, height.
        right: ``(..., 4)``, of a shape that broadcasts with ``left``.

    Returns:
        0..1: what ``shared.labels.geometry.box_iou`` gives, and 1 for equal boxes without extent.
    """
    near = np.maximum(left[..., :2], right[..., :2])
    far = np.minimum(left[..., :2] + left[..., 2:], right[..., :2] + right[..., 2:])
    extent = np.maximum(0, far - near)
    shared = extent[..., 0] * extent[..., 1]
    joined = left[..., 2] * left[..., 3] + right[..., 2] * right[..., 3] - shared
    return ratio(shared, joined, np.all(left == right, axis=-1))


def ratio(shared: Floats, joined: Floats, equal: NDArray[np.bool_]) -> Floats:
    """Divide intersections by unions; 1 for equal things (even without extent), 0 where nothing is joined."""
    share = np.divide(shared, joined, out=np.zeros(np.shape(shared)), where=joined > 0)
    return np.where(equal, 1.0, np.clip(share, 0.0, 1.0))


def _best_of(rows: Indices, columns: Indices, scores: Floats, shape: tuple[int, int]) -> Indices:
    """Choose the edges of the heaviest matching in a table that is small enough to be solved as a whole."""
    matrix, edge_at = np.zeros(shape), np.zeros(shape, dtype=np.intp)
    matrix[rows, columns] = scores
    edge_at[rows, columns] = np.arange(len(scores))
    best = linear_sum_assignment(matrix, maximize=True)
    chosen: Indices = edge_at[best][matrix[best] > 0]
    return chosen


def _repeats(numbers: Indices) -> bool:
    each = numbers.tolist()
    return len(set(each)) < len(each)


def _best_partners(pairs: Pairs) -> Pairs:
    if not len(pairs.rows) or np.bincount(pairs.rows).max() <= MOST_PARTNERS:
        return pairs
    order = np.lexsort((-pairs.scores, pairs.rows))
    rows = pairs.rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows, "left")
    best = order[rank < MOST_PARTNERS]
    return Pairs(pairs.rows[best], pairs.columns[best], pairs.scores[best], pairs.shape)
