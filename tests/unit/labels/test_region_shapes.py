"""Rotated boxes, lines, key points, reading order: what a region may be beside a box or a polygon."""

from typing import Any

import pytest

from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from shared.labels.geometry import corners, keypoint_similarity, line_nearness, region_bounds, region_iou
from tests.unit.labels.label_builders import a_box, a_field, accepted, refused

SMALL = AssetFacts(modality="image", width=100, height=50)


def a_rotated_box(**changes: Any) -> dict[str, Any]:
    box = {"id": "r1", "shape": "rotated_box", "label": "cat", "x": 40, "y": 20, "width": 20, "height": 10}
    return {**box, "rotation": 90, **changes}


def a_line(*points: tuple[float, float], **changes: Any) -> dict[str, Any]:
    return {"id": "l1", "shape": "polyline", "label": "cat", "points": [list(point) for point in points]} | changes


def a_pose(**points: Any) -> dict[str, Any]:
    return {"id": "k1", "shape": "keypoints", "label": "cat", "keypoints": points}


def at(x: float, y: float, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, **more}


def test_a_box_is_turned_clockwise_about_its_centre():
    [box] = accepted(a_field("regions"), [a_rotated_box()], SMALL)

    assert [[round(x, 6), round(y, 6)] for x, y in corners(box)] == [[55, 15], [55, 35], [45, 35], [45, 15]]
    assert region_bounds(box) == pytest.approx((45, 15, 10, 20))


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (-0.0, 0), (360, 0), (-90, 270), (-1e-9, 0), (359.9999999, 0)])
def test_one_turn_has_one_form(given: float, kept: float):
    wide = AssetFacts(modality="image", width=1000, height=1000)

    [box] = accepted(a_field("regions"), [a_rotated_box(rotation=given, y=400)], wide)

    assert canonical_json(box["rotation"]) == canonical_json(float(kept))


@pytest.mark.parametrize(
    ("region", "fault"),
    [
        (a_rotated_box(y=-1, rotation=0), ("/0", "outside-asset")),
        (a_rotated_box(y=2), ("/0", "outside-asset")),
        (a_rotated_box(rotation=361), ("/0/rotation", "out-of-range")),
        (a_rotated_box(rotation=float("nan")), ("/0/rotation", "not-finite")),
        (a_rotated_box(width=0), ("/0/width", "out-of-range")),
        (a_line((0, 0), (101, 0)), ("/0/points/1", "outside-asset")),
        (a_line((5, 5), (5, 5)), ("/0/points", "empty-polyline")),
        (a_line((5, 5)), ("/0/points", "too-short")),
        (a_pose(), ("/0/keypoints", "too-short")),
        (a_pose(nose=at(1, 1)), ("/0/keypoints", "unknown-keypoint")),
        (a_pose(head=at(1, 51)), ("/0/keypoints/head", "outside-asset")),
        (a_pose(**{"left/paw": at(101, 1)}), ("/0/keypoints/left~1paw", "outside-asset")),
        (a_pose(head=at(1, "1")), ("/0/keypoints/head/y", "wrong-type")),
        (a_pose(head=[1, 1]), ("/0/keypoints/head", "wrong-type")),
    ],
)
def test_a_shape_that_is_wrong_is_named(region: dict[str, Any], fault: tuple[str, str]):
    assert refused(a_field("regions"), [region], SMALL) == [fault]


def test_a_line_keeps_its_direction_and_drops_points_given_twice():
    [line] = accepted(a_field("regions"), [a_line((9, 9), (9, 9), (1, 1), (9, 9))], SMALL)

    assert line["points"] == [[9, 9], [1, 1], [9, 9]]


def test_a_point_says_so_only_where_it_is_hidden():
    pose = a_pose(tail=at(5, 5, visible=True), head=at(-0.0, 2, visible=False))

    [kept] = accepted(a_field("regions"), [pose], SMALL)

    assert canonical_json(kept["keypoints"]) == b'{"head":{"visible":false,"x":0.0,"y":2.0},"tail":{"x":5.0,"y":5.0}}'


def test_reading_order_is_counted_from_0_without_gaps_and_no_place_is_taken_twice():
    read = [a_box(id="b", order=9), a_box(id="a", x=50, order=4), a_box(id="c", y=2)]

    assert {item["id"]: item.get("order") for item in accepted(a_field("regions"), read, SMALL)} == {
        "a": 0,
        "b": 1,
        "c": None,
    }
    assert refused(a_field("regions"), [read[0], read[1] | {"order": 9}], SMALL) == [("/1/order", "duplicate")]
    assert refused(a_field("regions"), [a_box(order=-1)], SMALL) == [("/0/order", "out-of-range")]
    assert refused(a_field("regions", reading_order=False), [a_box(order=1)], SMALL) == [("/0/order", "not-asked")]


def test_shapes_and_names_of_key_points_need_each_other():
    without_names = a_field("regions", shapes=["keypoints"], keypoints=[])
    without_shape = a_field("regions", shapes=["box"], keypoints=["head", "head"], skeleton=[["head", "tail"]])

    assert [(fault.pointer, fault.code) for fault in without_names.faults()] == [("/keypoints", "contradiction")]
    assert [(fault.pointer, fault.code) for fault in without_shape.faults()] == [
        ("/keypoints/1", "duplicate"),
        ("/keypoints", "contradiction"),
        ("/skeleton/0/1", "unknown-keypoint"),
    ]


def test_areas_of_all_shapes_overlap_and_lines_and_points_have_none():
    box = a_box(x=45, y=15, width=10, height=20)

    assert region_iou(a_rotated_box(), box) == pytest.approx(1)
    assert region_iou(a_rotated_box(rotation=0), box) == pytest.approx(100 / 300)
    assert region_iou(a_line((45, 15), (55, 35)), box) == region_iou(a_pose(head=at(50, 20)), box) == 0


def test_points_are_alike_by_their_distance_and_by_how_many_both_have():
    one, near = {"a": at(0, 0), "b": at(100, 0)}, {"a": at(0, 10), "b": at(100, 0)}

    assert keypoint_similarity(one, one) == 1
    assert keypoint_similarity(one, near) == keypoint_similarity(near, one) == pytest.approx((1 + 0.6065) / 2, abs=2e-3)
    assert keypoint_similarity(one, {"a": at(0, 0)}) == 0.5
    assert keypoint_similarity(one, {"c": at(0, 0)}) == 0


def test_lines_are_near_whichever_way_they_are_drawn():
    line = [[0, 0], [100, 0]]

    assert line_nearness(line, line[::-1]) == 1
    assert line_nearness(line, [[0, 5], [100, 5]]) == pytest.approx(0.5)
    assert line_nearness(line, [[0, 50], [100, 50]]) == 0
