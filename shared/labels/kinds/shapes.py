"""Shapes in an image: their models, their canonical form, and how far they may reach."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import shapely
from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.geometry import corners
from shared.labels.kinds.items import Item
from shared.labels.kinds.kind import JsonSchema, Problem
from shared.labels.kinds.schemas import COORDINATE, EXTENT, object_schema
from shared.labels.masks import (
    MAX_MASK_CHARS,
    MAX_MASK_PIXELS,
    MAX_MASK_RUNS,
    canonical_runs,
    mask_bounds,
    read_runs,
    to_rle,
)
from shared.labels.values import TOLERANCE, Coordinate, Count, Extent, Flag, Frozen, Number, Prose, rounded

MAX_POINTS = 2_000
MAX_KEYPOINTS = 500
MAX_REGION_CHARS = 5_000

Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
Degrees = Annotated[Number, Field(ge=-360, le=360)]


class Region(Item):
    """What all shapes carry."""

    shape: str
    """One of the field's shapes."""
    text: Prose = Field("", max_length=MAX_REGION_CHARS)
    """What is read in it."""
    order: Count = 0
    """Place in the reading order."""


class BoxRegion(Region):
    """An upright rectangle; x and y are its upper left corner, in pixels of the stored original."""

    shape: Literal["box"]
    x: Coordinate
    """Pixels from the left."""
    y: Coordinate
    """Pixels from the top."""
    width: Extent
    """In pixels."""
    height: Extent
    """In pixels."""


class RotatedBoxRegion(Region):
    """A rectangle turned about its centre; x and y are its upper left corner before it is turned."""

    shape: Literal["rotated_box"]
    x: Number
    """Pixels from the left, before it is turned."""
    y: Number
    """Pixels from the top, before it is turned."""
    width: Extent
    """In pixels, before it is turned."""
    height: Extent
    """In pixels, before it is turned."""
    rotation: Degrees
    """Degrees clockwise; kept as 0 up to 360."""


class PolygonRegion(Region):
    """A simple polygon; its points go round once, without the first one again at the end."""

    shape: Literal["polygon"]
    points: list[Point] = Field(min_length=3, max_length=MAX_POINTS)
    """x and y of each corner, in pixels."""


class PolylineRegion(Region):
    """A line through points, from the first to the last."""

    shape: Literal["polyline"]
    points: list[Point] = Field(min_length=2, max_length=MAX_POINTS)
    """x and y of each point, in pixels."""


class KeyPoint(Frozen):
    """A named point of an object."""

    x: Coordinate
    """Pixels from the left."""
    y: Coordinate
    """Pixels from the top."""
    visible: Flag = True
    """False for a point that is hidden, at the place where it must be."""


class KeyPointsRegion(Region):
    """Named points of one object, such as its joints; those that cannot be placed are left out."""

    shape: Literal["keypoints"]
    keypoints: dict[str, KeyPoint] = Field(min_length=1, max_length=MAX_KEYPOINTS)
    """By name."""


class MaskRle(Frozen):
    """COCO's run-length encoding."""

    size: Annotated[list[Count], Field(min_length=2, max_length=2)]
    """Height and width, which are the image's."""
    counts: Any
    """COCO's compressed string, or its list of run lengths: outside and inside by turns, down the columns."""


class MaskRegion(Region):
    """Any set of pixels."""

    shape: Literal["mask"]
    rle: MaskRle
    """The pixels that are inside."""


class Form(NamedTuple):
    """A shape in canonical form."""

    place: tuple[float, float]
    """By which regions are sorted: x, y."""
    geometry: dict[str, Any]
    problems: list[Problem]


@dataclass(frozen=True)
class Shape:
    """One shape: its model, its canonical form, and the keys of its geometry in JSON Schema."""

    model: type[Region]
    canonical: Callable[[Any, AssetFacts | None], Form]
    schema: Callable[[Sequence[str]], Mapping[str, JsonSchema]]
    """(names of the field's key points) -> schemas by key."""


def canonical_box(box: Any) -> dict[str, Any]:
    """Round the four numbers of a box.

    Args:
        box: Anything with ``x``, ``y``, ``width`` and ``height`` in pixels.

    Returns:
        The four as a new dict.
    """
    return {
        "x": rounded(box.x),
        "y": rounded(box.y),
        "width": rounded(box.width),
        "height": rounded(box.height),
    }


