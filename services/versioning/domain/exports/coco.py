"""COCO's format for detection, segmentation and key points: the shapes of one regions field."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from services.versioning.domain.exports.export_format import ExportContext, ExportFormat
from services.versioning.domain.label_row import DatasetRow
from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from shared.labels.geometry import corners, region_bounds
from shared.labels.kinds import FieldOptions, RegionsOptions
from shared.labels.masks import mask_area

SPOOL_BYTES = 8 << 20


def write_coco(rows: Iterator[DatasetRow], context: ExportContext, out: BinaryIO) -> int:
    """Write images, annotations and categories.

    Args:
        rows: Sorted by sample id; those without the field are left out.
        context: The option ``field`` chooses the regions field where there are several.
        out: Takes the JSON document. Ids are counted from 1 in the order of rows and regions, categories in the order
            in which their labels first occur; ``bbox`` is x, y, width, height in pixels of the stored original. Masks
            are compressed RLE. A rotated box is its outline, with ``rotated_bbox`` (x, y, width, height before it is
            turned, degrees clockwise) beside it. Lines have no place in COCO: they stay in ``info.left_out``. How each
            image's label came to be stands under ``labelmesh``, which tools for COCO pass over.

    Returns:
        The number of images.

    Source: T.-Y. Lin et al., "Microsoft COCO" (2014), and the data format page of the COCO project.
    """
    field = context.field_of_kind("regions")
    categories: dict[str, int] = {}
    options = context.fields[field]
    names = options.keypoints if isinstance(options, RegionsOptions) else ()
    images = annotations = lines = 0
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as later:
        out.write(b'{"images":[')
        for row in rows:
            if field not in row.fields:
                continue
            images += 1
            out.write(b"," * (images > 1) + canonical_json(_image(row, images)))
            for region in row.fields[field]:
                if region["shape"] == "polyline":
                    lines += 1
                    continue
                annotations += 1
                category = categories.setdefault(region["label"], len(categories) + 1)
                written = _annotation(region, names) | {
                    "id": annotations,
                    "image_id": images,
                    "category_id": category,
                }
                later.write(b"," * (annotations > 1) + canonical_json(written))
        out.write(b'],"annotations":[')
        later.seek(0)
        shutil.copyfileobj(later, out)
        out.write(b'],"categories":')
        posed = _posed(options)
        out.write(canonical_json([{"id": number, "name": label, **posed} for label, number in categories.items()]))
        info = {"description": f"Labelmesh dataset {context.dataset_id}, {field}", "left_out": {"polylines": lines}}
        out.write(b',"info":' + canonical_json(info) + b"}")
    return images


def _image(row: DatasetRow, number: int) -> dict[str, Any]:
    facts = _picture(row)
    image: dict[str, Any] = {
        "id": number,
        "file_name": row.external_id if facts is None or facts.object is None else facts.object,
        "sample_id": row.sample_id,
        "external_id": row.external_id,
        "labelmesh": {
            "project_version": row.project_version,
            "revision": row.revision,
            "language": row.language,
            "provenance": row.provenance.model_dump(mode="json"),
        },
    }
    if facts is not None and facts.width is not None and facts.height is not None:
        image |= {"width": facts.width, "height": facts.height}
    return image


def _picture(row: DatasetRow) -> AssetFacts | None:
    pictures = [facts for _, facts in sorted(row.assets.items()) if facts.modality == "image"]
    return pictures[0] if pictures else None


def _posed(options: FieldOptions) -> dict[str, Any]:
    """Return what a category says of key points: their names, and pairs of them, which COCO counts from 1."""
    if not isinstance(options, RegionsOptions) or not options.keypoints:
        return {}
    number = {name: place for place, name in enumerate(options.keypoints, start=1)}
    return {
        "keypoints": list(options.keypoints),
        "skeleton": [[number[one], number[other]] for one, other in options.skeleton],
    }


def _annotation(region: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    annotation = {"bbox": list(region_bounds(region)), "iscrowd": 0, **_geometry(region, names)}
    extras = {key: region[key] for key in ("attributes", "order", "text") if key in region}
    return annotation | extras


def _geometry(region: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    if region["shape"] == "mask":
        return {"segmentation": region["rle"], "area": mask_area(region["rle"])}
    if region["shape"] == "keypoints":
        return _keypoints(region, names)
    points = corners(region)
    outline = {"segmentation": [[coordinate for point in points for coordinate in point]], "area": _area(points)}
    if region["shape"] == "rotated_box":
        outline["rotated_bbox"] = [region[side] for side in ("x", "y", "width", "height", "rotation")]
    return outline


def _keypoints(region: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Write key points as COCO does: x, y and 0 for not placed, 1 for hidden, 2 for visible; their box is the area."""
    placed: Mapping[str, Mapping[str, Any]] = region["keypoints"]
    _, _, width, height = region_bounds(region)
    flat: list[float] = []
    for name in names:
        point = placed.get(name)
        flat += [0, 0, 0] if point is None else [point["x"], point["y"], 2 if point.get("visible", True) else 1]
    return {"keypoints": flat, "num_keypoints": len(placed), "area": width * height, "segmentation": []}


def _area(points: Sequence[Sequence[float]]) -> float:
    """Area of a simple polygon by the shoelace formula, in square pixels."""
    following = [*points[1:], points[0]]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(points, following, strict=True))) / 2


COCO = ExportFormat(
    name="coco",
    suffix="json",
    media_type="application/json",
    description="COCO: images, boxes, outlines, masks, key points and categories of one regions field.",
    write=write_coco,
    options={"field": "The regions field; needed where the project has several."},
)
