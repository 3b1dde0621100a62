"""JSON Schemas that projects bring, for records in samples and in answers: made safe, then held against values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, NoReturn

import jsonschema_rs

from shared.labels.canonical import canonical_json
from shared.labels.faults import MAX_FAULTS, Fault, pointer_of, quoted
from shared.labels.json_values import check_json

MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_NODES: Final = 5_000
"""Values in a schema with all its references written out. Each value of a record is held against so many at most:
without a bound, sixteen levels of a schema that refers to itself twice took 14 s."""
MAX_TOLD: Final = 20_000
"""Values of a record times those of its schema up to which every violation is told, else the first: to tell one of each
branch of an `anyOf` takes a hundred times as long as to find out that there is one."""
_REGEX_BYTES: Final = 1_000_000
"""Of compiled automaton; a pattern that needs more is refused with its schema."""
_ELSEWHERE: Final = frozenset({"$id", "$anchor", "$dynamicAnchor", "$dynamicRef"})
"""By these a reference could mean something else than the place that it spells out."""


_OF_OTHER_VALUES: Final = frozenset({"properties", "items", "additionalProperties"})
"""Keywords that hold of the values within a value, each of other ones."""


class Violation(NamedTuple):
    """Where a value breaks its schema."""

    pointer: str
    """Into the value."""
    keyword: str
    """In kebab-case: ``minimum``, ``additional-properties``."""
    rule: str
    """JSON pointer into the schema."""
    message: str
    """What jsonschema-rs says; it quotes the value."""


class Validator:
    """A compiled schema. It never fetches anything, and its patterns run in linear time."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Compile a schema.

        Raises:
            ValidationError, ReferencingError, ValueError: It is no JSON Schema 2020-12, or refers elsewhere.
        """
        self._compiled = _compile(schema)
        self._schema = schema

    def violations(self, value: Any) -> Iterator[Violation]:
        """Find where a value breaks the schema: everywhere, or first where both are large."""
        if self._compiled.is_valid(value):
            return
        for error in itertools.islice(self._errors(value), MAX_FAULTS + 1):
            keyword = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in error.kind.name)
            message = error.message if len(error.message) <= 300 else error.message[:297] + "..."
            yield Violation(pointer_of(error.instance_path), keyword, pointer_of(error.schema_path), message)

    def _errors(self, value: Any) -> Iterator[Any]:
        if self._nodes * nodes_of(value) <= MAX_TOLD:
            yield from self._compiled.iter_errors(value)
            return
        try:
            self._compiled.validate(value)
        except jsonschema_rs.ValidationError as error:
            yield error

    @cached_property
    def _nodes(self) -> int:
        try:
            return _Expansion(dict(self._schema)).nodes()
        except ValueError:  # it was published before schemas were bounded
            return MAX_TOLD


def nodes_of(value: Any) -> int:
    """Count the values of a JSON value, objects and lists themselves too."""
    if isinstance(value, dict):
        return 1 + sum(map(nodes_of, value.values()))
    return 1 + sum(map(nodes_of, value)) if isinstance(value, list) else 1


def _compile(schema: Mapping[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        validate_formats=True,
        retriever=_refuse_to_fetch,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES),
    )


def schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Find why a schema cannot be used.

    Args:
        schema: As a project states it.

    Returns:
        Faults with pointers into the schema.
    """
    kept = check_json(dict(schema))
    if kept.faults:
        return kept.faults
    size = len(canonical_json(kept.value))
    if size > MAX_SCHEMA_BYTES:
        message = f"The schema has {size} bytes; at most {MAX_SCHEMA_BYTES} are allowed."
        return [Fault(pointer="", code="too-long", message=message)]
    try:
        _compile(schema)
        _Expansion(kept.value).nodes()
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        reason = getattr(error, "message", str(error))[:300]
        path = pointer_of(getattr(error, "instance_path", ()))
        message = f"The schema is not a usable JSON Schema 2020-12: {reason}"
        return [Fault(pointer=path, code="invalid-schema", message=message)]
    if schema.get("type", "object") != "object":
        message = 'A record is an object, so its schema must say "type": "object".'
        return [Fault(pointer="/type", code="contradiction", message=message)]
    return []


def record_faults(schema: Mapping[str, Any], validator: Validator, record: Any) -> list[Fault]:
    """Hold a sample's record against the schema of its slot.

    Returns:
        Faults with pointers into the record. They name the rule and never quote the record, which may hold what must
        not be told.
    """
    return [
        Fault(
            pointer=found.pointer,
            code=f"schema-{found.keyword}",
            message=f"{_place(found.pointer)} breaks the rule {found.rule} of the slot's JSON Schema"
            f"{_stated(schema, found.rule)}; correct it, then send the sample again.",
        )
        for found in validator.violations(record)
    ]


def _place(pointer: str) -> str:
    return f"What stands at {pointer}" if pointer else "The record"


def _stated(schema: Mapping[str, Any], rule: str) -> str:
    """Return what a rule says, where that is short."""
    try:
        stated = _at(schema, rule)
    except ValueError:
        return ""
    shown = canonical_json(stated).decode()
    return f", which says {shown}" if len(shown) <= 100 else ""


class _Expansion:
    """A schema with all its references written out: how large it is, and whether it can meet one value many times."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._open: list[str] = []
        self._nodes = 0
        self._circles: set[object] = set()

    def nodes(self) -> int:
        """Count its values.

        Raises:
            ValueError: It refers elsewhere, to too much, or to itself from several places that may meet: each level
                of a value would double the work.
        """
        self._follow("#", object())
        return self._nodes

    def _follow(self, reference: str, circle: object) -> None:
        if not reference.startswith("#") or (len(reference) > 1 and not reference.startswith("#/")):
            raise ValueError(f"it may not refer to {quoted(reference)}; copy what it needs into $defs")
        if reference in self._open:
            self._circles.add(circle)
            if len(self._circles) > 1:
                raise ValueError(
                    f"it refers to {reference} from within itself at several places that may hold of one value; state "
                    "so many levels as there are"
                )
            return
        self._open.append(reference)
        self._count(_at(self._schema, reference[1:]), circle)
        self._open.pop()

    def _count(self, part: Any, circle: object) -> None:
        self._nodes += 1
        if self._nodes > MAX_SCHEMA_NODES:
            raise ValueError(f"it holds more than {MAX_SCHEMA_NODES} values with its references written out")
        if isinstance(part, list):
            for each in part:
                self._count(each, object())
        elif isinstance(part, dict):
            elsewhere = next((key for key in _ELSEWHERE if isinstance(part.get(key), str)), None)
            if elsewhere is not None and part is not self._schema:
                raise ValueError(f"{elsewhere} is not taken within it; refer by the place, as #/$defs/name")
            for key, each in part.items():
                if key == "$ref" and isinstance(each, str):
                    self._follow(each, circle)
                elif key != "$defs":
                    self._count_below(key, each, circle)

    def _count_below(self, key: str, each: Any, circle: object) -> None:
        """Count what stands at a keyword; of two properties no value is both, so they are one way to come around."""
        if key == "properties" and isinstance(each, dict):
            for schema in each.values():
                self._count(schema, circle)
        else:
            self._count(each, circle if key in _OF_OTHER_VALUES else object())


def _at(schema: Any, pointer: str) -> Any:
    """Return what stands at a JSON pointer."""
    part = schema
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            part = part[int(key)] if isinstance(part, list) else part[key]
        except (LookupError, ValueError, TypeError) as error:
            raise ValueError(f"there is nothing at {quoted(pointer)}") from error
    return part


def _refuse_to_fetch(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to {uri}; copy what it needs into $defs")