def box_problems(box: Mapping[str, float], facts: AssetFacts | None) -> list[Problem]:
    """Find how a box is empty or reaches over the picture.

    Args:
        box: A box in canonical form, in pixels.
        facts: Facts of the image or video; unknown sizes are not checked against.

    Returns:
        The problems, with paths relative to the box.
    """
    problems = _empty_sides(box)
    if facts is None:
        return problems
    if facts.width is not None and box["x"] + box["width"] > facts.width + TOLERANCE:
        message = f"the box ends at x = {box['x'] + box['width']:g}, outside the picture, which is {facts.width} wide."
        problems.append(Problem("/width", "outside-asset", message))
    if facts.height is not None and box["y"] + box["height"] > facts.height + TOLERANCE:
        message = (
            f"the box ends at y = {box['y'] + box['height']:g}, outside the picture, which is {facts.height} high."
        )
        problems.append(Problem("/height", "outside-asset", message))
    return problems


def canonical_points(points: list[list[float]]) -> list[list[float]]:
    """Bring a ring of points into its one canonical order.

    Args:
        points: The corners in order, in pixels; repeated neighbours and a closing point are dropped.

    Returns:
        The rounded ring, starting at its smallest point, turning the way the shoelace formula calls positive.
    """
    ring = _without_repeats(points)
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
    if area < 0:
        ring.reverse()
    first = ring.index(min(ring))
    return ring[first:] + ring[:first]


def _box(region: BoxRegion, facts: AssetFacts | None) -> Form:
    box = canonical_box(region)
    return Form((box["x"], box["y"]), box, box_problems(box, facts))


def _rotated_box(region: RotatedBoxRegion, facts: AssetFacts | None) -> Form:
    rotation = rounded(rounded(region.rotation) % 360)
    box = {**canonical_box(region), "rotation": 0.0 if rotation == 360 else rotation}
    problems = _empty_sides(box)
    outside = next((point for point in corners({"shape": "rotated_box", **box}) if _is_outside(point, facts)), None)
    if outside is not None:
        message = f"its corner ({outside[0]:g}, {outside[1]:g}) is outside the picture, which is {_size(facts)}."
        problems.append(Problem("", "outside-asset", message))
    return Form((box["x"], box["y"]), box, problems)


def _polygon(region: PolygonRegion, facts: AssetFacts | None) -> Form:
    points = canonical_points(region.points)
    if len(points) < 3:
        message = f"a polygon needs 3 different points, not {len(points)}."
        return Form(_first(points), {"points": points}, [Problem("/points", "empty-polygon", message)])
    problems = _points_outside(points, facts)
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:
        reason = shapely.is_valid_reason(polygon)
        problems.append(Problem("/points", "invalid-polygon", f"the outline is not simple: {reason}."))
    elif polygon.area <= 0:
        problems.append(Problem("/points", "empty-polygon", "the points lie on one line; a polygon needs an area."))
    return Form(_first(points), {"points": points}, problems)


def _polyline(region: PolylineRegion, facts: AssetFacts | None) -> Form:
    points = _without_repeats(region.points)
    problems = _points_outside(points, facts)
    if len(points) < 2:
        problems.append(Problem("/points", "empty-polyline", "a line needs 2 different points, not one."))
    return Form(_first(points), {"points": points}, problems)


def _keypoints(region: KeyPointsRegion, facts: AssetFacts | None) -> Form:
    placed: dict[str, dict[str, Any]] = {}
    for name, point in sorted(region.keypoints.items()):
        placed[name] = {"x": rounded(point.x), "y": rounded(point.y), **({} if point.visible else {"visible": False})}
    problems = [
        Problem(f"/keypoints/{_escaped(name)}", "outside-asset", _outside(point["x"], point["y"], facts))
        for name, point in placed.items()
        if _is_outside((point["x"], point["y"]), facts)
    ]
    place = min(((point["x"], point["y"]) for point in placed.values()), default=(0.0, 0.0))
    return Form(place, {"keypoints": placed}, problems)


def _mask(region: MaskRegion, facts: AssetFacts | None) -> Form:
    height, width = region.rle.size
    problem = _mask_problem(height, width, facts)
    runs = None if problem else read_runs(region.rle.counts)
    if problem is None and runs is None:
        message = (
            f"counts must be COCO's compressed string of at most {MAX_MASK_CHARS} characters, or the list of at most "
            f"{MAX_MASK_RUNS} run lengths."
        )
        problem = Problem("/rle/counts", "malformed", message)
    if runs is not None and runs.sum() != height * width:
        message = f"the runs add up to {runs.sum()} pixels; {height} x {width} is {height * width}."
        problem = Problem("/rle/counts", "wrong-size", message)
    if problem is not None or runs is None:
        return Form((0.0, 0.0), {}, [problem] if problem else [])
    runs = canonical_runs(runs)
    if len(runs) < 2:
        return Form((0.0, 0.0), {}, [Problem("/rle/counts", "empty-mask", "no pixel is inside the mask.")])
    rle = to_rle(runs, height, width)
    return Form(mask_bounds(rle)[:2], {"rle": rle}, [])


