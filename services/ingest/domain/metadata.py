"""A copy of an image file without what it tells of its making: place, time, camera, names, thumbnails.

Pixels are copied as they are, encoded. What decides how they are shown stays: colour profile, transparency, animation,
and of EXIF the orientation alone, for regions are in upright pixels. Whatever is not known to be needed is left out.

Sources: ITU-T T.81 (1992), annex B, for JPEG; PNG specification, third edition, sections 5 and 11; the WebP container
specification (RFC 9649, section 2); GIF89a specification, sections 15 to 26; Exif 2.32, section 4.5 and 4.6.4.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from services.ingest.domain.rejection import MediaRejectedError

_COPIED_AT_ONCE: Final = 1 << 20
_UPRIGHT: Final = 1

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    b"IHDR PLTE IDAT IEND acTL fcTL fdAT tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT".split()
)
_WEBP_KEPT: Final = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04

_JPEG_SOI, _JPEG_EOI, _JPEG_SOS, _JPEG_APP0, _JPEG_APP2, _JPEG_APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE2, 0xEE
_JPEG_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_KEPT: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD})
"""Frames, tables, scans, numbers of lines, restart intervals."""


def write_stripped(source: Path, target: Path, media_type: str, orientation: int) -> None:
    """Write a copy of an image without its metadata.

    Args:
        source: The file; it was found to be whole.
        target: Where the copy goes.
        media_type: The format that was found: ``image/jpeg`` ...
        orientation: What the file says, 1 to 8; the copy says the same.

    Raises:
        MediaRejectedError: ``metadata-not-removable``: the format keeps pixels and metadata together (TIFF), or the file
            is not built as its format demands.
    """
    strip = {
        "image/jpeg": _jpeg,
        "image/png": _png,
        "image/webp": _webp,
        "image/gif": _gif,
        "image/bmp": _bmp,
    }.get(media_type)
    if strip is None:
        raise _not_removable(f"Of {media_type} files metadata are not removed")
    with (
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        target.open("wb") as copy,
    ):
        try:
            strip(content, copy, orientation)
        except (struct.error, IndexError, ValueError) as error:
            raise _not_removable("The file is not built as its format demands") from error


def _jpeg(content: mmap.mmap, copy: BinaryIO, orientation: int) -> None:
    copy.write(b"\xff\xd8")
    is_told = orientation == _UPRIGHT
    for marker, start, end in _jpeg_parts(content):
        if marker == _JPEG_APP0:
            if content[start + 4 : start + 9] == b"JFIF\0":
                copy.write(b"\xff\xe0\x00\x10" + content[start + 4 : start + 16] + b"\0\0")  # without its thumbnail
            continue
        if not is_told:
            exif = b"Exif\0\0" + _orientation_alone(orientation)
            copy.write(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
            is_told = True
        if marker in _JPEG_KEPT or _is_of_colours(content, marker, start):
            _copy(content, start, end, copy)
    copy.write(b"\xff\xd9")


def _jpeg_parts(content: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment up to the end of the image; a scan with the pixels behind it."""
    place = 2
    while True:
        if content[place] != 0xFF:
            raise ValueError("a segment begins without a marker")
        while content[place + 1] == 0xFF:  # fill bytes
            place += 1
        marker = content[place + 1]
        if marker == _JPEG_EOI:
            return
        if marker in _JPEG_ALONE:
            place += 2
            continue
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        end = place + 2 + length
        if length < 2 or end > len(content):
            raise ValueError("a segment ends outside of the file")
        if marker == _JPEG_SOS:
            end = _jpeg_scan_end(content, end)
        yield marker, place, end
        place = end


