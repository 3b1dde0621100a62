"""Bad media files, made here, are each refused with a stable code and a sentence."""

import contextlib
import random
from pathlib import Path

import pytest
from PIL import Image

from services.ingest.domain.rejection import MediaRejectedError
from tests.unit.ingest.bad_files import a_wav, png_header
from tests.unit.ingest.media_builders import MEDIA, a_recording, facts_of, truncated


def code_of(path: Path, modality: str, filename: str | None = None, media_type: str | None = None) -> str:
    with pytest.raises(MediaRejectedError) as caught:
        facts_of(path, modality, filename or path.name, media_type)
    assert caught.value.detail.endswith(".")
    return caught.value.code


@pytest.mark.parametrize("modality", ["text", "image", "audio", "video", "sensor", "record"])
def test_a_file_of_zero_bytes_is_refused(tmp_path: Path, modality: str) -> None:
    path = tmp_path / "empty"
    path.touch()

    assert code_of(path, modality) == "empty-file"


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        ("image", "images/coffee.png"),
        ("image", "images/owl.jpg"),
        ("image", "images/dog_segmentation_256.bmp"),
        ("image", "images/eurotext.tif"),
        ("audio", "audio/leopard/test_de.wav"),
        ("audio", "audio/ami_tst00.wav"),
        ("audio", "audio/jfk.flac"),
        ("audio", "audio/robin.ogg"),
        ("audio", "audio/ljspeech/LJ001-0008.mp3"),
        ("video", "video/flies_clip.mp4"),
        ("video", "video/friday.mp4"),
        ("video", "video/asl_yes.mkv"),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, modality: str, name: str, share: float) -> None:
    path = truncated(MEDIA / name, tmp_path, share)

    assert code_of(path, modality) == "truncated"


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_that_was_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    pictures = [Image.effect_noise((64, 64), n).convert("RGB") for n in (10, 60, 90)]
    whole = tmp_path / f"whole.{kind.lower()}"
    pictures[0].save(whole, kind, save_all=True, append_images=pictures[1:])
    (tmp_path / "cut").mkdir()

    assert facts_of(whole, "image", whole.name, None).width == 64
    assert code_of(truncated(whole, tmp_path / "cut", 0.8), "image") in {"truncated", "undecodable"}


def test_a_file_is_judged_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    png = MEDIA / "images" / "coffee.png"

    assert code_of(png, "audio", "voice.wav") == "wrong-type"
    assert code_of(png, "image", "voice.wav") == "wrong-extension"
    assert code_of(png, "image", "photo.JPG") == "wrong-extension"
    assert code_of(png, "image", "photo.png", "image/jpeg") == "wrong-media-type"
    assert code_of(png, "text", "notes.txt") == "wrong-type"
    assert facts_of(png, "image", "photo", "application/octet-stream").media_type == "image/png"


def test_a_document_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "contract.txt"
    path.write_bytes(b"%PDF-1.7\n1 0 obj << >> endobj")

    assert code_of(path, "text") == "wrong-type"


def test_a_playlist_never_reaches_a_decoder(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")

    assert code_of(path, "video") == "wrong-type"


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (11_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))

    assert code_of(path, "image") == "too-large-dimensions"


def test_an_animation_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.domain.probe_image.MAX_PIXELS", 100 * 100 * 2)
    pictures = [Image.new("L", (100, 100), shade) for shade in (1, 2, 3)]
    path = tmp_path / "many.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])

    assert code_of(path, "image") == "too-large-dimensions"


def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path) -> None:
    content = bytearray((MEDIA / "images" / "coffee.png").read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "coffee.png"
    path.write_bytes(content)

    assert code_of(path, "image") == "undecodable"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_to_the_size(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (40, 30)).save(path, exif=exif)

    facts = facts_of(path, "image", path.name, "image/jpeg")

    assert (facts.width, facts.height) == ((40, 30) if orientation < 5 else (30, 40))


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("I;16", "PNG"), ("P", "GIF"), ("1", "TIFF"), ("RGBA", "WEBP")]
)
def test_every_colour_mode_is_taken(tmp_path: Path, mode: str, kind: str) -> None:
    path = tmp_path / "picture"
    Image.new(mode, (31, 17)).save(path, kind)

    facts = facts_of(path, "image", path.name, None)

    assert (facts.width, facts.height, facts.media_type) == (31, 17, f"image/{kind.lower()}")


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0])
def test_a_wav_without_an_end_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "endless.wav"
    path.write_bytes(a_wav(length))

    assert code_of(path, "audio") == "unknown-length"


def test_a_wav_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    path.write_bytes(a_wav(0, b""))

    assert code_of(path, "audio") == "empty-media"


def test_a_recording_with_a_hole_is_refused(tmp_path: Path) -> None:
    content = bytearray((MEDIA / "audio" / "jfk.flac").read_bytes())
    content[600_000:640_000] = b"\0" * 40_000
    path = tmp_path / "jfk.flac"
    path.write_bytes(content)

    assert code_of(path, "audio") == "truncated"


def test_a_slot_gets_the_kind_of_track_it_asks_for(tmp_path: Path) -> None:
    sound = a_recording(tmp_path / "sound.m4a", codec="aac")

    assert code_of(sound, "video") == "no-video-track"
    assert code_of(MEDIA / "video" / "friday.mp4", "audio") == "wrong-type"


@pytest.mark.parametrize(
    ("modality", "signature"),
    [
        ("image", b"\x89PNG\r\n\x1a\n"),
        ("image", b"\xff\xd8\xff\xe0"),
        ("image", b"GIF89a"),
        ("image", b"II*\0"),
        ("image", b"RIFF\x10\0\0\0WEBPVP8 "),
        ("audio", b"RIFF\x10\0\0\0WAVEfmt "),
        ("audio", b"fLaC\0\0\0\x22"),
        ("audio", b"OggS\0\2"),
        ("audio", b"ID3\4\0\0\0\0\0\0"),
        ("audio", b"\xff\xfb\x90\x64"),
        ("video", b"\0\0\0\x18ftypisom"),
        ("video", b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska"),
    ],
)
@pytest.mark.parametrize("rest", [b"", b"\0" * 500, bytes(range(256)) * 8])
def test_a_signature_with_rubbish_behind_it_is_refused(
    tmp_path: Path, modality: str, signature: bytes, rest: bytes
) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(signature + rest)

    assert code_of(path, modality) in {"truncated", "undecodable", "unknown-length", "empty-media"}


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        ("image", "images/surfer-240-200.jpg"),
        ("image", "images/phototest.tif"),
        ("audio", "audio/robin.ogg"),
        ("audio", "audio/ljspeech/LJ001-0008.mp3"),
        ("video", "video/asl_thanks.mkv"),
        ("video", "video/stream-of-water.mp4"),
        ("sensor", "sensor/machine_temperature.csv"),
    ],
)
def test_random_damage_is_refused_or_survived_but_never_unexpected(tmp_path: Path, modality: str, name: str) -> None:
    whole = (MEDIA / name).read_bytes()
    path = tmp_path / "damaged"
    dice = random.Random(20261124)

    for _ in range(40):
        content = bytearray(whole)
        for _ in range(dice.choice([1, 5, 50])):
            content[dice.randrange(dice.choice([600, len(whole)]))] = dice.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(MediaRejectedError, MemoryError):
            facts_of(path, modality, path.name, None)
