"""What is wrong with a spec, a sample or an answer, told so that a person can mend it."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import ErrorDetails

from shared.labels.values import MEANINGS

MAX_FAULTS = 200
"""Faults told per value: a list with ten thousand bad items is not read item by item."""
MAX_COMPARED = 60
"""Names that a suggestion looks through, and characters of what was given."""

_TYPE_NAMES = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    dict: "an object",
    list: "a list",
    tuple: "a list",
    type(None): "null",
}
_EXPECTED = {
    "string_type": "a string",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


class Fault(BaseModel):
    """One thing that is wrong, and where."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    """JSON pointer (RFC 6901) into what was checked; empty for the whole."""
    code: str
    """Kebab-case and stable: programs branch on it, people read the message."""
    message: str

    @field_validator("pointer", "message")
    @classmethod
    def _printable(cls, text: str) -> str:
        """Lone surrogates come in with bad input and would break the answer that quotes them."""
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def pointer_of(parts: Iterable[str | int]) -> str:
    """Join keys and indexes to a JSON pointer, escaped as RFC 6901 section 3 says."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def under(pointer: str, faults: Iterable[Fault]) -> list[Fault]:
    """Move faults below a pointer: what was the root of the part is ``pointer`` of the whole."""
    return [Fault(pointer=pointer + fault.pointer, code=fault.code, message=fault.message) for fault in faults]


def quoted(value: object) -> str:
    """Show a value of the caller in a message: strings in quotes, nothing longer than 60 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    if isinstance(value, dict | list | tuple):
        return _type_name(value)
    shown = str(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f'"{shown}"' if isinstance(value, str) else shown


def listed(names: Iterable[str], most: int = 12) -> str:
    """Name what is allowed, at most ``most`` of it."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(quoted(name) for name in names[:most]) + more


def suggestion(given: object, known: Iterable[str]) -> str:
    """Say which known name was probably meant, then which names there are.

    Returns:
        A sentence part such as ``did you mean "options"? Allowed: "asset", "options".``
    """
    known = tuple(known)
    nearest = _nearest(str(given), known)
    meant = f"did you mean {quoted(nearest)}? " if nearest is not None else ""
    return f"{meant}Allowed: {listed(known)}." if known else f"{meant}Nothing is allowed here."


def bounded(faults: Sequence[Fault]) -> list[Fault]:
    """Keep the first ``MAX_FAULTS`` and say when there are more."""
    if len(faults) <= MAX_FAULTS:
        return list(faults)
    message = f"There are more than {MAX_FAULTS} faults; mend these first."
    return [*faults[:MAX_FAULTS], Fault(pointer="", code="more-faults", message=message)]


def explain(detail: ErrorDetails, known_keys: Iterable[str] = ()) -> tuple[str, str]:
    """Find the code and the message for one of pydantic's errors.

    Args:
        detail: One entry of ``ValidationError.errors()``.
        known_keys: The keys allowed where the error is, to suggest the nearest for an unknown one.

    Returns:
        A stable kebab-case code, and a sentence that says what is wrong and what is allowed.
    """
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    key = detail["loc"][-1] if detail["loc"] else "value"
    name = quoted(key) if isinstance(key, str) else f"entry {key}"
    if kind == "missing":
        return "missing", f"{name} is missing; add it."
    if kind in {"extra_forbidden", "invalid_key"}:
        return "unknown-key", f"{name} is not a key here; {suggestion(key, known_keys)}"
    if kind in _EXPECTED:
        if isinstance(given, int) and not isinstance(given, bool) and kind in {"float_type", "int_type"}:
            return "out-of-range", f"{name} is too large a number."
        hint = " Put it in quotes." if kind == "string_type" and isinstance(given, bool | int | float) else ""
        return "wrong-type", f"{name} must be {_EXPECTED[kind]}, not {_type_name(given)}.{hint}"
    return _explain_value(kind, name, given, context, detail["msg"])


def _explain_value(kind: str, key: str, given: object, context: Mapping[str, Any], message: str) -> tuple[str, str]:
    bounds = {"greater_than_equal": "at least", "greater_than": "more than", "less_than_equal": "at most"}
    bounds["less_than"] = "less than"
    if kind in bounds:
        limit = next(iter(context.values()))
        return "out-of-range", f"{key} must be {bounds[kind]} {limit:g}, not {quoted(given)}."
    if kind == "finite_number":
        return "not-finite", f"{key} must be a finite number; NaN and infinity cannot be labels."
    if kind == "literal_error":
        return "unknown-value", f"{key} is {quoted(given)}; allowed: {context['expected']}."
    unit = "characters" if kind.startswith("string") else "entries"
    if kind in {"too_long", "string_too_long"}:
        return "too-long", f"{key} is too long: at most {context['max_length']} {unit} are allowed."
    if kind in {"too_short", "string_too_short"}:
        return "too-short", f"{key} is too short: at least {context['min_length']} {unit} are needed."
    if kind == "string_pattern_mismatch":
        meaning = MEANINGS.get(context["pattern"], f"text that matches {context['pattern']}")
        return "malformed", f"{key} must be {meaning}, not {quoted(given)}."
    if kind == "recursion_loop":
        return "malformed", f"{key} contains itself."
    if kind == "value_error":
        return "malformed", f"{key}: {context['error']}"
    return kind.replace("_", "-"), f"{key}: {message}"


@lru_cache(maxsize=1024)
def _nearest(given: str, known: tuple[str, ...]) -> str | None:
    """Find the known name that looks most like the given one; only in short lists, for looking takes time."""
    for name in known:
        if name.casefold() == given.casefold():
            return name
    if len(known) > MAX_COMPARED or len(given) > MAX_COMPARED:
        return None
    nearest = get_close_matches(given, known, n=1, cutoff=0.6)
    return nearest[0] if nearest else None


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)
