from typing import Any

import pytest

from shared.labels.project import check_spec
from shared.labels.rule import MAX_RULE_CHARS, Rule
from shared.labels.rule_references import references_of
from shared.labels.rules import Known, RuleError, compile_expression, rule_faults
from tests.unit.labels.label_builders import a_raw_spec, a_spec

KNOWN = Known(
    frozenset({"sentiment", "tone", "entities", "people"}), frozenset({"chat", "voice_note"}), a_spec().fields
)
OBJECTIVE = {"goal": "Route tickets", "output": "predictive"}


def a_rule(expression: str, **changes: Any) -> Rule:
    return Rule.model_validate({"id": "r", "expression": expression, "message": "Look again."} | changes)


def codes(expression: str, **changes: Any) -> list[str]:
    return [fault.code for fault in rule_faults(a_rule(expression, **changes), KNOWN)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('fields.tone == "calm"', []),
        ('fields["tone"] != "calm" // fields.nope', []),
        ("metadata.x == fields.tone && metadata['some key'] == 1", []),
        ("metadata == 1 || fields.tone == 'calm'", ["unclear-reference"]),
        ("fields.entities.map(e, e.label).exists(l, l == 'fields')", []),
        ("fields.tone ==", ["invalid-expression"]),
        ("fields.tone ==\n\n(", ["invalid-expression"]),
        ("fields.tonne == 'calm' && assets.chatt.size > 1", ["unknown-field", "unknown-asset"]),
        ("fields.tonne == shout(sample.x)", ["unknown-variable", "unknown-function", "unknown-field"]),
        ("fields[fields.tone] == 1", ["unclear-reference"]),
        ("size(fields) == 2", ["unclear-reference"]),
        ("fields.contains('x')", ["unclear-reference"]),
        ("'tone' in fields", ["unclear-reference"]),
        ("1 == 1", ["no-field"]),
        ("assets.chat.text_length > 3", ["no-field"]),
        (".fields.tone == 'x'", ["unknown-variable"]),
        ("fields.tone" + ".all(a, a" * 4 + ".x" + ")" * 4, ["too-deep"]),
    ],
)
def test_faults_of_rules_are_found_before_they_run(expression: str, expected: list[str]):
    assert codes(expression) == expected


def test_a_rule_that_cannot_run_is_not_compiled():
    with pytest.raises(RuleError, match="not CEL"):
        compile_expression("fields.tone ==")


def test_references_are_read_past_strings_comments_and_members():
    references = references_of(
        r"""has(fields.a) && r"\" == fields.b["fields.no"].fields && '''fields.no''' != assets['c'].text // fields.no"""
    )

    assert references.fields == {"a", "b"}
    assert references.assets == {"c"}
    assert references.guarded == {("fields", "a")}
    assert references.unclear == ()


def test_loops_within_loops_are_counted():
    assert references_of("fields.a == 1").depth == 0
    assert references_of("fields.a.map(x, x).all(y, y > 0)").depth == 1
    assert references_of("fields.a.all(x, (x.all(y, y > '.all(')))").depth == 2
    assert references_of("fields.a.all(x, true)").bound == {"x"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("fields.tone == 'clam'", ["unknown-value"]),
        ("'clam' != fields.tone", ["unknown-value"]),
        ("fields.tone in ['calm', 'clam']", ["unknown-value"]),
        ("fields.entities.all(e, e.lable == 'city')", ["unknown-member"]),
        ("fields.entities.all(e, e.label == 'town')", ["unknown-value"]),
        ("fields.entities.all(e, fields.people.all(p, p.width > 1 && p.label == e.label) && e.start > 1)", []),
        ("fields.entities.all(e, fields.people.all(e, e.width > 1) && e.width > 1)", ["unknown-member"]),
        ("fields.entities.label == 'city'", ["unknown-member"]),
        ("fields.tone.label == 'calm'", ["unknown-member"]),
        ("fields.entities.all(e, e.field == 'entities' && e.asset == 'chat')", []),
        ("fields.people[0].shape == 'circle'", ["unknown-value"]),
        ("fields.tone == 'calm' && assets.chat.txt == ''", ["unknown-fact"]),
    ],
)
def test_a_typo_that_would_make_a_rule_always_true_is_found(expression: str, expected: list[str]):
    assert codes(expression) == expected


def test_a_text_among_several_options_is_held_against_them():
    several = {"topics": {"kind": "choice", "options": ["bill", "card"], "multiple": True}}
    known = Known(frozenset(several), frozenset(), a_spec(fields=several, rules=[], objective=OBJECTIVE).fields)

    assert [fault.code for fault in rule_faults(a_rule("'crad' in fields.topics"), known)] == ["unknown-value"]
    assert rule_faults(a_rule("'card' in fields.topics"), known) == []


def test_members_of_an_open_record_are_not_judged():
    options = {
        "triage": {"kind": "record", "schema": {"type": "object", "properties": {"urgent": {"type": "boolean"}}}}
    }
    known = Known(frozenset(options), frozenset(), a_spec(fields=options, rules=[], objective=OBJECTIVE).fields)

    assert rule_faults(a_rule("fields.triage.anything == 'x'"), known) == []


def test_what_a_rule_marks_is_checked_as_the_rule_is():
    faults = rule_faults(
        a_rule("fields.tone == 'calm'", marks=["fields.tone", "fields.tonne", "fields.tone =="]), KNOWN
    )

    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/marks/1", "unknown-field"),
        ("/marks/2", "invalid-expression"),
    ]


@pytest.mark.parametrize("opening", ["(", "[", "!", "-", "size(", "{1:", "true ? 1 : "])
def test_an_expression_nested_beyond_reason_is_refused_or_harmless(opening: str):
    nested = opening * (MAX_RULE_CHARS // len(opening))

    assert codes(nested) == ["invalid-expression"]


def test_a_message_is_chosen_by_language():
    rule = a_rule("fields.tone == 'calm'", message={"en": "Again.", "pt": "De novo.", "zh-Hant": "再來."})

    assert rule.message_in(["pt-BR", "en"]) == "De novo."
    assert rule.message_in(["zh-hant-TW"]) == "再來."
    assert rule.message_in(["fr"], fallback=["pt"]) == "De novo."
    assert rule.message_in(["fr"]) == "Again."
    assert a_rule("x", message={"pt": "De novo."}).message_in(["fr"]) == "De novo."
    assert a_rule("x", message="Again.").message_in(["fr"]) == "Again."


def test_a_language_tag_of_any_length_costs_nothing():
    rule = a_rule("fields.tone == 'calm'", message={"en": "Again."})

    assert rule.message_in(["-".join("a" * 200_000)]) == "Again."


def test_a_message_in_no_language_is_refused_where_it_stands():
    rule = {"id": "r", "expression": "fields.tone == 'calm'"}

    check = check_spec(a_raw_spec(rules=[rule | {"message": each} for each in ({}, {"english": "x"}, {"en": 3}, 7)]))

    assert [(fault.pointer, fault.code) for fault in check.faults] == [
        ("/rules/0/message", "too-short"),
        ("/rules/1/message/english", "malformed"),
        ("/rules/2/message/en", "wrong-type"),
        ("/rules/3/message", "wrong-type"),
    ]


def test_a_rule_that_says_the_same_has_the_same_digest():
    rule = a_rule("fields.tone == 'calm'", message={"en": "a", "de": "b"})

    assert rule.digest == a_rule("fields.tone == 'calm'", message={"de": "b", "en": "a"}).digest
    assert rule.digest != a_rule("fields.tone == 'angry'", message={"de": "b", "en": "a"}).digest
