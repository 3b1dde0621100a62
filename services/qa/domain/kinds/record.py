"""A JSON object: a vote for each key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.qa.domain.kinds.answers import Answer, Consensus, canonical, elect, likeness
from shared.labels.kinds.kind import FieldOptions

_ABSENT = object()


def distance(left: Mapping[str, Any], right: Mapping[str, Any], options: FieldOptions) -> float:
    """Tell how far two records are apart: the share of their leaves that differ.

    A leaf is a value under a path of keys; a list is one leaf. A leaf that one record lacks differs.

    Returns:
        0 for equal records, 1 when no leaf is the same; two empty records are equal.
    """
    return record_distance(left, right)


def consensus(answers: Sequence[Answer], options: FieldOptions) -> Consensus:
    """Vote for each key, within objects for each of their keys; that a key is absent is a vote as well.

    Returns:
        Confidence is the mean likeness of the answers to the outcome; support gives, by JSON pointer, the share of
        the weight behind each leaf among the answers that have the object around it.
    """
    support: dict[str, float] = {}
    value = merge_records([answer.value for answer in answers], [answer.weight for answer in answers], support)
    return Consensus(value, likeness(answers, lambda given: record_distance(given, value)), support)


def record_distance(left: Mapping[str, Any], right: Mapping[str, Any]) -> float:
    """Return the share of leaves that differ, in 0..1."""
    one, other = dict(_leaves(left)), dict(_leaves(right))
    paths = one.keys() | other.keys()
    if not paths:
        return 0.0
    return sum(one.get(path) != other.get(path) for path in paths) / len(paths)


def merge_records(
    values: Sequence[Mapping[str, Any]],
    weights: Sequence[float],
    support: dict[str, float] | None = None,
    path: str = "",
) -> dict[str, Any]:
    """Merge records key by key.

    Args:
        values: At least one JSON object.
        weights: As many, above 0.
        support: Where to note each leaf's share of the weight, by JSON pointer.
        path: Pointer of the objects that are merged.

    Returns:
        A new object; of equal votes, presence wins over absence, and then the first value in JSON order.
    """
    merged: dict[str, Any] = {}
    for key in sorted({key for value in values for key in value}):
        pointer = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        given = [value.get(key, _ABSENT) for value in values]
        kept, share = elect([_shape(value) for value in given], weights)
        if kept == _shape(_ABSENT):
            continue
        if kept == _shape({}):
            objects = [(value, weight) for value, weight in zip(given, weights, strict=True) if _is_object(value)]
            merged[key] = merge_records([o for o, _ in objects], [w for _, w in objects], support, pointer)
        else:
            merged[key] = kept[1]
            if support is not None:
                support[pointer] = share
    return merged


def _shape(value: Any) -> list[Any]:
    """What is voted on: that there is an object, this very value, or nothing (last in JSON order)."""
    if value is _ABSENT:
        return ["nothing"]
    return ["an object"] if _is_object(value) else ["a value", value]


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for key, item in value.items():
        if _is_object(item) and item:
            found.extend(_leaves(item, (*path, key)))
        else:
            found.append(((*path, key), canonical(item)))
    return found
