"""Whether what a field says of other fields can be: the condition it is required under, the items it links."""

from collections.abc import Mapping, Sequence

from shared.labels.faults import Fault, listed, pointer_of, quoted, suggestion
from shared.labels.kinds import ChoiceOptions, FieldOptions, RatingOptions, RelationsOptions
from shared.labels.kinds.items import LabeledOptions
from shared.labels.kinds.kind import Condition


def field_reference_faults(fields: Mapping[str, FieldOptions], names: frozenset[str]) -> list[Fault]:
    """Find references between fields that lead nowhere.

    Args:
        fields: The fields of a spec that are sound in themselves.
        names: The names of all its fields; what refers to an unsound one is not looked at.

    Returns:
        Faults with pointers into the spec.
    """
    faults: list[Fault] = []
    for name, field in fields.items():
        if field.required_if is not None:
            pointer = pointer_of(("fields", name, "required_if"))
            faults.extend(_condition_faults(pointer, name, field, field.required_if, fields, names))
        if isinstance(field, RelationsOptions):
            for role, ends in (("from", field.from_fields), ("to", field.to_fields)):
                faults.extend(_end_faults(pointer_of(("fields", name, role)), ends, fields, names))
    return faults


def _condition_faults(
    pointer: str,
    name: str,
    field: FieldOptions,
    condition: Condition,
    fields: Mapping[str, FieldOptions],
    names: frozenset[str],
) -> list[Fault]:
    if field.required:
        message = "The field is required in any case; drop required or required_if."
        return [Fault(pointer=pointer, code="contradiction", message=message)]
    if condition.field == name:
        message = "A field cannot be required by its own answer; name another field."
        return [Fault(pointer=f"{pointer}/field", code="contradiction", message=message)]
    if condition.field not in names:
        message = f"{quoted(condition.field)} is not a field of this project; {suggestion(condition.field, names)}"
        return [Fault(pointer=f"{pointer}/field", code="unknown-field", message=message)]
    other = fields.get(condition.field)
    if other is None or not condition.any_of:
        return []
    return _value_faults(f"{pointer}/any_of", condition, other)


def _value_faults(pointer: str, condition: Condition, other: FieldOptions) -> list[Fault]:
    if isinstance(other, RatingOptions):
        possible = [other.minimum <= value <= other.maximum for value in condition.any_of if not isinstance(value, str)]
        if all(possible) and len(possible) == len(condition.any_of):
            return []
        message = (
            f"{quoted(condition.field)} is a rating from {other.minimum:g} to {other.maximum:g}; name such numbers."
        )
        return [Fault(pointer=pointer, code="out-of-range", message=message)]
    if isinstance(other, ChoiceOptions):
        known: Sequence[str] = other.options
    elif isinstance(other, LabeledOptions):
        known = other.labels
    else:
        message = f"A {other.kind} has no options or labels to ask for; drop any_of."
        return [Fault(pointer=pointer, code="contradiction", message=message)]
    return [
        Fault(
            pointer=f"{pointer}/{position}",
            code="unknown-option",
            message=f"{quoted(value)} is not in {quoted(condition.field)}; {suggestion(value, known)}",
        )
        for position, value in enumerate(condition.any_of)
        if value not in known
    ]


def _end_faults(
    pointer: str, ends: Sequence[str], fields: Mapping[str, FieldOptions], names: frozenset[str]
) -> list[Fault]:
    with_items = [name for name, field in fields.items() if has_items(field)]
    faults = []
    for position, name in enumerate(ends):
        if name not in names:
            message = f"{quoted(name)} is not a field of this project; {suggestion(name, with_items)}"
            faults.append(Fault(pointer=f"{pointer}/{position}", code="unknown-field", message=message))
        elif name in fields and not has_items(fields[name]):
            allowed = listed(with_items) or "none yet"
            message = f"{quoted(name)} has no items that could be linked; fields that have: {allowed}."
            faults.append(Fault(pointer=f"{pointer}/{position}", code="no-items", message=message))
    return faults


def has_items(field: FieldOptions) -> bool:
    """Tell whether a field's value is a list of items that a relation may end at."""
    return isinstance(field, LabeledOptions) and not isinstance(field, RelationsOptions)
