from typing import Any

import pytest

from shared.labels.canonical import canonical_json
from shared.labels.json_values import MAX_INTEGER, MAX_NODES
from tests.unit.labels.label_builders import a_field, accepted, refused

ANY = {"type": "object"}


def test_records_are_checked_by_the_projects_schema_with_all_faults():
    ticket = a_field("record")

    assert accepted(ticket, {"tags": ["b", "a"], "priority": 2.0}) == {"tags": ["b", "a"], "priority": 2}
    assert refused(ticket, {"priority": 0, "tags": ["a", 3], "colour": "red"}) == [
        ("/priority", "schema-minimum"),
        ("/tags/1", "schema-type"),
        ("", "schema-additional-properties"),
    ]


def test_equal_records_have_equal_bytes():
    free = a_field("record", schema=ANY)

    one = canonical_json(accepted(free, {"b": [1.0, -0.0], "a": None}))
    other = canonical_json(accepted(free, {"a": None, "b": [1, 0]}))

    assert one == other == b'{"a":null,"b":[1,0]}'


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "not-finite"),
        (MAX_INTEGER + 1, "out-of-range"),
        (-(10**400), "out-of-range"),
        ("\ud800", "malformed"),
        ("a\x00b", "malformed"),
        (object(), "wrong-type"),
    ],
)
def test_values_that_json_cannot_carry_are_refused(value: object, code: str):
    free = a_field("record", schema=ANY)

    assert refused(free, {"deep": [{"x": value}]}) == [("/deep/0/x", code)]


def test_endless_records_are_refused():
    free = a_field("record", schema=ANY)
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"d": deep}

    assert [code for _, code in refused(free, deep)] == ["too-deep"]
    assert refused(free, {"long": [0] * MAX_NODES}) == [("", "too-long")]
    assert refused(free, {"big": "x" * 300_000}) == [("", "too-long")]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.org/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"type": "objct"},
        {"properties": {"a": {"pattern": "(a"}}},
        {"properties": {"a": {"pattern": "(?=x)y"}}},
        {"properties": {"a": {"pattern": "((a{500}){500}){500}"}}},
        {"type": "array"},
        {"enum": [float("inf")]},
        {"enum": ["x" * 100_000]},
    ],
)
def test_a_schema_that_reaches_out_or_runs_away_is_a_fault_of_the_spec(schema: dict[str, Any]):
    faults = a_field("record", schema=schema).faults()

    assert faults
    assert all(fault.pointer.startswith("/schema") for fault in faults)


def test_a_pattern_that_backtracks_elsewhere_is_linear_here():
    field = a_field("record", schema={"properties": {"a": {"pattern": "^(a+)+$"}}})

    assert refused(field, {"a": "a" * 50_000 + "!"}) == [("/a", "schema-pattern")]


def test_a_schema_may_refer_to_itself():
    tree = a_field("record", schema={"type": "object", "properties": {"child": {"$ref": "#"}}})

    assert tree.faults() == []
    assert refused(tree, {"child": {"child": 3}}) == [("/child/child", "schema-type")]
