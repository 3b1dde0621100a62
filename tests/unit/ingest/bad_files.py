"""Bad files, made for the tests: what strangers, broken exports and bad lines really send."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin

from tests.unit.ingest.media_builders import MEDIA, a_recording, a_video, turned

COFFEE = MEDIA / "images" / "coffee.png"
OWL = MEDIA / "images" / "owl.jpg"
WATER = MEDIA / "video" / "stream-of-water.mp4"
LEOPARD = MEDIA / "audio" / "leopard" / "test_de.wav"


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that says to be so large, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def a_png_with_a_bomb_in_its_text(_: Path) -> bytes:
    """Return a tiny picture whose compressed comment unfolds to 100 MB."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "x" * 100_000_000, zip=True)
    target = io.BytesIO()
    Image.new("L", (8, 8)).save(target, "PNG", pnginfo=notes)
    return target.getvalue()


def a_wav(length_field: int, sound: bytes = b"\0" * 8000) -> bytes:
    """Return a recording whose header claims ``length_field`` bytes of sound."""
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(sound), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return header + struct.pack("<4sI", b"data", length_field) + sound


def a_zip(content: bytes = b"hello", name: str = "hello.txt") -> bytes:
    """Return an archive of one file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def a_zip_bomb(_: Path) -> bytes:
    """Return an archive of 100 KB that unfolds to 100 MB."""
    return a_zip(b"\0" * 100_000_000)


def a_gzip_bomb(_: Path) -> bytes:
    """Return a compressed file of 100 KB that unfolds to 100 MB."""
    return gzip.compress(b"\0" * 100_000_000)


def a_picture_that_is_an_archive(_: Path) -> bytes:
    """Return a picture with an archive behind it: both open."""
    return COFFEE.read_bytes() + a_zip()


def a_picture_that_is_a_page(_: Path) -> bytes:
    """Return a picture whose comment is a script."""
    target = io.BytesIO()
    Image.open(OWL).save(target, "JPEG", comment=b"<script>alert(document.cookie)</script>")
    return target.getvalue()


def a_picture_that_is_a_program(_: Path) -> bytes:
    """Return an animation's format with a program behind its last picture."""
    target = io.BytesIO()
    Image.new("P", (8, 8)).save(target, "GIF")
    return target.getvalue() + b"<?php system($_GET['c']); ?>"


def a_picture_that_is_a_document(_: Path) -> bytes:
    """Return a picture in whose first kilobyte a PDF begins."""
    target = io.BytesIO()
    Image.open(OWL).save(target, "JPEG", comment=b"\n%PDF-1.7\n1 0 obj\n<< >>\nendobj\n")
    return target.getvalue()


def a_sound_that_is_an_archive(_: Path) -> bytes:
    """Return a recording with an archive in a chunk of its own behind the sound."""
    archive = a_zip()
    return LEOPARD.read_bytes() + b"junk" + struct.pack("<I", len(archive)) + archive


def a_video_with_a_broken_index(_: Path) -> bytes:
    """Return a video whose first chunk is said to lie beyond the end of the file."""
    content = bytearray(WATER.read_bytes())
    offsets = content.index(b"stco") + 12
    content[offsets : offsets + 4] = b"\x7f\xff\xff\xff"
    return bytes(content)


def a_video_of_two_tracks(folder: Path) -> bytes:
    """Return a video with two pictures at a time."""
    return a_video(folder / "two.mp4", tracks=2).read_bytes()


def a_video_without_a_track(folder: Path) -> bytes:
    """Return a video file that holds sound alone."""
    return a_recording(folder / "sound.mp4", codec="aac").read_bytes()


def a_slanted_video(folder: Path) -> bytes:
    """Return a video that is to be shown turned by 45 degrees."""
    return turned(a_video(folder / "slanted.mp4"), (46341, 46341, -46341, 46341)).read_bytes()


def a_picture(mode: str, kind: str, *more: Image.Image) -> bytes:
    """Return a small picture of a colour mode, animated where there is more than one."""
    target = io.BytesIO()
    first = Image.new(mode, (31, 17))
    if more:
        first.save(target, kind, save_all=True, append_images=list(more), duration=80)
    else:
        first.save(target, kind)
    return target.getvalue()
