"""Reads a spec from YAML or JSON text that anyone may have written."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import yaml

from shared.labels.faults import Fault, quoted

MAX_SPEC_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 200_000


class SpecSyntaxError(ValueError):
    """The text of a spec is neither YAML nor JSON that we accept; ``fault`` says where and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(pointer="", code=code, message=message)


def parse_spec_text(text: str) -> object:
    """Read YAML or JSON into plain values.

    Args:
        text: Up to ``MAX_SPEC_BYTES`` bytes. Text that starts with a brace is read as JSON.

    Returns:
        Dicts, lists, strings, numbers, booleans and None. YAML is read by the core schema of YAML 1.2, so that
        ``no`` is a string (and a language), and so is ``2024-01-01``.

    Raises:
        SpecSyntaxError: The text is too large, nested deeper than ``MAX_DEPTH`` or malformed, gives a key twice, or
            uses anchors (a few of them can stand for billions of values), tags or several documents.
    """
    if len(text) > MAX_SPEC_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_SPEC_BYTES:
        raise SpecSyntaxError("too-long", f"The spec is larger than {MAX_SPEC_BYTES} bytes; split the project.")
    text = text.removeprefix("\ufeff")  # editors on Windows put a byte order mark first
    return _parse_json(text) if text.lstrip().startswith("{") else _parse_yaml(text)


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"The spec is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise SpecSyntaxError("invalid-json", message) from None
    except RecursionError:
        raise SpecSyntaxError("too-deep", "The spec is nested too deeply; flatten it.") from None
    except SpecSyntaxError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise SpecSyntaxError("invalid-json", f"The spec is not JSON that can be kept: {error}.") from None


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SpecSyntaxError("duplicate", f"The key {quoted(key)} is given twice in one object; remove one.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise SpecSyntaxError("not-finite", f"{name} is not JSON; give a number.")


def _parse_yaml(text: str) -> object:
    try:
        _refuse_bombs(text)
        return yaml.load(text, Loader=_CoreLoader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise SpecSyntaxError("invalid-yaml", f"The spec is not YAML: {error.problem}{place}.") from None
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise SpecSyntaxError("invalid-yaml", f"The spec is not YAML: {error}.") from None
    except ValueError as error:
        if isinstance(error, SpecSyntaxError):
            raise
        raise SpecSyntaxError("invalid-yaml", f"The spec holds a value that cannot be read: {error}.") from None


def _refuse_bombs(text: str) -> None:
    """Walk the events first: the composer is recursive, and aliases multiply what a reader must look at."""
    depth = 0
    for nodes, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            place = f" at line {event.start_mark.line + 1}" if event.start_mark is not None else ""
            message = f"The spec uses a YAML anchor{place}; write the value out in each place."
            raise SpecSyntaxError("yaml-anchor", message)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise SpecSyntaxError("too-deep", f"The spec is nested deeper than {MAX_DEPTH} levels; flatten it.")
        if nodes > MAX_NODES:
            raise SpecSyntaxError("too-long", f"The spec holds more than {MAX_NODES} values; split the project.")


class _CoreLoader(yaml.CSafeLoader):
    """The safe loader, with the scalars of YAML 1.2's core schema and without silent duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word, not a list", key.start_mark)
            if (key.tag, key.value) in seen:
                problem = f"the key {quoted(key.value)} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


_CORE_SCALARS: Mapping[str, tuple[str, str]] = {
    # Source: YAML 1.2.2, section 10.3.2, without its octal and hexadecimal numbers, infinity and NaN.
    "tag:yaml.org,2002:null": (r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    "tag:yaml.org,2002:bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "tag:yaml.org,2002:int": (r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
        "-+0123456789.",
    ),
}
_CoreLoader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _CORE_SCALARS.items():
    _CoreLoader.add_implicit_resolver(
        _tag, re.compile(_pattern), ["" if letter == "\0" else letter for letter in _first]
    )
