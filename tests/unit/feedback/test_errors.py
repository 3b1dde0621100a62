from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.domain.errors import ERRORS, confusions, field_errors
from services.feedback.domain.errors.items import TRACK_FRAMES
from shared.labels.kinds import KINDS
from shared.labels.project import ProjectSpec
from tests.builders import a_parsed_spec

FIELDS: dict[str, dict[str, Any]] = {
    "intent": {"kind": "choice", "options": ["a", "b", "c"]},
    "tags": {"kind": "choice", "options": ["a", "b", "c"], "multiple": True},
    "stars": {"kind": "rating", "minimum": 1, "maximum": 5},
    "best": {"kind": "ranking", "asset": "replies"},
    "answer": {"kind": "text"},
    "form": {"kind": "record", "schema": {"type": "object"}},
    "names": {"kind": "spans", "asset": "chat", "labels": ["city", "date"]},
    "things": {"kind": "regions", "asset": "photo", "shapes": ["box", "polygon"], "labels": ["dog", "cat"]},
    "turns": {"kind": "segments", "asset": "voice", "labels": ["speech"], "speaker": True, "text": True},
    "flies": {"kind": "tracks", "asset": "clip", "labels": ["fly"]},
    "flow": {"kind": "turns", "asset": "chat", "labels": ["ask", "tell"], "links": ["answers"]},
    "cuts": {"kind": "moments", "asset": "clip", "labels": ["cut", "fade"], "tolerance": 0.5},
    "shows": {"kind": "relations", "labels": ["shows"], "from": ["things", "cuts"], "to": ["names", "flow"]},
}
MODALITIES = {"chat": "text", "photo": "image", "voice": "audio", "clip": "video", "replies": "record"}


@pytest.fixture(scope="module")
def spec() -> ProjectSpec:
    return a_parsed_spec(fields=FIELDS, assets={name: {"modality": of} for name, of in MODALITIES.items()})


def span(start: int, end: int, label: str = "city") -> dict[str, Any]:
    return {"id": f"{start}-{end}", "start": start, "end": end, "label": label}


def box(x: float, width: float = 10, label: str = "dog") -> dict[str, Any]:
    return {"id": f"b{x}", "shape": "box", "label": label, "x": x, "y": 0, "width": width, "height": 10}


def turn(start: float, end: float, speaker: str, **more: Any) -> dict[str, Any]:
    return {"id": f"{start}", "start": start, "end": end, "label": "speech", "speaker": speaker, **more}


def track(*keyframes: tuple[int, float], outside: int | None = None) -> dict[str, Any]:
    frames = [{"frame": frame, "x": x, "y": 0, "width": 10, "height": 10} for frame, x in keyframes]
    if outside is not None:
        frames.append({"frame": outside, "x": 0, "y": 0, "width": 10, "height": 10, "outside": True})
    return {"id": f"t{keyframes[0]}", "label": "fly", "keyframes": frames}


def said(number: int, label: str = "ask", *answers: int) -> dict[str, Any]:
    links = {"links": [{"to": to, "label": "answers"} for to in answers]} if answers else {}
    return {"id": f"n{number}", "turn": number, "label": label, **links}


def cut(time: float, label: str = "cut") -> dict[str, Any]:
    return {"id": f"c{time:g}", "time": time, "label": label}


def shown(start: str, end: str) -> dict[str, Any]:
    ends = [dict(zip(("field", "id"), each.split("/"), strict=True)) for each in (start, end)]
    return {"id": f"{start}-{end}", "label": "shows", "from": ends[0], "to": ends[1]}


TRIANGLE = {"id": "p", "shape": "polygon", "label": "dog", "points": [[0, 0], [10, 0], [0, 10]]}


@pytest.mark.parametrize(
    ("field", "label", "prediction", "error"),
    [
        ("intent", "a", "b", 1),
        ("tags", ["a", "b"], ["b", "c"], 2 / 3),
        ("tags", [], ["a"], 1),
        ("stars", 2, 4, 0.5),
        ("stars", 1, 5, 1),
        ("best", [["x"], ["y"], ["z"]], [["z"], ["y"], ["x"]], 1),
        ("best", [["x"], ["y"], ["z"]], [["y"], ["x"], ["z"]], 1 / 3),
        ("best", [["x"], ["y"]], [["x", "y"]], 0.5),
        ("answer", {"text": "abcd"}, {"text": "abxd"}, 0.25),
        ("answer", {"text": "ab"}, {"text": "something else"}, 1),
        ("answer", {"text": ""}, {"text": "a"}, 1),
        ("form", {"urgent": True, "by": {"day": 1, "hour": 2}}, {"urgent": True, "by": {"day": 1, "hour": 3}}, 1 / 3),
        ("form", {"urgent": True}, {"follow": []}, 1),
        ("names", [span(0, 5), span(7, 9)], [span(0, 5), span(7, 8)], 0.5),
        ("names", [span(0, 5)], [span(0, 5, "date")], 1),
        ("names", [span(0, 5)], [], 1),
        ("things", [box(0), box(100)], [box(2), box(300)], 0.5),
        ("things", [box(0)], [box(0, label="cat")], 1),
        ("things", [box(0)], [box(5)], 1),
        ("things", [box(0)], [TRIANGLE], 0),
        ("turns", [turn(0, 10, "Ana")], [turn(0, 10, "spk0")], 0),
        ("turns", [turn(0, 10, "Ana")], [turn(0, 5, "spk0")], 0.5),
        ("turns", [turn(0, 5, "Ana"), turn(5, 10, "Bo")], [turn(0, 10, "x")], 0.5),
        ("turns", [turn(0, 10, "A", text="abcd")], [turn(0, 10, "B", text="abxx")], 0.25),
        ("flies", [track((0, 0), (10, 100))], [track((0, 1), (5, 51), (10, 101))], 0),
        ("flies", [track((0, 0), (10, 0))], [track((0, 0), (3, 0))], 1),
        ("flow", [said(0), said(1, "tell")], [said(0), said(1, "ask")], 0.5),
        ("flow", [said(0), said(1, "tell", 0)], [said(0), said(1, "tell")], 1 / 5),
        ("flow", [said(0)], [], 1),
        ("cuts", [cut(3), cut(9)], [cut(3.4), cut(9.6)], 0.5),
        ("cuts", [cut(3)], [cut(3, "fade")], 1),
        ("flies", [track((0, 0), (10, 0)), track((0, 50), (10, 50))], [track((0, 0), (9, 0))], 1 / 3),
    ],
)
def test_an_error_is_what_one_counts_by_hand(spec: ProjectSpec, field: str, label: Any, prediction: Any, error: float):
    [(name, found)] = field_errors(spec, {field: label}, {field: prediction}).items()

    assert (name, found) == (field, round(error, 4))


