"""Accuracy against the truth: worked by hand, kind by kind."""

import pytest

from examples.compose import PROJECTS, demo_samples, load_project
from examples.model import fields_of
from examples.scoring import UnknownKindError, accuracy, box_at


def test_every_truth_is_wholly_right_about_itself():
    fields = {name: fields_of(load_project(name)) for name in PROJECTS}

    for sample in demo_samples():
        for name, value in sample.truth.items():
            assert accuracy(fields[sample.project][name].kind, value, value) == 1.0


def test_what_is_missing_is_wrong():
    assert accuracy("choice", None, "refund") == 0.0
    assert accuracy("spans", None, []) == 0.0


@pytest.mark.parametrize(
    ("kind", "value", "truth", "expected"),
    [
        ("choice", "refund", "refund", 1.0),
        ("choice", "refund", "order", 0.0),
        ("choice", ["a", "b"], ["b", "c"], 1 / 3),
        ("rating", 4, 4.0, 1.0),
        ("rating", 3, 4, 0.0),
        ("ranking", [["A"], ["B"], ["C"]], [["A"], ["C"], ["B"]], 2 / 3),
        ("ranking", [["A", "B"]], [["A"], ["B"]], 0.0),
        ("text", {"text": "a b x d"}, {"text": "a b c d"}, 0.75),
        ("text", {"text": "客観的"}, {"text": "客観性的"}, 0.75),
        ("record", {"urgent": True, "follow_up": "call"}, {"urgent": True, "follow_up": "none"}, 0.5),
    ],
)
def test_single_values(kind, value, truth, expected):
    assert accuracy(kind, value, truth) == pytest.approx(expected)


def test_two_right_spans_of_three_against_two_true_ones():
    truth = [_span(0, 4), _span(5, 9)]

    assert accuracy("spans", [*truth, _span(10, 12)], truth) == pytest.approx(0.8)


def test_a_box_counts_from_half_overlap_on_and_only_under_its_label():
    truth = [_box(0, 0, 100, 100)]

    assert accuracy("regions", [_box(0, 0, 100, 51)], truth) == 1.0
    assert accuracy("regions", [_box(0, 0, 100, 49)], truth) == 0.0
    assert accuracy("regions", [_box(0, 0, 100, 100, label="cat")], truth) == 0.0


def test_one_true_box_is_not_found_twice():
    truth = [_box(0, 0, 100, 100)]

    assert accuracy("regions", [_box(0, 0, 100, 100), _box(1, 1, 99, 99)], truth) == pytest.approx(2 / 3)


def test_a_segment_needs_its_speaker_and_counts_as_much_as_its_words():
    truth = [{"id": "s", "start": 0, "end": 10, "label": "speech", "speaker": "ana", "text": "one two three four"}]
    heard = {**truth[0], "text": "one two three for"}

    assert accuracy("segments", [heard], truth) == pytest.approx(0.75)
    assert accuracy("segments", [{**heard, "speaker": "bo"}], truth) == 0.0


def test_a_box_moves_in_a_straight_line_between_key_frames_and_ends_outside():
    keys = [_key(0, 0), _key(10, 100), {**_key(20, 100), "outside": True}]

    assert box_at(keys, 5)["x"] == 50
    assert box_at(keys, 15)["x"] == 100
    assert box_at(keys, 20) is None


def test_a_track_that_is_lost_half_way_is_about_half_right():
    truth = [{"id": "t", "label": "fly", "keyframes": [_key(frame, 0) for frame in (0, 10, 20, 30)]}]
    lost = [{**truth[0], "keyframes": [_key(0, 0), _key(10, 0), {**_key(20, 0), "outside": True}]}]

    assert accuracy("tracks", lost, truth) == pytest.approx(0.5)


def test_an_unknown_kind_says_which_are_known():
    with pytest.raises(UnknownKindError, match="Known: choice"):
        accuracy("smell", "rose", "rose")


def _span(start, end):
    return {"id": f"e{start}", "start": start, "end": end, "label": "city"}


def _box(x, y, width, height, label="dog"):
    return {"id": f"r{x}", "shape": "box", "label": label, "x": x, "y": y, "width": width, "height": height}


def _key(frame, x):
    return {"frame": frame, "x": x, "y": 0, "width": 10, "height": 10}
