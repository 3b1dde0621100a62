"""Typed links between items of other fields, across assets: what is said to what is seen."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import MAX_FAULTS, Fault, quoted, suggestion
from shared.labels.kinds.items import Item, LabeledOptions, check_items
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem, duplicates
from shared.labels.kinds.schemas import ITEM_ID, items_schema, object_schema
from shared.labels.values import Flag, Frozen, ItemId, Name

MAX_RELATIONS = 5_000
MAX_ENDS = 200
"""Fields that one side of a relation may be in."""

Ends = tuple[tuple[str, str], tuple[str, str]]
"""Field and item id of both ends."""


class RelationsOptions(LabeledOptions):
    """Options of relations; their ``labels`` are the types of links."""

    kind: Literal["relations"]
    from_fields: tuple[Name, ...] = Field(
        alias="from", min_length=1, max_length=MAX_ENDS, description="Fields whose items a relation may begin at."
    )
    to_fields: tuple[Name, ...] = Field(
        alias="to", min_length=1, max_length=MAX_ENDS, description="Fields whose items a relation may end at."
    )
    directed: Flag = Field(True, description="From and to are different roles; without it they may be swapped.")

    def faults(self) -> list[Fault]:
        """Find ends given twice and an asset, beside what all labeled fields check."""
        faults = [*super().faults(), *duplicates("/from", self.from_fields), *duplicates("/to", self.to_fields)]
        if self.asset is not None:
            message = "Relations are about the whole sample, for their ends may be in different assets; drop asset."
            faults.append(Fault(pointer="/asset", code="contradiction", message=message))
        return faults

    def allows(self, start: str, end: str) -> bool:
        """Tell whether a relation may go from the one field to the other."""
        return start in self.from_fields and end in self.to_fields


class End(Frozen):
    """An item of another field of the same answer."""

    field: str
    """The field that the item is in."""
    id: ItemId
    """The item's id."""


class Relation(Item):
    """A typed link."""

    start: End = Field(alias="from", description="Where the link begins.")
    end: End = Field(alias="to", description="Where the link ends.")


def check_relations(options: RelationsOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check all of a list of relations that can be told without the rest of the answer.

    Args:
        options: The field's options.
        facts: Not used; ``missing_ends`` looks at the items that are meant.
        raw: ``[{"id", "label", "from": {"field", "id"}, "to": {"field", "id"}}]``.

    Returns:
        The relations sorted by their ends, label and id; the ends of undirected ones sorted too.
    """
    seen: set[tuple[str, Ends]] = set()

    def canonical(relation: Relation) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        start, end = (relation.start.field, relation.start.id), (relation.end.field, relation.end.id)
        problems = _field_problems(options, start[0], end[0])
        if not options.directed:
            start, end = sorted((start, end))
        if start == end:
            problems.append(Problem("/to", "self-link", f"an item cannot be linked to itself ({quoted(end[1])})."))
        if (relation.label, (start, end)) in seen:
            problems.append(Problem("", "duplicate", "the same link is there twice; keep one."))
        seen.add((relation.label, (start, end)))
        form = {
            "id": relation.id,
            "label": relation.label,
            "from": {"field": start[0], "id": start[1]},
            "to": {"field": end[0], "id": end[1]},
        }
        return (start, end), form, problems

    return check_items(
        raw, options, limit=MAX_RELATIONS, of="relations", model_of=lambda _: Relation, canonical=canonical
    )


def missing_ends(
    options: RelationsOptions, raw: Sequence[Mapping[str, Any]], fields: Mapping[str, Any], given: frozenset[str]
) -> list[Fault]:
    """Find ends that are not in the answer.

    Args:
        options: The field's options.
        raw: Relations that ``check_relations`` accepts, in the order in which they came.
        fields: The sound fields of the answer, in canonical form.
        given: Names of all fields of the answer; ends in unsound ones are not looked for.

    Returns:
        A fault per missing end, with pointers into ``raw``.
    """
    ends = {*options.from_fields, *options.to_fields}
    known = {name: frozenset(item["id"] for item in fields[name]) for name in ends if name in fields}
    faults: list[Fault] = []
    for position, relation in enumerate(raw):
        for role in ("from", "to"):
            field, item_id = relation[role]["field"], relation[role]["id"]
            if (field not in known and field in given) or item_id in known.get(field, ()):
                continue
            if field in known:
                message = f"{quoted(item_id)} is not an item of {quoted(field)}; {suggestion(item_id, known[field])}"
            else:
                message = f"{quoted(field)} is not in this answer; add it, or leave the relation out."
            told = f"Item {quoted(relation['id'])}: {message}"
            faults.append(Fault(pointer=f"/{position}/{role}", code="missing-end", message=told))
        if len(faults) > MAX_FAULTS:  # nobody reads more, and each takes time to tell
            break
    return faults


def relations_schema(options: RelationsOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    starts, ends = list(options.from_fields), list(options.to_fields)
    if not options.directed:
        starts = ends = sorted({*starts, *ends})
    properties = {
        "id": ITEM_ID,
        "label": {"enum": list(options.labels)},
        "from": object_schema({"field": {"enum": starts}, "id": ITEM_ID}, required=["field", "id"]),
        "to": object_schema({"field": {"enum": ends}, "id": ITEM_ID}, required=["field", "id"]),
    }
    return items_schema(options, properties, required=list(properties), limit=MAX_RELATIONS)


def _field_problems(options: RelationsOptions, start: str, end: str) -> list[Problem]:
    if options.allows(start, end) or (not options.directed and options.allows(end, start)):
        return []
    problems = []
    for role, given, allowed in (("from", start, options.from_fields), ("to", end, options.to_fields)):
        if given not in allowed:
            message = f"{quoted(given)} is not a field that {role} may name; {suggestion(given, allowed)}"
            problems.append(Problem(f"/{role}/field", "unknown-field", message))
    return problems


RELATIONS = Kind(
    name="relations",
    options=RelationsOptions,
    check=check_relations,
    json_schema=relations_schema,
    check_references=missing_ends,
)
