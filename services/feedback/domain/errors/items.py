"""Errors of lists of items: 1 - F1 of the items that a prediction got right (spans, regions, moments, tracks)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import shapely

from shared.labels.geometry import POINT_SCALE, box_iou, interpolate, region_bounds, region_likeness, segment_iou
from shared.labels.kinds import FieldOptions, MomentsOptions, RegionsOptions, SpansOptions, TracksOptions

MATCH: Final = 0.5
"""The intersection over union from which on two items are the same, as PASCAL VOC has it."""
MAX_PAIRS: Final = 100_000
"""Touching pairs that are compared: what lies in heaps of thousands is judged by the first of them."""
TRACK_FRAMES: Final = 100
"""Frames at which tracks are compared, spread evenly from the first to the last."""

Item = Mapping[str, Any]
Pair = tuple[int, int]
Bounds = tuple[float, float, float, float]


def spans_error(options: SpansOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over spans that have the same start, end and label.

    Source: E. Tjong Kim Sang and F. De Meulder, "CoNLL-2003 Shared Task" (2003), exact match.
    """
    wanted, given = (Counter((item["start"], item["end"], item["label"]) for item in of) for of in (label, prediction))
    return _one_minus_f1((wanted & given).total(), len(label), len(prediction))


def regions_error(options: RegionsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over regions matched one to one, the best first: same label, likeness of at least 1/2.

    The likeness of areas is their intersection over union; ``shared.labels.geometry`` has that of lines and points.

    Source: M. Everingham et al., "The PASCAL Visual Object Classes Challenge" (2010), section 4.2.
    """
    return _one_minus_f1(len(same_items(options, label, prediction)), len(label), len(prediction))


def moments_error(options: MomentsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over moments matched one to one, the nearest first: same label, within the field's tolerance."""
    return _one_minus_f1(len(same_items(options, label, prediction)), len(label), len(prediction))


def tracks_error(options: TracksOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over tracks matched one to one: same label, mean IoU of at least 1/2.

    The mean is over the frames in which either of the two tracks is in the picture; at most 100 frames are looked at.

    Source: G. Gkioxari and J. Malik, "Finding Action Tubes" (2015), overlap of tubes.
    """
    return _one_minus_f1(len(same_items(options, label, prediction)), len(label), len(prediction))


def same_items(options: FieldOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[int, int]:
    """Find which item of the label each item of a prediction is.

    Args:
        options: Of the field that both are values of.
        label: Items of the label of record.
        prediction: Items of the prediction.

    Returns:
        Index into the label by index into the prediction, one to one, the best score first, down to ``MATCH``.
    """
    return _matched(_SCORES[options.kind](options, label, prediction))


def _region_scores(options: RegionsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[Pair, float]:
    touching = _touching([_bounds(region) for region in label], [_bounds(region) for region in prediction])
    return {
        (i, j): region_likeness(label[i], prediction[j])
        for i, j in touching
        if label[i]["label"] == prediction[j]["label"]
    }


def _range_scores(options: FieldOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[Pair, float]:
    touching = _touching(*([(item["start"], 0, item["end"], 1) for item in items] for items in (label, prediction)))
    return {
        (i, j): segment_iou(label[i], prediction[j]) for i, j in touching if label[i]["label"] == prediction[j]["label"]
    }


def _moment_scores(options: MomentsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[Pair, float]:
    reach = options.tolerance
    touching = _touching(
        *([(item["time"] - reach, 0, item["time"] + reach, 1) for item in items] for items in (label, prediction))
    )
    return {
        (i, j): 1 - abs(label[i]["time"] - prediction[j]["time"]) / (2 * reach)
        for i, j in touching
        if label[i]["label"] == prediction[j]["label"]
    }


def _turn_scores(options: FieldOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[Pair, float]:
    place = {item["turn"]: index for index, item in enumerate(label)}
    return {(place[item["turn"]], j): 1.0 for j, item in enumerate(prediction) if item["turn"] in place}


def _track_scores(options: TracksOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[Pair, float]:
    overlap: defaultdict[Pair, float] = defaultdict(float)
    frames_of: tuple[defaultdict[int, set[int]], ...] = (defaultdict(set), defaultdict(set))
    for frame in _frames([*label, *prediction]):
        wanted, given = _boxes(label, frame), _boxes(prediction, frame)
        for present, seen in zip((wanted, given), frames_of, strict=True):
            for index in present:
                seen[index].add(frame)
        rows, columns = list(wanted), list(given)
        for row, column in _touching([_bounds(wanted[i]) for i in rows], [_bounds(given[j]) for j in columns]):
            i, j = rows[row], columns[column]
            if label[i]["label"] == prediction[j]["label"]:
                overlap[i, j] += box_iou(wanted[i], given[j])
    return {(i, j): total / len(frames_of[0][i] | frames_of[1][j]) for (i, j), total in overlap.items()}


def _one_minus_f1(right: int, wanted: int, given: int) -> float:
    return 1 - 2 * right / (wanted + given) if wanted + given else 0.0


def _matched(scored: Mapping[Pair, float]) -> dict[int, int]:
    """Match greedily, one to one; returns the label's index by the prediction's."""
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for (i, j), score in sorted(scored.items(), key=lambda entry: (-entry[1], entry[0])):
        if score < MATCH:
            break
        if i not in taken and j not in matched:
            taken.add(i)
            matched[j] = i
    return matched


def _touching(left: Sequence[Bounds], right: Sequence[Bounds]) -> Iterator[Pair]:
    """Yield the index pairs of rectangles that meet, at most ``MAX_PAIRS``."""
    if not left or not right:
        return
    tree = shapely.STRtree([shapely.box(*bounds) for bounds in right])
    count = 0
    for index, bounds in enumerate(left):
        for found in sorted(tree.query(shapely.box(*bounds)).tolist()):
            if count == MAX_PAIRS:
                return
            count += 1
            yield index, found


def _bounds(item: Item) -> Bounds:
    """Return a rectangle around an item; that of lines and points is wide enough for all that is like them."""
    x, y, width, height = region_bounds(item)
    reach = 0.0 if item.get("shape") not in {"polyline", "keypoints"} else max(POINT_SCALE, math.hypot(width, height))
    return x - reach, y - reach, x + width + reach, y + height + reach


def _frames(tracks: Iterable[Item]) -> list[int]:
    """Return the frames to look at: all from the first key frame to the last, or ``TRACK_FRAMES`` of them, even."""
    ends = [track["keyframes"][index]["frame"] for track in tracks for index in (0, -1)]
    if not ends:
        return []
    first, last = min(ends), max(ends)
    if last - first < TRACK_FRAMES:
        return list(range(first, last + 1))
    return [first + round(step * (last - first) / (TRACK_FRAMES - 1)) for step in range(TRACK_FRAMES)]


def _boxes(tracks: Sequence[Item], frame: int) -> dict[int, dict[str, float]]:
    """Return the boxes that are in the picture, by index of their track."""
    found = {}
    for index, track in enumerate(tracks):
        # Only the key frames around the frame: interpolation reads them from the first on.
        at = bisect_right(track["keyframes"], frame, key=lambda keyframe: keyframe["frame"])
        around = {"keyframes": track["keyframes"][max(0, at - 1) : at + 1]}
        if (box := interpolate(around, frame)) is not None:
            found[index] = box
    return found


_SCORES: Mapping[str, Callable[[Any, Sequence[Item], Sequence[Item]], dict[Pair, float]]] = {
    "moments": _moment_scores,
    "regions": _region_scores,
    "segments": _range_scores,
    "spans": _range_scores,
    "tracks": _track_scores,
    "turns": _turn_scores,
}
