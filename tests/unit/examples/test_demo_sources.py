"""What the sources say reaches the demo unchanged."""

from hashlib import sha256

from examples.scoring import box_at, box_iou
from examples.sources import (
    EXAMPLES,
    MEDIA,
    anomaly_segments,
    dialogue_text,
    key_point_tracks,
    media_of,
    pieces,
    rttm_turns,
    voc_boxes,
)


def test_every_medium_is_the_file_that_the_attribution_lists():
    attribution = (EXAMPLES / "ATTRIBUTION.md").read_text(encoding="utf-8")

    media = [medium for piece in pieces().values() for medium in piece["media"]]

    for medium in media:
        assert sha256((MEDIA / medium["path"]).read_bytes()).hexdigest() == medium["sha256"]
        assert f"| {medium['path']} |" in attribution


def test_nothing_lies_among_the_media_that_no_sample_describes():
    described = {medium["path"] for piece in pieces().values() for medium in piece["media"]}

    found = {str(path.relative_to(MEDIA)) for path in MEDIA.rglob("*") if path.is_file()}

    assert found == described


def test_voc_corners_count_from_one_and_boxes_from_zero():
    piece = pieces()["img-bccd-00000"]

    boxes = voc_boxes(media_of(piece, "annotation_pascal_voc"))

    assert len(boxes) == len(piece["labels"]["boxes"]) == 20
    assert boxes[0] == {"id": "c0", "shape": "box", "label": "WBC", "x": 259, "y": 176, "width": 232, "height": 200}
    assert max(box["x"] + box["width"] for box in boxes) == 640  # the picture's border, touched and not crossed


def test_rttm_durations_become_ends():
    piece = pieces()["aud-ami-tst00"]

    turns = rttm_turns(media_of(piece, "annotation_rttm"))

    given = [(turn["start"], turn["end"], turn["speaker"]) for turn in turns]
    assert given == [(turn["start"], turn["end"], turn["speaker"]) for turn in piece["labels"]["speaker_turns"]]


def test_key_frames_of_the_flies_stay_close_to_every_frame():
    path = media_of(pieces()["mm-flies-tracks"], "annotation_tracks_csv")

    sparse, dense = key_point_tracks(path), key_point_tracks(path, every=1)

    assert [track["label"] for track in sparse] == ["female", "male"]
    for track, exact in zip(sparse, dense, strict=True):
        assert min(_iou_at(track, exact, frame) for frame in range(300)) > 0.95
        assert box_at(track["keyframes"], 300) is None  # the source's labels end here


def test_anomaly_windows_are_seconds_from_the_first_row():
    segments, bounds = anomaly_segments(pieces()["sen-machine-temperature"])

    assert segments[0]["start"] == 2 * 86_400 + 6 * 3_600 + 25 * 60  # 2013-12-10 06:25 from 2013-12-08 00:00
    assert segments[-1]["end"] < bounds.duration


def test_entities_of_a_dialogue_move_with_their_turns():
    turns = pieces()["dlg-sgd-1_00000"]["turns"]

    text, entities = dialogue_text(turns)

    assert text.startswith("user: I want to make a restaurant reservation")
    expected = [turn["text"][span["start"] : span["end"]] for turn in turns for span in turn["entities"]]
    assert [text[span["start"] : span["end"]] for span in entities] == expected


def _iou_at(track, exact, frame):
    boxes = [box_at(each["keyframes"], frame) for each in (track, exact)]
    return box_iou(*((box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) for box in boxes))
