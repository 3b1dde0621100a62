"""Time ranges with labels, speakers and text: ranges that most marked, in the words most like the others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from services.qa.domain.kinds.answers import Answer, Consensus, canonical, elect, likeness, weighted_median
from services.qa.domain.kinds.items import Cluster, clusters, merge_clusters, with_details, without_overlaps
from services.qa.domain.kinds.pairs import Floats, Item, Pairs, touching
from services.qa.domain.kinds.spans import borders, range_likeness
from shared.labels.kinds.segments import SegmentsOptions

_DETAILS = ("speaker", "text", "attributes", "channels")
_OTHER_SPEAKER = 0.9
"""Likeness of ranges by two speakers: one thing still, but where speech overlaps the same speaker's is preferred."""


def distance(left: Sequence[Item], right: Sequence[Item], options: SegmentsOptions) -> float:
    """Tell how far two lists of segments are apart: 1 - F1 with segments of one label matched by their overlap.

    The overlap is scaled by the likeness of what the segments carry: the same speaker (whatever the two lists
    call him), the characters of the text, attributes and channels, in equal parts.

    Returns:
        0 for the same segments (ids and names of speakers do not count), 1 where none of one label overlap.
    """
    # The names are aligned in an order of their own, so that the distance is the same both ways.
    one, other = sorted((left, right), key=canonical)
    aligned, _ = align_speakers([Answer("", one), Answer("", other)])
    left, right = aligned[0].value, aligned[1].value
    return with_details(range_likeness(left, right), left, right, *_DETAILS).distance()


def consensus(answers: Sequence[Answer], options: SegmentsOptions) -> Consensus:
    """Keep the segments that more than half of the weight marked, with the weighted median of each border.

    Speakers are aligned first, then voted on, then given the name that most use for them; of the texts the one
    nearest to the others is taken.

    Returns:
        Segments; confidence is the mean likeness of the answers to them, support each one's share by id.
    """
    aligned, names = align_speakers(answers)
    items, support = merge_clusters(clusters(aligned, _overlap), _median_segment)
    named = [item | {"speaker": names[item["speaker"]]} if "speaker" in item else item for item in items]
    segments = named if options.overlapping else without_overlaps(named, support)
    return Consensus(segments, likeness(answers, lambda value: distance(value, segments, options)), support)


def align_speakers(answers: Sequence[Answer]) -> tuple[list[Answer], dict[str, str]]:
    """Call the same speaker the same in all answers; when diarizing, every annotator invents names.

    The answers join one by one: their speakers are matched one to one with the speakers so far, so that most time
    is shared; equal names decide where time does not.

    Args:
        answers: Values are lists of segments, ``speaker`` optional.

    Returns:
        The answers with a common key in place of each name, and for each key the name that has most weight.
    """
    voices: dict[str, list[Item]] = {}
    votes: dict[str, dict[str, float]] = {}
    aligned = []
    for answer in answers:
        spoken: dict[str, list[Item]] = {}
        for item in answer.value:
            if item.get("speaker") is not None:
                spoken.setdefault(item["speaker"], []).append(item)
        keys = _match_speakers(spoken, voices, votes)
        for name, key in keys.items():
            voices.setdefault(key, []).extend(spoken[name])
            vote = votes.setdefault(key, {})
            vote[name] = vote.get(name, 0.0) + answer.weight
        renamed = [
            item | {"speaker": keys[item["speaker"]]} if item.get("speaker") in keys else item for item in answer.value
        ]
        aligned.append(replace(answer, value=renamed))
    return aligned, _names(votes)


def _match_speakers(
    spoken: Mapping[str, Sequence[Item]],
    voices: Mapping[str, Sequence[Item]],
    votes: Mapping[str, Mapping[str, float]],
) -> dict[str, str]:
    """Give each name the key of a voice so far, or a new one."""
    names, keys = sorted(spoken), list(voices)
    shared = _shared_seconds([spoken[name] for name in names], [voices[key] for key in keys])
    same_name = np.array([[name in votes[key] for key in keys] for name in names], dtype=np.float64).reshape(
        shared.shape
    )
    matched = {
        names[row]: keys[column]
        for row, column in zip(*linear_sum_assignment(shared + 1e-6 * same_name, maximize=True), strict=True)
        if shared[row, column] > 0
    }
    new = [name for name in names if name not in matched]
    return matched | {name: f"speaker {len(keys) + number}" for number, name in enumerate(new)}


def _shared_seconds(left: Sequence[Sequence[Item]], right: Sequence[Sequence[Item]]) -> Floats:
    """Return for how long each of the left voices and each of the right ones speak at once, shape (n, m)."""
    one, other = (borders([item for items in voices for item in items]) for voices in (left, right))
    voice, other_voice = (
        np.repeat(np.arange(len(voices)), [len(items) for items in voices]) for voices in (left, right)
    )
    shared = np.zeros((len(left), len(right)))
    for rows, columns in touching(one, other):
        seconds = np.minimum(one[rows, 1], other[columns, 1]) - np.maximum(one[rows, 0], other[columns, 0])
        np.add.at(shared, (voice[rows], other_voice[columns]), np.maximum(0, seconds))
    return shared


def _names(votes: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Name each voice as most do, no two alike."""
    keys, names = list(votes), sorted({name for vote in votes.values() for name in vote})
    weights = np.array([[votes[key].get(name, 0.0) for name in names] for key in keys]).reshape(len(keys), len(names))
    named = {
        keys[row]: names[column]
        for row, column in zip(*linear_sum_assignment(weights, maximize=True), strict=True)
        if weights[row, column] > 0
    }
    for key in keys:
        number, favourite = 2, max(sorted(votes[key]), key=lambda name: votes[key][name])
        while key not in named:
            if f"{favourite}-{number}" not in names:
                named[key] = f"{favourite}-{number}"
                names.append(named[key])
            number += 1
    return named


def _overlap(left: Sequence[Item], right: Sequence[Item]) -> Pairs:
    pairs = range_likeness(left, right)
    return pairs.scaled(
        [
            1.0 if left[row].get("speaker") == right[column].get("speaker") else _OTHER_SPEAKER
            for row, column in zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True)
        ]
    )


def _median_segment(cluster: Cluster) -> dict[str, Any]:
    merged: dict[str, Any] = {
        border: weighted_median([item[border] for item in cluster.items], cluster.weights)
        for border in ("start", "end")
    }
    spoken, weights = cluster.having("speaker")
    if spoken:
        merged["speaker"], _ = elect([item["speaker"] for item in spoken], weights)
    return merged
