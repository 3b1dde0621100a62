import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pycocotools.mask as masks
import pytest
from pycocotools.coco import COCO
from pydantic import TypeAdapter

from services.versioning.domain.exports import FORMATS, ExportContext
from services.versioning.domain.label_row import DatasetRow
from shared.events.annotations import Contribution
from shared.events.datasets import ExportFinished
from shared.labels.kinds import FieldOptions, FieldSpec
from tests.builders import (
    a_contribution,
    a_project_spec,
    a_project_versioned,
    a_provenance,
    image_facts,
    text_facts,
)
from tests.unit.versioning.versioning_under_test import VersioningUnderTest, a_label

MEDIA_SPEC = a_project_spec(
    assets={
        "photo": {"modality": "image"},
        "voice": {"modality": "audio"},
    },
    fields={
        "things": {"kind": "regions", "asset": "photo", "shapes": ["box", "polygon"], "labels": ["dog", "cat"]},
        "turns": {"kind": "segments", "asset": "voice", "labels": ["speech"], "speaker": True},
    },
)
READ_OPTIONS: TypeAdapter[FieldOptions] = TypeAdapter(FieldSpec)
OPTIONS: dict[str, dict[str, Any]] = {
    "choice": {"options": ["a"]},
    "regions": {
        "asset": "photo",
        "labels": ["dog", "cat"],
        "shapes": ["box", "keypoints"],
        "keypoints": ["head", "tail", "paw"],
        "skeleton": [["head", "tail"]],
    },
    "segments": {"asset": "voice", "labels": ["speech"]},
    "spans": {"asset": "chat", "labels": ["city"]},
    "text": {},
}
BOX = {"id": "a", "shape": "box", "label": "dog", "x": 10, "y": 20, "width": 30, "height": 40}
TRIANGLE = {"id": "b", "shape": "polygon", "label": "cat", "points": [[0, 0], [10, 0], [0, 10]]}


def a_row(**changes: Any) -> DatasetRow:
    known = {"sample_id": "s1", "external_id": "one", "project_version": 1, "revision": 1, "language": "en"}
    more = {"fields": {"intent": "refund"}, "content_hash": "c", "provenance": a_provenance(), "assets": {}}
    return DatasetRow.model_validate(known | more | changes)


def written(name: str, *rows: DatasetRow, kinds: dict[str, str] | None = None, **options: Any) -> bytes:
    out = BytesIO()
    fields = {
        name: READ_OPTIONS.validate_python({"kind": kind} | OPTIONS[kind]) for name, kind in (kinds or {}).items()
    }
    FORMATS[name].write(iter(rows), ExportContext("d" * 64, fields, options), out)
    return out.getvalue()


def test_coco_has_boxes_areas_and_outlines_in_pixels():
    rows = [
        a_row(fields={"things": [BOX, TRIANGLE]}, assets={"photo": image_facts()}),
        a_row(sample_id="s2", external_id="two", fields={"things": []}, assets={"photo": image_facts(width=100)}),
        a_row(sample_id="s3", external_id="three"),
    ]

    document = json.loads(written("coco", *rows, kinds={"things": "regions"}))

    assert [(image["id"], image["width"], image["external_id"]) for image in document["images"]] == [
        (1, 640, "one"),
        (2, 100, "two"),
    ]
    assert [(each["id"], each["name"]) for each in document["categories"]] == [(1, "dog"), (2, "cat")]
    box, triangle = document["annotations"]
    assert (box["bbox"], box["area"], box["segmentation"]) == (
        [10, 20, 30, 40],
        1200,
        [[10, 20, 40, 20, 40, 60, 10, 60]],
    )
    assert (triangle["bbox"], triangle["area"], triangle["category_id"]) == ([0, 0, 10, 10], 50, 2)
    assert {each["image_id"] for each in document["annotations"]} == {1}


