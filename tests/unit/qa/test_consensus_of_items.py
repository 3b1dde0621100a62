"""Spans, regions, segments and tracks: which items of several annotators are one thing, and where it is."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.qa.domain.kinds import KINDS, Answer, Consensus
from services.qa.domain.kinds import pairs as pairs_module
from services.qa.domain.kinds.pairs import Pairs, box_ious, interval_ious, touching
from services.qa.domain.kinds.tracks import _Paths
from shared.labels.geometry import box_iou, interpolate, segment_iou
from shared.labels.kinds import RegionsOptions, SegmentsOptions, SpansOptions, TracksOptions

SPANS = SpansOptions(kind="spans", asset="chat", labels=("date", "city"))
REGIONS = RegionsOptions(
    kind="regions",
    asset="photo",
    labels=("cat", "dog"),
    shapes=("box", "polygon"),
    text=True,
    attributes={"occluded": "boolean"},
)
SEGMENTS = SegmentsOptions(kind="segments", asset="voice", labels=("speech",), speaker=True, text=True)
TRACKS = TracksOptions(kind="tracks", asset="clip", labels=("fly",))


def consensus(options: Any, *values: Any, weights: tuple[float, ...] = ()) -> Consensus:
    counts = weights or (1.0,) * len(values)
    answers = [Answer(f"annotator-{n}", v, w) for n, (v, w) in enumerate(zip(values, counts, strict=True))]
    return KINDS[options.kind].consensus(answers, options)


def distance(options: Any, left: Any, right: Any) -> float:
    return KINDS[options.kind].distance(left, right, options)


def a_span(start: int, end: int, label: str = "date", item_id: str = "s1") -> dict[str, Any]:
    return {"id": item_id, "start": start, "end": end, "label": label}


def a_box(x: float, y: float, width: float = 10, height: float = 10, **more: Any) -> dict[str, Any]:
    box = {"id": f"b{x:g}-{y:g}", "shape": "box", "label": "cat", "x": x, "y": y, "width": width, "height": height}
    return box | more


def a_polygon(*points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"id": "p1", "shape": "polygon", "label": "cat", "points": [list(point) for point in points]} | more


def speech(start: float, end: float, speaker: str, text: str = "", **more: Any) -> dict[str, Any]:
    said = {"text": text} if text else {}
    return {"id": f"u{start:g}", "start": start, "end": end, "label": "speech", "speaker": speaker} | said | more


def a_track(*keyframes: tuple[int, float], item_id: str = "t1", outside: tuple[int, ...] = ()) -> dict[str, Any]:
    frames = [
        {"frame": frame, "x": x, "y": 0, "width": 10, "height": 10} | ({"outside": True} if frame in outside else {})
        for frame, x in keyframes
    ]
    return {"id": item_id, "label": "fly", "keyframes": frames}


def test_spans_that_two_of_three_marked_are_kept_with_the_median_borders():
    found = consensus(
        SPANS,
        [a_span(4, 10), a_span(30, 36, "city", "s2")],
        [a_span(4, 12)],
        [a_span(5, 12), a_span(30, 37, "city", "s2")],
    )

    assert found.value == [a_span(4, 12), a_span(30, 36, "city", "s2")]
    assert found.support == pytest.approx({"s1": 1, "s2": 2 / 3})


def test_one_place_with_two_labels_is_two_things():
    found = consensus(SPANS, [a_span(4, 10)], [a_span(4, 10, "city")], [a_span(4, 10)])

    assert found.value == [a_span(4, 10)]
    assert found.confidence == pytest.approx(2 / 3)


def test_when_most_mark_nothing_nothing_is_marked():
    assert consensus(SPANS, [], [a_span(4, 10)], []).value == []
    assert consensus(SPANS, [], [a_span(4, 10)], []).confidence == pytest.approx(2 / 3)


def test_annotators_who_mark_different_places_agree_on_nothing_and_are_not_sure_of_it():
    found = consensus(SPANS, [a_span(0, 5)], [a_span(10, 15)], [a_span(20, 25)])

    assert (found.value, found.confidence) == ([], 0)


def test_lists_of_spans_are_apart_by_what_does_not_overlap():
    assert distance(SPANS, [a_span(0, 10)], [a_span(0, 10, item_id="other")]) == 0  # ids do not count
    assert distance(SPANS, [a_span(0, 10)], [a_span(5, 10)]) == pytest.approx(0.5)
    assert distance(SPANS, [a_span(0, 10)], [a_span(0, 10), a_span(20, 30, item_id="s2")]) == pytest.approx(1 / 3)
    assert distance(SPANS, [a_span(0, 10)], []) == 1


def test_a_field_without_overlaps_gets_none():
    apart = SpansOptions(kind="spans", asset="chat", labels=("date", "city"), overlapping=False)
    dates, cities = [a_span(0, 10)], [a_span(8, 12, "city", "s2")]
    both = [a_span(0, 8), a_span(8, 12, "city", "s2")]

    found = consensus(apart, dates, dates, both, cities, weights=(1.2, 1.2, 2, 2.9))

    assert found.support == pytest.approx({"s1": 4.4 / 7.3, "s2": 4.9 / 7.3})  # both are most people's
    assert found.value == cities


def test_items_that_share_an_id_by_chance_get_ids_of_their_own():
    long_id = "x" * 64
    mine = [a_span(0, 5, item_id=long_id), a_span(10, 15, item_id="b")]
    yours = [a_span(0, 5, item_id="a"), a_span(10, 15, item_id=long_id)]

    ids = [span["id"] for span in consensus(SPANS, mine, yours, mine, yours, weights=(2, 3, 2, 3)).value]
    clashing = [span["id"] for span in consensus(SPANS, mine, yours, weights=(3, 2)).value]

    assert len(set(ids)) == len(set(clashing)) == 2
    assert all(len(item_id) <= 64 for item_id in ids + clashing)


def test_boxes_give_the_median_box():
    found = consensus(REGIONS, [a_box(10, 10)], [a_box(11, 10)], [a_box(12, 11, width=12)])

    [box] = found.value
    assert (box["x"], box["y"], box["width"], box["height"]) == (11, 10, 10, 10)


def test_the_median_box_stays_within_the_picture():
    answers = [[a_box(40, 0, width=60)], [a_box(40, 0, width=55)], [a_box(50, 0, width=50)], [a_box(45, 0, width=54)]]

    for weights in ((1, 1, 1, 1), (3, 1, 3.5, 1), (1, 1, 3, 3)):
        [box] = consensus(REGIONS, *answers, weights=weights).value
        assert box["x"] + box["width"] <= 100


def test_a_box_that_is_far_off_does_not_move_the_others():
    found = consensus(REGIONS, [a_box(10, 10)], [a_box(10, 10)], [a_box(60, 60)])

    assert [(box["x"], box["y"]) for box in found.value] == [(10, 10)]


def test_crowded_boxes_are_matched_one_to_one():
    row = [a_box(x, 0) for x in (0, 4, 8, 12)]
    shifted = [a_box(x + 1, 0) for x in (0, 4, 8, 12)]

    found = consensus(REGIONS, row, shifted, row)

    assert [box["x"] for box in found.value] == [0, 4, 8, 12]


def test_polygons_give_the_most_typical_one():
    square = a_polygon((0, 0), (10, 0), (10, 10), (0, 10))
    nearly = a_polygon((0, 0), (10, 0), (10, 9), (0, 10))
    wide = a_polygon((0, 0), (14, 0), (14, 10), (0, 10))

    assert consensus(REGIONS, [wide], [square], [nearly]).value == [square]


def test_a_box_and_a_polygon_of_one_thing_are_compared_by_their_areas():
    square = a_polygon((0, 0), (10, 0), (10, 10), (0, 10))
    triangle = a_polygon((0, 0), (10, 0), (0, 10))

    assert distance(REGIONS, [a_box(0, 0)], [square]) == pytest.approx(0)
    assert distance(REGIONS, [a_box(0, 0)], [triangle]) == pytest.approx(0.5)
    assert consensus(REGIONS, [a_box(0, 0)], [square], [a_box(1, 0)]).value[0]["shape"] == "box"


def test_text_and_attributes_are_decided_among_those_who_gave_them():
    found = consensus(
        REGIONS,
        [a_box(0, 0, text="EXIT", attributes={"occluded": True})],
        [a_box(0, 0, text="EXIT", attributes={"occluded": False})],
        [a_box(0, 0, text="EX1T", attributes={"occluded": True})],
    )

    assert found.value[0]["text"] == "EXIT"
    assert found.value[0]["attributes"] == {"occluded": True}
    assert distance(REGIONS, [a_box(0, 0, text="EXIT")], [a_box(0, 0, text="EX1T")]) == pytest.approx(0.25)


def test_speakers_are_the_same_whatever_they_are_called():
    mine = [speech(0, 5, "A"), speech(5, 9, "B"), speech(9, 12, "A")]
    yours = [speech(0, 5, "spk2"), speech(5, 9, "spk1"), speech(9, 12, "spk2")]

    assert distance(SEGMENTS, mine, yours) == 0


def test_a_speaker_taken_for_another_costs_half_of_his_segments():
    mine = [speech(0, 5, "A"), speech(5, 9, "B"), speech(9, 12, "A")]
    yours = [speech(0, 5, "A"), speech(5, 9, "B"), speech(9, 12, "B")]

    # Speaker and (absent) text: only the speaker is compared, and of the third segment it differs.
    assert distance(SEGMENTS, mine, yours) == pytest.approx(1 / 3)


def test_a_conversation_is_put_together_from_several_transcripts():
    found = consensus(
        SEGMENTS,
        [speech(0.0, 5.0, "agent", "good morning"), speech(5.2, 9.0, "customer", "my order is late")],
        [speech(0.2, 5.0, "s1", "good morning"), speech(5.0, 9.2, "s2", "my odor is late")],
        [speech(0.1, 5.1, "agent", "good mourning"), speech(5.1, 9.1, "customer", "my order is late")],
    )

    assert [(s["start"], s["end"], s["speaker"], s["text"]) for s in found.value] == [
        (0.1, 5.0, "agent", "good morning"),
        (5.1, 9.1, "customer", "my order is late"),
    ]
    assert found.confidence > 0.9


def test_of_two_who_speak_at_once_each_keeps_his_own_words():
    at_once = [speech(0, 5, "A", "yes I think so", id="u1"), speech(0.2, 5.1, "B", "no never", id="u2")]
    renamed = [speech(0, 5, "2", "yes I think so", id="u1"), speech(0.2, 5.1, "1", "no never", id="u2")]

    found = consensus(SEGMENTS, at_once, renamed, at_once)

    assert [(s["speaker"], s["text"]) for s in found.value] == [("A", "yes I think so"), ("B", "no never")]


def test_tracks_give_median_boxes_at_the_key_frames_of_all():
    found = consensus(
        TRACKS, [a_track((0, 0), (10, 20))], [a_track((0, 1), (5, 11), (10, 21))], [a_track((0, 2), (10, 22))]
    )

    [track] = found.value
    assert [(key["frame"], key["x"]) for key in track["keyframes"]] == [(0, 1), (5, 11), (10, 21)]


def test_a_track_lasts_as_long_as_most_follow_it():
    found = consensus(
        TRACKS, [a_track((0, 0), (10, 10))], [a_track((0, 0), (10, 10))], [a_track((0, 0), (10, 10), (14, 14))]
    )

    assert [key["frame"] for key in found.value[0]["keyframes"]] == [0, 10]


def test_an_object_is_outside_where_most_do_not_see_it():
    hidden = a_track((0, 0), (10, 10), (12, 12), (20, 20), outside=(10,))
    visible = a_track((0, 0), (10, 10), (12, 12), (20, 20))

    assert consensus(TRACKS, [hidden], [visible], [hidden]).value == [hidden]
    assert consensus(TRACKS, [hidden], [visible], [visible]).value == [visible]


def test_tracks_are_apart_by_the_frames_in_which_only_one_is_visible():
    hidden = a_track((0, 5), (10, 5), (12, 5), (20, 5), outside=(10,))
    visible = a_track((0, 5), (20, 5))

    assert distance(TRACKS, [hidden], [visible]) == pytest.approx(2 / 21, abs=0.01)


def test_objects_that_cross_stay_apart():
    right = [a_track((0, 0), (20, 100), item_id="right"), a_track((0, 100), (20, 0), item_id="left")]
    jittered = [a_track((0, 2), (20, 101), item_id="1"), a_track((0, 99), (20, 1), item_id="2")]

    found = consensus(TRACKS, right, jittered, right)

    assert [(t["keyframes"][0]["x"], t["keyframes"][-1]["x"]) for t in found.value] == [(0, 100), (100, 0)]
    assert found.confidence > 0.8


coordinates = st.integers(0, 20).map(float)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(coordinates, coordinates, st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=2))
def test_overlaps_are_those_of_the_label_model(quads):
    one, other = (a_box(x, y, width, height) for x, y, width, height in quads)
    ranges = [{"start": x, "end": x + width} for x, _, width, _ in quads]

    boxes = np.array(quads, dtype=float)
    extents = np.array([(item["start"], item["end"]) for item in ranges])

    assert box_ious(boxes[0], boxes[1]) == pytest.approx(box_iou(one, other))
    assert interval_ious(extents[:1], extents[1:])[0] == pytest.approx(segment_iou(*ranges))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    keys=st.lists(st.tuples(st.integers(0, 30), coordinates), min_size=1, max_size=5, unique_by=lambda key: key[0]).map(
        sorted
    ),
    hidden=st.sets(st.integers(0, 30)),
)
def test_boxes_between_key_frames_are_those_of_the_label_model(keys, hidden):
    track = a_track(*keys, outside=tuple(hidden))
    frames = np.arange(-1, 33)

    boxes, _, seen = _Paths([a_track((7, 3)), track]).at(np.array([1]), frames[None, :])

    for column, frame in enumerate(frames.tolist()):
        expected = interpolate(track, frame)
        assert seen[0, column] == (expected is not None)
        if expected is not None:
            assert boxes[0, column].tolist() == pytest.approx(list(expected.values()))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_touching_ranges_are_all_found(data):
    ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)).map(lambda r: (r[0], r[0] + r[1])), max_size=8)
    left, right = (np.array(data.draw(ranges), dtype=float).reshape(-1, 2) for _ in range(2))

    found = [
        (row, column) for rows, columns in touching(left, right) for row, column in zip(rows, columns, strict=True)
    ]

    assert sorted(found) == [
        (row, column)
        for row in range(len(left))
        for column in range(len(right))
        if left[row, 0] <= right[column, 1] and right[column, 0] <= left[row, 1]
    ]


def test_large_tables_are_matched_group_by_group_as_well_as_whole(monkeypatch: pytest.MonkeyPatch):
    chance = np.random.default_rng(5)
    dense = chance.random((80, 80)) * (np.abs(np.subtract.outer(np.arange(80), np.arange(80))) < 2)
    rows, columns = np.nonzero(dense)
    pairs = Pairs(rows, columns, dense[rows, columns], (80, 80))
    by_group = pairs.matched()
    monkeypatch.setattr(pairs_module, "_SMALL_CELLS", 80 * 80)

    assert by_group.scores.sum() == pytest.approx(pairs.matched().scores.sum())


def test_a_thousand_items_of_five_annotators_are_judged_quickly():
    chance = np.random.default_rng(1)
    answers = [
        [
            a_span(n * 20 + int(chance.integers(3)), n * 20 + 10 + int(chance.integers(3)), item_id=f"s{n}")
            for n in range(1000)
        ]
        for _ in range(5)
    ]

    started = time.process_time()
    found = consensus(SPANS, *answers)

    assert time.process_time() - started < 2
    assert len(found.value) == 1000


def test_a_pile_of_items_on_one_spot_costs_bounded_time():
    pile = [a_span(0, 10, item_id=f"s{n}") for n in range(1500)]
    other = [a_span(0, 11, item_id=f"s{n}") for n in range(1500)]

    started = time.process_time()
    consensus(SPANS, pile, other, pile)

    assert time.process_time() - started < 10
