"""The probe agrees with what samples.jsonl says of the demo's real media."""

import json
from typing import Any

import pytest

from tests.unit.ingest.media_builders import MEDIA, SAMPLES, decoded_frames, facts_of

# The encoder's delay of this MP3 (1105 samples) is no sound; the list counts it, as players without gapless support do.
WITH_DELAY = {"audio/ljspeech/LJ001-0008.mp3"}
ROUNDED = 0.00051  # the list gives milliseconds


def listed(*modalities: str) -> list[Any]:
    media = [medium for line in SAMPLES.read_text().splitlines() for medium in json.loads(line).get("media", [])]
    return [pytest.param(medium, id=medium["path"]) for medium in media if medium["mime"].split("/")[0] in modalities]


def probed(medium: dict[str, Any]) -> dict[str, Any]:
    path = MEDIA / medium["path"]
    return facts_of(path, medium["mime"].split("/")[0], path.name, medium["mime"]).model_dump()


@pytest.mark.parametrize("medium", listed("image", "audio", "video"))
def test_a_file_is_found_to_be_what_it_is(medium: dict[str, Any]) -> None:
    facts = probed(medium)

    assert (facts["media_type"], facts["size"], facts["sha256"]) == (medium["mime"], medium["bytes"], medium["sha256"])


@pytest.mark.parametrize("medium", listed("image"))
def test_an_image_has_the_listed_size(medium: dict[str, Any]) -> None:
    facts = probed(medium)

    assert (facts["width"], facts["height"]) == (medium["width"], medium["height"])


@pytest.mark.parametrize("medium", listed("audio"))
def test_a_recording_lasts_as_long_as_listed(medium: dict[str, Any]) -> None:
    facts = probed(medium)

    delay = 1105 / 22050 if medium["path"] in WITH_DELAY else 0
    assert facts["duration"] + delay == pytest.approx(medium["duration_s"], abs=ROUNDED)
    assert (facts["sample_rate"], facts["channels"]) == (medium["sample_rate"], medium["channels"])


@pytest.mark.parametrize("medium", listed("video"))
def test_a_video_has_the_listed_frames_and_those_that_decoding_shows(medium: dict[str, Any]) -> None:
    facts = probed(medium)

    assert facts["frames"] == medium["frames"] == len(decoded_frames(MEDIA / medium["path"]))
    assert (facts["width"], facts["height"]) == (medium["width"], medium["height"])
    assert facts["duration"] == pytest.approx(medium["duration_s"], abs=ROUNDED)
    assert facts["frame_rate"] == pytest.approx(medium["fps"], rel=0.001)


@pytest.mark.parametrize(
    ("name", "rows", "seconds"),
    [("machine_temperature.csv", 3456, 1_036_500.0), ("ambient_temperature.csv", 3430, 13_129_200.0)],
)
def test_a_sensor_series_counts_seconds_from_its_first_row(name: str, rows: int, seconds: float) -> None:
    facts = facts_of(MEDIA / "sensor" / name, "sensor", name, "text/csv")

    assert (facts.channel_names, facts.rows, facts.duration) == (("value",), rows, seconds)


def test_a_text_is_counted_in_code_points() -> None:
    path = MEDIA / "images" / "eurotext.txt"

    facts = facts_of(path, "text", path.name, "text/plain; charset=utf-8")

    assert facts.text_length == len(path.read_text(encoding="utf-8")) == 413
    assert facts.size == 425
