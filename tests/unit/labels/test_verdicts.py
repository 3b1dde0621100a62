from typing import Any

import pytest

from shared.labels.facts import AssetFacts
from shared.labels.rule import Rule
from shared.labels.spec import ProjectSpec
from shared.labels.verdicts import MAX_STEPS, RuleVerdict, blocking_faults, evaluate_rules
from tests.unit.labels.label_builders import a_box, a_spec

FACTS = {
    "chat": AssetFacts(modality="text", text="I am happy", text_length=10),
    "voice_note": AssetFacts(modality="audio", duration=12.5),
}
CITY = {"id": "1", "start": 0, "end": 4, "label": "city"}
DATE = {"id": "2", "start": 3, "end": 9, "label": "date"}


def with_rules(*expressions: str, **changes: Any) -> ProjectSpec:
    rules = tuple(
        Rule.model_validate({"id": f"r{number}", "expression": expression, "message": "Look again."} | changes)
        for number, expression in enumerate(expressions)
    )
    return a_spec(rules=[]).model_copy(update={"rules": rules})


def verdict(
    expression: str, fields: dict[str, Any], metadata: dict[str, Any] | None = None, **rule: Any
) -> RuleVerdict:
    [verdict] = evaluate_rules(with_rules(expression, **rule), FACTS, fields, metadata=metadata)
    return verdict


def test_a_positive_text_in_an_angry_voice_is_a_warning_with_its_message():
    spec = a_spec()

    [warned] = evaluate_rules(spec, FACTS, {"sentiment": "positive", "tone": "angry"})
    [passed] = evaluate_rules(spec, FACTS, {"sentiment": "positive", "tone": "calm"})

    assert (warned.rule_id, warned.severity, warned.passed) == ("sentiment-matches-tone", "warn", False)
    assert warned.message == "A positive text in an angry voice: listen again."
    assert (passed.passed, passed.message, passed.marks) == (True, "", ())


def test_a_verdict_names_the_rule_as_it_was():
    spec = a_spec()

    [verdict] = evaluate_rules(spec, FACTS, {"sentiment": "positive", "tone": "angry"}, project_version=7)

    assert (verdict.rule_hash, verdict.project_version) == (spec.rules[0].digest, 7)


def test_a_rule_does_not_apply_where_a_field_or_an_asset_is_absent():
    spec = with_rules('fields.tone == "calm"', "fields.sentiment != '' && assets.screenshot.width > 10")

    verdicts = evaluate_rules(spec, FACTS, {"sentiment": "positive"})

    assert [(verdict.passed, verdict.error) for verdict in verdicts] == [(None, None), (None, None)]


def test_a_rule_that_asks_with_has_handles_absence_itself():
    either = "has(fields.tone) || has(fields.sentiment)"
    guarded = '!has(fields.tone) || fields.tone == "calm"'

    assert verdict(either, {}).passed is False
    assert verdict(either, {"tone": "calm"}).passed is True
    assert verdict(guarded, {}).passed is True
    assert verdict(guarded, {"tone": "angry"}).passed is False


def test_rules_see_facts_of_assets_and_items_of_fields():
    spans = [{"id": "1", "start": 0, "end": 4, "label": "city"}, {"id": "2", "start": 3, "end": 9, "label": "date"}]
    boxes = [a_box(id="1"), a_box(id="2", x=100)]

    assert verdict("fields.entities.all(e, e.end <= assets.chat.text_length)", {"entities": spans}).passed is True
    assert verdict('fields.entities.exists(e, e.label == "person")', {"entities": spans}).passed is False
    assert verdict("overlaps(fields.entities[0], fields.entities[1])", {"entities": spans}).passed is True
    assert verdict("same_label(fields.people[0], fields.tone)", {"people": boxes, "tone": "cat"}).passed is True
    assert verdict('lowerAscii(fields.tone) == "cat"', {"tone": "CAT"}).passed is True
    assert verdict('fields["tone"].matches("^(a+)+$")', {"tone": "a" * 5_000 + "b"}).passed is False


@pytest.mark.parametrize(
    "expression",
    ["fields.entities[7].label == 'x'", "fields.tone.depth.deeper == 1", "fields.tone", "1 / 0 == fields.sentiment"],
)
def test_a_rule_that_fails_is_the_projects_fault(expression: str):
    failed = verdict(expression, {"entities": [], "tone": "calm", "sentiment": 3.0})

    assert failed.passed is None
    assert failed.error is not None
    assert failed.error.startswith("Rule r0 could not be run.")


def test_a_rule_that_would_run_away_is_not_run():
    nested = "fields.entities.all(a, fields.entities.all(b, fields.entities.all(c, a != b || b != c)))"
    many = [{"id": str(number), "start": number, "end": number + 1, "label": "city"} for number in range(60)]

    assert len(many) ** 3 > MAX_STEPS
    assert verdict(nested, {"entities": many[:5]}).error is None
    assert "split the rule" in str(verdict(nested, {"entities": many}).error)


