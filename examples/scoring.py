"""How close an answer is to the truth, for the demo's report alone.

Written apart from the services, and simpler than they are, so that the report's accuracy does not repeat their mistakes.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

Item = Mapping[str, Any]

MATCH_IOU = 0.5


class UnknownKindError(KeyError):
    """There is no accuracy for this kind of field."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"No accuracy for kind {kind!r}; add it to examples/scoring.py. Known: {', '.join(_ACCURACY)}."
        )


def accuracy(kind: str, value: Any, truth: Any) -> float:
    """Compare an answer with the truth.

    Args:
        kind: The field's kind.
        value: The answer in the API's wire shape; None when it is missing.
        truth: The true answer in the same shape.

    Returns:
        0.0 (nothing right) to 1.0 (all right), without unit. Exact match for a choice (Jaccard index for several
        options) and a rating; share of equal values for a record; share of pairs in the true order for a ranking;
        1 minus the word error rate, at least 0, for a text; F1 for items: spans match when equal, regions and segments
        with the same label (and speaker) from an IoU of 0.5 on, a segment's match counting as much of it as its text is
        right; for tracks the F1 of the boxes, mean over the key frames of either.

    Raises:
        UnknownKindError: The kind is not one of the nine that the demo uses.
    """
    if kind not in _ACCURACY:
        raise UnknownKindError(kind)
    return 0.0 if value is None else _ACCURACY[kind](value, truth)


def _choice(value: Any, truth: Any) -> float:
    if not isinstance(truth, list):
        return float(value == truth)
    union = set(value) | set(truth)
    return len(set(value) & set(truth)) / len(union) if union else 1.0


def _rating(value: float, truth: float) -> float:
    return float(abs(value - truth) < 1e-9)


def _ranking(value: Sequence[Sequence[str]], truth: Sequence[Sequence[str]]) -> float:
    given, true = _places(value), _places(truth)
    pairs = list(combinations(sorted(true), 2))
    if not pairs or given.keys() != true.keys():
        return float(given == true)
    return sum(_order(given, *pair) == _order(true, *pair) for pair in pairs) / len(pairs)


def _places(tiers: Sequence[Sequence[str]]) -> dict[str, int]:
    return {candidate: place for place, tier in enumerate(tiers) for candidate in tier}


def _order(places: Mapping[str, int], first: str, second: str) -> int:
    return (places[first] > places[second]) - (places[first] < places[second])


def _text(value: Item, truth: Item) -> float:
    return _word_accuracy(value["text"], truth["text"])


def _word_accuracy(text: str, truth: str) -> float:
    """1 minus the edit distance of words over the true words; characters where nothing separates words."""
    given, true = (text.split(), truth.split()) if " " in truth else (list(text), list(truth))
    if not true:
        return float(not given)
    row = list(range(len(true) + 1))
    for i, word in enumerate(given, start=1):
        before, row[0] = row[0], i
        for j, expected in enumerate(true, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != expected))
    return max(0.0, 1.0 - row[-1] / len(true))


def _record(value: Item, truth: Item) -> float:
    names = value.keys() | truth.keys()
    missing = object()
    return sum(value.get(name, missing) == truth.get(name, missing) for name in names) / len(names) if names else 1.0


def _spans(value: Sequence[Item], truth: Sequence[Item]) -> float:
    return _f1(value, truth, lambda a, b: float(all(a[part] == b[part] for part in ("start", "end", "label"))))


def _regions(value: Sequence[Item], truth: Sequence[Item]) -> float:
    return _f1(value, truth, lambda a, b: box_iou(_box(a), _box(b)) if a["label"] == b["label"] else 0.0)


def _segments(value: Sequence[Item], truth: Sequence[Item]) -> float:
    return _f1(value, truth, _segment_iou, _transcript_credit)


def _segment_iou(a: Item, b: Item) -> float:
    if a["label"] != b["label"] or a.get("speaker") != b.get("speaker"):
        return 0.0
    shared: float = min(a["end"], b["end"]) - max(a["start"], b["start"])
    together: float = max(a["end"], b["end"]) - min(a["start"], b["start"])
    return max(0.0, shared) / together


def _transcript_credit(a: Item, b: Item) -> float:
    return _word_accuracy(a.get("text") or "", b["text"]) if b.get("text") else 1.0


def _tracks(value: Sequence[Item], truth: Sequence[Item]) -> float:
    frames = sorted({key["frame"] for track in [*value, *truth] for key in track["keyframes"]})
    if not frames:
        return 1.0
    return sum(_regions(_boxes_at(value, frame), _boxes_at(truth, frame)) for frame in frames) / len(frames)


def _boxes_at(tracks: Sequence[Item], frame: int) -> list[Item]:
    boxes = ((track["label"], box_at(track["keyframes"], frame)) for track in tracks)
    return [{"shape": "box", "label": label, **box} for label, box in boxes if box]


def box_at(key_frames: Sequence[Item], frame: int) -> dict[str, float] | None:
    """A track's box on a frame, in pixels, interpolated in a straight line between key frames.

    Returns:
        ``x``, ``y``, ``width``, ``height``; None before the first key frame and where the object is ``outside``.
    """
    before = max((key for key in key_frames if key["frame"] <= frame), key=lambda key: key["frame"], default=None)
    if before is None or before.get("outside"):
        return None
    after = min((key for key in key_frames if key["frame"] > frame), key=lambda key: key["frame"], default=None)
    if after is None or after.get("outside"):
        return {side: before[side] for side in _SIDES}
    share = (frame - before["frame"]) / (after["frame"] - before["frame"])
    return {side: before[side] + (after[side] - before[side]) * share for side in _SIDES}


_SIDES = ("x", "y", "width", "height")


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union, 0 to 1, of two boxes given as (left, top, right, bottom)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)


def _box(region: Item) -> tuple[float, float, float, float]:
    """The region's bounding box: of a polygon too, which is near enough for a report."""
    if region["shape"] == "polygon":
        xs, ys = zip(*region["points"], strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    return region["x"], region["y"], region["x"] + region["width"], region["y"] + region["height"]


def _f1(
    value: Sequence[Item],
    truth: Sequence[Item],
    similarity: Callable[[Item, Item], float],
    credit: Callable[[Item, Item], float] = lambda _given, _true: 1.0,
) -> float:
    """F1 of items, matched one to one, the most similar pair first; two empty lists agree."""
    if not value and not truth:
        return 1.0
    pairs = [(similarity(a, b), i, j) for i, a in enumerate(value) for j, b in enumerate(truth)]
    used: tuple[set[int], set[int]] = (set(), set())
    right = 0.0
    for similar, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if similar >= MATCH_IOU and i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            right += credit(value[i], truth[j])
    return 2 * right / (len(value) + len(truth))


_ACCURACY: dict[str, Callable[[Any, Any], float]] = {
    "choice": _choice,
    "rating": _rating,
    "ranking": _ranking,
    "text": _text,
    "record": _record,
    "spans": _spans,
    "regions": _regions,
    "segments": _segments,
    "tracks": _tracks,
}
