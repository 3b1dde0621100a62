from typing import Any

import pytest

from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_box, a_field, a_polygon, accepted, refused

SMALL = AssetFacts(modality="image", width=100, height=50)


def test_equal_boxes_have_equal_bytes():
    [whole] = accepted(a_field("regions"), [a_box(x=1, y=0)], SMALL)
    [fractional] = accepted(a_field("regions"), [a_box(x=1.00000001, y=-0.0)], SMALL)

    assert canonical_json(whole) == canonical_json(fractional)
    assert list(whole) == ["id", "shape", "label", "x", "y", "width", "height"]


def test_a_box_may_touch_the_edges_but_not_cross_them():
    full = a_box(x=0, y=0, width=100, height=50)

    assert accepted(a_field("regions"), [full], SMALL)
    assert refused(a_field("regions"), [full | {"x": 1, "height": 51}], SMALL) == [
        ("/0/width", "outside-asset"),
        ("/0/height", "outside-asset"),
    ]
    assert accepted(a_field("regions"), [full | {"x": 1}], AssetFacts(modality="image"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"x": -1}, ("/0/x", "out-of-range")),
        ({"width": 0}, ("/0/width", "out-of-range")),
        ({"width": -5}, ("/0/width", "out-of-range")),
        ({"width": 1e-9}, ("/0/width", "empty-box")),
        ({"height": float("nan")}, ("/0/height", "not-finite")),
        ({"y": float("inf")}, ("/0/y", "not-finite")),
        ({"y": "20"}, ("/0/y", "wrong-type")),
        ({"y": True}, ("/0/y", "wrong-type")),
        ({"y": 10**400}, ("/0/y", "out-of-range")),
        ({"y": 1e300}, ("/0/y", "out-of-range")),
        ({"shape": "circle"}, ("/0/shape", "unknown-shape")),
        ({"shape": None}, ("/0/shape", "missing")),
        ({"shape": []}, ("/0/shape", "unknown-shape")),
        ({"points": []}, ("/0/points", "unknown-key")),
        ({"text": None}, ("/0/text", "wrong-type")),
    ],
)
def test_a_box_that_is_wrong_is_named(change: dict[str, Any], fault: tuple[str, str]):
    assert refused(a_field("regions"), [a_box(**change)], SMALL) == [fault]


def test_one_polygon_has_one_form_however_it_was_drawn():
    corners = [[10, 10], [40, 10], [40, 30], [10, 30]]
    drawn = [corners, corners[2:] + corners[:2], corners[::-1], [*corners, corners[0]], [corners[0], *corners]]

    forms = {canonical_json(accepted(a_field("regions"), [a_polygon(points)], SMALL)) for points in drawn}

    assert len(forms) == 1


@pytest.mark.parametrize(
    ("points", "faults"),
    [
        ([[0, 0], [10, 10], [10, 0], [0, 10]], [("/0/points", "invalid-polygon")]),
        ([[0, 0], [5, 5], [10, 10]], [("/0/points", "invalid-polygon")]),
        ([[0, 0], [0, 0], [1, 1]], [("/0/points", "empty-polygon")]),
        ([[3, 3], [3, 3], [3, 3]], [("/0/points", "empty-polygon")]),
        ([[0, 0], [101, 0], [50, 20]], [("/0/points/1", "outside-asset")]),
        ([[0, 0], [1, 1]], [("/0/points", "too-short")]),
        ([[0, 0], [1, 1, 1], [2]], [("/0/points/1", "too-long"), ("/0/points/2", "too-short")]),
        ([[0, 0], [1, "1"], [None, 0]], [("/0/points/1/1", "wrong-type"), ("/0/points/2/0", "wrong-type")]),
        ([[0, 0]] * 2_001, [("/0/points", "too-long")]),
    ],
)
def test_a_polygon_that_is_no_area_in_the_picture_is_refused(points: Any, faults: list[tuple[str, str]]):
    assert refused(a_field("regions"), [a_polygon(points)], SMALL) == faults


def test_shapes_are_what_the_field_asks_for():
    boxes = a_field("regions", shapes=["box"])

    assert refused(boxes, [a_polygon([[0, 0], [9, 0], [9, 9]])], SMALL) == [("/0/shape", "unknown-shape")]


def test_text_and_attributes_are_what_the_field_asks_for():
    rich = a_field("regions")
    plain = a_field("regions", text=False, attributes={})
    extras = {"text": "Cafe\u0301", "attributes": {"note": "half", "count": 2, "occluded": False, "color": "red"}}

    [region] = accepted(rich, [a_box(**extras)], SMALL)

    assert region["text"] == "Café"
    assert canonical_json(region["attributes"]) == b'{"color":"red","count":2.0,"note":"half","occluded":false}'
    assert refused(plain, [a_box(**extras)], SMALL) == [("/0/text", "not-asked"), ("/0/attributes", "not-asked")]


def test_wrong_attributes_are_told_one_by_one():
    wrong = {"count": True, "occluded": 1, "color": "green", "note": "\ud800", "colour": "red", "count2": None}

    assert refused(a_field("regions"), [a_box(attributes=wrong)], SMALL) == [
        ("/0/attributes/color", "unknown-value"),
        ("/0/attributes/colour", "unknown-attribute"),
        ("/0/attributes/count", "wrong-type"),
        ("/0/attributes/count2", "unknown-attribute"),
        ("/0/attributes/note", "wrong-type"),
        ("/0/attributes/occluded", "wrong-type"),
    ]


def test_regions_are_sorted_from_the_left():
    regions = [a_box(id="r", x=30), a_polygon([[5, 5], [9, 5], [9, 9]]), a_box(id="l", x=2)]

    assert [region["id"] for region in accepted(a_field("regions"), regions, SMALL)] == ["l", "p1", "r"]
