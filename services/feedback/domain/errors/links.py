"""Errors of what is said of a conversation's turns and of links: 1 - F1 over the single statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.feedback.domain.errors.items import same_items
from shared.labels.kinds import FieldOptions, RelationsOptions, TurnsOptions

Item = Mapping[str, Any]
Statement = tuple[Any, ...]


def turns_error(options: TurnsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over labeled turns and links between turns."""
    return _error(*(_turn_statements(turns) for turns in (label, prediction)))


def relations_error(options: RelationsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return 1 - F1 over links of the same type between the same ends; ``with_known_ends`` names them alike."""
    return _error(
        *({(item["label"], _end(item["from"]), _end(item["to"])) for item in of} for of in (label, prediction))
    )


def with_known_ends(
    options: RelationsOptions,
    relations: Sequence[Item],
    fields: Mapping[str, FieldOptions],
    label: Mapping[str, Any],
    prediction: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Name the ends of predicted relations after the label's items.

    Args:
        options: Of the field of the relations.
        relations: Predicted relations in canonical form.
        fields: All fields of the project.
        label: Fields of the label of record.
        prediction: Fields of the prediction, whose items the relations link.

    Returns:
        The relations; an end that is none of the label's items has an id that no item can have.
    """
    linked = {*options.from_fields, *options.to_fields} & fields.keys()
    known = {name: _names(fields[name], label.get(name) or (), prediction.get(name) or ()) for name in linked}

    def renamed(end: Mapping[str, str]) -> dict[str, str]:
        return {
            "field": end["field"],
            "id": known.get(end["field"], {}).get(end["id"], f"not in the label: {end['id']}"),
        }

    found = []
    for item in relations:
        ends = [renamed(item["from"]), renamed(item["to"])]
        if not options.directed:
            ends.sort(key=_end)
        found.append({**item, "from": ends[0], "to": ends[1]})
    return found


def _names(options: FieldOptions, label: Sequence[Item], prediction: Sequence[Item]) -> dict[str, str]:
    same = same_items(options, label, prediction)
    return {prediction[given]["id"]: label[wanted]["id"] for given, wanted in same.items()}


def _turn_statements(turns: Sequence[Item]) -> set[Statement]:
    links = {(item["turn"], link["to"], link["label"]) for item in turns for link in item.get("links", ())}
    return {(item["turn"], item["label"]) for item in turns} | links


def _end(end: Mapping[str, str]) -> tuple[str, str]:
    return end["field"], end["id"]


def _error(wanted: set[Statement], given: set[Statement]) -> float:
    total = len(wanted) + len(given)
    return 1 - 2 * len(wanted & given) / total if total else 0.0
