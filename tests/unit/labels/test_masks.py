"""Masks in COCO's run-length encoding, checked against the encoder of pycocotools and against what is no mask."""

from typing import Any

import numpy as np
import pycocotools.mask as coco
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.facts import AssetFacts
from shared.labels.geometry import covered_share, region_bounds, region_iou
from shared.labels.masks import MAX_MASK_CHARS, mask_area, mask_covered_share, mask_iou, read_runs
from tests.unit.labels.label_builders import a_box, a_field, a_mask, accepted, refused

TINY = AssetFacts(modality="image", width=5, height=4)
pixels = st.integers(1, 12).flatmap(
    lambda height: st.integers(1, 12).flatmap(
        lambda width: st.lists(
            st.lists(st.booleans(), min_size=width, max_size=width), min_size=height, max_size=height
        ).filter(lambda rows: any(any(row) for row in rows))
    )
)


def encoded(rows: list[list[bool]]) -> dict[str, Any]:
    rle = coco.encode(np.asfortranarray(np.array(rows, dtype=np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


@settings(deadline=None, max_examples=60)
@given(rows=pixels)
def test_a_mask_is_read_as_pycocotools_wrote_it_and_kept_in_the_same_bytes(rows: list[list[bool]]):
    height, width = len(rows), len(rows[0])
    facts = AssetFacts(modality="image", width=width, height=height)
    rle = encoded(rows)
    runs = read_runs(rle["counts"])
    assert runs is not None

    [from_text] = accepted(a_field("regions"), [a_mask(rle["counts"], height, width)], facts)
    [from_list] = accepted(a_field("regions"), [a_mask(runs.tolist(), height, width)], facts)
    [split] = accepted(a_field("regions"), [a_mask([*runs.tolist(), 0, 0], height, width)], facts)

    assert from_text["rle"] == from_list["rle"] == split["rle"] == rle
    assert (coco.decode(from_text["rle"]) == np.array(rows)).all()
    assert mask_area(rle) == sum(map(sum, rows))


@settings(deadline=None, max_examples=200)
@given(counts=st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=40) | st.lists(st.integers(-3, 30)))
def test_what_is_no_mask_is_refused_before_the_c_code_sees_it(counts: Any):
    runs = read_runs(counts)

    if runs is None or runs.sum() != 20 or not (runs[1::2] > 0).any():
        assert refused(a_field("regions"), [a_mask(counts, 4, 5)], TINY)
    else:
        accepted(a_field("regions"), [a_mask(counts, 4, 5)], TINY)


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        (a_mask([3, 4, 13], 5, 4), ("/0/rle/size", "wrong-size")),
        (a_mask([3, 4, 12], 4, 5), ("/0/rle/counts", "wrong-size")),
        (a_mask([20], 4, 5), ("/0/rle/counts", "empty-mask")),
        (a_mask([10, 0, 10], 4, 5), ("/0/rle/counts", "empty-mask")),
        (a_mask([], 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask("", 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask("34=P", 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask("3\ud800", 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask("0" * (MAX_MASK_CHARS + 1), 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask([3, True, 16], 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask([3, 10**30, 16], 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask([float("nan")], 4, 5), ("/0/rle/counts", "malformed")),
        (a_mask([3, 4, 13], 4, 5, rle={"size": [4, 5]}), ("/0/rle/counts", "missing")),
        (a_mask([3, 4, 13], 4, 5, rle={"size": [4], "counts": "34="}), ("/0/rle/size", "too-short")),
    ],
)
def test_a_mask_that_is_wrong_is_named(mask: dict[str, Any], fault: tuple[str, str]):
    assert refused(a_field("regions"), [mask], TINY) == [fault]


def test_a_mask_of_an_image_whose_size_is_not_known_is_bounded():
    unknown = AssetFacts(modality="image")

    assert accepted(a_field("regions"), [a_mask([3, 4, 13], 4, 5)], unknown)
    assert refused(a_field("regions"), [a_mask([2**40], 2**20, 2**20)], unknown) == [("/0/rle/size", "out-of-range")]
    assert refused(a_field("regions"), [a_mask([0], 0, 5)], unknown) == [("/0/rle/size", "out-of-range")]


def test_masks_overlap_with_masks_and_with_boxes():
    [upper, lower] = accepted(a_field("regions"), [a_mask([0, 2, 18], 4, 5), a_mask([1, 2, 17], 4, 5, id="m2")], TINY)

    assert mask_covered_share(upper["rle"], lower["rle"]) == 0.5
    assert covered_share(upper, a_box(x=0, y=1, width=5, height=3)) == 0.5
    assert mask_iou(upper["rle"], lower["rle"]) == pytest.approx(1 / 3)
    assert mask_covered_share(upper["rle"], lower["rle"]) == 0.5
    assert covered_share(upper, a_box(x=0, y=1, width=5, height=3)) == 0.5
    assert mask_iou(upper["rle"], {"size": [5, 4], "counts": upper["rle"]["counts"]}) == 0
    assert region_bounds(upper) == (0, 0, 1, 2)
    assert region_iou(upper, a_box(x=0, y=0, width=1, height=2)) == pytest.approx(1)
    assert region_iou(a_box(x=0, y=0, width=1, height=4), upper) == pytest.approx(0.5)
