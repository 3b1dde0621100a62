"""Fields that are required when another field of the answer says so."""

from typing import Any

import pytest

from shared.labels.answer import check_answer
from shared.labels.facts import AssetFacts
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import a_raw_spec, a_span, a_spec

CHAT = {"chat": AssetFacts(modality="text", text_length=100)}
FIELDS = {
    "intent": {"kind": "choice", "options": ["refund", "praise"]},
    "tags": {"kind": "choice", "options": ["rude", "long"], "multiple": True},
    "stars": {"kind": "rating", "minimum": 1, "maximum": 5},
    "names": {"kind": "spans", "asset": "chat", "labels": ["city", "date"]},
    "note": {"kind": "text"},
}


def fields_with(condition: dict[str, Any], **options: Any) -> dict[str, Any]:
    return FIELDS | {"why": {"kind": "text", "required_if": condition, **options}}


def told(condition: dict[str, Any], answer: dict[str, Any]) -> list[tuple[str, str]]:
    spec = a_spec(fields=fields_with(condition), rules=[])
    return [(fault.pointer, fault.code) for fault in check_answer(spec, CHAT, answer).faults]


@pytest.mark.parametrize(
    ("condition", "answer", "required"),
    [
        ({"field": "intent", "any_of": ["refund"]}, {"intent": "refund"}, True),
        ({"field": "intent", "any_of": ["refund"]}, {"intent": "praise"}, False),
        ({"field": "intent", "any_of": ["refund"]}, {}, False),
        ({"field": "tags", "any_of": ["rude"]}, {"tags": ["long", "rude"]}, True),
        ({"field": "stars", "any_of": [1, 2]}, {"stars": 2}, True),
        ({"field": "stars", "any_of": [1, 2]}, {"stars": 3}, False),
        ({"field": "names", "any_of": ["city"]}, {"names": [a_span(0, 4, label="city")]}, True),
        ({"field": "names", "any_of": ["city"]}, {"names": [a_span(0, 4, label="date")]}, False),
        ({"field": "names"}, {"names": [a_span(0, 4, label="date")]}, True),
        ({"field": "names"}, {"names": []}, False),
        ({"field": "note"}, {"note": {"text": "Odd."}}, True),
        ({"field": "intent", "any_of": ["refund"]}, {"intent": "refund", "why": {"text": "Broken."}}, False),
    ],
)
def test_a_field_is_required_when_the_condition_is_met(condition, answer, required):
    assert told(condition, answer) == ([("/fields/why", "missing-field")] if required else [])


def test_the_message_says_under_which_condition():
    spec = a_spec(fields=fields_with({"field": "intent", "any_of": ["refund"]}), rules=[])

    [fault] = check_answer(spec, CHAT, {"intent": "refund"}).faults

    assert fault.message == 'Field "why" is required in an answer to "intent" with "refund" in it; add it.'


def test_a_condition_on_a_field_that_is_not_sound_asks_for_nothing():
    assert told({"field": "intent"}, {"intent": "complaint"}) == [("/fields/intent", "unknown-option")]


@pytest.mark.parametrize(
    ("condition", "options", "fault"),
    [
        ({"field": "intend"}, {}, ("/fields/why/required_if/field", "unknown-field")),
        ({"field": "why"}, {}, ("/fields/why/required_if/field", "contradiction")),
        ({"field": "intent"}, {"required": True}, ("/fields/why/required_if", "contradiction")),
        ({"field": "intent", "any_of": ["refunds"]}, {}, ("/fields/why/required_if/any_of/0", "unknown-option")),
        ({"field": "names", "any_of": ["city", "x"]}, {}, ("/fields/why/required_if/any_of/1", "unknown-option")),
        ({"field": "stars", "any_of": [6]}, {}, ("/fields/why/required_if/any_of", "out-of-range")),
        ({"field": "stars", "any_of": ["1"]}, {}, ("/fields/why/required_if/any_of", "out-of-range")),
        ({"field": "note", "any_of": ["x"]}, {}, ("/fields/why/required_if/any_of", "contradiction")),
    ],
)
def test_a_condition_that_no_answer_can_meet_is_a_fault_of_the_spec(condition, options, fault):
    check = check_spec(a_raw_spec(fields=fields_with(condition, **options), rules=[], guidelines={}))

    assert [(found.pointer, found.code) for found in check.faults] == [fault]
