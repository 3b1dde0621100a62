"""Free text: the answer nearest to all others by characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from services.qa.domain.kinds.answers import Answer, Consensus, medoid
from shared.labels.kinds.kind import FieldOptions


def distance(left: Mapping[str, Any], right: Mapping[str, Any], options: FieldOptions) -> float:
    """Tell how far two texts are apart; texts in two languages have nothing in common.

    Returns:
        :func:`character_distance`, or 1 where both name a language and they differ (``en`` and ``en-US`` do not).
    """
    languages = {str(value["language"]).split("-")[0].lower() for value in (left, right) if value.get("language")}
    if len(languages) > 1:
        return 1.0
    return character_distance(str(left.get("text") or ""), str(right.get("text") or ""))


def consensus(answers: Sequence[Answer], options: FieldOptions) -> Consensus:
    """Return the answer with the least weighted distance to all (an own mixture of texts might make no sense)."""
    values, weights = [answer.value for answer in answers], [answer.weight for answer in answers]
    best, confidence = medoid(values, weights, lambda left, right: distance(left, right, options))
    support = {answer.annotator_id: max(0.0, 1.0 - distance(answer.value, values[best], options)) for answer in answers}
    return Consensus(values[best], confidence, dict(sorted(support.items())))


def character_distance(left: str, right: str) -> float:
    """Count edits of code points per code point of the longer text: a character error rate that is symmetric.

    Unicode form and the amount of white space do not count.

    Returns:
        0 for equal texts, 1 where nothing is left in place; two empty texts are equal.

    Source: V. Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals" (1966).
    """
    return float(Levenshtein.normalized_distance(_plain(left), _plain(right)))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
