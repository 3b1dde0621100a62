"""A label per turn of a conversation: the vote on each turn, and on each link between two turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from services.qa.domain.kinds.answers import Answer, Consensus, elect, is_majority, likeness
from services.qa.domain.kinds.items import Cluster, merge_clusters, said_of
from services.qa.domain.kinds.pairs import Item, Pairs
from shared.labels.kinds.turns import TurnsOptions

Link = tuple[int, int, str]
"""From a turn, to a turn, type."""


def distance(left: Sequence[Item], right: Sequence[Item], options: TurnsOptions) -> float:
    """Tell how far two labelings of a conversation are apart: 1 - F1 over labeled turns, their attributes and links.

    Returns:
        0 for the same labels and links (ids do not count), 1 where none are the same.
    """
    one, other = _statements(left), _statements(right)
    total = len(one) + len(other)
    return 1.0 - 2 * len(one & other) / total if total else 0.0


def consensus(answers: Sequence[Answer], options: TurnsOptions) -> Consensus:
    """Label each turn that more than half of the weight labeled, with the label that has most weight.

    A link is kept when more than half of the weight drew it, between turns that are kept.

    Returns:
        Turns; confidence is the mean likeness of the answers to them, support the share of each turn by id.
    """
    total = math.fsum(answer.weight for answer in answers)
    labeled: dict[int, list[tuple[Item, float]]] = {}
    drawn: dict[Link, float] = {}
    for answer in answers:
        for item in answer.value:
            labeled.setdefault(item["turn"], []).append((item, answer.weight))
        for link in _links(answer.value):
            drawn[link] = drawn.get(link, 0.0) + answer.weight
    found = [
        _cluster(members, math.fsum(weight for _, weight in members) / total) for _, members in sorted(labeled.items())
    ]
    turns, support = merge_clusters(found, _voted_turn)
    kept = [link for link, weight in sorted(drawn.items()) if is_majority(weight / total)]
    value = [turn | _links_from(turn["turn"], kept) for turn in turns]
    return Consensus(value, likeness(answers, lambda given: distance(given, value, options)), support)


def turn_likeness(left: Sequence[Item], right: Sequence[Item]) -> Pairs:
    """Return 1 for items about the same turn, whatever their labels are."""
    column_of = {item["turn"]: column for column, item in enumerate(right)}
    pairs = [(row, column_of[item["turn"]]) for row, item in enumerate(left) if item["turn"] in column_of]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return Pairs(rows, columns, np.ones(len(pairs)), (len(left), len(right)))


def _cluster(members: Sequence[tuple[Item, float]], share: float) -> Cluster:
    return Cluster(
        items=tuple(item for item, _ in members), weights=tuple(weight for _, weight in members), share=min(1.0, share)
    )


def _voted_turn(cluster: Cluster) -> dict[str, Any]:
    label, _ = elect([item["label"] for item in cluster.items], cluster.weights)
    return {"turn": cluster.items[0]["turn"], "label": label}


def _statements(turns: Sequence[Item]) -> set[tuple[Any, ...]]:
    labels = {(item["turn"], item["label"]) for item in turns}
    more = (said_of(str(item["turn"]), item.get("attributes", {})) for item in turns)
    return labels.union(_links(turns), *more)


def _links(turns: Sequence[Item]) -> list[Link]:
    return [(item["turn"], link["to"], link["label"]) for item in turns for link in item.get("links", ())]


def _links_from(turn: int, links: Sequence[Link]) -> dict[str, Any]:
    found = [{"to": to, "label": label} for start, to, label in links if start == turn]
    return {"links": found} if found else {}
