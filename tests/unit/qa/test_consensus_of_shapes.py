"""Masks, lines, key points, turned boxes and reading order: which of several annotators' are one thing."""

from typing import Any

import pytest

from services.qa.domain.kinds import KINDS, Answer
from shared.labels.answer import check_value
from shared.labels.kinds import RegionsOptions

SHAPES = RegionsOptions(
    kind="regions",
    asset="photo",
    labels=("cat", "dog"),
    shapes=("box", "rotated_box", "polyline", "keypoints", "mask"),
    keypoints=("head", "tail"),
    text=True,
    reading_order=True,
)


def a_mask(*counts: int, item_id: str = "m") -> dict[str, Any]:
    raw = {"id": item_id, "shape": "mask", "label": "cat", "rle": {"size": [10, 10], "counts": list(counts)}}
    [canonical], faults = check_value(SHAPES, None, [raw])
    assert not faults
    return dict(canonical)


def a_pose(head: tuple[float, float], tail: tuple[float, float] | None = None) -> dict[str, Any]:
    placed = {"head": head, "tail": tail}
    points = {name: {"x": at[0], "y": at[1]} for name, at in placed.items() if at is not None}
    return {"id": "k", "shape": "keypoints", "label": "cat", "keypoints": points}


def a_line(y: float) -> dict[str, Any]:
    return {"id": "l", "shape": "polyline", "label": "cat", "points": [[0, y], [100, y]]}


def a_word(text: str, order: int, x: float) -> dict[str, Any]:
    box = {"x": x, "y": 0.0, "width": 10.0, "height": 10.0}
    return {"id": text, "shape": "box", "label": "dog", **box, "text": text, "order": order}


def consensus(*values: Any) -> Any:
    return KINDS["regions"].consensus([Answer(f"annotator-{n}", value) for n, value in enumerate(values)], SHAPES)


def distance(left: Any, right: Any) -> float:
    return KINDS["regions"].distance(left, right, SHAPES)


def test_masks_are_compared_pixel_by_pixel_and_the_most_typical_one_is_kept():
    small, middle, large = a_mask(0, 8, 92), a_mask(0, 10, 90), a_mask(0, 12, 88)

    assert distance([middle], [large]) == pytest.approx(1 - 10 / 12)
    assert consensus([small], [large], [middle]).value == [middle]


def test_poses_are_compared_by_their_points_and_lines_by_their_distance():
    assert distance([a_pose((0, 0), (100, 0))], [a_pose((0, 0))]) == 0.5
    assert distance([a_pose((0, 0))], [a_pose((300, 0))]) == 1
    assert distance([a_line(50)], [a_line(55)]) == pytest.approx(0.5)
    assert distance([a_line(50)], [a_pose((50, 50))]) == 1


def test_a_turned_box_is_compared_by_its_area():
    turned = {"id": "r", "shape": "rotated_box", "label": "cat", "x": 40, "y": 20, "width": 20, "height": 10}
    turned["rotation"] = 90
    upright = {"id": "b", "shape": "box", "label": "cat", "x": 45, "y": 15, "width": 10, "height": 20}

    assert distance([turned], [upright]) == pytest.approx(0)


def test_words_read_in_another_order_are_another_text():
    words = [a_word("one", 0, 0), a_word("two", 1, 20), a_word("three", 2, 40)]
    turned = [word | {"order": 2 - word["order"]} for word in words]
    swapped = [words[0], words[1] | {"order": 2}, words[2] | {"order": 1}]

    assert distance(words, words) == 0
    assert distance(words, turned) == 0.5
    assert distance(words, swapped) == pytest.approx(1 / 6)
    assert [word["order"] for word in consensus(words, words, turned).value] == [0, 1, 2]