def _mask_problem(height: int, width: int, facts: AssetFacts | None) -> Problem | None:
    if facts is not None and (height, width) != (facts.height or height, facts.width or width):
        message = (
            f"size is {height} x {width}, and must be the picture's height and width: {facts.height} x {facts.width}."
        )
        return Problem("/rle/size", "wrong-size", message)
    if not 0 < height * width <= MAX_MASK_PIXELS:
        message = f"a mask has 1 to {MAX_MASK_PIXELS} pixels, not {height} x {width}."
        return Problem("/rle/size", "out-of-range", message)
    return None


def _empty_sides(box: Mapping[str, float]) -> list[Problem]:
    if box["width"] > 0 and box["height"] > 0:
        return []
    return [
        Problem(f"/{side}", "empty-box", f"{side} is zero after rounding to a millionth of a pixel.")
        for side in ("width", "height")
        if box[side] <= 0
    ]


def _without_repeats(points: Sequence[Sequence[float]]) -> list[list[float]]:
    kept: list[list[float]] = []
    for x, y in points:
        point = [rounded(x), rounded(y)]
        if not kept or point != kept[-1]:
            kept.append(point)
    return kept


def _points_outside(points: Sequence[Sequence[float]], facts: AssetFacts | None) -> list[Problem]:
    return [
        Problem(f"/points/{position}", "outside-asset", _outside(point[0], point[1], facts))
        for position, point in enumerate(points)
        if _is_outside(point, facts)
    ]


def _is_outside(point: Sequence[float], facts: AssetFacts | None) -> bool:
    x, y = point
    width = math.inf if facts is None or facts.width is None else facts.width
    height = math.inf if facts is None or facts.height is None else facts.height
    return not (-TOLERANCE <= x <= width + TOLERANCE and -TOLERANCE <= y <= height + TOLERANCE)


def _outside(x: float, y: float, facts: AssetFacts | None) -> str:
    return f"the point ({x:g}, {y:g}) is outside the picture, which is {_size(facts)}."


def _size(facts: AssetFacts | None) -> str:
    width, height = (None, None) if facts is None else (facts.width, facts.height)
    return f"{width or 'any'} x {height or 'any'} pixels"


def _first(points: Sequence[Sequence[float]]) -> tuple[float, float]:
    return (points[0][0], points[0][1]) if points else (0.0, 0.0)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _points_schema(least: int) -> Mapping[str, JsonSchema]:
    point = {"type": "array", "items": COORDINATE, "minItems": 2, "maxItems": 2}
    return {"points": {"type": "array", "items": point, "minItems": least, "maxItems": MAX_POINTS}}


def _keypoints_schema(names: Sequence[str]) -> Mapping[str, JsonSchema]:
    point = object_schema({"x": COORDINATE, "y": COORDINATE, "visible": {"type": "boolean"}}, required=["x", "y"])
    return {"keypoints": {**object_schema(dict.fromkeys(names, point), required=[]), "minProperties": 1}}


_SIDES: Mapping[str, JsonSchema] = {"x": COORDINATE, "y": COORDINATE, "width": EXTENT, "height": EXTENT}
_TURNED: Mapping[str, JsonSchema] = {
    "x": {"type": "number"},
    "y": {"type": "number"},
    **dict.fromkeys(("width", "height"), EXTENT),
    "rotation": {"type": "number", "minimum": -360, "maximum": 360},
}
_RLE = object_schema(
    {
        "size": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
        "counts": {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": MAX_MASK_CHARS},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": MAX_MASK_RUNS},
            ]
        },
    },
    required=["size", "counts"],
)

SHAPES: Mapping[str, Shape] = {
    "box": Shape(BoxRegion, _box, lambda _: _SIDES),
    "rotated_box": Shape(RotatedBoxRegion, _rotated_box, lambda _: _TURNED),
    "polygon": Shape(PolygonRegion, _polygon, lambda _: _points_schema(3)),
    "polyline": Shape(PolylineRegion, _polyline, lambda _: _points_schema(2)),
    "keypoints": Shape(KeyPointsRegion, _keypoints, _keypoints_schema),
    "mask": Shape(MaskRegion, _mask, lambda _: {"rle": _RLE}),
}
