"""Lists of labeled items: what spans, turns, regions, segments, moments, tracks and relations have in common."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from shared.labels.faults import MAX_FAULTS, Fault, quoted, suggestion
from shared.labels.kinds.attributes import (
    MAX_ATTRIBUTES,
    Attribute,
    AttributeSpec,
    attribute_faults,
    canonical_attributes,
    in_full,
)
from shared.labels.kinds.kind import (
    MAX_LABELS,
    Checked,
    FieldOptions,
    Problem,
    check_list,
    checked,
    duplicates,
    shape_problems,
)
from shared.labels.taxonomy.model import TaxonomyBinding
from shared.labels.values import Count, Frozen, ItemId, Label, Name

ItemT = TypeVar("ItemT", bound="Item")


class LabeledOptions(FieldOptions):
    """Options of the kinds whose value is a list of labeled items."""

    labels: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS, description="The labels an item may have.")
    taxonomy: TaxonomyBinding | None = Field(None, description="Take the labels from a taxonomy.")
    attributes: Mapping[Name, AttributeSpec] = Field(
        default_factory=dict,
        max_length=MAX_ATTRIBUTES,
        description="What else an item may say: a type, the list of allowed values, or an object that says for which "
        "labels and whether it must be said.",
    )
    min_items: Count = Field(0, description="Fewest items an answer needs.")
    max_items: Count | None = Field(None, description="Most items an answer may have, within the kind's own limit.")

    @cached_property
    def label_set(self) -> frozenset[str]:
        """The labels, for look-ups."""
        return frozenset(self.labels)

    @cached_property
    def attributes_in_full(self) -> Mapping[str, Attribute]:
        """The attributes by name, however short they were declared."""
        return {name: in_full(spec) for name, spec in self.attributes.items()}

    @cached_property
    def has_required_attributes(self) -> bool:
        """Whether an item without any attributes may lack one."""
        return any(attribute.required for attribute in self.attributes_in_full.values())

    def faults(self) -> list[Fault]:
        """Find labels given twice, attributes that cannot be, and bounds that no answer can keep."""
        faults = duplicates("/labels", self.labels)
        faults.extend(attribute_faults(self.attributes_in_full, self.label_set))
        if self.max_items is not None and self.max_items < self.min_items:
            message = f"max_items is {self.max_items}, less than min_items {self.min_items}; swap or drop one."
            faults.append(Fault(pointer="/max_items", code="out-of-range", message=message))
        return faults


class Item(Frozen):
    """One labeled item of a list; its id is the client's and lives within the field."""

    id: ItemId
    """Chosen by the client; unique within the field."""
    label: str
    """One of the field's labels."""
    attributes: dict[str, Any] = Field(default_factory=dict, max_length=MAX_ATTRIBUTES)
    """Values by name, of those that the field declares."""


def check_items(
    raw: object,
    options: LabeledOptions,
    *,
    limit: int,
    of: str,
    model_of: Callable[[Mapping[str, Any]], type[ItemT] | Problem],
    canonical: Callable[[ItemT], tuple[tuple[Any, ...], dict[str, Any], Sequence[Problem]]],
) -> Checked:
    """Check a list of labeled items, each on its own, and bring it into canonical order.

    Args:
        raw: The value as it came.
        options: The field's options: labels and bounds.
        limit: Most items that the kind bears.
        of: What the items are called, in the plural, for messages.
        model_of: Finds the model of a raw item, or says why there is none.
        canonical: Gives the sort key, the canonical form, and what is wrong with an item of valid shape.

    Returns:
        The items in canonical form and order, or every fault with the item's id in its message.
    """
    most = limit if options.max_items is None else min(limit, options.max_items)
    listed = check_list(raw, most=most, least=options.min_items, of=of)
    if listed.faults:
        return listed
    keyed: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    labels = options.label_set
    for position, raw_item in enumerate(listed.value):
        problems: list[Problem] = []
        item = _parse(raw_item, model_of, problems)
        if item is not None:
            key, form, wrong = canonical(item)
            keyed.append(((*key, item.label, item.id), form))
            problems.extend(wrong)
            if "attributes" in item.model_fields_set or options.has_required_attributes:
                problems.extend(_add_attributes(options, item, form))
            if item.id in seen:
                problems.append(Problem("/id", "duplicate", "the id is used twice in this field; choose another."))
            seen.add(item.id)
            if item.label not in labels:
                message = f"{quoted(item.label)} is not a label of this field; {suggestion(item.label, options.labels)}"
                problems.append(Problem("/label", "unknown-label", message))
        if problems:
            faults.extend(_located(position, raw_item, problem) for problem in problems)
            if len(faults) > MAX_FAULTS:  # nobody reads more, and each takes time to tell
                break
    if faults:
        return checked(None, faults)
    keyed.sort(key=lambda pair: pair[0])
    return Checked([form for _, form in keyed])


def refuse_overlaps(items: Sequence[Mapping[str, Any]]) -> Checked:
    """Refuse items of which one starts before the one before it has ended.

    Args:
        items: Items with ``start`` and ``end``, sorted by start.

    Returns:
        The items, or a fault per overlapping pair of neighbours.
    """
    faults = []
    furthest: Mapping[str, Any] | None = None
    for item in items:
        if furthest is not None and item["start"] < furthest["end"]:
            message = f"Items {quoted(furthest['id'])} and {quoted(item['id'])} overlap; this field allows no overlaps."
            faults.append(Fault(pointer="", code="overlap", message=message))
        if furthest is None or item["end"] > furthest["end"]:
            furthest = item
    return checked(list(items), faults)


def _add_attributes(options: LabeledOptions, item: Item, form: dict[str, Any]) -> list[Problem]:
    """Put an item's attributes into its canonical form, and tell what is wrong with them."""
    given = item.attributes if "attributes" in item.model_fields_set else None
    attributes, problems = canonical_attributes(options.attributes_in_full, item.label, given)
    if attributes:
        form["attributes"] = attributes
    return problems


def _parse(
    raw: object, model_of: Callable[[Mapping[str, Any]], type[ItemT] | Problem], problems: list[Problem]
) -> ItemT | None:
    if not isinstance(raw, dict):
        problems.append(Problem("", "wrong-type", f"an item must be an object, not {quoted(raw)}."))
        return None
    model = model_of(raw)
    if isinstance(model, Problem):
        problems.append(model)
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems.extend(shape_problems(error, model))
        return None


def _located(position: int, raw: object, problem: Problem) -> Fault:
    item_id = raw.get("id") if isinstance(raw, dict) else None
    name = f"Item {quoted(item_id)}" if isinstance(item_id, str) else f"Item {position}"
    return Fault(pointer=f"/{position}{problem.path}", code=problem.code, message=f"{name}: {problem.message}")
