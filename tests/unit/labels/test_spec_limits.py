"""Large and nasty specs are handled or refused, with the limit named, in bearable time."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.labels.faults import MAX_FAULTS
from shared.labels.project import SpecSyntaxError, check_spec, parse_spec_text
from tests.unit.labels.label_builders import a_raw_spec

BEARABLE_SECONDS = 20.0
"""Each takes under a second on a machine with nothing else to do; the relations took a minute before they were bounded."""


@contextmanager
def in_bearable_time() -> Iterator[None]:
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < BEARABLE_SECONDS


def a_choice(*options: str) -> dict[str, Any]:
    return {"kind": "choice", "options": list(options)}


def test_a_spec_of_nearly_a_megabyte_is_handled():
    fields = {f"f{number}": a_choice(*(f"option number {each}" for each in range(250))) for number in range(190)}
    text = json.dumps(a_raw_spec(fields=fields, rules=[]))

    with in_bearable_time():
        check = check_spec(parse_spec_text(text))

    assert len(text) > 980_000
    assert check.spec is not None


def test_a_spec_of_more_than_a_megabyte_is_refused_by_name():
    with pytest.raises(SpecSyntaxError, match="larger than 1000000 bytes"):
        parse_spec_text(json.dumps(a_raw_spec(title="x" * 1_000_000)))


def test_a_hundred_relations_over_two_hundred_rules_are_checked_in_time():
    relation = {"between": ["chat", "voice_note"], "captured_by": ["sentiment", "tone"]}
    relations = [relation | {"description": f"relation {number}"} for number in range(100)]
    rules = [
        {"id": f"r{number}", "expression": "fields.tone == 'calm' || " * 75 + f"{number} > 0", "message": "m"}
        for number in range(200)
    ]

    with in_bearable_time():
        check = check_spec(
            a_raw_spec(objective={"goal": "g", "output": "predictive", "relations": relations}, rules=rules)
        )

    assert {fault.code for fault in check.faults} == {"relation-uncaptured"}
    assert len(check.faults) == 100


def test_of_forty_thousand_faults_the_first_are_told_in_time():
    fields = {f"f{number}": a_choice(*["same"] * 200) for number in range(200)}

    with in_bearable_time():
        check = check_spec(a_raw_spec(fields=fields, rules=[]))

    assert len(check.faults) == MAX_FAULTS + 1
    assert check.faults[-1].code == "more-faults"


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 990 + "true" + ")" * 990,
        "[" * 990 + "]" * 990,
        "{1:" * 480 + "1" + "}" * 480,
        "true ? true : " * 130 + "true",
        "size(" * 300 + "fields.tone" + ")" * 300,
        "fields.entities.all(a, " * 4 + "true" + ")" * 4,
    ],
)
def test_a_rule_that_is_nested_deep_is_refused(expression: str):
    rules = [{"id": "deep", "expression": expression, "message": "m"}]

    with in_bearable_time():
        faults = check_spec(a_raw_spec(rules=rules)).faults

    assert {fault.pointer for fault in faults} == {"/rules/0/expression"}


def test_a_schema_fetches_nothing_and_its_patterns_are_linear():
    remote = {"kind": "record", "schema": {"$ref": "http://169.254.169.254/latest"}}
    evil = {
        "kind": "record",
        "schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a|a?)+$"}}},
    }

    with in_bearable_time():
        refused = check_spec(a_raw_spec(fields={"r": remote}, rules=[]))
        taken = check_spec(a_raw_spec(fields={"r": evil}, rules=[]))

    assert [(fault.pointer, fault.code) for fault in refused.faults] == [("/fields/r/schema", "invalid-schema")]
    assert taken.spec is not None


def test_each_limit_on_numbers_is_named():
    choices = {f"f{number}": a_choice("a") for number in range(201)}
    labels = {"kind": "spans", "asset": "chat", "labels": [f"label {number}" for number in range(5_001)]}

    too_many = check_spec(a_raw_spec(fields=choices, rules=[])).faults
    too_long = check_spec(a_raw_spec(fields={"m": labels}, rules=[])).faults

    assert [(fault.pointer, "at most 200" in fault.message) for fault in too_many] == [("/fields", True)]
    assert [(fault.pointer, "at most 5000" in fault.message) for fault in too_long] == [("/fields/m/labels", True)]
