"""Frames are counted, timed and turned as a player shows them, however they are encoded."""

from pathlib import Path

import av
import pytest

from services.ingest.domain.rejection import MediaRejectedError
from tests.unit.ingest.media_builders import a_recording, a_video, cut_by_edit_list, decoded_frames, facts_of, turned


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b-frames.mp4", "libx264", {"bf": "3", "g": "12"}),
        ("open-gop.mkv", "libx264", {"x264-params": "open-gop=1:keyint=10"}),
        ("part2.mp4", "mpeg4", {"bf": "2"}),
        ("vp9.webm", "libvpx-vp9", {"lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "8"}),
        ("vp8.webm", "libvpx", {"lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "8"}),
        ("av1.mp4", "libsvtav1", {"preset": "13"}),
    ],
)
def test_frames_are_counted_as_decoding_shows_them(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = a_video(tmp_path / name, codec=codec, options=options, frames=50)

    facts = facts_of(path, "video", path.name, None)

    assert facts.frames == len(decoded_frames(path)) == 50
    assert facts.duration == pytest.approx(2.0, abs=0.002)
    assert facts.frame_rate == pytest.approx(25)
    assert (facts.width, facts.height) == (64, 48)


def test_a_fragmented_video_is_counted_without_an_index_in_front(tmp_path: Path) -> None:
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    path = a_video(tmp_path / "live.mp4", options={"g": "10"}, container_options=fragments)

    facts = facts_of(path, "video", path.name, None)

    last = decoded_frames(path)[-1]
    assert last is not None
    assert facts.frames == 30
    assert facts.duration == pytest.approx(last + 1 / 25, abs=0.002)


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    whole = a_video(tmp_path / "whole.mp4", frames=100, options={"bf": "2", "g": "25"})
    path = cut_by_edit_list(whole, tmp_path / "trimmed.mp4", seconds=1.48, lead=0.5)

    facts = facts_of(path, "video", path.name, None)

    assert facts.frames == len(decoded_frames(path)) == 63
    assert facts.duration == pytest.approx(63 / 25)


def test_a_vp8_frame_that_is_never_shown_is_not_counted(tmp_path: Path) -> None:
    path = a_video(tmp_path / "vp8.webm", codec="libvpx", frames=30)
    content = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)]
    hidden = bytes([packets[7][0] & ~0x10]) + packets[7][1:]
    path.write_bytes(content.replace(packets[7], hidden))

    facts = facts_of(path, "video", path.name, None)

    assert facts.frames == len(decoded_frames(path)) == 29


@pytest.mark.parametrize(
    ("matrix", "size"),
    [
        ((0, 1 << 16, -(1 << 16), 0), (48, 64)),
        ((-(1 << 16), 0, 0, -(1 << 16)), (64, 48)),
        ((0, -(1 << 16), 1 << 16, 0), (48, 64)),
    ],
)
def test_the_stored_rotation_is_applied_to_the_size(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    path = turned(a_video(tmp_path / "phone.mp4"), matrix)

    facts = facts_of(path, "video", path.name, None)

    assert (facts.width, facts.height) == size


def test_a_rotation_that_boxes_cannot_follow_is_refused(tmp_path: Path) -> None:
    path = turned(a_video(tmp_path / "slanted.mp4"), (46341, 46341, -46341, 46341))

    with pytest.raises(MediaRejectedError) as caught:
        facts_of(path, "video", path.name, None)
    assert caught.value.code == "odd-rotation"


def test_a_variable_frame_rate_gives_the_mean_rate(tmp_path: Path) -> None:
    path = a_video(tmp_path / "variable.mkv", frames=20, times=lambda number: 10 * number * number)

    facts = facts_of(path, "video", path.name, None)

    assert facts.frames == 20
    assert facts.frame_rate == pytest.approx(19 / 3.61, rel=0.01)


def test_a_recording_is_as_long_as_its_samples(tmp_path: Path) -> None:
    for name, codec in [
        ("tone.flac", "flac"),
        ("tone.mp3", "libmp3lame"),
        ("tone.opus", "libopus"),
        ("tone.webm", "libopus"),
    ]:
        path = a_recording(tmp_path / name, codec=codec, samples=72_000, channels="stereo")

        facts = facts_of(path, "audio", path.name, None)

        assert facts.duration == pytest.approx(1.5, abs=0.02)
        assert (facts.sample_rate, facts.channels) == (48000, 2)
