"""Pieces of JSON Schema that several kinds share."""

from collections.abc import Mapping, Sequence

from shared.labels.kinds.attributes import attributes_schema
from shared.labels.kinds.items import LabeledOptions
from shared.labels.kinds.kind import JsonSchema
from shared.labels.values import ITEM_ID_PATTERN, MAX_COORDINATE

ITEM_ID: JsonSchema = {"type": "string", "pattern": ITEM_ID_PATTERN}
COORDINATE: JsonSchema = {"type": "number", "minimum": 0, "maximum": MAX_COORDINATE}
EXTENT: JsonSchema = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_COORDINATE}


def object_schema(properties: Mapping[str, JsonSchema], required: Sequence[str]) -> JsonSchema:
    """Describe an object that has no keys but these."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def items_schema(
    options: LabeledOptions, properties: Mapping[str, JsonSchema], *, required: Sequence[str], limit: int
) -> JsonSchema:
    """Describe a list of labeled items of one shape."""
    return list_schema(options, with_attributes(options, properties, required), limit=limit)


def with_attributes(
    options: LabeledOptions, properties: Mapping[str, JsonSchema], required: Sequence[str]
) -> JsonSchema:
    """Describe an item that has these keys, and attributes where the field declares some."""
    if not options.attributes:
        return object_schema(properties, required)
    attributes = attributes_schema(options.attributes_in_full)
    needed = [*required, *(["attributes"] if attributes["required"] else [])]
    return object_schema({**properties, "attributes": attributes}, needed)


def list_schema(options: LabeledOptions, item: JsonSchema, *, limit: int) -> JsonSchema:
    """Describe a list of labeled items within the field's bounds."""
    most = limit if options.max_items is None else min(limit, options.max_items)
    return {"type": "array", "items": item, "minItems": options.min_items, "maxItems": most}
