"""Lists of labeled items (spans, regions, segments, tracks): which items of several answers are one thing.

A kind brings its measure of likeness between two lists and the geometry of a merged item; clustering, votes and the
details that items carry are the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from services.qa.domain.kinds.answers import Answer, canonical, elect, is_majority, medoid, weighted_median
from services.qa.domain.kinds.pairs import Item, Pairs
from services.qa.domain.kinds.record import merge_records, record_distance
from services.qa.domain.kinds.text import character_distance

Likeness = Callable[[Sequence[Item], Sequence[Item]], Pairs]

BOX = ("x", "y", "width", "height")

SAME_ITEM = 0.5
"""Likeness from which items of different answers are held to be one (the IoU threshold of Pascal VOC)."""


@dataclass(frozen=True)
class Cluster:
    """Items of different answers, at most one of each, that mean the same thing."""

    items: tuple[Item, ...]
    weights: tuple[float, ...]
    share: float
    """Their answers' share of the weight of all answers, 0..1."""

    def having(self, key: str) -> tuple[list[Item], list[float]]:
        """Return the items that carry a key, and their weights, if most of the cluster's weight does; else nothing."""
        found = [
            (item, weight) for item, weight in zip(self.items, self.weights, strict=True) if item.get(key) is not None
        ]
        if not is_majority(math.fsum(weight for _, weight in found) / math.fsum(self.weights)):
            return [], []
        return [item for item, _ in found], [weight for _, weight in found]


def clusters(answers: Sequence[Answer], likeness: Likeness, *, same: float = SAME_ITEM) -> list[Cluster]:
    """Group the items of all answers by what they mean.

    The answers join one by one in the given order: each one's items are matched with the clusters so far by their mean
    likeness to the members, and what is not alike enough begins a cluster.

    Args:
        answers: Values are lists of items.
        likeness: The kind's measure.
        same: Least mean likeness of an item to the members of its cluster.

    Returns:
        Clusters in the order of their first items.

    Source: after R. Solovyev et al., "Weighted boxes fusion" (2021), with a one-to-one assignment per answer.
    """
    members: list[list[tuple[Item, float]]] = []
    for answer in answers:
        home = _home(answer.value, members, likeness, same) if members else {}
        for row, item in enumerate(answer.value):
            if row in home:
                members[home[row]].append((item, answer.weight))
            else:
                members.append([(item, answer.weight)])
    total = math.fsum(answer.weight for answer in answers)
    return [
        Cluster(
            items=tuple(item for item, _ in cluster),
            weights=tuple(weight for _, weight in cluster),
            share=min(1.0, math.fsum(weight for _, weight in cluster) / total),
        )
        for cluster in members
    ]


def _home(
    items: Sequence[Item], members: Sequence[Sequence[tuple[Item, float]]], likeness: Likeness, same: float
) -> dict[int, int]:
    """Return by the number of an item the number of the cluster that it joins; the others begin one."""
    mean = _mean_likeness(items, members, likeness)
    # Where an answer marks a thing twice, the next one joins the copy with more weight behind it.
    backing = np.array([math.fsum(weight for _, weight in cluster) for cluster in members])
    joined = mean.kept(mean.scores, least=same)
    matched = joined.kept(joined.scores + 1e-6 * backing[joined.columns]).matched()
    return dict(zip(matched.rows.tolist(), matched.columns.tolist(), strict=True))


