"""What a rule takes from fields and assets, held against their types: a typo would otherwise make it always true.

Types come from the kinds' JSON Schemas and from ``AssetFacts``. Whatever a schema leaves open is not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.labels.facts import AssetFacts
from shared.labels.faults import quoted, suggestion
from shared.labels.kinds import KINDS, FieldOptions
from shared.labels.rule_references import MACROS, name_after, plain_string, tokens_of

Schema = Mapping[str, Any]
Problem = tuple[str, str]
"""A fault's code and message."""

ADDED_MEMBERS = frozenset({"field", "asset"})
"""What rules see of each item beside its own: the field it is of, and the asset that the field is about."""
FACT_NAMES = frozenset(AssetFacts.model_fields) | {"asset"}


def type_problems(expression: str, fields: Mapping[str, FieldOptions]) -> list[Problem]:
    """Find members that items do not have, and texts that a field can never be.

    Args:
        expression: CEL that compiles.
        fields: Options of the project's sound fields.

    Returns:
        Problems in the order of the text, each once.
    """
    reader = _Reader(tokens_of(expression), fields)
    for position, word in enumerate(reader.tokens):
        reader.visit(position, word)
    return list(dict.fromkeys(reader.problems))


def fact_problems(members: frozenset[tuple[str, str, str]]) -> list[Problem]:
    """Find facts that no asset has.

    Args:
        members: What the expression takes from its roots, as ``references_of`` tells.

    Returns:
        A problem per unknown fact.
    """
    return [
        ("unknown-fact", f"{quoted(member)} is not a fact of assets; {suggestion(member, sorted(FACT_NAMES))}")
        for root, _, member in sorted(members)
        if root == "assets" and member not in FACT_NAMES
    ]


@dataclass
class _Reader:
    """Walks over tokens once, and follows each path from a field or from what a loop binds."""

    tokens: Sequence[str]
    fields: Mapping[str, FieldOptions]
    problems: list[Problem] = field(default_factory=list)
    scopes: list[Mapping[str, list[Schema]]] = field(default_factory=lambda: [{}])
    """Per open bracket, the names bound there and their types: lists of alternative schemas."""
    opening: Mapping[str, list[Schema]] = field(default_factory=dict)
    """What the next bracket binds."""
    schemas: dict[str, Schema] = field(default_factory=dict)

    def visit(self, position: int, word: str) -> None:
        if word in {"(", "[", "{"}:
            self.scopes.append({**self.scopes[-1], **self.opening})
            self.opening = {}
        elif word in {")", "]", "}"} and len(self.scopes) > 1:
            self.scopes.pop()
        elif position > 0 and self.tokens[position - 1] == ".":
            return
        elif word == "fields":
            name, following = name_after(self.tokens, position + 1)
            if name is not None and name in self.fields:
                self._follow(position, following, [self._schema(name)], f"fields.{name}")
        elif word in self.scopes[-1]:
            self._follow(position, position + 1, self.scopes[-1][word], word)

    def _schema(self, name: str) -> Schema:
        if name not in self.schemas:
            options = self.fields[name]
            self.schemas[name] = KINDS[options.kind].json_schema(options)
        return self.schemas[name]

    def _follow(self, start: int, position: int, types: list[Schema], shown: str) -> None:
        while types:
            here = self.tokens[position : position + 4]
            name, following = name_after(self.tokens, position)
            if name is not None:
                types, position, shown = self._member(types, name, shown), following, f"{shown}.{name}"
            elif len(here) == 4 and here[0] == "." and here[1] in MACROS and here[2] == "(":
                self.opening = {here[3]: _elements(types)}
                return
            elif len(here) >= 3 and here[0] == "[" and here[1].isdecimal() and here[2] == "]":
                types, position = _elements(types), position + 3
            else:
                self._compare(start, position, types, shown)
                return

    def _member(self, types: list[Schema], name: str, shown: str) -> list[Schema]:
        known = [each.get("properties", {}) for each in types]
        found = [properties[name] for properties in known if name in properties]
        if found or name in ADDED_MEMBERS:
            return [each for schema in found for each in _alternatives(schema)]
        if all(each.get("type") == "object" and each.get("additionalProperties") is False for each in types):
            allowed = sorted({*(member for properties in known for member in properties), *ADDED_MEMBERS})
            message = f"{shown} has no {quoted(name)}; {suggestion(name, allowed)}"
            self.problems.append(("unknown-member", message))
        elif all(each.get("type") == "array" or "enum" in each for each in types):
            message = (
                f"{shown} is a value or a list and has no {quoted(name)}; loop over it, as in {shown}.all(x, ...)."
            )
            self.problems.append(("unknown-member", message))
        return []

    def _compare(self, start: int, end: int, types: list[Schema], shown: str) -> None:
        """Judge the texts that a path is compared with, on either side of it."""
        before, after = self.tokens[max(0, start - 3) : start], self.tokens[end : end + 3]
        if after[:2] in (["=", "="], ["!", "="]):
            self._judge(after[2:], types, shown)
        elif after[:2] == ["in", "["]:
            self._judge(self._listed(end + 2), types, shown)
        if before[1:] in (["=", "="], ["!", "="]):
            self._judge(before[:1], types, shown)
        elif before[-1:] == ["in"]:
            self._judge(before[-2:-1], _elements(types), shown)

    def _listed(self, position: int) -> list[str]:
        end = self.tokens.index("]", position) if "]" in self.tokens[position:] else position
        return [word for word in self.tokens[position:end] if word != ","]

    def _judge(self, given: Sequence[str], types: list[Schema], shown: str) -> None:
        if not types or not all("enum" in each or "const" in each for each in types):
            return
        allowed = [str(value) for each in types for value in each.get("enum", [each.get("const")])]
        for word in given:
            text = plain_string(word)
            if text is not None and text not in allowed:
                message = f"{shown} is never {quoted(text)}; {suggestion(text, allowed)}"
                self.problems.append(("unknown-value", message))


def _alternatives(schema: Schema) -> list[Schema]:
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return [each for inner in schema[key] for each in _alternatives(inner)]
    return [schema]


def _elements(types: list[Schema]) -> list[Schema]:
    found = [each["items"] for each in types if isinstance(each.get("items"), Mapping)]
    return [each for schema in found for each in _alternatives(schema)]
