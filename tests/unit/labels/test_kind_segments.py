from typing import Any

import pytest

from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_field, a_segment, accepted, refused

MINUTE = AssetFacts(modality="audio", duration=60.0)


def test_segments_are_sorted_and_rounded_to_a_microsecond():
    later, earlier = a_segment(2, 3, id="b"), a_segment(0, 3, id="a", start=0.12345678)

    segments = accepted(a_field("segments"), [later, earlier], MINUTE)

    assert [(segment["start"], segment["end"]) for segment in segments] == [(0.123457, 3.0), (2.0, 3.0)]


def test_rounding_of_the_container_does_not_push_a_segment_over_the_end():
    assert accepted(a_field("segments"), [a_segment(0, 60, end=60.0004)], MINUTE)
    assert refused(a_field("segments"), [a_segment(0, 60, end=60.1)], MINUTE) == [("/0/end", "outside-asset")]
    assert accepted(a_field("segments"), [a_segment(0, 600)], AssetFacts(modality="audio"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"start": 5}, ("/0/end", "empty-segment")),
        ({"start": 4.0000000001}, ("/0/end", "empty-segment")),
        ({"start": -0.5}, ("/0/start", "out-of-range")),
        ({"start": float("nan")}, ("/0/start", "not-finite")),
        ({"end": 0}, ("/0/end", "out-of-range")),
        ({"end": "4"}, ("/0/end", "wrong-type")),
        ({"speaker": ""}, ("/0/speaker", "too-short")),
        ({"speaker": " ana"}, ("/0/speaker", "malformed")),
        ({"text": "x" * 5_001}, ("/0/text", "too-long")),
    ],
)
def test_a_segment_that_is_wrong_is_named(change: dict[str, Any], fault: tuple[str, str]):
    assert refused(a_field("segments"), [a_segment(1, 4, **change)], MINUTE) == [fault]


def test_speaker_and_text_are_what_the_field_asks_for():
    sounds = a_field("segments", speaker=False, text=False)
    spoken = a_segment(0, 1, speaker="ana", text="")

    assert accepted(a_field("segments"), [spoken], MINUTE) == [spoken]
    assert refused(sounds, [spoken], MINUTE) == [("/0/speaker", "not-asked"), ("/0/text", "not-asked")]


def test_a_field_may_forbid_overlaps():
    turns = a_field("segments", overlapping=False)

    assert accepted(turns, [a_segment(0, 1), a_segment(1, 2)], MINUTE)
    assert refused(turns, [a_segment(0, 2), a_segment(1, 3)], MINUTE) == [("", "overlap")]
