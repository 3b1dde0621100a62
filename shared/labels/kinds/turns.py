"""A label per turn of a conversation, and links between turns: conversation flow."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, listed, quoted, suggestion
from shared.labels.kinds.items import Item, LabeledOptions, check_items
from shared.labels.kinds.kind import MAX_LABELS, Checked, JsonSchema, Kind, Problem, duplicates, refused
from shared.labels.kinds.schemas import ITEM_ID, items_schema, object_schema
from shared.labels.values import Count, Flag, Frozen, Label, Name, normalized

MAX_TURNS = 5_000
"""Turns of one conversation."""
MAX_LINKS = 100
"""Links that begin at one turn."""


class TurnsOptions(LabeledOptions):
    """Options of turns."""

    kind: Literal["turns"]
    asset: Name = Field(description="The text or record asset that holds the conversation.")
    links: tuple[Label, ...] = Field((), max_length=MAX_LABELS, description="Types of links from a turn to another.")
    complete: Flag = Field(False, description="Every turn of the conversation needs a label.")

    def faults(self) -> list[Fault]:
        """Find types of links given twice, beside what all labeled fields check."""
        return [*super().faults(), *duplicates("/links", self.links)]


class TurnLink(Frozen):
    """From its turn to another one of the same conversation."""

    to: Count
    """The other turn."""
    label: str
    """One of the field's types of links."""


class Turn(Item):
    """A turn by its number, counted from 0."""

    turn: Count
    """Its number."""
    links: list[TurnLink] = Field(default_factory=list, max_length=MAX_LINKS)
    """What it refers to."""


def count_turns(conversation: str | Mapping[str, Any]) -> int | None:
    """Count the turns of a conversation.

    Args:
        conversation: A text, or a record with the list ``turns``.

    Returns:
        Of a text the lines (ended by LF, CR LF or CR) that hold more than white space; of a record the entries of
        ``turns``. None for a record without such a list.
    """
    if isinstance(conversation, str):
        return sum(1 for line in normalized(conversation).split("\n") if line.strip())
    turns = conversation.get("turns")
    return len(turns) if isinstance(turns, list) else None


def check_turns(options: TurnsOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that labeled turns exist, each once, and that links lead to other turns.

    Args:
        options: The field's options.
        facts: Facts of the conversation; without a known number of turns the numbers are not checked against it.
        raw: ``[{"id", "turn", "label", "links"?: [{"to", "label"}]}]``, turns counted from 0.

    Returns:
        The turns in the order of the conversation, links sorted and only where there are some.
    """
    count = None if facts is None else facts.turns
    labeled: set[int] = set()

    def canonical(turn: Turn) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        problems = _number_problems("/turn", turn.turn, count)
        if turn.turn in labeled:
            problems.append(Problem("/turn", "duplicate", f"turn {turn.turn} is labeled twice; keep one."))
        labeled.add(turn.turn)
        form: dict[str, Any] = {"id": turn.id, "turn": turn.turn, "label": turn.label}
        if turn.links:
            problems.extend(_link_problems(options, turn, count))
            links = sorted((link.to, link.label) for link in turn.links)
            form["links"] = [{"to": to, "label": label} for to, label in links]
        elif "links" in turn.model_fields_set and not options.links:
            problems.append(Problem("/links", "not-asked", "this field asks for no links; leave them out."))
        return (turn.turn,), form, problems

    turns = check_items(raw, options, limit=MAX_TURNS, of="turns", model_of=lambda _: Turn, canonical=canonical)
    if not turns.faults and options.complete and count is not None and len(labeled) < count:
        missing = [str(number) for number in range(count) if number not in labeled]
        return refused("missing-turn", f"Every turn needs a label; without one are: {listed(missing)}.")
    return turns


def turns_schema(options: TurnsOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    number: JsonSchema = {"type": "integer", "minimum": 0}
    properties = {"id": ITEM_ID, "turn": number, "label": {"enum": list(options.labels)}}
    required = list(properties)
    if options.links:
        link = object_schema({"to": number, "label": {"enum": list(options.links)}}, required=["to", "label"])
        properties["links"] = {"type": "array", "items": link, "uniqueItems": True, "maxItems": MAX_LINKS}
    return items_schema(options, properties, required=required, limit=MAX_TURNS)


def _number_problems(path: str, number: int, count: int | None) -> list[Problem]:
    if count is None or number < count:
        return []
    message = f"turn {number} does not exist; the conversation has turns 0 to {count - 1}."
    return [Problem(path, "outside-asset", message)]


def _link_problems(options: TurnsOptions, turn: Turn, count: int | None) -> list[Problem]:
    if not options.links:
        return [Problem("/links", "not-asked", "this field asks for no links; leave them out.")]
    problems = []
    seen: set[tuple[int, str]] = set()
    for position, link in enumerate(turn.links):
        path = f"/links/{position}"
        problems.extend(_number_problems(f"{path}/to", link.to, count))
        if link.to == turn.turn:
            problems.append(Problem(f"{path}/to", "self-link", f"turn {link.to} cannot be linked to itself."))
        if link.label not in options.links:
            message = f"{quoted(link.label)} is not a type of link here; {suggestion(link.label, options.links)}"
            problems.append(Problem(f"{path}/label", "unknown-label", message))
        if (link.to, link.label) in seen:
            problems.append(Problem(path, "duplicate", f"the link to turn {link.to} is there twice; keep one."))
        seen.add((link.to, link.label))
    return problems


TURNS = Kind(
    name="turns",
    options=TurnsOptions,
    check=check_turns,
    json_schema=turns_schema,
    modalities=frozenset({"text", "record"}),
)
