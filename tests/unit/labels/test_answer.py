import copy
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.answer import AnswerCheck, check_answer
from shared.labels.canonical import NotCanonicalError, canonical_json, content_hash
from shared.labels.facts import AssetFacts
from shared.labels.schema import answer_schema
from tests.unit.labels.label_builders import JSON, a_box, a_span, a_spec

FACTS = {
    "chat": AssetFacts(modality="text", text_length=100),
    "voice_note": AssetFacts(modality="audio", duration=10.0),
    "screenshot": AssetFacts(modality="image", width=100, height=100),
    "responses": AssetFacts(modality="record"),
}
SILENT = {slot: facts for slot, facts in FACTS.items() if slot != "voice_note"}


def an_answer(**changes: Any) -> dict[str, Any]:
    return {"sentiment": "positive", "tone": "calm"} | changes


def told(check: AnswerCheck) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in check.faults]


def test_a_sound_answer_comes_back_in_canonical_form_and_unchanged():
    answer = an_answer(entities=[a_span(5, 9, label="city"), a_span(0, 2, label="date")])
    before = copy.deepcopy(answer)

    check = check_answer(a_spec(), FACTS, answer)

    assert told(check) == []
    assert [span["start"] for span in check.fields["entities"]] == [0, 5]
    assert answer == before


def test_all_faults_of_all_fields_are_told_with_their_field():
    answer = {
        "sentimet": "positive",
        "tone": "shouting",
        "entities": [a_span(0, 200, label="date", id="e1")],
        "people": [a_box(label="person", x=-1), a_box(label="cat", id="b2")],
    }

    check = check_answer(a_spec(), FACTS, answer)

    assert told(check) == [
        ("/fields/entities/0/end", "outside-asset"),
        ("/fields/people/0/x", "out-of-range"),
        ("/fields/people/1/label", "unknown-label"),
        ("/fields/sentiment", "missing-field"),
        ("/fields/tone", "unknown-option"),
        ("/fields/sentimet", "unknown-field"),
    ]
    assert check.faults[0].message == (
        'Field "entities": Item "e1": end 200 is after the end of the text, which has 100 code points.'
    )
    assert 'did you mean "sentiment"?' in check.faults[-1].message


def test_a_field_about_an_absent_asset_is_not_required_and_not_allowed():
    spec = a_spec()

    assert told(check_answer(spec, SILENT, {"sentiment": "positive"})) == []
    assert told(check_answer(spec, SILENT, an_answer())) == [("/fields/tone", "absent-asset")]


def test_without_any_facts_the_shape_is_still_checked():
    answer = an_answer(entities=[a_span(0, 10**6, label="date")])

    assert told(check_answer(a_spec(), {}, answer)) == []
    assert told(check_answer(a_spec(), {}, {"sentiment": "so so"})) == [
        ("/fields/sentiment", "unknown-option"),
        ("/fields/tone", "missing-field"),
    ]


def test_an_empty_list_is_an_answer_too():
    assert told(check_answer(a_spec(), FACTS, an_answer(entities=[], people=[]))) == []


@given(fields=st.dictionaries(st.sampled_from(["sentiment", "tone", "entities", "people", "\ud800"]), JSON) | JSON)
@settings(max_examples=100, deadline=None)
def test_no_json_crashes_the_check(fields: Any):
    check = check_answer(a_spec(), FACTS, fields)

    orjson.dumps([fault.model_dump() for fault in check.faults])
    canonical_json(check.fields)


def test_an_accepted_answer_fits_the_schema_of_its_project():
    spec = a_spec()
    schema = answer_schema(spec)
    validator = jsonschema_rs.Draft202012Validator(schema)
    answer = an_answer(entities=[a_span(0, 2, label="date")], people=[a_box(label="person")])

    fields = check_answer(spec, FACTS, answer).fields

    jsonschema_rs.meta.validate(schema)
    assert validator.is_valid(fields)
    assert not validator.is_valid({})
    assert not validator.is_valid({**fields, "more": 1})
    assert schema["required"] == ["sentiment"]  # the voice note, and so its tone, may be absent


def test_equal_labels_have_equal_hashes():
    spec = a_spec()
    one = check_answer(spec, FACTS, an_answer(entities=[a_span(5, 9, label="city"), a_span(0, 2, label="date")]))
    other = check_answer(spec, FACTS, an_answer(entities=[a_span(0, 2, label="date"), a_span(5, 9, label="city")]))

    assert content_hash(one.fields) == content_hash(other.fields)
    assert content_hash({"b": 1, "a": None}) == content_hash({"a": None, "b": 1}) != content_hash({"a": 0, "b": 1})
    assert canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), [{"a": float("inf")}], 2**70, "\ud800", {1: 2}, object(), {"a": {1}}])
def test_what_json_cannot_carry_has_no_hash(value: object):
    with pytest.raises(NotCanonicalError):
        content_hash(value)