def test_rules_together_are_bounded_too():
    pairs = "fields.entities.all(a, fields.entities.all(b, a != b || a == b))"
    many = [{"id": str(number), "start": number, "end": number + 1, "label": "city"} for number in range(200)]

    verdicts = evaluate_rules(with_rules(*[pairs] * 20), FACTS, {"entities": many})

    assert [each.passed for each in verdicts[:12]] == [True] * 12
    assert "together" in str(verdicts[-1].error)


def test_lists_and_texts_that_a_rule_makes_longer_are_reckoned_with():
    long = {"chat": AssetFacts(modality="text", text="x" * 1_000_000, text_length=1_000_000)}
    many = [{"id": str(number), "start": number, "end": number + 1, "label": "city"} for number in range(300)]
    doubled = "fields.entities + fields.entities + fields.entities + fields.entities"
    spec = with_rules(
        f"({doubled}).all(a, ({doubled}).all(b, a == b || a != b))",
        "fields.entities.all(e, (assets.chat.text + assets.chat.text).contains('xy'))",
    )

    verdicts = evaluate_rules(spec, long, {"entities": many})

    assert all("steps" in str(each.error) for each in verdicts)


def test_calls_within_loops_are_bounded_by_their_cost():
    corners = [[float(x), float(x * x % 97)] for x in range(400)]
    people = [{"id": str(number), "shape": "polygon", "label": "person", "points": corners} for number in range(100)]

    failed = verdict("fields.people.all(a, fields.people.all(b, iou(a, b) >= 0.0))", {"people": people})

    assert failed.passed is None
    assert "split the rule" in str(failed.error)


def test_rules_see_the_metadata_of_the_sample():
    rule = 'metadata.channel != "phone" || fields.tone == "calm"'

    assert verdict(rule, {"tone": "angry"}, {"channel": "phone"}).passed is False
    assert verdict(rule, {"tone": "calm"}, {"channel": "phone"}).passed is True
    assert verdict(rule, {"tone": "angry"}, {}).passed is None
    assert verdict('has(metadata.channel) || fields.tone == "calm"', {"tone": "angry"}, {}).passed is False
    assert (
        verdict("metadata['a.b'].size() == size(fields.tone)", {"tone": "calm"}, {"a.b": [1, 2, 3, 4]}).passed is True
    )


def test_texts_are_counted_in_characters_by_chars():
    assert verdict("chars(fields.tone) == 2", {"tone": "é€"}).passed is True


def test_a_rule_marks_the_fields_that_it_is_about_unless_it_says_else():
    fields = {"tone": "angry", "sentiment": "positive", "entities": [CITY, DATE]}
    rule = "fields.tone == 'calm' || fields.sentiment == 'negative'"

    assert verdict(rule, fields).marks == ("/fields/sentiment", "/fields/tone")
    assert verdict(rule, fields, marks=["fields.tone"]).marks == ("/fields/tone",)
    assert verdict(rule, fields, marks=['fields["tone"]', "fields.people"]).marks == ("/fields/tone",)


def test_a_rule_marks_items():
    fields = {"entities": [CITY, DATE], "tone": "angry"}
    rule = "fields.entities.all(e, e.label != 'date') && fields.tone == 'calm'"

    marked = verdict(rule, fields, marks=["fields.entities.filter(e, e.label == 'date')", "fields.entities[0]"])

    assert marked.marks == ("/fields/entities/1", "/fields/entities/0")
    assert verdict(rule, fields, marks=["fields.entities.filter(e, e.label == 'x')"]).marks == (
        "/fields/entities",
        "/fields/tone",
    )


@pytest.mark.parametrize("mark", ["fields.tone == 'x'", "fields.entities[9]", "fields.entities.map(e, e.label)"])
def test_a_mark_that_cannot_be_found_is_the_projects_fault_and_the_verdict_stands(mark: str):
    found = verdict(
        "fields.tone == 'calm' && fields.entities.size() > 0", {"tone": "x", "entities": [CITY]}, marks=[mark]
    )

    assert found.passed is False
    assert "What it marks is not known" in str(found.error)
    assert found.marks == ("/fields/entities", "/fields/tone")


def test_a_refusal_points_at_the_items_as_they_were_sent():
    sent = {"entities": [DATE, CITY]}
    canonical = {"entities": [CITY, DATE]}
    spec = with_rules(
        "fields.entities.all(e, e.label != 'date')",
        severity="block",
        marks=["fields.entities.filter(e, e.label == 'date')"],
        message={"en": "No dates.", "de": "Keine Daten."},
    )

    verdicts = evaluate_rules(spec, FACTS, canonical, languages=["de-AT", "en"])
    faults = blocking_faults(verdicts, canonical, sent)

    assert verdicts[0].marks == ("/fields/entities/1",)
    assert [(fault.pointer, fault.code, fault.message) for fault in faults] == [
        ("/fields/entities/0", "rule-r0", "Keine Daten.")
    ]


def test_only_a_blocking_rule_that_is_not_met_refuses():
    warned = evaluate_rules(with_rules("fields.tone == 'calm'"), FACTS, {"tone": "angry"})
    failed = evaluate_rules(with_rules("fields.tone.x == 'calm'", severity="block"), FACTS, {"tone": "angry"})

    assert blocking_faults([*warned, *failed], {}, {}) == []
