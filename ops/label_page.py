"""``docs/labels.md``: every kind of label with its options, value, example, faults and limits, from the models."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import yaml
from pydantic import BaseModel

from ops.model_tables import table, told
from shared.labels.faults import MAX_FAULTS, Fault
from shared.labels.kinds import KINDS, FieldOptions, Kind
from shared.labels.kinds.attributes import Attribute
from shared.labels.kinds.examples import EXAMPLES, Example
from shared.labels.kinds.kind import Condition
from shared.labels.taxonomy.model import TaxonomyBinding
from shared.labels.values import DECIMALS, MAX_COORDINATE, TOLERANCE

LABELS_PAGE = "labels.md"

_HEAD = f"""# Labels

Generated from the models in `shared/labels/kinds/` by `make docs`; do not edit. A project asks for fields, each of one
of these {len(KINDS)} kinds. Every example below is checked when this page is written, and each message is what the check
says.

**Units.** Coordinates are pixels of the stored original, after the orientation in the file is applied. Times are
seconds from the asset's start. Frames and turns are counted from 0. Characters are Unicode code points of the text in
NFC, and a span's borders must not split what readers take for one character (an extended grapheme cluster of Unicode
Standard Annex 29): an emoji with its joiners, a letter with its marks. A turn is a line of a text that is not blank, or
an entry of a record's `turns`.

**Canonical form.** An answer is kept in one form, so that equal labels have equal bytes: numbers with {DECIMALS} digits
after the point and no negative zero, text in NFC with line feeds, lists of items sorted, keys sorted. NaN, infinity,
numbers beyond {MAX_COORDINATE:g} and half characters (lone surrogates) are refused. A label may reach {TOLERANCE:g} of a
pixel or second over its asset's edge, for clients round.

**Faults** are told all at once, at most {MAX_FAULTS} of a field, each with a JSON pointer, a code for programs and a
message that names field and item, what is wrong and what is allowed. What an asset's facts do not tell is not checked.
"""

_SHARED: Mapping[str, type[BaseModel]] = {
    "Every field": FieldOptions,
    "Condition": Condition,
    "Attribute": Attribute,
    "TaxonomyBinding": TaxonomyBinding,
}


def render() -> str:
    """Return the page as Markdown."""
    shared = [f"## {title}\n\n{told(model)}\n\n{table(model, set())}" for title, model in _SHARED.items()]
    return "\n".join([_HEAD, *shared, *(_section(kind, EXAMPLES[kind.name]) for kind in KINDS.values())])


def faults_of(kind: Kind, example: Example, value: Any) -> list[Fault]:
    """Return what is wrong with a value of an example's field, references to other fields included."""
    field = example.field
    found = kind.check(field, example.facts, value).faults
    if found or kind.check_references is None:
        return list(found)
    return list(kind.check_references(field, value, example.answer, frozenset(example.answer)))


def _section(kind: Kind, example: Example) -> str:
    described, returned = _check_doc(kind)
    parts = [
        f"## {kind.name}\n\n{_about(kind)}",
        f"{_modalities(kind)}",
        f"**Options**\n\n{table(kind.options, _inherited(kind) | {'kind'})}",
        f"**Value.** {described}\n\n**Kept as.** {returned}",
        *(f"### {model.__name__}\n\n{told(model)}\n\n{table(model, set())}" for model in example.models),
        f"**A field**\n\n```yaml\n{yaml.safe_dump(_plain(example.options), sort_keys=False, width=110).strip()}\n```",
        f"**A value of it**{_known(example)}\n\n```json\n{_json(example.value)}\n```",
        f"**Faults**\n\n{_faults(kind, example)}",
        f"**At most** {_limits(example)}" if example.limits else "",
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _about(kind: Kind) -> str:
    return inspect.cleandoc(sys.modules[kind.check.__module__].__doc__ or "").partition("\n\n")[0]


def _modalities(kind: Kind) -> str:
    if kind.modalities is None:
        return "About any asset, or about the whole sample."
    return f"About assets of modality {' or '.join(sorted(kind.modalities))}."


def _inherited(kind: Kind) -> set[str]:
    """Return the options that are told of once, for every field."""
    return set(FieldOptions.model_fields) - (set() if kind.modalities is None else {"asset"})


def _check_doc(kind: Kind) -> tuple[str, str]:
    """Return what the check's docstring says of the raw value, and of what it returns."""
    doc = inspect.getdoc(kind.check) or ""
    raw = doc.partition("    raw: ")[2].partition("\n\n")[0]
    returned = doc.partition("Returns:\n")[2].partition("\n\n")[0]
    return tuple(" ".join(part.split()).replace("``", "`") for part in (raw, returned))  # type: ignore[return-value]


def _known(example: Example) -> str:
    if example.facts is None:
        return ""
    known = example.facts.model_dump(exclude_none=True, exclude={"text"})
    return f", where the asset is known to be `{orjson.dumps(known).decode()}`"


def _faults(kind: Kind, example: Example) -> str:
    found: dict[str, tuple[Any, Fault]] = {}
    for value in example.wrong:
        for fault in faults_of(kind, example, value):
            found.setdefault(fault.code, (value, fault))
    rows = [
        f"| `{_short(value)}` | `{code}` at `{fault.pointer or '/'}` | {fault.message.replace('|', chr(92) + '|')} |"
        for code, (value, fault) in found.items()
    ]
    return "\n".join(["| value | code and place | message |", "|---|---|---|", *rows])


def _limits(example: Example) -> str:
    return ", ".join(f"{most:,} {what}" for what, most in example.limits.items()) + "."


def _json(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "[\n" + ",\n".join(f"  {_short(each)}" for each in value) + "\n]"
    return _short(value)


def _short(value: Any) -> str:
    """Return a value on one line; what JSON cannot carry is shown as Python writes it."""
    try:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError):
        return ascii(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
