"""One object's boxes over frames: objects that most followed, with median boxes at all key frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.qa.domain.kinds.answers import Answer, Consensus, is_majority, likeness
from services.qa.domain.kinds.items import BOX, Cluster, clusters, median_box, merge_clusters, with_details
from services.qa.domain.kinds.pairs import Floats, Indices, Item, Pairs, box_ious, compare
from shared.labels.kinds.tracks import TracksOptions

FRAMES = 100
"""Frames at which two tracks are compared, spread evenly from the first to the last that either has."""

_PORTION = 2_000  # pairs of tracks compared at once, which bounds the memory
_FAR = 2**40  # apart from each other, the frames of all tracks can be searched as one sorted list


def distance(left: Sequence[Item], right: Sequence[Item], options: TracksOptions) -> float:
    """Tell how far two lists of tracks are apart: 1 - F1 with tracks of one label matched by their overlap.

    Two tracks overlap by the mean IoU of their boxes over the frames in which either is visible; attributes scale
    that.

    Returns:
        0 for the same tracks (ids do not count), 1 where none of one label overlap.
    """
    return with_details(track_likeness(left, right), left, right, "attributes").distance()


def consensus(answers: Sequence[Answer], options: TracksOptions) -> Consensus:
    """Keep the objects that more than half of the weight followed.

    Returns:
        Tracks with a key frame wherever a member has one and most members last: the weighted
        median of their (interpolated) boxes, ``outside`` where most see nothing. Confidence is the mean likeness
        of the answers to them, support each one's share by id.
    """
    items, support = merge_clusters(clusters(answers, track_likeness), _median_track)
    return Consensus(items, likeness(answers, lambda value: distance(value, items, options)), support)


def track_likeness(left: Sequence[Item], right: Sequence[Item]) -> Pairs:
    """Return the mean intersection over union of tracks of one label over the frames in which either is visible."""
    one, other = _Paths(left), _Paths(right)

    def score(rows: Indices, columns: Indices) -> Floats:
        found = np.zeros(len(rows))
        # Between key frames a box stays within their hull: where hulls are apart, boxes are.
        close = np.flatnonzero(box_ious(one.hulls[rows], other.hulls[columns]) > 0)
        for part in np.split(close, range(_PORTION, len(close), _PORTION)):
            found[part] = _path_ious(one, rows[part], other, columns[part])
        return found

    return compare(left, right, (one.lifetimes, other.lifetimes), score)


def _path_ious(one: _Paths, rows: Indices, other: _Paths, columns: Indices) -> Floats:
    """Return the mean IoU of tracks over the frames in which either is visible, pair by pair."""
    lifetimes, other_lifetimes = one.lifetimes[rows], other.lifetimes[columns]
    first = np.minimum(lifetimes[:, :1], other_lifetimes[:, :1])
    last = np.maximum(lifetimes[:, 1:], other_lifetimes[:, 1:])
    frames = np.rint(first + (last - first) * np.linspace(0, 1, FRAMES)).astype(np.int64)
    boxes, alive, seen = one.at(rows, frames)
    other_boxes, other_alive, other_seen = other.at(columns, frames)
    ious = box_ious(boxes, other_boxes)
    visible = (seen | other_seen).sum(axis=1)
    found = (ious * (seen & other_seen)).sum(axis=1) / np.maximum(1, visible)
    # Tracks that are never visible are compared by where they would be.
    hidden = (ious * (alive & other_alive)).sum(axis=1) / np.maximum(1, (alive | other_alive).sum(axis=1))
    likeness_of: Floats = np.clip(np.where(visible > 0, found, hidden), 0.0, 1.0)
    return likeness_of


class _Paths:
    """Tracks as arrays, so that many boxes are found at once."""

    def __init__(self, tracks: Sequence[Item]) -> None:
        keyframes = [keyframe for track in tracks for keyframe in track["keyframes"]]
        counts = np.array([len(track["keyframes"]) for track in tracks], dtype=np.intp)
        self._last = np.cumsum(counts) - 1
        self._first = self._last - counts + 1
        self._frames = np.array([keyframe["frame"] for keyframe in keyframes], dtype=np.int64)
        self._sorted = self._frames + _FAR * np.repeat(np.arange(len(tracks)), counts)
        self._boxes = np.array([[keyframe[side] for side in BOX] for keyframe in keyframes], dtype=np.float64)
        self._boxes = self._boxes.reshape(-1, 4)
        self._outside = np.array([bool(keyframe.get("outside")) for keyframe in keyframes], dtype=np.bool_)
        self.lifetimes = np.stack((self._frames[self._first], self._frames[self._last]), axis=1).astype(np.float64)
        self.hulls = self._hulls()

    def at(self, tracks: Indices, frames: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        """Find boxes: what ``shared.labels.geometry.interpolate`` says of one frame, for many at once.

        Args:
            tracks: Which tracks, shape (p,).
            frames: Frames of each, shape (p, k).

        Returns:
            Boxes, shape (p, k, 4); whether the frame is within the track's life, and whether it is visible, (p, k).
        """
        first, last = self._first[tracks, None], self._last[tracks, None]
        before = np.searchsorted(self._sorted, frames + _FAR * tracks[:, None], side="right") - 1
        before = np.clip(before, first, last)
        after = np.minimum(before + 1, last)
        passed = (frames - self._frames[before]) / np.maximum(1, self._frames[after] - self._frames[before])
        # Where it is about to leave the picture, it stays until it has left.
        moved = np.where(self._outside[after], 0.0, np.clip(passed, 0.0, 1.0))[..., None]
        boxes = self._boxes[before] + moved * (self._boxes[after] - self._boxes[before])
        alive = (frames >= self._frames[first]) & (frames <= self._frames[last])
        return boxes, alive, alive & ~self._outside[before]

    def _hulls(self) -> Floats:
        if not len(self._first):
            return np.zeros((0, 4))
        near = np.minimum.reduceat(self._boxes[:, :2], self._first)
        far = np.maximum.reduceat(self._boxes[:, :2] + self._boxes[:, 2:], self._first)
        return np.concatenate((near, far - near), axis=1)


def _median_track(cluster: Cluster) -> dict[str, Any]:
    frames = sorted({keyframe["frame"] for track in cluster.items for keyframe in track["keyframes"]})
    members = np.arange(len(cluster.items))
    boxes, alive, seen = _Paths(cluster.items).at(members, np.tile(np.array(frames, dtype=np.int64), (len(members), 1)))
    weights = np.array(cluster.weights)
    keyframes: list[dict[str, Any]] = []
    for column, frame in enumerate(frames):
        lasting = alive[:, column]
        if not is_majority(float(weights[lasting].sum() / weights.sum())):
            continue
        followed = [dict(zip(BOX, box, strict=True)) for box in boxes[lasting, column].tolist()]
        box = median_box(followed, weights[lasting].tolist())
        visible = float(weights[seen[:, column]].sum() / weights[lasting].sum())
        keyframes.append({"frame": frame, **box} | ({} if is_majority(visible) else {"outside": True}))
    return {"keyframes": keyframes}