def merge_clusters(
    found: Sequence[Cluster], merge: Callable[[Cluster], dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Merge each cluster that most of the weight is behind into one item with an id of its own.

    Args:
        found: All clusters.
        merge: Makes a cluster's geometry; id, label and details (text, attributes, channels) are added here.

    Returns:
        The items, and each one's share of the weight by id. An item has its members' most common id, with a
        suffix where that one is taken.
    """
    merged: list[dict[str, Any]] = []
    support: dict[str, float] = {}
    for cluster in found:
        if not is_majority(cluster.share):
            continue
        name, _ = elect([item["id"] for item in cluster.items], cluster.weights)
        item_id = _free_id(str(name), support)
        support[item_id] = cluster.share
        merged.append({"id": item_id, "label": cluster.items[0]["label"], **merge(cluster), **_details(cluster)})
    return merged, support


def without_overlaps(items: Sequence[dict[str, Any]], support: Mapping[str, float]) -> list[dict[str, Any]]:
    """Leave out each range that overlaps one with more support (of equal ones the earlier stays).

    Args:
        items: Items with ``start`` and ``end``.
        support: Share of the weight by item id.

    Returns:
        Items of which no two overlap, the best supported first.
    """
    kept: list[dict[str, Any]] = []
    for item in sorted(items, key=lambda item: (-support[item["id"]], item["start"], item["end"])):
        if all(item["end"] <= other["start"] or other["end"] <= item["start"] for other in kept):
            kept.append(item)
    return kept


def median_box(boxes: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Return the box of the weighted medians of ``BOX``, which reaches no further than the furthest box."""
    median = {side: weighted_median([box[side] for box in boxes], weights) for side in BOX}
    for corner, extent in (("x", "width"), ("y", "height")):
        furthest = max(box[corner] + box[extent] for box in boxes)
        # Corner and extent can be those of two boxes, which must not push it over the picture's edge.
        if median[corner] + median[extent] > furthest:
            median[extent] = furthest - median[corner]
    return median


def with_details(pairs: Pairs, left: Sequence[Item], right: Sequence[Item], *keys: str) -> Pairs:
    """Scale the likeness of items by the mean likeness of the details that either of them carries.

    Args:
        pairs: Likeness of the items' geometry.
        left: The items of the one list.
        right: The items of the other.
        keys: What to compare: ``text`` by its characters, ``attributes`` by their keys, anything else as equal or not.
    """
    if not any(item.get(key) for items in (left, right) for item in items for key in keys):
        return pairs
    return pairs.scaled(
        [
            _detail_likeness(left[row], right[column], keys)
            for row, column in zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True)
        ]
    )


def _mean_likeness(items: Sequence[Item], members: Sequence[Sequence[tuple[Item, float]]], likeness: Likeness) -> Pairs:
    """Average each item's likeness to the members of each cluster."""
    sizes = np.array([len(cluster) for cluster in members], dtype=np.intp)
    every = likeness(items, [item for cluster in members for item, _ in cluster])
    cluster_of = np.repeat(np.arange(len(members)), sizes)
    cells, cell_of = np.unique(every.rows * len(members) + cluster_of[every.columns], return_inverse=True)
    rows, columns = np.divmod(cells, len(members))
    means = np.bincount(cell_of, weights=every.scores, minlength=len(cells)) / sizes[columns]
    return Pairs(rows, columns, means, (len(items), len(members)))


def _free_id(name: str, taken: Mapping[str, float]) -> str:
    if name not in taken:
        return name
    # Room for the suffix: an id has at most 64 characters.
    return next(free for number in count(2) if (free := f"{name[:56]}-{number}") not in taken)


def said_of(thing: str, attributes: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Return one statement per attribute of a thing, for kinds that are compared statement by statement."""
    return {(thing, name, canonical(value)) for name, value in attributes.items()}


def _detail_likeness(left: Item, right: Item, keys: Sequence[str]) -> float:
    found = []
    for key in keys:
        one, other = left.get(key), right.get(key)
        if not one and not other:
            continue
        if key == "text":
            found.append(1.0 - character_distance(one or "", other or ""))
        elif key == "attributes":
            found.append(1.0 - record_distance(one or {}, other or {}))
        else:
            found.append(float(one == other))
    return sum(found) / len(found) if found else 1.0


def _details(cluster: Cluster) -> dict[str, Any]:
    """The nearest text, the attributes voted on and the channels of most, where most members have any."""
    details: dict[str, Any] = {}
    reading, weights = cluster.having("text")
    if reading:
        texts = [item["text"] for item in reading]
        details["text"] = texts[medoid(texts, weights, character_distance)[0]]
    described, weights = cluster.having("attributes")
    if described:
        details["attributes"] = merge_records([item["attributes"] for item in described], weights)
    channeled, weights = cluster.having("channels")
    if channeled:
        details["channels"], _ = elect([item["channels"] for item in channeled], weights)
    return details
