"""What an item may say beside its label: values that a field declares by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from shared.labels.faults import Fault, pointer_of, quoted, suggestion
from shared.labels.kinds.kind import MAX_LABELS, JsonSchema, Problem, duplicates
from shared.labels.values import Flag, Frozen, Label, Number, Prose, normalized, rounded

MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_CHARS = 200

AttributeType = Literal["text", "number", "boolean"]
Values = Annotated[tuple[Label, ...], Field(min_length=1, max_length=MAX_LABELS)]


class Attribute(Frozen):
    """An attribute in full."""

    type: AttributeType | None = Field(None, description="Of the value; or give `values`.")
    values: Values | None = Field(None, description="The values of which one is chosen.")
    labels: tuple[Label, ...] = Field((), max_length=MAX_LABELS, description="The labels that have it; all without.")
    required: Flag = Field(False, description="Every item of these labels must say it.")


def _form(given: object) -> str:
    if isinstance(given, Attribute | Mapping):
        return "full"
    return "values" if isinstance(given, list | tuple) else "type"


AttributeSpec = Annotated[
    Annotated[AttributeType, Tag("type")] | Annotated[Values, Tag("values")] | Annotated[Attribute, Tag("full")],
    Discriminator(_form),
]
"""What an attribute may be: a type, or one of a list of values, or either with more said about it."""

_SCALARS: Mapping[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(Annotated[Prose, Field(min_length=1, max_length=MAX_ATTRIBUTE_CHARS)]),
    "number": TypeAdapter(Number),
    "boolean": TypeAdapter(Flag),
}


def in_full(spec: str | tuple[str, ...] | Attribute) -> Attribute:
    """Return an attribute in full, however short it was declared."""
    if isinstance(spec, Attribute):
        return spec
    return Attribute(values=spec) if isinstance(spec, tuple) else Attribute.model_validate({"type": spec})


def attribute_faults(attributes: Mapping[str, Attribute], labels: frozenset[str]) -> list[Fault]:
    """Find attributes without a type or with two, values given twice, and labels that the field does not have.

    Args:
        attributes: By name.
        labels: The field's labels.

    Returns:
        Faults with pointers into the field.
    """
    faults = []
    for name, attribute in attributes.items():
        pointer = f"/attributes/{name}"
        if (attribute.type is None) == (attribute.values is None):
            message = "An attribute has either a type or a list of values; give one of the two."
            faults.append(Fault(pointer=pointer, code="contradiction", message=message))
        faults.extend(duplicates(pointer, attribute.values or ()))
        faults.extend(
            Fault(
                pointer=f"{pointer}/labels/{position}",
                code="unknown-label",
                message=f"{quoted(label)} is not a label of this field; {suggestion(label, sorted(labels))}",
            )
            for position, label in enumerate(attribute.labels)
            if label not in labels
        )
    return faults


def canonical_attributes(
    declared: Mapping[str, Attribute], label: str, given: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[Problem]]:
    """Check what an item says beside its label.

    Args:
        declared: The field's attributes by name.
        label: The item's label.
        given: The item's attributes; None where it has none.

    Returns:
        The attributes, sorted by name, numbers rounded, text in NFC; and what is wrong with them.
    """
    if given is not None and not declared:
        return {}, [Problem("/attributes", "not-asked", "this field asks for no attributes; leave them out.")]
    form: dict[str, Any] = {}
    problems = []
    for name, value in sorted((given or {}).items()):
        form[name] = value
        problem = _problem(declared, label, name, value)
        if problem is not None:
            problems.append(problem)
        elif declared[name].type == "text":
            form[name] = normalized(value)
        elif declared[name].type == "number":
            form[name] = rounded(float(value))
    problems.extend(
        Problem("/attributes", "missing-attribute", f"an item labeled {quoted(label)} must say {quoted(name)}.")
        for name, attribute in declared.items()
        if attribute.required and name not in form and _belongs(attribute, label)
    )
    return form, problems


def attributes_schema(attributes: Mapping[str, Attribute]) -> JsonSchema:
    """Describe the attributes of an item as JSON Schema."""
    return {
        "type": "object",
        "properties": {name: _schema_of(attribute) for name, attribute in attributes.items()},
        "required": [name for name, attribute in attributes.items() if attribute.required and not attribute.labels],
        "additionalProperties": False,
    }


def _belongs(attribute: Attribute, label: str) -> bool:
    return not attribute.labels or label in attribute.labels


def _problem(declared: Mapping[str, Attribute], label: str, name: str, value: object) -> Problem | None:
    path = pointer_of(("attributes", name))
    if name not in declared:
        message = f"{quoted(name)} is not an attribute of this field; {suggestion(name, declared)}"
        return Problem(path, "unknown-attribute", message)
    attribute = declared[name]
    if not _belongs(attribute, label):
        message = f"{quoted(name)} is said of {', '.join(map(quoted, attribute.labels[:12]))}, not of {quoted(label)}."
        return Problem(path, "not-asked", message)
    if attribute.values is not None:
        if isinstance(value, str) and value in attribute.values:
            return None
        message = f"{quoted(value)} is not a value of {name}; {suggestion(value, attribute.values)}"
        return Problem(path, "unknown-value", message)
    try:
        _SCALARS[attribute.type or "text"].validate_python(value)
    except ValidationError:
        return Problem(path, "wrong-type", f"{quoted(name)} must be a {attribute.type}, not {quoted(value)}.")
    return None


def _schema_of(attribute: Attribute) -> JsonSchema:
    if attribute.values is not None:
        return {"enum": list(attribute.values)}
    if attribute.type == "text":
        return {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_CHARS}
    return {"type": attribute.type}
