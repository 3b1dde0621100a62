"""A slot's JSON Schema: checked when the project is published, held against each record, at a bounded cost."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog import Catalog
from shared.labels.json_schema import MAX_SCHEMA_NODES, Validator, record_faults, schema_faults
from shared.labels.project import check_spec
from shared.sample_lines import SampleBody, check_body
from tests.builders import PROJECT, TENANT, a_catalog, a_project_spec, a_project_versioned
from tests.unit.labels.label_builders import a_raw_spec

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["customer"],
    "properties": {
        "customer": {"$ref": "#/$defs/customer"},
        "tags": {"type": "array", "items": {"enum": ["new", "old"]}, "maxItems": 3},
    },
    "$defs": {
        "customer": {
            "type": "object",
            "properties": {"age": {"type": "integer", "minimum": 18}, "mail": {"type": "string", "format": "email"}},
            "additionalProperties": False,
        }
    },
}


async def checked(record: Any, **slot: Any) -> Any:
    fields = {"ok": {"kind": "choice", "options": ["a", "b"]}}
    spec = a_project_spec(assets={"ticket": {"modality": "record", "schema": SCHEMA} | slot}, fields=fields)
    catalog: Catalog = await a_catalog(a_project_versioned(spec=spec))
    body = SampleBody.model_validate({"external_id": "a", "assets": {"ticket": {"record": record}}})
    return check_body(catalog.version(TENANT, PROJECT, 1), body)


async def faults_of(record: Any, **slot: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in (await checked(record, **slot)).faults]


async def test_a_record_that_meets_its_schema_is_taken():
    assert await faults_of({"customer": {"age": 18, "mail": "a@example.org"}, "tags": ["new"]}) == []


@pytest.mark.parametrize(
    ("record", "pointer", "code"),
    [
        ({}, "", "schema-required"),
        ({"customer": {"age": 17}}, "/customer/age", "schema-minimum"),
        ({"customer": {"mail": "nobody"}}, "/customer/mail", "schema-format"),
        ({"customer": {"name": "x"}}, "/customer", "schema-additional-properties"),
        ({"customer": {}, "tags": ["new", "other"]}, "/tags/1", "schema-enum"),
        ({"customer": 7}, "/customer", "schema-type"),
    ],
)
async def test_a_record_that_breaks_a_rule_is_refused_by_place_and_rule(record: Any, pointer: str, code: str):
    found = (await checked(record)).faults

    [fault] = found
    assert (fault.pointer, fault.code) == (f"/assets/ticket/record{pointer}", code)
    assert "of the slot's JSON Schema" in fault.message and fault.message.endswith("then send the sample again.")


async def test_the_sentence_says_what_the_rule_says_and_never_what_the_record_says():
    [fault] = (await checked({"customer": {"age": 12, "mail": "ok@example.org"}})).faults

    assert "/customer/age" in fault.message and "which says 18" in fault.message
    assert "12" not in fault.message


async def test_a_record_is_held_to_its_schema_as_it_was_sent_and_masked_after_that():
    found = await checked({"customer": {"age": 20, "mail": "anna@example.org"}}, pii="mask")

    assert found.faults == []
    assert found.body.assets["ticket"].record["customer"]["mail"] == "█" * 16


@pytest.mark.parametrize(
    ("schema", "pointer", "code", "word"),
    [
        ({"type": "array"}, "/type", "contradiction", "object"),
        ({"type": "objekt"}, "/type", "invalid-schema", "objekt"),
        ({"properties": {"a": {"$ref": "https://example.org/schema.json"}}}, "", "invalid-schema", "example.org"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "", "invalid-schema", "passwd"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "", "invalid-schema", "none"),
        ({"properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, "", "invalid-schema", "within itself"),
        ({"properties": {"a": {"$id": "https://example.org/a"}}}, "", "invalid-schema", "$id"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern", "invalid-schema", "regex"),
        ({"description": "x" * 70_000}, "", "too-long", "65536"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_the_project(
    schema: dict[str, Any], pointer: str, code: str, word: str
):
    raw = a_raw_spec(assets={"ticket": {"modality": "record", "schema": schema}})

    found = [fault for fault in check_spec(raw).faults if fault.pointer.startswith("/assets/ticket/schema")]

    assert [(fault.pointer, fault.code) for fault in found] == [(f"/assets/ticket/schema{pointer}", code)]
    assert word in found[0].message


def test_only_records_have_a_schema():
    found = check_spec(a_raw_spec(assets={"chat": {"modality": "text", "schema": SCHEMA}})).faults

    assert ("/assets/chat/schema", "contradiction") in {(fault.pointer, fault.code) for fault in found}


@pytest.mark.parametrize(
    ("schema", "is_taken"),
    [
        ({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}, True),
        ({"properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}, True),
        (
            {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}}}}},
            True,
        ),
        ({"allOf": [{"$ref": "#/$defs/n"}] * 2, "$defs": {"n": {"properties": {"n": {"$ref": "#"}}}}}, False),
        ({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"a": {"$ref": "#"}}}, False),
        ({"items": {"$ref": "#"}, "contains": {"$ref": "#"}}, False),
    ],
)
def test_a_schema_may_refer_to_itself_where_no_value_is_met_twice(schema: dict[str, Any], is_taken: bool):
    assert (schema_faults(schema) == []) == is_taken

    deep: dict[str, Any] = {"n": 7, "left": 7}
    for _ in range(30):
        deep = {"left": deep, "a": deep, "n": deep} if is_taken and len(str(deep)) < 2000 else {"n": deep}
    if is_taken:
        started = time.process_time()
        list(Validator(schema).violations(deep))
        assert time.process_time() - started < 2


def test_a_schema_that_doubles_with_each_reference_is_refused_before_a_record_meets_it():
    """Written out, it would be two to the power of thirty."""
    defs = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)} | {"d30": {"type": "integer"}}

    [fault] = schema_faults({"$defs": defs, "properties": {"a": {"$ref": "#/$defs/d0"}}})

    assert (fault.code, str(MAX_SCHEMA_NODES) in fault.message) == ("invalid-schema", True)


def test_the_worst_schema_that_is_taken_costs_a_large_record_seconds_at_most():
    schema = {"additionalProperties": {"anyOf": [{"required": [f"k{n}"], "minProperties": n} for n in range(600)]}}
    assert schema_faults(schema) == []
    validator = Validator(schema)

    started = time.process_time()
    found = record_faults(schema, validator, {f"{n}": {} for n in range(9_000)})

    assert [fault.pointer for fault in found] == ["/0"]
    assert time.process_time() - started < 10


@settings(deadline=None)
@given(st.recursive(st.integers() | st.text(max_size=3), lambda of: st.dictionaries(st.sampled_from("ab"), of)))
def test_a_fault_points_to_what_is_there(record: Any):
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}

    for fault in record_faults(schema, Validator(schema), record):
        part = record
        for step in fault.pointer.split("/")[1:]:
            part = part[step]
