"""The rules of ``examples/rules``: each met by an answer that tells one story, and not met by one that tells two."""

from pathlib import Path
from typing import Any

import pytest

from shared.labels.answer import check_answer
from shared.labels.facts import AssetFacts, Clock
from shared.labels.project import ProjectSpec, check_spec, parse_spec_text
from shared.labels.verdicts import RuleVerdict, evaluate_rules

PROJECT = Path(__file__).parents[3] / "examples/rules/project.yaml"
FACTS = {
    "product_photo": AssetFacts(modality="image", width=640, height=480),
    "description": AssetFacts(modality="text", text="A cup.", text_length=6),
    "voice_note": AssetFacts(modality="audio", duration=30.0),
    "clip": AssetFacts(modality="video", width=640, height=480, duration=20.0, clock=Clock(offset=10.0)),
}
"""The clip begins ten seconds after the voice note."""


@pytest.fixture(scope="module")
def spec() -> ProjectSpec:
    check = check_spec(parse_spec_text(PROJECT.read_text()))
    assert check.spec is not None, check.faults
    assert list(check.warnings) == []
    return check.spec


def an_answer(**changes: Any) -> dict[str, Any]:
    during = {"from": {"field": "events", "id": "shown"}, "to": {"field": "transcript", "id": "second"}}
    return {
        "pictured": "cup",
        "described": "cup",
        "feeling": "frustrated",
        "text_feeling": "frustrated",
        "voice_feeling": "frustrated",
        "transcript": [
            {"id": "first", "start": 0, "end": 10, "label": "speech", "text": "Look at this."},
            {"id": "second", "start": 12, "end": 20, "label": "speech", "text": "It leaks."},
        ],
        "events": [{"id": "shown", "start": 3, "end": 9, "label": "fault_shown"}],
        "happens_during": [{"id": "link", "label": "during", **during}],
    } | changes


def verdicts(spec: ProjectSpec, **changes: Any) -> dict[str, RuleVerdict]:
    checked = check_answer(spec, FACTS, an_answer(**changes))
    assert not checked.faults, checked.faults
    found = evaluate_rules(spec, FACTS, checked.fields, languages=["de"])
    assert [each.error for each in found] == [None] * len(spec.rules)
    return {each.rule_id: each for each in found if each.passed is False}


def test_an_answer_that_tells_one_story_meets_all_rules(spec: ProjectSpec):
    assert verdicts(spec) == {}


def test_a_products_picture_agrees_with_its_description(spec: ProjectSpec):
    [(rule, verdict)] = verdicts(spec, described="shoe").items()

    assert rule == "picture-agrees-with-description"
    assert verdict.blocks
    assert verdict.marks == ("/fields/described", "/fields/pictured")
    assert verdict.message.startswith("Das Bild zeigt")
    assert verdicts(spec, described="other") == {}


def test_the_voices_emotion_agrees_with_the_transcripts_sentiment(spec: ProjectSpec):
    [(rule, verdict)] = verdicts(spec, feeling="neutral", voice_feeling="pleased").items()

    assert rule == "voice-agrees-with-transcript"
    assert not verdict.blocks
    assert verdict.marks == ("/fields/voice_feeling",)
    assert verdicts(spec, feeling="neutral", voice_feeling="neutral") == {}


def test_an_event_lies_within_the_words_that_it_is_linked_to(spec: ProjectSpec):
    """By the common clock the event is at 13 s to 19 s; by the clip's own time it would lie in the first words."""
    early = [{"id": "shown", "start": 1, "end": 9, "label": "fault_shown"}]
    apart = [{"id": "use", "start": 0, "end": 1, "label": "use"}, *early]

    [(rule, verdict)] = verdicts(spec, events=apart).items()

    assert rule == "events-lie-within-what-is-said"
    assert verdict.blocks
    assert verdict.marks == ("/fields/events/1",)
    assert verdicts(spec, events=early, happens_during=[]) == {}


def test_a_frustrated_sample_is_so_in_text_and_voice(spec: ProjectSpec):
    for changes in ({"text_feeling": "neutral"}, {"voice_feeling": "neutral"}):
        [(rule, verdict)] = verdicts(spec, **changes).items()

        assert rule == "frustrated-in-text-and-voice"
        assert verdict.marks == ("/fields/feeling",)


def test_a_rule_about_a_voice_says_nothing_of_a_sample_without_one(spec: ProjectSpec):
    answer = {name: value for name, value in an_answer().items() if name not in {"voice_feeling", "transcript"}}

    found = {each.rule_id: each.passed for each in evaluate_rules(spec, FACTS, answer)}

    assert found["frustrated-in-text-and-voice"] is None
    assert found["voice-agrees-with-transcript"] is None