def test_ends_of_relations_are_the_items_that_they_mean_whatever_their_ids_are(spec: ProjectSpec):
    label = {"things": [box(0) | {"id": "dog"}, box(100)], "names": [span(0, 5)], "cuts": [cut(3)]}
    label["shows"] = [shown("things/dog", "names/0-5"), shown("cuts/c3", "names/0-5")]
    prediction = {"things": [box(1) | {"id": "x"}], "names": [span(0, 6) | {"id": "dog"}], "cuts": [cut(8)]}
    prediction["shows"] = [shown("things/x", "names/dog"), shown("cuts/c8", "names/dog")]

    assert field_errors(spec, label, prediction)["shows"] == 0.5
    assert field_errors(spec, label, {"shows": prediction["shows"]}) == {"shows": 1}


def test_speakers_are_matched_one_to_one_by_the_time_they_share(spec: ProjectSpec):
    label = [turn(0, 6, "Ana"), turn(6, 10, "Bo")]

    swapped = field_errors(spec, {"turns": label}, {"turns": [turn(0, 6, "Bo"), turn(6, 10, "Ana")]})
    merged = field_errors(spec, {"turns": label}, {"turns": [turn(0, 10, "Bo")]})

    assert (swapped, merged) == ({"turns": 0}, {"turns": 0.4})


def test_an_object_that_leaves_the_picture_is_not_compared_while_it_is_outside(spec: ProjectSpec):
    label = [track((0, 0), (9, 0), outside=10)]
    prediction = [track((0, 0), (9, 0))]

    assert field_errors(spec, {"flies": label}, {"flies": prediction}) == {"flies": 0}


def test_a_long_track_costs_no_more_than_a_short_one(spec: ProjectSpec):
    label, prediction = track((0, 0), (2**40, 0)), track((0, 1), (2**40, 1))

    assert TRACK_FRAMES == 100
    assert field_errors(spec, {"flies": [label]}, {"flies": [prediction]}) == {"flies": 0}


def test_a_field_that_the_model_does_not_predict_is_not_its_error(spec: ProjectSpec):
    assert field_errors(spec, {"intent": "a", "stars": 3}, {"stars": 3}) == {"stars": 0}


def test_confusions_are_told_of_single_choices_alone(spec: ProjectSpec):
    label = {"intent": "a", "tags": ["a"], "stars": 1}
    prediction = {"intent": "b", "tags": ["b"], "stars": 2}

    assert confusions(spec, label, prediction) == {"intent": ("a", "b")}
    assert confusions(spec, label, label) == {}


def test_every_kind_has_its_error():
    assert set(ERRORS) == set(KINDS)


times = st.integers(0, 20)
turn_lists = st.lists(
    st.builds(
        lambda start, length, speaker: turn(start, start + length, speaker),
        times,
        st.integers(1, 10),
        st.sampled_from("xyz"),
    ),
    max_size=6,
)
box_lists = st.lists(
    st.builds(box, st.integers(0, 50), st.integers(1, 30), st.sampled_from(["dog", "cat"])), max_size=6
)


@settings(deadline=None)
@given(turn_lists, turn_lists, box_lists, box_lists)
def test_errors_stay_between_none_and_all_and_are_none_for_the_label_itself(
    spec: ProjectSpec, turns: Any, other_turns: Any, boxes: Any, other_boxes: Any
):
    label, prediction = {"turns": turns, "things": boxes}, {"turns": other_turns, "things": other_boxes}

    errors = field_errors(spec, label, prediction)

    assert all(0 <= error <= 1 for error in errors.values())
    renamed = [item | {"id": f"new-{item['id']}"} for item in turns]
    assert field_errors(spec, label, label | {"turns": renamed}) == {"turns": 0, "things": 0}
