"""How far a prediction is from the label: one function per kind, found through one registry.

An error is 0.0 for a prediction that says what the label says and 1.0 for one that is as far off as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.feedback.domain.errors.items import moments_error, regions_error, spans_error, tracks_error
from services.feedback.domain.errors.links import relations_error, turns_error, with_known_ends
from services.feedback.domain.errors.segments import segments_error
from services.feedback.domain.errors.values import (
    choice_error,
    ranking_error,
    rating_error,
    record_error,
    text_error,
)
from shared.labels.kinds import ChoiceOptions, FieldOptions, RelationsOptions
from shared.labels.spec import ProjectSpec

ErrorFunction = Callable[[Any, Any, Any], float]
"""(options of the field, value of the label, value of the prediction) -> 0..1, both values in canonical form."""

ERRORS: Mapping[str, ErrorFunction] = {
    "choice": choice_error,
    "rating": rating_error,
    "ranking": ranking_error,
    "text": text_error,
    "record": record_error,
    "spans": spans_error,
    "regions": regions_error,
    "segments": segments_error,
    "tracks": tracks_error,
    "turns": turns_error,
    "moments": moments_error,
    "relations": relations_error,
}

DECIMALS = 4
"""Digits that an error keeps, so that sums of errors are exact whatever their order."""


def field_errors(spec: ProjectSpec, label: Mapping[str, Any], prediction: Mapping[str, Any]) -> dict[str, float]:
    """Compare every field that both have; a field that the model does not predict is not its error.

    Args:
        spec: The project version that the label was made under.
        label: Fields of the label of record.
        prediction: Fields of the prediction.

    Returns:
        The error of each field, with four digits.
    """
    shared = [name for name in label if name in prediction and name in spec.fields]
    return {
        name: round(_error(spec.fields[name], label[name], _comparable(name, spec, label, prediction)), DECIMALS)
        for name in shared
    }


def confusions(
    spec: ProjectSpec, label: Mapping[str, Any], prediction: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Return (label, prediction) of each single choice that differs."""
    return {
        name: (label[name], prediction[name])
        for name, options in spec.fields.items()
        if isinstance(options, ChoiceOptions) and not options.multiple
        if isinstance(label.get(name), str) and isinstance(prediction.get(name), str)
        if label[name] != prediction[name]
    }


def _comparable(name: str, spec: ProjectSpec, label: Mapping[str, Any], prediction: Mapping[str, Any]) -> Any:
    """Return a predicted value; the ends of relations named as the label names the same items."""
    options = spec.fields[name]
    if isinstance(options, RelationsOptions):
        return with_known_ends(options, prediction[name], spec.fields, label, prediction)
    return prediction[name]


def _error(options: FieldOptions, label: Any, prediction: Any) -> float:
    if label == prediction:
        return 0.0
    return min(1.0, max(0.0, ERRORS[options.kind](options, label, prediction)))
