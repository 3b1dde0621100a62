"""Shapes on an image: things that most marked, with the median box or the most typical shape of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from services.qa.domain.kinds.answers import Answer, Consensus, canonical, elect, likeness, nearest, weighted_median
from services.qa.domain.kinds.items import BOX, Cluster, clusters, median_box, merge_clusters, with_details
from services.qa.domain.kinds.pairs import FEW, Floats, Indices, Item, Pairs, box_ious, compare, compare_few, ratio
from shared.labels.geometry import POINT_SCALE, POINT_TOLERANCE, box_iou, corners, region_bounds
from shared.labels.geometry import region_likeness as any_likeness
from shared.labels.kinds.regions import RegionsOptions

_OUTLINED = frozenset({"box", "rotated_box", "polygon"})
_WITHOUT_AREA = frozenset({"polyline", "keypoints"})


def distance(left: Sequence[Item], right: Sequence[Item], options: RegionsOptions) -> float:
    """Tell how far two lists of regions are apart: 1 - F1 with regions of one label matched by their likeness.

    Areas are compared by their overlap, lines by their nearness, key points by the similarity of objects; text and
    attributes scale that. Where regions have a reading order, half of the likeness is the share of pairs that both
    lists read in the same order.

    Returns:
        0 for the same regions (ids do not count), 1 where none of one label are alike.
    """
    pairs = with_details(region_likeness(left, right), left, right, "text", "attributes")
    apart = pairs.distance()
    return apart if not options.reading_order else 1.0 - (1.0 - apart) * (1.0 + _same_order(pairs, left, right)) / 2


def consensus(answers: Sequence[Answer], options: RegionsOptions) -> Consensus:
    """Keep the regions that more than half of the weight marked.

    Boxes give the weighted median of x, y, width and height; other shapes the one most like the others, for points
    of different outlines do not correspond. Where a thing has several shapes, the one with most weight is taken.
    Regions are read in the order of their median places.

    Returns:
        Regions; confidence is the mean likeness of the answers to them, support each one's
        share by id.

    Source: after R. Solovyev et al., "Weighted boxes fusion" (2021), with medians against outliers.
    """
    items, support = merge_clusters(clusters(answers, region_likeness), _typical_region)
    regions = _read_in_order(items)
    return Consensus(regions, likeness(answers, lambda value: distance(value, regions, options)), support)


def region_likeness(left: Sequence[Item], right: Sequence[Item]) -> Pairs:
    """Return how much regions of one label mean the same place: of areas, the intersection over union."""
    if len(left) * len(right) <= FEW and all(item["shape"] == "box" for items in (left, right) for item in items):
        return compare_few(left, right, _box_likeness)
    one, other = _bounds(left), _bounds(right)
    shaped, other_shaped = _are_shaped(left), _are_shaped(right)

    def score(rows: Indices, columns: Indices) -> Floats:
        found = box_ious(one[rows], other[columns])
        # Where bounds do not touch, nothing does.
        exact = np.flatnonzero((shaped[rows] | other_shaped[columns]) & (found > 0))
        found[exact] = _shape_likeness(_picked(left, rows[exact]), _picked(right, columns[exact]))
        return found

    return compare(left, right, (_extents(one), _extents(other)), score)


def _box_likeness(left: Item, right: Item) -> float:
    """Return the intersection over union of two boxes; 1 for equal ones, even without extent."""
    return 1.0 if all(left[side] == right[side] for side in BOX) else box_iou(left, right)


def _shape_likeness(left: Sequence[Item], right: Sequence[Item]) -> Floats:
    """Return the likeness of regions of any shapes, pair by pair; outlines are compared all at once."""
    outlined = np.array(
        [a["shape"] in _OUTLINED and b["shape"] in _OUTLINED for a, b in zip(left, right, strict=True)], dtype=np.bool_
    )
    found = np.zeros(len(left))
    among = np.flatnonzero(outlined)
    found[among] = _area_ious(_picked(left, among), _picked(right, among))
    for row in np.flatnonzero(~outlined).tolist():
        found[row] = 1.0 if _geometry(left[row]) == _geometry(right[row]) else any_likeness(left[row], right[row])
    return found


def _area_ious(left: Sequence[Item], right: Sequence[Item]) -> Floats:
    """Return the intersection over union of the items' areas, pair by pair."""
    one, other = (np.array([_outline(item) for item in items], dtype=np.object_) for items in (left, right))
    equal = np.array([_geometry(a) == _geometry(b) for a, b in zip(left, right, strict=True)], dtype=np.bool_)
    shared = np.zeros(len(left))
    shared[~equal] = shapely.area(shapely.intersection(one[~equal], other[~equal]))
    joined = shapely.area(one) + shapely.area(other) - shared
    return ratio(shared, joined, equal)


