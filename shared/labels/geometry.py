"""How much labeled ranges and shapes share, and where a tracked object is between its key frames.

All functions take items in the wire shapes that ``shared.labels.kinds`` check, and never change them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import shapely

from shared.labels.masks import mask_bounds, mask_covered_share, mask_iou, mask_of_outline

Item = Mapping[str, Any]

POINT_TOLERANCE = 0.1
"""Share of an object's extent at which two places of a key point are still much alike (0.6)."""
POINT_SCALE = 100.0
"""Pixels that the smallest object is taken to measure: nobody points more exactly than a few pixels."""


def box_iou(a: Item, b: Item) -> float:
    """Intersection over union of two upright boxes.

    Args:
        a: Anything with ``x``, ``y``, ``width`` and ``height`` in pixels.
        b: As ``a``.

    Returns:
        From 0.0 (nothing shared, or both empty) to 1.0 (equal).

    Source: P. Jaccard, "The distribution of the flora in the alpine zone" (1912), the coefficient of community.
    """
    width = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    height = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return _clamped(shared / (a["width"] * a["height"] + b["width"] * b["height"] - shared))


def polygon_iou(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """Intersection over union of two simple polygons.

    Args:
        a: Corners ``[x, y]`` in order, in pixels, at least three.
        b: As ``a``.

    Returns:
        From 0.0 to 1.0; 0.0 too when one is no simple polygon, for then it has no area to compare.
    """
    return _area_iou(_polygon(a), _polygon(b))


def region_iou(a: Item, b: Item) -> float:
    """Intersection over union of two regions of any shapes.

    Args:
        a: A region in canonical form.
        b: As ``a``.

    Returns:
        From 0.0 to 1.0; 0.0 too when one is a line or key points, which have no area.
    """
    if _is_upright(a) and _is_upright(b):
        return box_iou(a, b)
    if "rle" in a or "rle" in b:
        size = a["rle"]["size"] if "rle" in a else b["rle"]["size"]
        one, other = _mask(a, size), _mask(b, size)
        return 0.0 if one is None or other is None else mask_iou(one, other)
    return _area_iou(_outline(a), _outline(b))


def region_likeness(a: Item, b: Item) -> float:
    """Tell how much two regions of any shapes mean the same place.

    Args:
        a: A region in canonical form.
        b: As ``a``.

    Returns:
        From 0.0 to 1.0: of areas their intersection over union, of lines their nearness, of key points the similarity
        of objects; 0.0 between these three.
    """
    if "keypoints" in a and "keypoints" in b:
        return keypoint_similarity(a["keypoints"], b["keypoints"])
    if a.get("shape") == b.get("shape") == "polyline":
        return line_nearness(a["points"], b["points"])
    return region_iou(a, b)


def keypoint_similarity(a: Mapping[str, Item], b: Mapping[str, Item]) -> float:
    """Object key point similarity (OKS), made symmetric.

    Args:
        a: ``x`` and ``y`` in pixels by name of the point.
        b: As ``a``.

    Returns:
        The mean over all points that either has: 1.0 where both have it at the same place, falling with their distance
        to 0.0, and 0.0 where one lacks it. The scale is the larger of the two objects' extents, at least
        ``POINT_SCALE``, and the tolerance of a point a tenth of that, like COCO's for hips.

    Source: M. Ronchi and P. Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (2017),
    section 2, with one constant for all points.
    """
    shared = a.keys() & b.keys()
    if not shared:
        return 0.0
    reach = POINT_TOLERANCE * max(POINT_SCALE, *(_extent(list(points.values())) for points in (a, b)))
    apart = (math.dist((a[name]["x"], a[name]["y"]), (b[name]["x"], b[name]["y"])) for name in shared)
    return math.fsum(math.exp(-(distance**2) / (2 * reach**2)) for distance in apart) / len(a.keys() | b.keys())


def line_nearness(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """Tell how near two lines are.

    Args:
        a: Points ``[x, y]`` in order, in pixels, at least two.
        b: As ``a``.

    Returns:
        1.0 for lines in the same place, falling with their Hausdorff distance to 0.0 at ``line_reach``; the direction
        in which they are drawn does not count.
    """
    apart = shapely.hausdorff_distance(shapely.LineString(a), shapely.LineString(b), densify=0.1)
    return max(0.0, 1.0 - float(apart) / max(line_reach(a), line_reach(b)))


def line_reach(points: Sequence[Sequence[float]]) -> float:
    """Return how far from a line another one may be and still have something in common with it, in pixels.

    Returns:
        A tenth of the diagonal of the box around it, at least a tenth of ``POINT_SCALE``.
    """
    return 0.1 * max(POINT_SCALE, _extent([{"x": x, "y": y} for x, y in points]))


def region_bounds(region: Item) -> tuple[float, float, float, float]:
    """Return the upright box around a region: x, y, width and height in pixels.

    Args:
        region: A region of any shape in canonical form.
    """
    if _is_upright(region):
        return region["x"], region["y"], region["width"], region["height"]
    if "rle" in region:
        return mask_bounds(region["rle"])
    if "keypoints" in region:
        points = [(point["x"], point["y"]) for point in region["keypoints"].values()]
    else:
        points = [(x, y) for x, y in corners(region)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def corners(region: Item) -> list[list[float]]:
    """Return the points of a region's outline, or of a line, in order.

    Args:
        region: A box, rotated box, polygon or polyline in canonical form.

    Returns:
        ``[x, y]`` in pixels; a box has its four corners, from the upper left one clockwise.
    """
    if "points" in region:
        return [[x, y] for x, y in region["points"]]
    x, y, width, height = (region[side] for side in ("x", "y", "width", "height"))
    upright = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    if not region.get("rotation"):
        return upright
    angle = math.radians(region["rotation"])
    sine, cosine = math.sin(angle), math.cos(angle)
    middle_x, middle_y = x + width / 2, y + height / 2
    return [
        [
            middle_x + (corner_x - middle_x) * cosine - (corner_y - middle_y) * sine,
            middle_y + (corner_x - middle_x) * sine + (corner_y - middle_y) * cosine,
        ]
        for corner_x, corner_y in upright
    ]


def segment_iou(a: Item, b: Item) -> float:
    """Intersection over union of two time ranges.

    Args:
        a: Anything with ``start`` and ``end`` in seconds.
        b: As ``a``.

    Returns:
        From 0.0 (apart, or touching) to 1.0 (equal).

    Source: F. Caba Heilbron et al., "ActivityNet" (2015), temporal intersection over union.
    """
    shared = min(a["end"], b["end"]) - max(a["start"], b["start"])
    if shared <= 0:
        return 0.0
    return _clamped(shared / (max(a["end"], b["end"]) - min(a["start"], b["start"])))


def span_iou(a: Item, b: Item) -> float:
    """Intersection over union of two character ranges.

    Args:
        a: Anything with ``start`` and ``end`` in code points, end exclusive.
        b: As ``a``.

    Returns:
        From 0.0 to 1.0.
    """
    return segment_iou(a, b)


def interpolate(track: Item, frame: int) -> dict[str, float] | None:
    """Find a tracked object's box in a frame.

    Args:
        track: A track with its ``keyframes`` sorted by frame, as its canonical form has them.
        frame: Counted from 0.

    Returns:
        ``x``, ``y``, ``width`` and ``height`` in pixels. Between two visible key frames the four move in straight
        lines; before a key frame that is ``outside`` the box stays where it was. None while the object is outside,
        and before its first and after its last key frame, for there nobody said where it is.
    """
    keyframes: Sequence[Item] = track["keyframes"]
    if not keyframes or frame > keyframes[-1]["frame"]:
        return None
    before: Item | None = None
    for keyframe in keyframes:
        if keyframe["frame"] == frame:
            return None if keyframe.get("outside") else _box(keyframe)
        if keyframe["frame"] > frame:
            return None if before is None or before.get("outside") else _between(before, keyframe, frame)
        before = keyframe
    return None


def covered_share(a: Item, b: Item) -> float:
    """Tell how much of one region lies in another.

    Args:
        a: A region of any shape.
        b: As ``a``.

    Returns:
        The shared area over the area of ``a``, from 0.0 to 1.0; 0.0 for a region without an area.
    """
    if "rle" in a or "rle" in b:
        size = a["rle"]["size"] if "rle" in a else b["rle"]["size"]
        one, other = _mask(a, size), _mask(b, size)
        return 0.0 if one is None or other is None else mask_covered_share(one, other)
    inner, outer = _outline(a), _outline(b)
    return _clamped(inner.intersection(outer).area / inner.area) if inner.area > 0 else 0.0


def _is_upright(item: Item) -> bool:
    return "width" in item and not item.get("rotation")


def _extent(points: Sequence[Item]) -> float:
    """Return the diagonal of the upright box around points."""
    xs, ys = [point["x"] for point in points], [point["y"] for point in points]
    return math.hypot(max(xs) - min(xs), max(ys) - min(ys))


def _mask(region: Item, size: Sequence[int]) -> Mapping[str, Any] | None:
    """Return a region as a mask of a size; None for what has no area."""
    if "rle" in region:
        mask: Mapping[str, Any] = region["rle"]
        return mask
    return None if _outline(region).is_empty else mask_of_outline(corners(region), size)


def _between(before: Item, after: Item, frame: int) -> dict[str, float]:
    if after.get("outside"):
        return _box(before)
    share = (frame - before["frame"]) / (after["frame"] - before["frame"])
    return {side: before[side] + share * (after[side] - before[side]) for side in ("x", "y", "width", "height")}


def _box(item: Item) -> dict[str, float]:
    return {side: item[side] for side in ("x", "y", "width", "height")}


def _outline(region: Item) -> shapely.Polygon:
    """Return what a region covers; lines and key points cover nothing."""
    if "keypoints" in region or region.get("shape") == "polyline":
        return shapely.Polygon()
    return _polygon(corners(region))


def _polygon(points: Sequence[Sequence[float]]) -> shapely.Polygon:
    polygon = shapely.Polygon(points)
    return polygon if polygon.is_valid else shapely.Polygon()


def _area_iou(a: shapely.Polygon, b: shapely.Polygon) -> float:
    shared = a.intersection(b).area
    return _clamped(shared / (a.area + b.area - shared)) if shared > 0 else 0.0


def _clamped(ratio: float) -> float:
    return min(1.0, float(ratio))  # rounding can give 1 + 2e-16
