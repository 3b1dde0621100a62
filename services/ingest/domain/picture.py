"""Small pictures for people, and the hash by which pictures that look alike are found."""

from __future__ import annotations

import io
import statistics
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.ingest.domain.finding import Preview

THUMBNAIL_SIDE = 320
"""Pixels of a thumbnail's longer side."""
NEEDS_NONE_SIDE = 640
"""An image of no more pixels on its longer side needs no thumbnail: it is hardly more to fetch."""
HASHED_SIDE = 160
"""A picture of so many pixels on its longer side is enough for its perceptual hash."""

_QUALITY = 82
_HASH_SIDE, _HASH_PICTURE, _HASH_PICKED = 8, 32, 128
_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_MIXABLE = frozenset({"L", "RGB", "RGBA", "LA", "La", "RGBa", "CMYK", "RGBX"})
"""Modes in which neighbouring pixels can be averaged."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a picture of each EXIF orientation is brought upright (Exif 2.32, section 4.6.4, tag 0x0112)."""


def small_picture(image: Image.Image, orientation: int, side: int) -> Image.Image:
    """Return a copy in RGB or grey, upright, with at most ``side`` pixels on its longer side.

    Args:
        image: A decoded picture of any mode; it is not changed. What is transparent becomes white, and what has more
            than 8 bits is stretched between its darkest and its brightest pixel.
        orientation: As stored in the file, 1 to 8; anything else is 1.
        side: Pixels.
    """
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    mixable = image if image.mode in _MIXABLE else _mixable(image)
    if size != image.size:
        mixable = mixable.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    small = _opaque(mixable)
    return small.transpose(_TURNS[orientation]) if orientation in _TURNS else small


def jpeg(name: str, picture: Image.Image) -> Preview:
    """Return a picture as a preview."""
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=_QUALITY)
    return Preview(name, "image/jpeg", target.getvalue())


def perceptual_hash(picture: Image.Image) -> str:
    """Return the 64-bit pHash of a picture as 16 hexadecimal digits; alike pictures differ in few bits.

    Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section 3.2.2: the
        lowest 8 x 8 coefficients of the cosine transform of 32 x 32 grey pixels, each against their median.
    """
    # Pixels are picked before they are mixed: tried, that moves no more bits than mixing them all, and is quicker.
    picked = picture.resize((_HASH_PICKED, _HASH_PICKED), Image.Resampling.NEAREST)
    grey = picked.convert("L").reduce(_HASH_PICKED // _HASH_PICTURE)
    pixels = np.frombuffer(grey.tobytes(), dtype=np.uint8).reshape(_HASH_PICTURE, _HASH_PICTURE)
    cosines = _cosines()
    low = (cosines @ pixels @ cosines.T).ravel()
    return np.packbits(low > statistics.median(low.tolist())).tobytes().hex()


@cache
def _cosines() -> NDArray[np.float64]:
    """The first 8 basis vectors of the cosine transform (DCT-II) of 32 values."""
    frequency, place = np.arange(_HASH_SIDE)[:, None], np.arange(_HASH_PICTURE)[None, :]
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _HASH_PICTURE))


def _mixable(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP:
        values = np.asarray(image, dtype=np.float64)
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        darkest, brightest = float(values.min()), float(values.max())
        return Image.fromarray(np.rint((values - darkest) * (255 / ((brightest - darkest) or 1))).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in {"L", "RGB"}:
        return image
    if image.mode in {"RGBA", "LA", "La", "RGBa"}:
        layered = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(layered, mask=layered.getchannel("A"))
        return white
    return image.convert("RGB")
