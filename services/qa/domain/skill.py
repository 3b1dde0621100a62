"""How well each annotator does, field by field, and how much that makes an answer count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from services.qa.domain.kinds import KINDS
from services.qa.domain.linked_items import with_common_ends
from shared.labels.kinds import RelationsOptions
from shared.labels.spec import ProjectSpec

UNKNOWN_ACCURACY = 0.7
"""What an annotator is held to before anything is known."""

PRIOR_ANSWERS = 10.0
"""Answers that the prior weighs as much as: a few lucky ones do not make an expert."""

LOWEST_ACCURACY, HIGHEST_ACCURACY = 0.55, 0.97
"""Bounds of the accuracy behind a weight: nobody votes against himself, nobody outvotes four unknown annotators."""

_Z95 = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Tally:
    """Scores of one field added up: how much of the answers was right, how much was wrong."""

    right: float = 0.0
    wrong: float = 0.0

    @property
    def answers(self) -> float:
        """The number of answers that were scored."""
        return self.right + self.wrong


@dataclass(frozen=True)
class Accuracy:
    """An accuracy in 0..1 with its 95 % interval and the number of answers behind it."""

    estimate: float
    low: float
    high: float
    answers: float


@dataclass(frozen=True)
class AnnotatorSkill:
    """What QA knows of one annotator's answers, by field."""

    annotator_id: str
    tallies: Mapping[str, Tally] = field(default_factory=lambda: MappingProxyType({}))

    def assess(self, scores: Mapping[str, float]) -> AnnotatorSkill:
        """Add the scores of one judged answer.

        Args:
            scores: By field, 0 (wrong) to 1 (right); parts count, so a box half right adds a half to both.

        Returns:
            The skill with the scores added; this one stays as it is.

        Raises:
            ValueError: A score is not in 0..1.
        """
        tallies = dict(self.tallies)
        for name, score in scores.items():
            if not 0.0 <= score <= 1.0:
                raise ValueError(f"The score of field {name} is {score}; give the share that was right, 0 to 1.")
            old = tallies.get(name, Tally())
            tallies[name] = Tally(old.right + score, old.wrong + 1.0 - score)
        return replace(self, tallies=MappingProxyType(tallies))

    def accuracy(self, name: str | None = None) -> Accuracy:
        """Tell how often the annotator is right.

        Args:
            name: A field; None for all fields together.

        Returns:
            The share of right answers with its Wilson interval. With no answer yet, ``UNKNOWN_ACCURACY`` within 0..1.
        """
        tally = self._tally(name)
        if not tally.answers:
            return Accuracy(UNKNOWN_ACCURACY, 0.0, 1.0, 0.0)
        return share_of(tally.right, tally.wrong)

    def weight(self, name: str) -> float:
        """Tell how much an answer of this annotator counts in a vote on a field.

        The accuracy is the mean of the beta posterior, whose prior says ``UNKNOWN_ACCURACY`` with the weight of
        ``PRIOR_ANSWERS`` answers; before the field has been judged, that is the whole of it.
        """
        tally = self._tally(name)
        right = tally.right + PRIOR_ANSWERS * UNKNOWN_ACCURACY
        return weight_of(right / (tally.answers + PRIOR_ANSWERS))

    def _tally(self, name: str | None) -> Tally:
        if name is not None:
            return self.tallies.get(name, Tally())
        return Tally(
            math.fsum(tally.right for tally in self.tallies.values()),
            math.fsum(tally.wrong for tally in self.tallies.values()),
        )


def share_of(right: float, wrong: float) -> Accuracy:
    """Tell a share with its 95 % Wilson interval.

    Args:
        right: How many, or how much, was right; not negative.
        wrong: The same of what was wrong.

    Returns:
        The share in 0..1; 0.0 within 0..1 when there is nothing to take a share of.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    answers = right + wrong
    if not answers:
        return Accuracy(0.0, 0.0, 1.0, 0.0)
    share = right / answers
    spread = 1.0 + _Z95**2 / answers
    middle = (share + _Z95**2 / (2 * answers)) / spread
    half = _Z95 * math.sqrt(share * (1 - share) / answers + _Z95**2 / (4 * answers**2)) / spread
    return Accuracy(share, max(0.0, middle - half), min(1.0, middle + half), answers)


def weight_of(accuracy: float) -> float:
    """Turn an accuracy into the weight of a vote: its log-odds, within bounds.

    Args:
        accuracy: Share of right answers, 0..1.

    Returns:
        0.20 (at 0.55 or less) to 3.48 (at 0.97 or more); 0.85 for ``UNKNOWN_ACCURACY``.

    Source: S. Nitzan and J. Paroush, "Optimal decision rules in uncertain dichotomous choice situations" (1982).
    """
    bounded = min(HIGHEST_ACCURACY, max(LOWEST_ACCURACY, accuracy))
    return math.log(bounded / (1.0 - bounded))


UNKNOWN_WEIGHT = weight_of(UNKNOWN_ACCURACY)


def score_answer(
    spec: ProjectSpec, answer_fields: Mapping[str, Any], final_fields: Mapping[str, Any]
) -> dict[str, float]:
    """Compare an answer with what became final.

    Args:
        spec: The project version under which the answer was given.
        answer_fields: The answer, values by field; a field may be missing or None.
        final_fields: The final label, in the same way.

    Returns:
        By field, 1 - distance, 0..1. Fields that neither of the two fills are left out: there was nothing to get right.
    """
    return {
        name: 1.0 - KINDS[options.kind].distance(*_comparable(name, spec, answer_fields, final_fields), options)
        for name, options in spec.fields.items()
        if answer_fields.get(name) is not None or final_fields.get(name) is not None
    }


def _comparable(name: str, spec: ProjectSpec, answer: Mapping[str, Any], final: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return an answer's value and the final one; relations with common names for the items that they link."""
    if isinstance(spec.fields[name], RelationsOptions):
        decided, given = with_common_ends(name, spec.fields, [final, answer])
        return given, decided
    return answer.get(name), final.get(name)
