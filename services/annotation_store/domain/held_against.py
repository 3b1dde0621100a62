"""Labels of record held against fields that a new version of their project would have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field

from shared.labels.answer import check_value
from shared.labels.kinds import FieldOptions


class FieldTally(BaseModel):
    """How the labels that were looked at stand to one field."""

    have: int = Field(0, description="Labels with a value for it.")
    missing: int = Field(0, description="Labels without one.")
    invalid: int = Field(0, description="Labels whose value the field would not take; all that have one if it is gone.")


class LabelTally(BaseModel):
    """How a project's labels of record stand to some fields."""

    labels: int = Field(0, description="Labels that were looked at.")
    complete: bool = Field(True, description="Whether those are all; else they are as good as a random sample.")
    fields: dict[str, FieldTally] = {}


def tally(fields: Mapping[str, FieldOptions | None], labels: Iterable[Mapping[str, Any]]) -> LabelTally:
    """Hold labels against fields.

    Args:
        fields: By name, as they would be; None where the field would be gone.
        labels: The fields of each label, in canonical form.

    Returns:
        Counts. A value is held against the field's options alone: what depends on a sample's assets has not changed.
    """
    found = LabelTally(fields={name: FieldTally() for name in fields})
    for label in labels:
        found.labels += 1
        for name, options in fields.items():
            counted = found.fields[name]
            if label.get(name) is None:
                counted.missing += 1
                continue
            counted.have += 1
            if options is None or check_value(options, None, label[name])[1]:
                counted.invalid += 1
    return found


def together(one: LabelTally, other: LabelTally) -> LabelTally:
    """Add up what two parts of a project's labels say of the same fields."""
    return LabelTally(
        labels=one.labels + other.labels,
        complete=one.complete and other.complete,
        fields={
            name: FieldTally(
                have=counted.have + other.fields[name].have,
                missing=counted.missing + other.fields[name].missing,
                invalid=counted.invalid + other.fields[name].invalid,
            )
            for name, counted in one.fields.items()
        },
    )
