"""Previews are made once, are what people would expect to see, and are served beside the original."""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from services.ingest.domain.finding import Finding, Preview
from services.ingest.domain.picture import perceptual_hash
from services.ingest.domain.probe import probe
from shared.labels.policies import MOST_DIFFERING_BITS
from tests.unit.ingest.ingest_under_test import IngestUnderTest
from tests.unit.ingest.media_builders import MEDIA, a_recording, a_video, turned


def found(path: Path, modality: str) -> Finding:
    return probe(path, modality, path.name, None)


def preview_of(finding: Finding, name: str) -> bytes:
    [content] = [preview.content for preview in finding.previews if preview.name == name]
    return content


def picture_of(finding: Finding, name: str) -> Image.Image:
    return Image.open(io.BytesIO(preview_of(finding, name)))


def a_marked_picture(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """White, with a red square in the upper left corner."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 4, size[1] // 4), fill="red")
    return picture.convert(mode)


def is_red(picture: Image.Image, place: tuple[float, float]) -> bool:
    red, green, blue = picture.convert("RGB").getpixel((int(place[0] * picture.width), int(place[1] * picture.height)))  # type: ignore[misc]  # a pixel of RGB is three numbers
    return red > 180 and green < 90 and blue < 90


# --- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0.1, 0.1)), (2, (0.9, 0.1)), (3, (0.9, 0.9)), (4, (0.1, 0.9)),
     (5, (0.1, 0.1)), (6, (0.9, 0.1)), (7, (0.9, 0.9)), (8, (0.1, 0.9))],
)  # fmt: skip
def test_a_thumbnail_is_upright(tmp_path: Path, orientation: int, corner: tuple[float, float]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    a_marked_picture((1600, 800)).save(path, exif=exif)

    finding = found(path, "image")

    thumbnail = picture_of(finding, "thumbnail")
    assert thumbnail.size == ((320, 160) if orientation < 5 else (160, 320))
    assert is_red(thumbnail, corner)
    assert finding.facts.details is not None and finding.facts.details.orientation == orientation


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("1", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"),
     ("I;16", "PNG"), ("F", "TIFF"), ("LAB", "TIFF"), ("P", "GIF"), ("RGBA", "WEBP"), ("LA", "PNG")],
)  # fmt: skip
def test_every_colour_mode_has_a_thumbnail_and_a_hash(tmp_path: Path, mode: str, kind: str) -> None:
    path = tmp_path / f"picture.{kind.lower()}"
    if mode == "I;16":
        Image.fromarray((np.arange(800 * 600, dtype=np.uint32) % 65536).astype(np.uint16).reshape(600, 800)).save(path)
    else:
        a_marked_picture((800, 600), mode if mode != "LAB" else "RGB").convert(mode).save(path, kind)

    finding = found(path, "image")

    details = finding.facts.details
    assert picture_of(finding, "thumbnail").size == (320, 240)
    assert details is not None and details.perceptual_hash is not None and len(details.perceptual_hash) == 16


def test_what_is_transparent_is_white_in_its_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    Image.new("RGBA", (1000, 1000), (255, 0, 0, 0)).save(path)

    assert picture_of(found(path, "image"), "thumbnail").getpixel((100, 100)) == (255, 255, 255)


def test_an_image_of_sixteen_bits_is_seen_between_its_darkest_and_its_brightest(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    depth = np.full((800, 800), 1000, dtype=np.uint16)
    depth[:, 400:] = 1400
    Image.fromarray(depth).save(path)

    thumbnail = picture_of(found(path, "image"), "thumbnail").convert("L")

    assert (thumbnail.getpixel((50, 50)), thumbnail.getpixel((270, 50))) == (0, 255)


def test_a_small_image_is_its_own_thumbnail_where_browsers_show_it(tmp_path: Path) -> None:
    small = a_marked_picture((300, 200))
    for name in ("small.png", "small.tif"):
        small.save(tmp_path / name)

    assert found(tmp_path / "small.png", "image").previews == []
    assert picture_of(found(tmp_path / "small.tif", "image"), "thumbnail").size == (300, 200)


def test_an_animation_is_told_from_a_picture(tmp_path: Path) -> None:
    frames = [Image.new("L", (20, 20), shade) for shade in (1, 90, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.gif")

    told = [found(tmp_path / name, "image").facts.details for name in ("moving.gif", "still.gif")]

    assert [details.animated for details in told if details is not None] == [True, False]


def test_a_broken_orientation_is_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    Image.new("RGB", (40, 30)).save(tmp_path / "odd.jpg", exif=exif)

    facts = found(tmp_path / "odd.jpg", "image").facts

    assert facts.details is not None
    assert (facts.width, facts.height, facts.details.orientation) == (40, 30, 1)


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_pictures_that_look_alike_have_hashes_that_are_close(tmp_path: Path) -> None:
    names = ("owl.jpg", "coffee.png", "rocket.jpg", "astronaut.png", "cat_720p.jpg")
    originals = {name: Image.open(MEDIA / "images" / name).convert("RGB") for name in names}

    hashes = {name: perceptual_hash(picture) for name, picture in originals.items()}
    for name, picture in originals.items():
        target = io.BytesIO()
        picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)).save(target, "JPEG", quality=40)
        assert bits_apart(hashes[name], perceptual_hash(Image.open(target))) <= 6
    apart = [bits_apart(hashes[a], hashes[b]) for a in names for b in names if a < b]

    assert min(apart) >= 16


# --- sound ------------------------------------------------------------------------------------------------------------


def test_peaks_are_a_file_of_audiowaveform(tmp_path: Path) -> None:
    path = a_recording(tmp_path / "tone.wav", codec="pcm_s16le", rate=8000, samples=20_000)

    finding = found(path, "audio")

    content = preview_of(finding, "peaks")
    version, flags, rate, stretch, length, channels = struct.unpack_from("<iIiiIi", content)
    peaks = np.frombuffer(content, dtype=np.int8, offset=24).reshape(-1, 2)
    assert (version, flags, rate, stretch, channels) == (2, 1, 8000, 400, 1)
    assert length == len(peaks) == 50
    assert peaks[:, 0].tolist() == [-36] * 50 and set(peaks[:, 1].tolist()) == {35}


def test_loudness_is_that_of_the_norms_test_tone(tmp_path: Path) -> None:
    """EBU Tech 3341: a sine of 1 kHz at -23 dBFS in both channels measures -23 LUFS."""
    import av

    path = tmp_path / "tone.wav"
    tone = np.sin(np.arange(48000 * 5) * 2 * np.pi * 1000 / 48000) * 32767 * 10 ** (-23 / 20)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(tone.astype(np.int16), 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])

    details = found(path, "audio").facts.details

    assert details is not None and details.loudness == pytest.approx(-23, abs=0.1)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    from tests.unit.ingest.bad_files import a_wav

    path = tmp_path / "silence.wav"
    path.write_bytes(a_wav(16_000, b"\0" * 16_000))

    details = found(path, "audio").facts.details

    assert details is not None and details.loudness is None


# --- video ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"g": "200"}, {"g": "5"}])
def test_a_strip_is_spread_over_the_video(tmp_path: Path, options: dict[str, str]) -> None:
    path = a_video(tmp_path / "film.mp4", frames=100, options=options, size=(128, 96))

    finding = found(path, "video")

    strip, details = picture_of(finding, "strip"), finding.facts.details
    assert details is not None and details.strip_times is not None
    assert strip.size == (128 * 10, 96)
    assert len(details.strip_times) == 10
    assert details.strip_times[0] == 0 and details.strip_times[-1] > 3.7
    tiles = [np.asarray(strip.crop((128 * n, 0, 128 * n + 128, 96)).convert("L"), dtype=float) for n in range(10)]
    assert all(np.abs(one - other).mean() > 5 for one, other in pairwise(tiles))


def test_a_poster_is_shown_as_the_video_is_turned(tmp_path: Path) -> None:
    path = turned(a_video(tmp_path / "phone.mp4", frames=12, size=(64, 48)), (0, 1 << 16, -(1 << 16), 0))

    finding = found(path, "video")

    assert picture_of(finding, "poster").size == (48, 64)
    assert finding.facts.details is not None and finding.facts.details.rotation in {90, 270}


def test_a_rate_that_varies_is_told(tmp_path: Path) -> None:
    steady = found(a_video(tmp_path / "steady.mkv", frames=30, rate=30), "video").facts.details
    varying = found(a_video(tmp_path / "v.mkv", frames=20, times=lambda n: 10 * n * n), "video").facts.details

    assert steady is not None and steady.variable_frame_rate is False
    assert varying is not None and varying.variable_frame_rate is True


# --- kept and served --------------------------------------------------------------------------------------------------


async def test_previews_are_kept_under_their_sample_and_served_beside_the_original() -> None:
    ingest = await IngestUnderTest.of()
    sample = await ingest.submit_file("video", (MEDIA / "video" / "friday.mp4").read_bytes(), "friday.mp4")
    path = f"/samples/{sample['sample_id']}/assets/video"

    async with ingest.asking() as client:
        poster = await client.get(path, params={"preview": "poster"})
        unknown = await client.get(path, params={"preview": "page-1"})
        original = await client.get(path)

    kept = sample["assets"]["video"]["previews"]
    assert set(kept) == {"frames", "poster", "strip"} and set(kept.values()) == set(ingest.media.previews)
    assert kept["poster"] == f"previews/acme/{sample['sample_id']}/video/poster.jpg"
    assert kept["poster"] in poster.json()["url"]
    assert "uploads/" in original.json()["url"]
    assert unknown.status_code == 404 and "frames, poster, strip" in unknown.json()["detail"]


async def test_a_small_images_thumbnail_is_the_image() -> None:
    ingest = await IngestUnderTest.of()
    sample = await ingest.submit_file("image", (MEDIA / "images" / "gecko-320-213.jpg").read_bytes(), "gecko.jpg")

    async with ingest.asking() as client:
        answer = await client.get(f"/samples/{sample['sample_id']}/assets/image", params={"preview": "thumbnail"})

    assert "uploads/" in answer.json()["url"]


async def test_what_is_refused_leaves_no_preview() -> None:
    from tests.unit.ingest.ingest_under_test import a_media_spec

    spec = a_media_spec()
    spec["assets"]["image"]["max_bytes"] = 1000
    ingest = await IngestUnderTest.of(spec)

    sample = await ingest.submit_file("image", (MEDIA / "images" / "cat_720p.jpg").read_bytes(), "cat.jpg")

    assert [fault["code"] for fault in sample["faults"]] == ["too-many-bytes"]
    assert not ingest.media.previews


@pytest.mark.parametrize(("name", "media_type"), [("../x", "image/jpeg"), ("", "image/jpeg"), ("ok", "text/html")])
def test_a_worker_that_a_file_has_taken_over_names_no_object_of_its_choice(name: str, media_type: str) -> None:
    with pytest.raises(ValueError, match="no preview of ours"):
        Preview(name, media_type, b"")


@pytest.mark.parametrize("original", sorted((MEDIA / "images").rglob("*.jpg")), ids=lambda path: path.stem)
def test_copies_decoded_at_other_scales_are_near_duplicates(tmp_path: Path, original: Path) -> None:
    with Image.open(original) as picture:
        size = (picture.width // 2, picture.height // 2)
        picture.resize(size, Image.Resampling.LANCZOS).save(tmp_path / "half.jpg", quality=90)
        picture.save(tmp_path / "same.png")

    hashes = [found(path, "image").facts.details for path in (original, tmp_path / "half.jpg", tmp_path / "same.png")]
    first, *copies = [details.perceptual_hash or "" for details in hashes if details is not None]

    assert max(bits_apart(first, copy) for copy in copies) <= MOST_DIFFERING_BITS
