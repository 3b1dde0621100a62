from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_field, a_track, accepted, refused

CLIP = AssetFacts(modality="video", width=100, height=100, frames=10)


def test_key_frames_are_sorted_and_say_outside_only_where_it_is_so():
    track = a_track(8, 2)
    track["keyframes"][0]["outside"] = True
    track["keyframes"][1]["outside"] = False

    [canonical] = accepted(a_field("tracks"), [track], CLIP)

    assert [keyframe["frame"] for keyframe in canonical["keyframes"]] == [2, 8]
    assert [keyframe.get("outside") for keyframe in canonical["keyframes"]] == [None, True]


def test_only_frames_of_the_video_count_and_each_once():
    assert refused(a_field("tracks"), [a_track(0, 10, 3, 3)], CLIP) == [
        ("/0/keyframes/1/frame", "outside-asset"),
        ("/0/keyframes", "duplicate"),
    ]
    assert accepted(a_field("tracks"), [a_track(0, 1_000)], AssetFacts(modality="video"))


def test_boxes_lie_in_the_picture():
    track = a_track(0, 5)
    track["keyframes"][1]["x"] = 95

    assert refused(a_field("tracks"), [track], CLIP) == [("/0/keyframes/1/width", "outside-asset")]


def test_rubbish_is_told_place_by_place():
    odd = a_track(0, 1, 2)
    odd["keyframes"][0]["frame"] = -1
    odd["keyframes"][1]["frame"] = 1.5
    odd["keyframes"][2]["outside"] = "no"

    assert refused(a_field("tracks"), [odd, a_track(id="t2"), a_track(0, label="fox", id="t3")], CLIP) == [
        ("/0/keyframes/0/frame", "out-of-range"),
        ("/0/keyframes/1/frame", "wrong-type"),
        ("/0/keyframes/2/outside", "wrong-type"),
        ("/1/keyframes", "too-short"),
        ("/2/label", "unknown-label"),
    ]


def test_tracks_are_sorted_by_their_first_frame():
    tracks = accepted(a_field("tracks"), [a_track(5, id="late"), a_track(9, 1, id="early")], CLIP)

    assert [track["id"] for track in tracks] == ["early", "late"]
