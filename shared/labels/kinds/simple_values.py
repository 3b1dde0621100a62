"""A simple value for a field of any kind: what a client that reads a project's JSON Schema is shown as an example."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.labels.kinds.attributes import Attribute
from shared.labels.kinds.choice import ChoiceOptions
from shared.labels.kinds.items import LabeledOptions
from shared.labels.kinds.kind import FieldOptions
from shared.labels.kinds.ranking import RankingOptions
from shared.labels.kinds.rating import RatingOptions
from shared.labels.kinds.record import RecordOptions
from shared.labels.kinds.regions import RegionsOptions
from shared.labels.kinds.relations import RelationsOptions
from shared.labels.kinds.text import TextOptions

_BOX: Mapping[str, Any] = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
_SCALARS: Mapping[str, Any] = {"text": "some", "number": 1.0, "boolean": True}
_POINTS = [[10.0, 20.0], [40.0, 20.0], [40.0, 60.0]]
_SHAPES: Mapping[str, Callable[[RegionsOptions], Mapping[str, Any]]] = {
    "box": lambda _: _BOX,
    "rotated_box": lambda _: {**_BOX, "x": 30.0, "rotation": 30.0},
    "polygon": lambda _: {"points": _POINTS},
    "polyline": lambda _: {"points": _POINTS},
    "keypoints": lambda options: {"keypoints": {options.keypoints[0]: {"x": 10.0, "y": 20.0}}},
    "mask": lambda _: {"rle": {"size": [4, 5], "counts": "34="}},
}
_ITEMS: Mapping[str, Mapping[str, Any]] = {
    "spans": {"start": 0, "end": 4},
    "turns": {"turn": 0},
    "segments": {"start": 0.5, "end": 2.0},
    "moments": {"time": 1.5},
    "tracks": {"keyframes": [{"frame": 0, **_BOX}]},
}


def simple_value(options: FieldOptions) -> Any:
    """Return a value that the field accepts as long as nothing is known of its asset.

    Args:
        options: Of a field that has no faults.

    Returns:
        The value in canonical form; None where there is none so simple: for records (the project's own schema may have
        examples), and for lists that need several items.
    """
    if isinstance(options, ChoiceOptions):
        least = max(1, options.min_items)
        return sorted(options.options[:least]) if options.multiple else options.options[0]
    if isinstance(options, RatingOptions):
        return float(options.maximum)
    if isinstance(options, RankingOptions):
        return [["A"], ["B"]]
    if isinstance(options, TextOptions):
        return _text(options)
    if isinstance(options, LabeledOptions) and options.min_items <= 1 and options.max_items != 0:
        return [_item(options)]
    return None


def record_examples(options: RecordOptions) -> list[Any]:
    """Return the examples that a record's own schema has."""
    given = options.json_schema.get("examples", [])
    return list(given) if isinstance(given, list | tuple) else []


def _text(options: TextOptions) -> dict[str, Any] | None:
    text = "Some words."
    if not options.min_chars <= len(text) <= options.max_chars:
        return None
    return {"language": options.languages[0], "text": text} if options.languages else {"text": text}


def _item(options: LabeledOptions) -> dict[str, Any]:
    label = options.labels[0]
    item: dict[str, Any] = {"id": "1", "label": label, **_ITEMS.get(options.kind, {})}
    if isinstance(options, RegionsOptions):
        item |= {"shape": options.shapes[0], **_SHAPES[options.shapes[0]](options)}
    if isinstance(options, RelationsOptions):
        item |= {
            "from": {"field": options.from_fields[0], "id": "1"},
            "to": {"field": options.to_fields[0], "id": "2"},
        }
    needed = {
        name: _attribute(attribute)
        for name, attribute in sorted(options.attributes_in_full.items())
        if attribute.required and (not attribute.labels or label in attribute.labels)
    }
    return {**item, "attributes": needed} if needed else item


def _attribute(attribute: Attribute) -> Any:
    return attribute.values[0] if attribute.values is not None else _SCALARS[attribute.type or "text"]
