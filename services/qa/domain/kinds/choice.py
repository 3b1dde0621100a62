"""One or several options: the weighted vote, per option where several may be chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.qa.domain.kinds.answers import Answer, Consensus, is_majority, likeness, shares
from shared.labels.kinds.kind import FieldOptions


def distance(left: str | Sequence[str], right: str | Sequence[str], options: FieldOptions) -> float:
    """Tell how far two choices are apart: the Jaccard distance of the chosen options.

    Returns:
        0 for the same options, 1 for none in common; for one option each it is 0 or 1.

    Source: P. Jaccard, "The distribution of the flora in the alpine zone" (1912).
    """
    chosen, other = _options(left), _options(right)
    if chosen == other:
        return 0.0
    return 1.0 - len(chosen & other) / len(chosen | other)


def consensus(answers: Sequence[Answer], options: FieldOptions) -> Consensus:
    """Return the option with the most weight, or all options that more than half of the weight chose.

    A tie goes to the option first in the alphabet; its confidence, at most a half, keeps it from being final.
    """
    if any(not isinstance(answer.value, str) for answer in answers):
        return _several(answers, options)
    support = shares((answer.value, answer.weight) for answer in answers)
    winner = next(iter(support))
    return Consensus(winner, support[winner], support)


def _several(answers: Sequence[Answer], options: FieldOptions) -> Consensus:
    total = math.fsum(answer.weight for answer in answers)
    named = sorted(frozenset().union(*(_options(answer.value) for answer in answers)))
    support = {
        option: math.fsum(answer.weight for answer in answers if option in _options(answer.value)) / total
        for option in named
    }
    chosen = [option for option in named if is_majority(support[option])]
    return Consensus(chosen, likeness(answers, lambda value: distance(value, chosen, options)), support)


def _options(value: str | Sequence[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)