def _jpeg_scan_end(content: mmap.mmap, place: int) -> int:
    """Return where the next marker is: pixels hold only stuffed bytes and restarts."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0:
            raise ValueError("a scan does not end")
        following = content[place + 1]
        if following != 0x00 and not 0xD0 <= following <= 0xD7:
            return place
        place += 2


def _is_of_colours(content: mmap.mmap, marker: int, start: int) -> bool:
    named = content[start + 4 : start + 16]
    return (marker == _JPEG_APP2 and named == b"ICC_PROFILE\0") or (
        marker == _JPEG_APP14 and named.startswith(b"Adobe")
    )


def _png(content: mmap.mmap, copy: BinaryIO, orientation: int) -> None:
    copy.write(_PNG_SIGNATURE)
    place = len(_PNG_SIGNATURE)
    is_told = orientation == _UPRIGHT
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == b"IDAT" and not is_told:
            exif = _orientation_alone(orientation)
            checksum = zlib.crc32(exif, zlib.crc32(b"eXIf"))
            copy.write(struct.pack(">I4s", len(exif), b"eXIf") + exif + struct.pack(">I", checksum))
            is_told = True
        if kind in _PNG_KEPT:
            _copy(content, place, place + 12 + length, copy)
        place += 12 + length


def _webp(content: mmap.mmap, copy: BinaryIO, orientation: int) -> None:
    (size,) = struct.unpack("<I", content[4:8])
    copy.write(b"RIFF\0\0\0\0WEBP")
    exif = b"" if orientation == _UPRIGHT else _orientation_alone(orientation)
    place, end = 12, min(len(content), 8 + size)
    is_extended = False
    while place < end:
        kind, length = struct.unpack("<4sI", content[place : place + 8])
        following = place + 8 + length + length % 2
        if kind == b"VP8X":
            is_extended = True
            flags = content[place + 8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if exif else 0)
            copy.write(content[place : place + 8] + bytes([flags]) + content[place + 9 : following])
        elif kind in _WEBP_KEPT:
            _copy(content, place, following, copy)
        place = following
    if exif:
        if not is_extended:
            raise ValueError("a simple file has no place for an orientation")
        copy.write(struct.pack("<4sI", b"EXIF", len(exif)) + exif + b"\0" * (len(exif) % 2))
    written = copy.tell()
    copy.seek(4)
    copy.write(struct.pack("<I", written - 8))


def _gif(content: mmap.mmap, copy: BinaryIO, orientation: int) -> None:
    if orientation != _UPRIGHT:
        raise _not_removable("A GIF tells its orientation in metadata alone")
    place = 13 + _gif_table(content[10])
    _copy(content, 0, place, copy)
    while content[place] != 0x3B:
        if content[place] == 0x21:
            begin = place + 2
            end = _gif_blocks_end(content, begin)
            name = content[begin + 1 : begin + 12]
            is_shown = content[place + 1] == 0xF9 or (content[place + 1] == 0xFF and name in _GIF_LOOPS)
        elif content[place] == 0x2C:
            end = _gif_blocks_end(content, place + 10 + _gif_table(content[place + 9]) + 1)
            is_shown = True
        else:
            raise ValueError("neither an image nor an extension")
        if is_shown:
            _copy(content, place, end, copy)
        place = end
    copy.write(b"\x3b")


_GIF_LOOPS: Final = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0"})


def _gif_table(packed: int) -> int:
    """Return the bytes of a colour table."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _gif_blocks_end(content: mmap.mmap, place: int) -> int:
    while content[place]:
        place += content[place] + 1
    return place + 1


def _bmp(content: mmap.mmap, copy: BinaryIO, _orientation: int) -> None:
    """A bitmap has no place for metadata."""
    _copy(content, 0, len(content), copy)


def _orientation_alone(orientation: int) -> bytes:
    """Return EXIF that tells nothing but the orientation."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\0"


def _copy(content: mmap.mmap, start: int, end: int, copy: BinaryIO) -> None:
    if not start <= end <= len(content):
        raise ValueError("a part ends outside of the file")
    for place in range(start, end, _COPIED_AT_ONCE):
        copy.write(content[place : min(end, place + _COPIED_AT_ONCE)])


def _not_removable(why: str) -> MediaRejectedError:
    return MediaRejectedError(
        "metadata-not-removable",
        f"{why}, and the project does not serve them; send the picture as JPEG, PNG or WebP, saved anew.",
    )
