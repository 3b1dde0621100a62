"""One or several of a list of options: intent, sentiment, scene tags, verdicts."""

from functools import cached_property
from typing import Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, quoted, suggestion
from shared.labels.kinds.kind import (
    MAX_LABELS,
    Checked,
    FieldOptions,
    JsonSchema,
    Kind,
    check_list,
    checked,
    duplicates,
    refused,
)
from shared.labels.taxonomy.model import TaxonomyBinding
from shared.labels.values import Count, Flag, Label


class ChoiceOptions(FieldOptions):
    """Options of a choice."""

    kind: Literal["choice"]
    options: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS, description="What may be chosen.")
    taxonomy: TaxonomyBinding | None = Field(None, description="Take the options from a taxonomy.")
    multiple: Flag = Field(False, description="Several options at once; the value is then a list.")
    min_items: Count = Field(0, description="Fewest options of a multiple choice.")
    max_items: Count | None = Field(None, description="Most options of a multiple choice.")

    @cached_property
    def option_set(self) -> frozenset[str]:
        """The options, for look-ups."""
        return frozenset(self.options)

    def faults(self) -> list[Fault]:
        """Find options given twice, and bounds that no answer can keep."""
        faults = duplicates("/options", self.options)
        if not self.multiple and (self.min_items or self.max_items is not None):
            message = "min_items and max_items bound a multiple choice; add multiple: true or drop them."
            faults.append(Fault(pointer="/multiple", code="contradiction", message=message))
        most = len(self.options) if self.max_items is None else self.max_items
        if self.min_items > most or most > len(self.options):
            message = f"min_items <= max_items <= {len(self.options)} (the number of options) must hold."
            faults.append(Fault(pointer="/max_items", code="out-of-range", message=message))
        return faults


def check_choice(options: ChoiceOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that what was chosen is among the options.

    Args:
        options: The field's options.
        facts: Not used; a choice is valid for any asset.
        raw: An option; for a multiple choice a list of them, in any order, repetitions allowed.

    Returns:
        The option, or the sorted list of distinct options.
    """
    if not options.multiple:
        if not isinstance(raw, str):
            hint = " This field takes one option; send it without the list." if isinstance(raw, list) else ""
            return refused("wrong-type", f"The value must be one of the options, not {quoted(raw)}.{hint}")
        if raw not in options.option_set:
            return refused("unknown-option", _unknown(raw, options))
        return Checked(raw)
    limit = len(options.options)
    listed = check_list(raw, most=2 * limit, of="options")
    if listed.faults:
        return listed
    faults = [
        Fault(pointer=f"/{position}", code="unknown-option", message=_unknown(chosen, options))
        for position, chosen in enumerate(listed.value)
        if not isinstance(chosen, str) or chosen not in options.option_set
    ]
    if faults:
        return checked(None, faults)
    distinct = sorted(set(listed.value))
    most = limit if options.max_items is None else options.max_items
    bounds = check_list(distinct, most=most, least=options.min_items, of="distinct options")
    return bounds if bounds.faults else Checked(distinct)


def choice_schema(options: ChoiceOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    option: JsonSchema = {"enum": list(options.options)}
    if (bound := options.taxonomy) is not None:
        option["$comment"] = f"Ids of labels of the taxonomy {bound.name}, version {bound.version}."
    if not options.multiple:
        return option
    most = len(options.options) if options.max_items is None else options.max_items
    return {"type": "array", "items": option, "uniqueItems": True, "minItems": options.min_items, "maxItems": most}


def _unknown(given: object, options: ChoiceOptions) -> str:
    return f"{quoted(given)} is not an option; {suggestion(given, options.options)}"


CHOICE = Kind(name="choice", options=ChoiceOptions, check=check_choice, json_schema=choice_schema)
