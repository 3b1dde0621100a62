"""What every kind of field has in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from shared.labels.facts import AssetFacts, Modality
from shared.labels.faults import Fault, bounded, explain, pointer_of, quoted
from shared.labels.values import Flag, Frozen, Label, Name, Number, Prose

JsonSchema = dict[str, Any]
MAX_LABELS = 5_000
"""Options or labels that one field may declare."""


class Checked(NamedTuple):
    """The outcome of a check: the canonical value, or else every fault that was found."""

    value: Any
    """None when there are faults."""
    faults: Sequence[Fault] = ()


class Condition(Frozen):
    """A condition on another field of the same answer."""

    field: Name = Field(description="The other field.")
    any_of: tuple[Label | Number, ...] = Field(
        (),
        max_length=MAX_LABELS,
        description="Options, labels or ratings of which one must be in its value; without it, any answer will do.",
    )

    def met_by(self, fields: Mapping[str, Any]) -> bool:
        """Tell whether an answer meets the condition.

        Args:
            fields: The sound fields of the answer, in canonical form.
        """
        value = fields.get(self.field)
        if not self.any_of:
            return value is not None and value not in ([], {})
        named = value if isinstance(value, list) else [value]
        return any((each.get("label") if isinstance(each, dict) else each) in self.any_of for each in named)


class FieldOptions(Frozen):
    """What every field declares; each kind adds its own options and a literal ``kind``."""

    kind: str
    asset: Name | None = Field(None, description="The asset that the field is about; without it, the whole sample.")
    required: Flag = Field(False, description="An answer without this field is refused.")
    required_if: Condition | None = Field(
        None, description="An answer without this field is refused when it meets this condition."
    )
    title: Prose | None = Field(None, max_length=200, description="What annotators read instead of the name.")
    help: Prose | None = Field(None, max_length=2_000, description="One or two sentences beside the field.")

    def faults(self) -> list[Fault]:
        """Find contradictions between the options that no single option shows."""
        return []


@dataclass(frozen=True)
class Kind:
    """One kind of field: its options, its check and its schema. The registry holds one of each."""

    name: str
    options: type[FieldOptions]
    check: Callable[[Any, AssetFacts | None, Any], Checked]
    """(options of the field, facts of its asset if known, raw value) -> canonical value or faults, pointers
    relative to the value. Never raises, whatever JSON comes in."""
    json_schema: Callable[[Any], JsonSchema]
    """(options of the field) -> JSON Schema 2020-12 of the value, without ``$schema``."""
    modalities: frozenset[Modality] | None = None
    """Assets that such a field can be about; None is any, or none at all."""
    check_references: Callable[[Any, Any, Mapping[str, Any], frozenset[str]], Sequence[Fault]] | None = None
    """(options of the field, raw value that ``check`` accepts, sound fields of the answer in canonical form, names of
    all its fields) -> faults of what the value says of other fields. None for kinds that stand alone."""


def duplicates(pointer: str, names: Sequence[str]) -> list[Fault]:
    """Find names that a list gives more than once."""
    seen: set[str] = set()
    faults = []
    for position, name in enumerate(names):
        if name in seen:
            message = f"{quoted(name)} is listed twice; remove one."
            faults.append(Fault(pointer=f"{pointer}/{position}", code="duplicate", message=message))
        seen.add(name)
    return faults


def refused(code: str, message: str, pointer: str = "") -> Checked:
    """Refuse a value for one reason."""
    return Checked(None, (Fault(pointer=pointer, code=code, message=message),))


def checked(value: Any, faults: Sequence[Fault]) -> Checked:
    """Return the value when nothing is wrong, otherwise the faults."""
    return Checked(None, bounded(faults)) if faults else Checked(value)


def check_list(raw: object, *, most: int, least: int = 0, of: str) -> Checked:
    """Check that a value is a list of a bearable length, before anything looks into it."""
    if not isinstance(raw, list):
        return refused("wrong-type", f"The value must be a list of {of}, not {quoted(raw)}.")
    if len(raw) > most:
        return refused("too-many", f"The list has {len(raw)} {of}; at most {most} are allowed.")
    if len(raw) < least:
        return refused("too-few", f"The list has {len(raw)} {of}; at least {least} are needed.")
    return Checked(raw)


class Problem(NamedTuple):
    """A fault within an item, before the item's place and id are known."""

    path: str
    code: str
    message: str


def shape_problems(error: ValidationError, model: type[Frozen]) -> list[Problem]:
    """Tell what a model's validation found, as problems within the item."""
    known = tuple(model.model_fields)
    return [
        Problem(pointer_of(part for part in detail["loc"] if part != "[key]"), *explain(detail, known))
        for detail in error.errors(include_url=False)
    ]
