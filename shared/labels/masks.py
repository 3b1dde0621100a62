"""Masks as COCO's run-length encoding: read without trust, brought into one form, and compared.

The C code of pycocotools trusts the counts that it is given, so whatever comes from outside is decoded here first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pycocotools.mask as coco
from numpy.typing import NDArray

MAX_MASK_CHARS = 500_000
MAX_MASK_RUNS = 200_000
MAX_MASK_PIXELS = 2**30
_MOST_CHARS_OF_A_COUNT = 7  # of five bits each: more than any mask has pixels

Rle = Mapping[str, Any]
"""``{"size": [height, width], "counts": "..."}``."""
Runs = NDArray[np.int64]


def read_runs(counts: object) -> Runs | None:
    """Read the runs of a mask, in either of COCO's two forms.

    Args:
        counts: COCO's compressed string, or the list of run lengths itself: pixels outside and inside by turns,
            outside first, counted down the columns.

    Returns:
        The run lengths, none negative; None when this is neither form, or longer than the limits.
    """
    if isinstance(counts, str):
        return _decompressed(counts) if counts.isascii() and 0 < len(counts) <= MAX_MASK_CHARS else None
    if not isinstance(counts, list) or not 0 < len(counts) <= MAX_MASK_RUNS:
        return None
    if not all(type(run) is int and 0 <= run <= MAX_MASK_PIXELS for run in counts):
        return None
    return np.array(counts, dtype=np.int64)


def canonical_runs(runs: Runs) -> Runs:
    """Bring runs into the form in which none but the first is empty.

    Args:
        runs: Lengths by turns outside and inside, as ``read_runs`` gives them.

    Returns:
        The same mask; a single run when no pixel is inside.
    """
    inside = np.arange(len(runs)) % 2 == 1
    runs, inside = runs[runs > 0], inside[runs > 0]
    if not len(runs):
        return np.zeros(1, dtype=np.int64)
    first_of_each = np.flatnonzero(np.concatenate(([True], inside[1:] != inside[:-1])))
    joined = np.add.reduceat(runs, first_of_each)
    return np.concatenate(([0], joined)) if inside[0] else joined


def to_rle(runs: Runs, height: int, width: int) -> dict[str, Any]:
    """Write runs as COCO's compressed RLE.

    Args:
        runs: In canonical form; they add up to ``height * width``.
        height: Of the mask, in pixels.
        width: The same.

    Returns:
        ``size`` and ``counts``, the latter as a string.

    Source: T.-Y. Lin et al., "Microsoft COCO" (2014), and the mask API of its toolkit.
    """
    written = coco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return {"size": [height, width], "counts": written["counts"].decode("ascii")}


def mask_bounds(rle: Rle) -> tuple[float, float, float, float]:
    """Return x, y, width and height of the upright box around a mask, in pixels."""
    x, y, width, height = coco.toBbox(rle).tolist()
    return x, y, width, height


def mask_area(rle: Rle) -> int:
    """Return how many pixels are inside a mask."""
    return int(coco.area(rle))


def mask_iou(a: Rle, b: Rle) -> float:
    """Intersection over union of two masks.

    Args:
        a: A mask in canonical form.
        b: As ``a``.

    Returns:
        From 0.0 to 1.0; 0.0 for masks of different sizes, which are of different images.
    """
    return float(coco.iou([a], [b], [0])[0][0]) if a["size"] == b["size"] else 0.0


def mask_covered_share(a: Rle, b: Rle) -> float:
    """Tell how much of one mask lies in another.

    Args:
        a: A mask in canonical form.
        b: As ``a``.

    Returns:
        The shared pixels over those of ``a``, from 0.0 to 1.0; 0.0 for masks of different sizes.
    """
    area = mask_area(a) if a["size"] == b["size"] else 0
    return mask_area(coco.merge([a, b], intersect=True)) / area if area else 0.0


def mask_of_outline(points: Sequence[Sequence[float]], size: Sequence[int]) -> Rle:
    """Draw a polygon as a mask.

    Args:
        points: Corners ``[x, y]`` in order, at least three.
        size: Height and width of the mask, in pixels.
    """
    height, width = size
    [drawn] = coco.frPyObjects([[coordinate for point in points for coordinate in point]], height, width)
    found: Rle = drawn
    return found


def _decompressed(counts: str) -> Runs | None:
    """Decode COCO's variable-length integers of five bits a character, each the difference to the last but one."""
    data = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    if data.min() < 0 or data.max() > 63:
        return None
    ends = np.flatnonzero((data & 0x20) == 0)
    if not len(ends) or ends[-1] != len(data) - 1 or len(ends) > MAX_MASK_RUNS:
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MOST_CHARS_OF_A_COUNT:
        return None
    shifts = 5 * (np.arange(len(data)) - np.repeat(starts, lengths))
    runs: Runs = np.add.reduceat((data & 0x1F) << shifts, starts)
    runs -= np.where(data[ends] & 0x10, 1 << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return None if runs.min() < 0 else runs
