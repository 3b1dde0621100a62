"""Shapes in an image with labels, attributes, text and reading order: detection, segmentation, pose, OCR."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, listed, quoted, suggestion
from shared.labels.kinds.items import LabeledOptions, check_items
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem, duplicates
from shared.labels.kinds.schemas import ITEM_ID, list_schema, with_attributes
from shared.labels.kinds.shapes import MAX_KEYPOINTS, MAX_REGION_CHARS, SHAPES, KeyPointsRegion, Region
from shared.labels.values import Flag, Label, Name, normalized

MAX_REGIONS = 5_000

ShapeName = Literal["box", "rotated_box", "polygon", "polyline", "keypoints", "mask"]


class RegionsOptions(LabeledOptions):
    """Options of regions."""

    kind: Literal["regions"]
    asset: Name = Field(description="The image asset whose pixels are meant.")
    shapes: tuple[ShapeName, ...] = Field(("box",), min_length=1, description="Shapes one may draw.")
    keypoints: tuple[Label, ...] = Field(
        (), max_length=MAX_KEYPOINTS, description="Names of an object's points, for the shape `keypoints`."
    )
    skeleton: tuple[tuple[Label, Label], ...] = Field(
        (), max_length=2 * MAX_KEYPOINTS, description="Pairs of key points that tools connect by a line."
    )
    text: Flag = Field(False, description="Regions may carry the text that is read in them.")
    reading_order: Flag = Field(False, description="Regions may carry their place in the reading order.")

    def faults(self) -> list[Fault]:
        """Find shapes and key points given twice or missing, beside what all labeled fields check."""
        faults = [*super().faults(), *duplicates("/shapes", self.shapes), *duplicates("/keypoints", self.keypoints)]
        if ("keypoints" in self.shapes) != bool(self.keypoints):
            message = 'The shape "keypoints" and the list of names "keypoints" need each other; add or drop one.'
            faults.append(Fault(pointer="/keypoints", code="contradiction", message=message))
        faults.extend(
            Fault(
                pointer=f"/skeleton/{position}/{side}",
                code="unknown-keypoint",
                message=f"{quoted(name)} is not a key point; {suggestion(name, self.keypoints)}",
            )
            for position, pair in enumerate(self.skeleton)
            for side, name in enumerate(pair)
            if name not in self.keypoints
        )
        return faults


def check_regions(options: RegionsOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that regions lie in the image, are sound shapes and carry known labels.

    Args:
        options: The field's options.
        facts: Facts of the image; without a known size the edges are not checked.
        raw: ``[{"id", "shape", "label", ...}]`` with the geometry of the shape, in pixels of the stored original
            (``shared.labels.kinds.shapes``), and ``text`` and ``order`` where the field has them.

    Returns:
        The regions sorted by x, y, shape, label and id; numbers rounded, polygons in their canonical ring, masks as
        compressed RLE, reading order counted from 0 without gaps.
    """
    orders: set[int] = set()

    def model_of(item: Mapping[str, Any]) -> type[Region] | Problem:
        shape = item.get("shape")
        if isinstance(shape, str) and shape in options.shapes:
            return SHAPES[shape].model
        if shape is None:
            return Problem("/shape", "missing", f'"shape" is missing; allowed: {listed(options.shapes)}.')
        message = f"{quoted(shape)} is not a shape of this field; {suggestion(shape, options.shapes)}"
        return Problem("/shape", "unknown-shape", message)

    def canonical(region: Region) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        place, geometry, problems = SHAPES[region.shape].canonical(region, facts)
        form: dict[str, Any] = {"id": region.id, "shape": region.shape, "label": region.label, **geometry}
        if isinstance(region, KeyPointsRegion):
            problems += _unknown_keypoints(options, region)
        given = region.model_fields_set
        if "text" in given:
            form["text"] = normalized(region.text)
            if not options.text:
                problems.append(Problem("/text", "not-asked", "this field asks for no text; leave it out."))
        if "order" in given:
            form["order"] = region.order
            problems += _order_problems(options, region.order, orders)
        return (*place, region.shape), form, problems

    regions = check_items(raw, options, limit=MAX_REGIONS, of="regions", model_of=model_of, canonical=canonical)
    return regions if regions.faults or not orders else Checked(_counted(regions.value, orders))


def regions_schema(options: RegionsOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    shapes = [_shape_schema(options, shape) for shape in options.shapes]
    return list_schema(options, shapes[0] if len(shapes) == 1 else {"oneOf": shapes}, limit=MAX_REGIONS)


def _unknown_keypoints(options: RegionsOptions, region: KeyPointsRegion) -> list[Problem]:
    return [
        Problem(
            "/keypoints",
            "unknown-keypoint",
            f"{quoted(name)} is not a key point; {suggestion(name, options.keypoints)}",
        )
        for name in sorted(region.keypoints)
        if name not in options.keypoints
    ]


def _order_problems(options: RegionsOptions, order: int, taken: set[int]) -> list[Problem]:
    """Check a place in the reading order, and note it in ``taken``, which the regions before have filled."""
    if not options.reading_order:
        return [Problem("/order", "not-asked", "this field asks for no reading order; leave it out.")]
    problems = []
    if order in taken:
        problems.append(Problem("/order", "duplicate", f"two regions are read at place {order}; give each its own."))
    taken.add(order)
    return problems


def _counted(regions: list[dict[str, Any]], orders: set[int]) -> list[dict[str, Any]]:
    """Count the reading order from 0, so that equal orders have equal bytes."""
    place = {order: position for position, order in enumerate(sorted(orders))}
    return [{**region, "order": place[region["order"]]} if "order" in region else region for region in regions]


def _shape_schema(options: RegionsOptions, shape: str) -> JsonSchema:
    properties: dict[str, JsonSchema] = {
        "id": ITEM_ID,
        "shape": {"const": shape},
        "label": {"enum": list(options.labels)},
        **SHAPES[shape].schema(options.keypoints),
    }
    required = list(properties)
    if options.text:
        properties["text"] = {"type": "string", "maxLength": MAX_REGION_CHARS}
    if options.reading_order:
        properties["order"] = {"type": "integer", "minimum": 0}
    return with_attributes(options, properties, required)


REGIONS = Kind(
    name="regions",
    options=RegionsOptions,
    check=check_regions,
    json_schema=regions_schema,
    modalities=frozenset({"image"}),
)
