"""Describes a project's answers as JSON Schema, for clients and labeling tools that check before they send."""

from typing import Any

from shared.labels.kinds import KINDS, ChoiceOptions, FieldOptions, JsonSchema, RatingOptions, RecordOptions
from shared.labels.kinds.items import LabeledOptions
from shared.labels.kinds.simple_values import record_examples, simple_value
from shared.labels.spec import ProjectSpec


def answer_schema(spec: ProjectSpec) -> JsonSchema:
    """Describe the ``fields`` of an answer.

    Args:
        spec: The project's spec.

    Returns:
        JSON Schema 2020-12 of an object with one property per field, each with an example. What depends on a sample's
        assets (sizes, durations, candidates) and what lists as a whole must keep (unique ids, no overlaps) is beyond
        it: every answer that ``check_answer`` accepts fits the schema in its canonical form, not the other way round.
    """
    properties: dict[str, JsonSchema] = {}
    for name, options in spec.fields.items():
        told = {"title": options.title, "description": options.help, "examples": _examples(options) or None}
        schema = KINDS[options.kind].json_schema(options)
        properties[name] = {**schema, **{key: part for key, part in told.items() if part is not None}}
    required = [name for name, options in spec.fields.items() if options.required and _always_there(spec, options)]
    conditions = [
        condition
        for name, options in sorted(spec.fields.items())
        if _always_there(spec, options) and (condition := _condition(spec, name, options)) is not None
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": spec.title,
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        **({"allOf": conditions} if conditions else {}),
        "additionalProperties": False,
    }


def _examples(options: FieldOptions) -> list[Any]:
    if isinstance(options, RecordOptions):
        return record_examples(options)
    value = simple_value(options)
    return [] if value is None else [value]


def _always_there(spec: ProjectSpec, options: FieldOptions) -> bool:
    """Tell whether a field can be answered for every sample; one about an asset that is absent never can."""
    return options.asset is None or (options.asset in spec.assets and spec.assets[options.asset].required)


def _condition(spec: ProjectSpec, name: str, options: FieldOptions) -> JsonSchema | None:
    """Say under which answer to another field this one is required."""
    if options.required_if is None:
        return None
    other = options.required_if.field
    met = _meeting(spec.fields[other], options.required_if.any_of)
    return {"if": {"properties": {other: met}, "required": [other]}, "then": {"required": [name]}}


def _meeting(other: FieldOptions, any_of: tuple[Any, ...]) -> JsonSchema:
    """Describe the values of the other field that meet a condition."""
    wanted: JsonSchema = {"enum": list(any_of)}
    if isinstance(other, LabeledOptions):
        labeled = {"properties": {"label": wanted}, "required": ["label"]}
        return {"contains": labeled} if any_of else {"minItems": 1}
    if isinstance(other, ChoiceOptions) and other.multiple:
        return {"contains": wanted} if any_of else {"minItems": 1}
    if isinstance(other, ChoiceOptions | RatingOptions) and any_of:
        return wanted
    return {"minProperties": 1} if isinstance(other, RecordOptions) else {}
