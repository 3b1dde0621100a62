"""What a new version would change for labels that exist."""

from typing import Any

import pytest

from shared.labels.spec_changes import differences
from tests.unit.labels.label_builders import a_raw_spec, a_spec


def changed(**changes: Any) -> list[tuple[str, str, str]]:
    """What changing parts of the usual spec would do: pointer, change, effect."""
    return [(each.pointer, each.change, each.effect) for each in differences(a_spec(), a_spec(**changes))]


def with_field(name: str, **options: Any) -> list[tuple[str, str, str]]:
    fields = a_raw_spec()["fields"]
    return changed(fields={**fields, name: {**fields.get(name, {}), **options}})


def test_the_same_spec_changes_nothing():
    assert changed() == []


def test_a_field_that_is_gone_and_one_that_is_new_are_told_each():
    fields = a_raw_spec()["fields"]
    del fields["entities"]
    fields["mood"] = {"kind": "rating", "minimum": 1, "maximum": 5, "required": True}
    fields["note"] = {"kind": "text"}

    assert changed(fields=fields) == [
        ("/fields/entities", "field-removed", "breaks"),
        ("/fields/mood", "required-field-added", "breaks"),
        ("/fields/note", "field-added", "loosens"),
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"options": ["positive"]}, [("/fields/sentiment/options", "options-removed", "breaks")]),
        ({"options": ["positive", "negative", "mixed"]}, [("/fields/sentiment/options", "options-added", "loosens")]),
        ({"options": ["negative", "positive"]}, [("/fields/sentiment/options", "options-reordered", "neutral")]),
        (
            {"options": ["positive", "mixed"]},
            [
                ("/fields/sentiment/options", "options-removed", "breaks"),
                ("/fields/sentiment/options", "options-added", "loosens"),
            ],
        ),
        ({"required": False}, [("/fields/sentiment/required", "made-optional", "loosens")]),
        ({"title": "Mood"}, [("/fields/sentiment/title", "wording-changed", "neutral")]),
        ({"multiple": True}, [("/fields/sentiment/multiple", "multiple-changed", "breaks")]),
        ({"asset": None}, [("/fields/sentiment/asset", "asset-changed", "breaks")]),
    ],
)
def test_each_change_of_a_choice_is_told(options: dict[str, Any], told: list[tuple[str, str, str]]):
    assert with_field("sentiment", **options) == told


def test_a_kind_that_changes_is_told_alone():
    fields = a_raw_spec()["fields"] | {"sentiment": {"kind": "rating", "minimum": 1, "maximum": 5, "required": True}}

    assert changed(fields=fields, rules=[])[0] == ("/fields/sentiment/kind", "kind-changed", "breaks")


def test_a_limit_tightens_or_loosens_by_its_side():
    def rated(minimum: float, maximum: float) -> Any:
        fields = {"mood": {"kind": "rating", "minimum": minimum, "maximum": maximum, "required": True}}
        return a_spec(fields=fields, rules=[])

    told = [(each.pointer, each.change) for each in differences(rated(1, 5), rated(2, 7))]

    assert told == [("/fields/mood/minimum", "limit-tightened"), ("/fields/mood/maximum", "limit-loosened")]


def test_text_may_become_shorter_and_its_languages_fewer():
    def text(**options: Any) -> Any:
        return a_spec(fields={"note": {"kind": "text", "required": True, **options}}, rules=[])

    def told(old: Any, new: Any) -> list[str]:
        return [each.change for each in differences(old, new)]

    assert told(text(max_chars=100), text(max_chars=50)) == ["limit-tightened"]
    assert told(text(), text(languages=["en"])) == ["languages-restricted"]
    assert told(text(languages=["en"]), text()) == ["languages-opened"]
    assert told(text(languages=["en", "de"]), text(languages=["en"])) == ["languages-removed"]


def test_assets_concern_new_samples_alone():
    assets = a_raw_spec()["assets"]
    del assets["responses"]
    assets["chat"]["max_chars"] = 10
    assets["voice_note"]["required"] = True
    assets["clip"] = {"modality": "video", "required": False}

    told = differences(a_spec(), a_spec(assets=assets))

    assert [(each.pointer, each.change, each.effect, each.field) for each in told] == [
        ("/assets/responses", "asset-removed", "tightens", None),
        ("/assets/chat/max_chars", "limit-tightened", "tightens", None),
        ("/assets/voice_note/required", "made-required", "tightens", None),
        ("/assets/clip", "asset-added", "loosens", None),
    ]


def test_rules_are_known_by_their_ids():
    [rule] = a_raw_spec()["rules"]
    other = {"id": "other", "expression": 'fields.tone == "calm"', "message": "Listen."}

    assert changed(rules=[other, rule]) == [("/rules/0", "rule-added", "tightens")]
    assert changed(rules=[]) == [("/rules/0", "rule-removed", "loosens")]
    assert changed(rules=[rule | {"severity": "block"}]) == [("/rules/0", "rule-changed", "tightens")]


def test_parts_that_touch_no_label_say_what_they_touch():
    told = changed(title="New", quality={"overlap": 5}, guidelines={"text": "Read thrice."}, blind=False)

    assert [each[:2] for each in told] == [
        ("/guidelines", "guidelines-changed"),
        ("/quality", "quality-changed"),
        ("/blind", "blind-changed"),
        ("/title", "title-changed"),
    ]
