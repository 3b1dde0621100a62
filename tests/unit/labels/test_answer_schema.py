"""The JSON Schema of a project's answers: its examples, and the fields that are required under a condition."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.answer import check_answer, check_value
from shared.labels.canonical import canonical_json
from shared.labels.kinds import KINDS
from shared.labels.kinds.examples import EXAMPLES
from shared.labels.kinds.simple_values import simple_value
from shared.labels.schema import answer_schema
from tests.unit.labels.label_builders import DEFAULTS, a_field, a_span, a_spec
from tests.unit.labels.test_required_if import CHAT, fields_with

CONDITIONS = [
    {"field": "intent", "any_of": ["refund"]},
    {"field": "tags", "any_of": ["rude"]},
    {"field": "tags"},
    {"field": "stars", "any_of": [1, 2]},
    {"field": "names", "any_of": ["city"]},
    {"field": "names"},
    {"field": "note"},
]
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "intent": st.sampled_from(["refund", "praise"]),
        "tags": st.lists(st.sampled_from(["rude", "long"]), unique=True),
        "stars": st.integers(1, 5),
        "names": st.sampled_from([[], [a_span(0, 4, label="city")], [a_span(0, 4, label="date")]]),
        "note": st.just({"text": "Odd."}),
        "why": st.just({"text": "Broken."}),
    },
)
SHAPES = ["box", "rotated_box", "polygon", "polyline", "keypoints", "mask"]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"record"}))
def test_the_example_of_a_field_is_accepted_in_canonical_form_and_fits_its_schema(kind: str):
    fields = [a_field(kind), EXAMPLES[kind].field]
    if kind == "regions":
        fields += [a_field("regions", shapes=[each], keypoints=["head"] * (each == "keypoints")) for each in SHAPES]
    if "attributes" in DEFAULTS[kind]:
        fields.append(a_field(kind, attributes={"sure": {"type": "boolean", "required": True}}))

    for field in fields:
        example = simple_value(field)

        value, faults = check_value(field, None, example)
        assert not faults
        assert canonical_json(value) == canonical_json(example)
        assert jsonschema_rs.Draft202012Validator(KINDS[kind].json_schema(field)).is_valid(example)


def test_there_is_no_example_where_there_is_none_so_simple():
    assert simple_value(a_field("spans", min_items=2)) is None
    assert simple_value(a_field("text", min_chars=500)) is None
    assert simple_value(a_field("record")) is None


def test_examples_stand_in_the_schema_and_those_of_a_record_are_its_own():
    urgent = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "examples": [{"urgent": True}]}
    fields = {"mood": {"kind": "choice", "options": ["good"]}, "form": {"kind": "record", "schema": urgent}}
    spec = a_spec(fields=fields, rules=[])

    properties = answer_schema(spec)["properties"]

    assert (properties["mood"]["examples"], properties["form"]["examples"]) == (["good"], [{"urgent": True}])


@pytest.mark.parametrize("condition", CONDITIONS)
@settings(max_examples=40, deadline=None)
@given(answer=ANSWERS)
def test_a_field_is_required_by_the_schema_exactly_when_the_check_requires_it(condition: Any, answer: dict[str, Any]):
    spec = a_spec(fields=fields_with(condition), rules=[])

    missing = any(fault.code == "missing-field" for fault in check_answer(spec, CHAT, answer).faults)

    assert jsonschema_rs.Draft202012Validator(answer_schema(spec)).is_valid(answer) == (not missing)
