import math

import pytest
from hypothesis import given

from shared.labels.geometry import box_iou, covered_share, interpolate, polygon_iou, region_iou, segment_iou, span_iou
from tests.unit.labels.label_builders import BOXES, a_polygon, a_track

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
SHIFTED = [[5, 5], [15, 5], [15, 15], [5, 15]]


def a_square(x: float, y: float, side: float) -> dict[str, float]:
    return {"x": x, "y": y, "width": side, "height": side}


def test_two_squares_that_share_a_quarter():
    assert box_iou(a_square(0, 0, 10), a_square(5, 5, 10)) == 25 / 175
    assert polygon_iou(SQUARE, SHIFTED) == pytest.approx(25 / 175)
    assert region_iou(a_square(0, 0, 10), {"points": SHIFTED}) == pytest.approx(25 / 175)


def test_what_only_touches_shares_nothing():
    assert box_iou(a_square(0, 0, 10), a_square(10, 0, 10)) == 0.0
    assert segment_iou({"start": 0, "end": 1}, {"start": 1, "end": 2}) == 0.0
    assert span_iou({"start": 0, "end": 4}, {"start": 2, "end": 6}) == 1 / 3


@given(a=BOXES, b=BOXES)
def test_boxes_and_their_outlines_agree(a: dict[str, float], b: dict[str, float]):
    def outline(box: dict[str, float]) -> list[list[float]]:
        x, y, right, low = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
        return [[x, y], [right, y], [right, low], [x, low]]

    share = box_iou(a, b)

    assert 0.0 <= share <= 1.0
    assert share == box_iou(b, a)
    assert box_iou(a, a) == pytest.approx(1.0)
    assert math.isclose(share, polygon_iou(outline(a), outline(b)), abs_tol=1e-6)


def test_an_outline_that_crosses_itself_has_no_area_to_share():
    assert polygon_iou([[0, 0], [10, 10], [10, 0], [0, 10]], SQUARE) == 0.0


def test_a_share_is_of_the_inner_region():
    assert covered_share(a_square(2, 2, 2), a_square(0, 0, 10)) == 1.0
    assert covered_share(a_square(0, 0, 10), a_square(5, 0, 10)) == 0.5
    assert covered_share(a_polygon([[0, 0], [10, 10], [10, 0], [0, 10]]), a_square(0, 0, 10)) == 0.0


def test_between_key_frames_a_box_moves_in_a_straight_line():
    track = a_track(0, 10)

    assert interpolate(track, 0) == {"x": 0, "y": 5, "width": 10, "height": 10}
    assert interpolate(track, 4) == {"x": 4.0, "y": 5.0, "width": 10.0, "height": 10.0}
    assert interpolate(track, 10) == {"x": 10, "y": 5, "width": 10, "height": 10}


def test_an_object_outside_the_picture_has_no_box():
    track = a_track(2, 4, 8, 9)
    track["keyframes"][1]["outside"] = True

    boxes = {frame: interpolate(track, frame) for frame in range(11)}

    assert [frame for frame, box in boxes.items() if box is None] == [0, 1, 4, 5, 6, 7, 10]
    assert boxes[3] == boxes[2]  # it stays where it was until it has left
    assert interpolate({"keyframes": []}, 0) is None