def test_coco_reads_masks_key_points_and_turned_boxes_as_its_own(tmp_path: Path):
    picture = np.zeros((480, 640), dtype=np.uint8, order="F")
    picture[10:20, 30:50] = 1
    rle = masks.encode(picture)
    common = {"id": "r", "label": "dog"}
    things = [
        {**common, "shape": "mask", "rle": {"size": rle["size"], "counts": rle["counts"].decode()}},
        {
            **common,
            "shape": "keypoints",
            "keypoints": {"paw": {"x": 9, "y": 8}, "head": {"x": 1, "y": 2, "visible": False}},
        },
        {**common, "shape": "rotated_box", "x": 40, "y": 20, "width": 20, "height": 10, "rotation": 90, "order": 3},
        {**common, "shape": "polyline", "points": [[0, 0], [9, 9]]},
    ]
    file = tmp_path / "coco.json"

    file.write_bytes(
        written("coco", a_row(fields={"things": things}, assets={"photo": image_facts()}), kinds={"things": "regions"})
    )

    read = COCO(file)
    mask, pose, turned = read.loadAnns(read.getAnnIds())
    assert (read.annToMask(mask) == picture).all()
    assert (mask["bbox"], mask["area"]) == ([30, 10, 20, 10], 200)
    assert (pose["keypoints"], pose["num_keypoints"]) == ([1, 2, 1, 0, 0, 0, 9, 8, 2], 2)
    assert read.loadCats(1)[0]["keypoints"] == ["head", "tail", "paw"]
    assert read.loadCats(1)[0]["skeleton"] == [[1, 2]]
    assert turned["bbox"] == pytest.approx([45, 15, 10, 20])
    assert (turned["area"], turned["rotated_bbox"], turned["order"]) == (pytest.approx(200), [40, 20, 20, 10, 90], 3)
    assert read.dataset["info"]["left_out"] == {"polylines": 1}


def test_coco_without_a_single_region_is_still_a_document():
    document = json.loads(written("coco", kinds={"things": "regions"}))

    assert (document["images"], document["annotations"], document["categories"]) == ([], [], [])


def test_rttm_has_a_line_per_turn_without_white_space_in_names():
    turns = [
        {"id": "1", "start": 0.5, "end": 2.25, "label": "speech", "speaker": "Ana B"},
        {"id": "2", "start": 2.25, "end": 3, "label": "speech"},
    ]

    lines = written("rttm", a_row(external_id="call 7", fields={"turns": turns}), kinds={"turns": "segments"})

    assert lines.decode().splitlines() == [
        "SPEAKER call_7 1 0.500 1.750 <NA> <NA> Ana_B <NA> <NA>",
        "SPEAKER call_7 1 2.250 0.750 <NA> <NA> speech <NA> <NA>",
    ]


def test_parquet_has_one_schema_and_the_rows_as_they_are():
    rows = [
        a_row(provenance=a_provenance(confidence={"intent": 0.8}), assets={"chat": text_facts("Hi")}),
        a_row(sample_id="s2", language=None),
    ]

    table = pq.read_table(BytesIO(written("parquet", *rows)))

    assert table.schema.metadata[b"labelmesh.dataset_id"] == b"d" * 64
    first, second = table.to_pylist()
    assert json.loads(first["fields"]) == {"intent": "refund"}
    assert json.loads(first["assets"])["chat"]["text"] == "Hi"
    assert (first["confidence"], first["annotators"]) == ([("intent", 0.8)], ["ana", "bo", "chi"])
    assert second["language"] is None


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_rows_give_the_same_bytes(name: str):
    kinds = {"things": "regions", "turns": "segments"}
    rows = [
        a_row(sample_id=f"s{number}", fields={"things": [BOX], "turns": []}, assets={"photo": image_facts()})
        for number in range(20)
    ]

    assert written(name, *rows, kinds=kinds) == written(name, *rows, kinds=kinds)


@pytest.fixture
async def versioning(tmp_path: Path) -> VersioningUnderTest:
    return await VersioningUnderTest.of(tmp_path, a_project_versioned(spec=MEDIA_SPEC))


