"""What holds for every kind, shown on values and on rubbish that hypothesis makes."""

import copy
from typing import Any, get_args

import jsonschema_rs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.labels.answer import check_value
from shared.labels.canonical import canonical_json
from shared.labels.kinds import KINDS, FieldSpec
from tests.unit.labels.label_builders import DEFAULTS, FACTS, JSON, VALID, a_field, accepted

every_kind = pytest.mark.parametrize("kind", sorted(KINDS))
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JUNK = st.sampled_from([None, True, -1, 10**400, float("nan"), float("-inf"), "\ud800", "", "x" * 300, [], {}, [[]]])


def schema_of(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(KINDS[kind].json_schema(a_field(kind)))


def test_the_registry_and_the_union_name_the_same_kinds():
    members = get_args(get_args(FieldSpec)[0])

    assert {kind.options for kind in KINDS.values()} == set(members)
    assert set(KINDS) == {get_args(member.model_fields["kind"].annotation)[0] for member in members}
    assert set(KINDS) == set(VALID) == set(FACTS) == set(DEFAULTS)


@every_kind
@given(data=st.data())
@few
def test_canonical_form_is_canonical_already_and_survives_json(kind: str, data: st.DataObject):
    raw = data.draw(VALID[kind])
    before = copy.deepcopy(raw)

    canonical = accepted(a_field(kind), raw)

    written = canonical_json(canonical)
    assert raw == before
    assert canonical_json(accepted(a_field(kind), canonical)) == written
    assert canonical_json(accepted(a_field(kind), orjson.loads(written))) == written


@every_kind
@given(data=st.data())
@few
def test_what_is_accepted_fits_the_schema(kind: str, data: st.DataObject):
    canonical = accepted(a_field(kind), data.draw(VALID[kind]))

    errors = [error.message for error in schema_of(kind).iter_errors(orjson.loads(canonical_json(canonical)))]

    assert errors == []


@every_kind
@given(data=st.data())
@few
def test_a_mutation_outside_the_schema_is_refused(kind: str, data: st.DataObject):
    mutated = mutate(data.draw(VALID[kind]), data)
    try:
        fits = schema_of(kind).is_valid(orjson.loads(canonical_json(mutated)))
    except ValueError:  # it cannot even be written as JSON
        fits = False

    value, faults = check_value(a_field(kind), FACTS[kind], mutated)

    assert fits or faults
    assert (value is None) == bool(faults)


@every_kind
@given(raw=JSON)
@settings(max_examples=80, deadline=None)
def test_no_json_crashes_a_check(kind: str, raw: Any):
    value, faults = check_value(a_field(kind), FACTS[kind], raw)

    if faults:
        assert value is None
        orjson.dumps([fault.model_dump() for fault in faults])  # a fault quotes bad input and can still be sent
    else:
        canonical_json(value)


@every_kind
def test_a_field_reads_back_from_its_own_json(kind: str):
    field = a_field(kind)

    read = type(field).model_validate(orjson.loads(orjson.dumps(field.model_dump(mode="json"))))

    assert read == field
    assert field.faults() == []


def test_a_copy_with_other_options_forgets_what_was_derived_from_the_old_ones():
    field = a_field("spans")
    accepted(field, [{"id": "1", "start": 0, "end": 1, "label": "cat"}])

    other = field.model_copy(update={"labels": ("bird",)})

    _, [fault] = check_value(other, FACTS["spans"], [{"id": "1", "start": 0, "end": 1, "label": "cat"}])
    assert fault.code == "unknown-label"


def mutate(value: Any, data: st.DataObject) -> Any:
    """Spoil one place of a value: replace it, drop a key, or add one."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 3)):
        key = data.draw(st.sampled_from(sorted(value)))
        how = data.draw(st.sampled_from(["drop", "add", "deeper", "deeper"]))
        if how == "drop":
            return {name: part for name, part in value.items() if name != key}
        if how == "add":
            return {**value, data.draw(st.sampled_from(["colour", "\ud800", "kind"])): 1}
        return {**value, key: mutate(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        position = data.draw(st.integers(0, len(value) - 1))
        return [*value[:position], mutate(value[position], data), *value[position + 1 :]]
    return data.draw(JUNK)
