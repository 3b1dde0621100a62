"""Errors of the kinds whose value is one thing: choice, rating, ranking, text, record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import jiwer

from shared.labels.kinds import ChoiceOptions, RankingOptions, RatingOptions, RecordOptions, TextOptions

_ABSENT = object()


def choice_error(options: ChoiceOptions, label: Any, prediction: Any) -> float:
    """Return 1 for another option; of multiple choices the Jaccard distance of the sets."""
    if not options.multiple:
        return float(label != prediction)
    wanted, given = set(label), set(prediction)
    return 1 - len(wanted & given) / len(wanted | given) if wanted | given else 0.0


def rating_error(options: RatingOptions, label: float, prediction: float) -> float:
    """Return the distance as a share of the scale."""
    return abs(label - prediction) / (options.maximum - options.minimum)


def ranking_error(
    options: RankingOptions, label: Sequence[Sequence[str]], prediction: Sequence[Sequence[str]]
) -> float:
    """Return the mean over all pairs of candidates: 0 same order, 1/2 tied in one of the two, 1 turned round.

    Source: R. Fagin et al., "Comparing and Aggregating Rankings with Ties" (2004), K with penalty 1/2.
    """
    wanted, given = _ranks(label), _ranks(prediction)
    pairs = list(combinations(sorted(wanted.keys() & given.keys()), 2))
    if not pairs:
        return 0.0
    return sum(_pair_penalty(wanted[a] - wanted[b], given[a] - given[b]) for a, b in pairs) / len(pairs)


def text_error(options: TextOptions, label: Mapping[str, Any], prediction: Mapping[str, Any]) -> float:
    """Return the character error rate, at most 1; it suits languages without spaces too."""
    return character_errors(label["text"], prediction["text"])


def character_errors(wanted: str, given: str) -> float:
    """Return insertions, deletions and substitutions per character of ``wanted``, at most 1.

    Source: V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals" (1966).
    """
    if not wanted.strip() or not given.strip():
        return float(wanted.strip() != given.strip())
    return min(1.0, float(jiwer.cer(wanted, given)))


def record_error(options: RecordOptions, label: Any, prediction: Any) -> float:
    """Return the share of leaves (values below any keys) that differ or that only one of the two has."""
    wanted, given = dict(_leaves(label)), dict(_leaves(prediction))
    places = wanted.keys() | given.keys()
    differing = sum(wanted.get(place, _ABSENT) != given.get(place, _ABSENT) for place in places)
    return differing / len(places) if places else 0.0


def _ranks(tiers: Sequence[Sequence[str]]) -> dict[str, int]:
    return {candidate: rank for rank, tier in enumerate(tiers) for candidate in tier}


def _pair_penalty(wanted: int, given: int) -> float:
    if (wanted == 0) != (given == 0):
        return 0.5
    return float(wanted * given < 0)


def _leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the place and value of each leaf; an empty object or list is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, (*place, str(key)))
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _leaves(part, (*place, str(index)))
    else:
        yield place, value