async def a_frozen_dataset(versioning: VersioningUnderTest) -> None:
    label = a_label(1).model_copy(update={"fields": {"things": [BOX]}})
    await versioning.label(label)
    await versioning.freeze(tag="v1")


async def test_an_export_is_asked_for_by_tag_followed_and_downloaded(versioning: VersioningUnderTest):
    await a_frozen_dataset(versioning)

    export = await versioning.export(dataset_id="v1", format="coco", job_id="versioning-7")

    [finished] = versioning.announced.of(ExportFinished)
    assert (finished.object, finished.failure) == (export.written and export.written.object, None)
    async with versioning.asking() as client:
        job = (await client.get("/jobs/versioning-7")).json()
        shown = (await client.get("/exports/versioning-7")).json()
        link = (await client.get("/exports/versioning-7/download")).json()
    assert (job["state"], job["result"]["export"], job["result"]["records"]) == ("done", "versioning-7", 1)
    assert (shown["state"], shown["size"]) == ("done", finished.size)
    assert link["url"] == f"https://media.example/{finished.object}?signed"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"format": "cocoa"}, 'did you mean "coco"?'),
        ({"format": "jsonl", "options": {"pretty": True}}, '"pretty" is no option of format jsonl'),
        ({"format": "rttm"}, "no field of kind segments"),
        ({"format": "coco", "options": {"field": "turns"}}, 'of kind regions are "things"'),
        ({"format": "jsonl", "dataset_id": "v9"}, "no dataset or tag 'v9'"),
    ],
)
async def test_an_export_that_cannot_be_written_says_why(
    versioning: VersioningUnderTest, wish: dict[str, Any], told: str
):
    await a_frozen_dataset(versioning)

    export = await versioning.export(**({"dataset_id": "v1"} | wish), job_id="versioning-7")

    assert told in export.failure
    [finished] = versioning.announced.of(ExportFinished)
    assert finished.failure == export.failure
    async with versioning.asking() as client:
        job = (await client.get("/jobs/versioning-7")).json()
        download = await client.get("/exports/versioning-7/download")
    assert (job["state"], job["failed"]) == ("failed", 1)
    assert download.status_code == 409 and told in download.json()["detail"]


async def test_the_formats_are_listed_with_their_options(versioning: VersioningUnderTest):
    async with versioning.asking() as client:
        formats = (await client.get("/exports/formats")).json()["items"]

    assert [each["name"] for each in formats] == ["jsonl", "parquet", "coco", "rttm"]
    assert "field" in formats[2]["options"]


@pytest.mark.parametrize("name", ["jsonl", "parquet", "coco"])
def test_an_export_tells_of_each_answer_who_gave_it_when_how_and_under_which_versions(name: str):
    given = a_contribution(taxonomy_versions={"findings": 3})
    row = a_row(
        fields={"things": [BOX]}, assets={"photo": image_facts()}, provenance=a_provenance(contributions=[given])
    )

    content = written(name, row, kinds={"things": "regions"})

    if name == "parquet":
        [found] = pq.read_table(BytesIO(content)).to_pylist()[0]["contributions"]
        found["taxonomy_versions"] = dict(found["taxonomy_versions"])
    else:
        document = json.loads(content)
        label = document if name == "jsonl" else document["images"][0]["labelmesh"]
        [found] = label["provenance"]["contributions"]
    assert Contribution.model_validate(found) == given


def test_an_older_label_of_which_less_was_noted_is_exported_too():
    older = a_provenance(
        contributions=[
            Contribution.model_validate(
                a_contribution().model_dump(
                    include={"annotator_id", "stage", "source_id", "revision", "project_version", "submitted_at"}
                )
            )
        ]
    )

    [row] = pq.read_table(BytesIO(written("parquet", a_row(provenance=older)))).to_pylist()

    assert (row["contributions"][0]["client"], row["contributions"][0]["validation"]) == (None, "unchecked")
