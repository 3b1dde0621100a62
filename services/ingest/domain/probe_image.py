"""What is true of an image: its size in pixels as people see it and what it looks like, once every pixel is decoded."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from typing import BinaryIO

from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base

from services.ingest.domain.completeness import require_complete
from services.ingest.domain.finding import Finding
from services.ingest.domain.formats import BMP, GIF, PNG, TIFF, WEBP, MediaFormat
from services.ingest.domain.picture import (
    HASHED_SIDE,
    NEEDS_NONE_SIDE,
    THUMBNAIL_SIDE,
    jpeg,
    perceptual_hash,
    small_picture,
)
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetDetails, AssetFacts

MAX_PIXELS = 100_000_000
"""Pixels that are decoded for one file, all its pictures together: 400 MB as RGBA."""

_MANY_PICTURES = frozenset({GIF.name, PNG.name, TIFF.name, WEBP.name})
_NOT_SHOWN = frozenset({TIFF.name, BMP.name})
"""Formats that browsers do not show, so that even the smallest needs a thumbnail."""
_SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that exchange width and height (Exif 2.32, section 4.6.4, tag 0x0112)."""

# What Pillow's decoders are seen to raise on damaged files, beside its own errors.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, struct.error, zlib.error)


def probe_image(file: BinaryIO, format_: MediaFormat) -> Finding:
    """Decode an image fully and measure it.

    Args:
        file: The file, seekable; its position is changed.
        format_: The format its signature says; no other decoder is tried.

    Returns:
        ``width`` and ``height`` in pixels, after the EXIF orientation has been applied. Of the details: colour mode,
        orientation, whether it is animated, and the perceptual hash. The preview is ``thumbnail``, where the original
        is larger than one or of a format that browsers do not show.

    Raises:
        MediaRejectedError: ``too-large-dimensions`` (found in the header, before any pixel is decoded), ``truncated``
            or ``undecodable``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd EXIF and TIFF tags do not harm the pixels
        try:
            return _measure(file, format_)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(f"{error}") from error
        except UnidentifiedImageError as error:
            raise _undecodable(format_) from error
        except _DAMAGE as error:
            raise (_truncated(format_) if _is_cut(error) else _undecodable(format_)) from error


def _measure(file: BinaryIO, format_: MediaFormat) -> Finding:
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if format_ is PNG:
        _verify_checksums(file)
    if format_ is TIFF:
        require_complete(file, format_)
    with Image.open(file, formats=[format_.decoder]) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _too_large(f"The image is {width} x {height} pixels")
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _require_all_strips(image, file.seek(0, os.SEEK_END))
        needs_thumbnail = max(width, height) > NEEDS_NONE_SIDE or format_.name in _NOT_SHOWN
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            _decode_small(image, THUMBNAIL_SIDE if needs_thumbnail else HASHED_SIDE)
        image.load()
        mode, orientation = image.mode, _orientation(image)
        picture = small_picture(image, orientation, THUMBNAIL_SIDE if needs_thumbnail else NEEDS_NONE_SIDE)
        animated = format_.name in _MANY_PICTURES and getattr(image, "n_frames", 1) > 1
        if animated:
            _decode_further_pictures(image)
    details = AssetDetails(
        colour_mode=mode, orientation=orientation, animated=animated, perceptual_hash=perceptual_hash(picture)
    )
    width, height = (height, width) if orientation in _SIDEWAYS else (width, height)
    facts = AssetFacts(modality="image", width=width, height=height, details=details)
    return Finding(facts, [jpeg("thumbnail", picture)] if needs_thumbnail else [])


def _decode_small(image: JpegImagePlugin.JpegImageFile, side: int) -> None:
    """Have a JPEG decoded at the smallest scale whose longer side has ``side`` pixels.

    All its coefficients are read still, so what is cut off or damaged is found; only fewer pixels are made of them.
    Tried on nine kinds of copies of each demo image: as many are found by their hashes as at full size.
    """
    scale = min(1.0, side / max(image.size))
    image.draft(None, (max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _verify_checksums(file: BinaryIO) -> None:
    """PNG alone has checksums, and decoding passes over them (PNG specification, third edition, section 5.3)."""
    file.seek(len(b"\x89PNG\r\n\x1a\n"))
    kind = b""
    while kind != b"IEND":
        header = file.read(8)
        length, kind = struct.unpack(">I4s", header) if len(header) == 8 else (0, b"")
        content, checksum = file.read(length), file.read(4)
        if len(checksum) < 4:
            raise _truncated(PNG)
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(checksum):
            raise _undecodable(PNG)


def _require_all_strips(image: TiffImagePlugin.TiffImageFile, size: int) -> None:
    """The decoder of compressed strips only says that it failed, not that the file ends too early."""
    for offsets, lengths in ((273, 279), (324, 325)):  # of strips, of tiles
        ends = map(sum, zip(image.tag_v2.get(offsets, ()), image.tag_v2.get(lengths, ()), strict=False))
        if max(ends, default=0) > size:
            raise _truncated(TIFF)


def _decode_further_pictures(image: ImageFile.ImageFile) -> None:
    pixels = image.width * image.height
    for number in range(1, getattr(image, "n_frames", 1)):
        image.seek(number)
        pixels += image.width * image.height
        if pixels > MAX_PIXELS:
            raise _too_large(f"The first {number + 1} pictures of the file hold {pixels} pixels")
        image.load()


def _is_cut(error: Exception) -> bool:
    message = str(error).lower()
    return isinstance(error, EOFError) or any(word in message for word in ("truncated", "end of", "too short"))


def _too_large(what: str) -> MediaRejectedError:
    return MediaRejectedError(
        "too-large-dimensions", f"{what.rstrip('.')}; at most {MAX_PIXELS} are taken: scale the image down or tile it."
    )


def _truncated(format_: MediaFormat) -> MediaRejectedError:
    return MediaRejectedError(
        "truncated", f"The {format_.name} image ends before its last pixel: it was cut off, upload it again in full."
    )


def _undecodable(format_: MediaFormat) -> MediaRejectedError:
    return MediaRejectedError(
        "undecodable", f"The {format_.name} image is damaged and cannot be decoded; export it again from its source."
    )


def _orientation(image: Image.Image) -> int:
    """Return what the file's EXIF says, 1 where it says nothing or nonsense."""
    if image.format == "JPEG" and "exif" not in image.info:
        return 1  # most of them; what follows would search them again
    stated = image.getexif().get(Base.Orientation)
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1
