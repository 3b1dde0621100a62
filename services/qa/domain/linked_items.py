"""Which items of different answers are one thing, so that relations between them can be compared.

Each annotator names items with ids of their own choice. Here the ends of relations get common names: items that a
kind's likeness holds to be one have one name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from services.qa.domain.kinds import KINDS
from services.qa.domain.kinds.items import SAME_ITEM
from services.qa.domain.kinds.pairs import Item
from shared.labels.kinds import FieldOptions, RelationsOptions

Fields = Mapping[str, Any]


def with_common_ends(name: str, fields: Mapping[str, FieldOptions], answers: Sequence[Fields]) -> list[Any]:
    """Name the ends of relations alike in all answers.

    Args:
        name: A field of kind relations.
        fields: All fields of the project.
        answers: Values by field, in canonical form; the first answer's ids stay as they are.

    Returns:
        The relations of each answer, with ends named after the first answer that has the same item; None for answers
        without the field.
    """
    options = fields[name]
    if not isinstance(options, RelationsOptions):
        raise TypeError(f"Field {name} is of kind {options.kind}; only relations have ends.")
    linked = sorted({*options.from_fields, *options.to_fields} & fields.keys())
    names_in = {
        field: _common_names(fields[field], [answer.get(field) or () for answer in answers]) for field in linked
    }
    return [
        None
        if answer.get(name) is None
        else [
            _renamed(item, {field: names[number] for field, names in names_in.items()}, options)
            for item in answer[name]
        ]
        for number, answer in enumerate(answers)
    ]


def without_dangling_ends(relations: Sequence[Item], fields: Fields) -> list[Item]:
    """Leave out relations with an end that is not among the items of its field.

    Args:
        relations: In canonical form.
        fields: Values by field; None where a field is left empty.
    """
    known = {field: {item["id"] for item in value} for field, value in fields.items() if _has_items(value)}
    return [
        item
        for item in relations
        if all(item[side]["id"] in known.get(item[side]["field"], ()) for side in ("from", "to"))
    ]


def _common_names(options: FieldOptions, answers: Sequence[Sequence[Item]]) -> list[dict[str, str]]:
    """Return the common name of each item by its id, for each answer's items of a field."""
    kind = KINDS[options.kind]
    things: list[Item] = []
    names: list[str] = []
    found: list[dict[str, str]] = []
    for number, items in enumerate(answers):
        pairs = kind.likeness(items, things, options)
        same = pairs.kept(pairs.scores, least=SAME_ITEM).matched()
        known = dict(zip(same.rows.tolist(), same.columns.tolist(), strict=True))
        mine = {item["id"]: names[known[row]] for row, item in enumerate(items) if row in known}
        for row, item in enumerate(items):
            if row not in known:
                mine[item["id"]] = item["id"] if number == 0 else _new_name(number, item["id"])
                things.append(item)
                names.append(mine[item["id"]])
        found.append(mine)
    return found


def _new_name(number: int, item_id: str) -> str:
    """Name an item that no answer before has; a hash, so that nobody's own id is the same by chance."""
    return "only-" + blake2b(f"{number}/{item_id}".encode(), digest_size=12).hexdigest()


def _renamed(item: Item, names: Mapping[str, Mapping[str, str]], options: RelationsOptions) -> dict[str, Any]:
    ends = [
        {"field": end["field"], "id": names.get(end["field"], {}).get(end["id"], end["id"])}
        for end in (item["from"], item["to"])
    ]
    if not options.directed:
        ends.sort(key=lambda end: (end["field"], end["id"]))
    return {**item, "from": ends[0], "to": ends[1]}


def _has_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