def _typical_region(cluster: Cluster) -> dict[str, Any]:
    placed, weights_placed = cluster.having("order")
    order = {"order": weighted_median([item["order"] for item in placed], weights_placed)} if placed else {}
    shape, _ = elect([item["shape"] for item in cluster.items], cluster.weights)
    members = [
        (item, weight) for item, weight in zip(cluster.items, cluster.weights, strict=True) if item["shape"] == shape
    ]
    items, weights = [item for item, _ in members], [weight for _, weight in members]
    if shape == "box":
        return {"shape": shape, **median_box(items, weights), **order}
    pairs = list(combinations(range(len(items)), 2))
    ious = _shape_likeness([items[row] for row, _ in pairs], [items[column] for _, column in pairs])
    apart = np.zeros((len(items), len(items)))
    for (row, column), iou in zip(pairs, ious.tolist(), strict=True):
        apart[row, column] = apart[column, row] = 1.0 - iou
    best, _ = nearest(apart, weights, [canonical(_geometry(item)) for item in items])
    return {**_geometry(items[best]), **order}


def _read_in_order(regions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the reading order from 0; regions whose median places are equal are read as they stand."""
    placed = sorted((region["order"], number) for number, region in enumerate(regions) if "order" in region)
    place = {number: position for position, (_, number) in enumerate(placed)}
    return [{**region, "order": place[number]} if number in place else region for number, region in enumerate(regions)]


def _same_order(pairs: Pairs, left: Sequence[Item], right: Sequence[Item]) -> float:
    """Return the share of pairs of matched regions that both lists read in the same order; 1 where there is no pair.

    Source: M. Kendall, "A new measure of rank correlation" (1938).
    """
    matched = pairs.matched()
    orders = [
        (left[row]["order"], right[column]["order"])
        for row, column in zip(matched.rows.tolist(), matched.columns.tolist(), strict=True)
        if "order" in left[row] and "order" in right[column]
    ]
    if len(orders) < 2:
        return 1.0
    one, other = np.array(orders, dtype=np.int64).T
    same = sum(int(np.count_nonzero((one > one[n]) == (other > other[n]))) - 1 for n in range(len(one)))
    return same / (len(one) * (len(one) - 1))


def _geometry(item: Item) -> dict[str, Any]:
    return {key: item[key] for key in ("shape", "points", "rotation", "keypoints", "rle", *BOX) if key in item}


def _bounds(items: Sequence[Item]) -> Floats:
    """Upright boxes around the items: x, y, width, height, shape (n, 4); where they are apart nothing is alike."""
    found = np.array([region_bounds(item) for item in items], dtype=np.float64).reshape(-1, 4)
    thin = np.array([item["shape"] in _WITHOUT_AREA for item in items], dtype=np.bool_)
    reach = 3 * POINT_TOLERANCE * np.maximum(POINT_SCALE, np.hypot(found[thin, 2], found[thin, 3]))[:, None]
    found[thin, :2] -= reach
    found[thin, 2:] += 2 * reach
    return found


def _extents(bounds: Floats) -> Floats:
    return np.stack((bounds[:, 0], bounds[:, 0] + bounds[:, 2]), axis=1)


def _are_shaped(items: Sequence[Item]) -> NDArray[np.bool_]:
    return np.array([item["shape"] != "box" for item in items], dtype=np.bool_)


def _picked(items: Sequence[Item], indices: Indices) -> list[Item]:
    return [items[index] for index in indices.tolist()]


def _outline(item: Item) -> shapely.Geometry:
    if item["shape"] == "box":
        return shapely.box(item["x"], item["y"], item["x"] + item["width"], item["y"] + item["height"])
    return _polygon(tuple((x, y) for x, y in corners(item)))


@lru_cache(maxsize=4096)  # the same outline meets that of every other annotator, several times
def _polygon(points: tuple[tuple[float, float], ...]) -> shapely.Geometry:
    if len(points) < 3:
        return shapely.Polygon()
    polygon = shapely.Polygon(points)
    # An outline that crosses itself has no area until it is split where it crosses.
    return polygon if polygon.is_valid else shapely.make_valid(polygon)
