"""Typed links between items: the vote on each link.

Ends are compared by field and id. Annotators choose ids of their own, so the answers' ends are given common names
before (``services.qa.domain.linked_items``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from services.qa.domain.kinds.answers import Answer, Consensus, canonical, likeness
from services.qa.domain.kinds.items import Cluster, merge_clusters, said_of
from services.qa.domain.kinds.pairs import Item
from shared.labels.kinds.relations import RelationsOptions


def distance(left: Sequence[Item], right: Sequence[Item], options: RelationsOptions) -> float:
    """Tell how far two lists of relations are apart: 1 - F1 over links and their attributes.

    Links are the same when they are of the same type and between the same ends.

    Returns:
        0 for the same links (their own ids do not count), 1 where none are the same.
    """
    one, other = _statements(left), _statements(right)
    total = len(one) + len(other)
    return 1.0 - 2 * len(one & other) / total if total else 0.0


def consensus(answers: Sequence[Answer], options: RelationsOptions) -> Consensus:
    """Keep the links that more than half of the weight drew.

    Returns:
        Relations; confidence is the mean likeness of the answers to them, support each one's share by id.
    """
    total = math.fsum(answer.weight for answer in answers)
    drawn: dict[str, list[tuple[Item, float]]] = {}
    for answer in answers:
        for item in answer.value:
            drawn.setdefault(_link(item), []).append((item, answer.weight))
    found = [
        Cluster(
            items=tuple(item for item, _ in members),
            weights=tuple(weight for _, weight in members),
            share=min(1.0, math.fsum(weight for _, weight in members) / total),
        )
        for _, members in sorted(drawn.items())
    ]
    relations, support = merge_clusters(found, _ends)
    return Consensus(relations, likeness(answers, lambda value: distance(value, relations, options)), support)


def _statements(relations: Sequence[Item]) -> set[tuple[str, ...]]:
    links = {(_link(item),) for item in relations}
    return links.union(*(said_of(_link(item), item.get("attributes", {})) for item in relations))


def _ends(cluster: Cluster) -> dict[str, Any]:
    return {side: cluster.items[0][side] for side in ("from", "to")}


def _link(item: Item) -> str:
    return canonical([item["label"], item["from"], item["to"]])
