"""Agreement and consensus of each kind of field, found through one registry.

A kind is a module with ``distance(left, right, options)`` and ``consensus(answers, options)``; what holds for all of them
(no answers, no value, equal values, the order of the answers, a valid outcome) is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from services.qa.domain.kinds import (
    choice,
    moments,
    ranking,
    rating,
    record,
    regions,
    relations,
    segments,
    spans,
    text,
    tracks,
    turns,
)
from services.qa.domain.kinds.answers import Answer, Consensus, canonical, medoid
from services.qa.domain.kinds.pairs import Item, Pairs
from shared.labels.kinds import KINDS as LABEL_KINDS

__all__ = ["KINDS", "Answer", "Consensus", "QaKind"]


@dataclass(frozen=True)
class QaKind:
    """How far two values of a kind are apart, and what several say together."""

    name: str
    _distance: Callable[[Any, Any, Any], float]
    _consensus: Callable[[Sequence[Answer], Any], Consensus]
    _likeness: Callable[[Sequence[Item], Sequence[Item], Any], Pairs] | None = None

    def distance(self, left: Any, right: Any, options: Any) -> float:
        """Tell how far two values are apart.

        Args:
            left: A value in the kind's canonical form, or None for no answer.
            right: The same.
            options: The field's options in the project spec.

        Returns:
            0..1, symmetric, 0 for equal values. No answer is as far from an answer as can be.
        """
        if left is None or right is None:
            return float((left is None) != (right is None))
        if canonical(left) == canonical(right):  # to Python, True equals 1 as well
            return 0.0
        return min(1.0, max(0.0, self._distance(left, right, options)))

    def likeness(self, left: Sequence[Item], right: Sequence[Item], options: Any) -> Pairs:
        """Tell how much items of two lists are the same thing, whatever ids they have.

        Args:
            left: Items in the kind's canonical form.
            right: The same.
            options: The field's options in the project spec.

        Raises:
            TypeError: The kind has no items that others could refer to.
        """
        if self._likeness is None:
            raise TypeError(f"A {self.name} has no items.")
        return self._likeness(left, right, options)

    def consensus(self, answers: Sequence[Answer], options: Any) -> Consensus:
        """Find what the answers say together.

        Args:
            answers: In any order, which has no influence; those without a value are left out.
            options: The field's options in the project spec.

        Returns:
            A value that the field accepts, in canonical form, with its confidence and support. Without any answer the
            value is None and the confidence 0. Where what most say would break the field's own bounds (fewer items than
            it asks for), the answer nearest to all others takes its place.
        """
        given = sorted(
            (answer for answer in answers if answer.value is not None),
            key=lambda answer: (-answer.weight, canonical(answer.value), answer.annotator_id),
        )
        if not given:
            return Consensus(None, 0.0)
        found = self._consensus(given, options)
        checked = LABEL_KINDS[self.name].check(options, None, found.value)
        if not checked.faults:
            return Consensus(checked.value, found.confidence, found.support)
        values = [answer.value for answer in given]
        nearest, confidence = medoid(
            values, [answer.weight for answer in given], lambda left, right: self.distance(left, right, options)
        )
        return Consensus(values[nearest], min(confidence, found.confidence), found.support)


_LIKENESS: Mapping[str, Callable[[Sequence[Item], Sequence[Item], Any], Pairs]] = {
    "moments": moments.moment_likeness,
    "regions": lambda left, right, _: regions.region_likeness(left, right),
    "segments": lambda left, right, _: spans.range_likeness(left, right),
    "spans": lambda left, right, _: spans.range_likeness(left, right),
    "tracks": lambda left, right, _: tracks.track_likeness(left, right),
    "turns": lambda left, right, _: turns.turn_likeness(left, right),
}

KINDS: Mapping[str, QaKind] = MappingProxyType(
    {
        name: QaKind(name, module.distance, module.consensus, _LIKENESS.get(name))
        for name, module in {
            "choice": choice,
            "moments": moments,
            "ranking": ranking,
            "rating": rating,
            "record": record,
            "regions": regions,
            "relations": relations,
            "segments": segments,
            "spans": spans,
            "text": text,
            "tracks": tracks,
            "turns": turns,
        }.items()
    }
)
"""All kinds by name; a test names a kind of ``shared.labels`` that is missing here."""
