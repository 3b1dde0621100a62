from typing import Any

import pytest

from shared.labels.facts import AssetFacts, Clock
from shared.labels.rule import Rule
from shared.labels.spec import ProjectSpec
from shared.labels.verdicts import RuleVerdict, evaluate_rules
from tests.unit.labels.label_builders import a_box, a_polygon, a_spec

TEXT = "A red ☕ cup, a blue plate."
FACTS = {
    "chat": AssetFacts(modality="text", text=TEXT, text_length=len(TEXT)),
    "letter": AssetFacts(modality="text", text="Another text.", text_length=13),
    "photo": AssetFacts(modality="image", width=640, height=480),
    "screenshot": AssetFacts(modality="image", width=640, height=480),
    "clip": AssetFacts(modality="video", width=640, height=480, duration=20.0, frames=500, frame_rate=25.0),
    "voice": AssetFacts(modality="audio", duration=10.0, clock=Clock(offset=5.0)),
}
SPEC = {
    "assets": {
        "chat": {"modality": "text"},
        "letter": {"modality": "text"},
        "photo": {"modality": "image"},
        "screenshot": {"modality": "image"},
        "clip": {"modality": "video", "clock": {"offset": 100.0, "rate": 2.0}},
        "voice": {"modality": "audio"},
    },
    "fields": {
        "words": {"kind": "spans", "asset": "chat", "labels": ["colour", "thing"]},
        "quotes": {"kind": "spans", "asset": "letter", "labels": ["thing"]},
        "things": {
            "kind": "regions",
            "asset": "photo",
            "labels": ["thing"],
            "shapes": ["box", "polygon"],
            "text": True,
        },
        "icons": {"kind": "regions", "asset": "screenshot", "labels": ["thing"]},
        "scenes": {"kind": "segments", "asset": "clip", "labels": ["thing"]},
        "speech": {"kind": "segments", "asset": "voice", "labels": ["speech"], "text": True},
        "walkers": {"kind": "tracks", "asset": "clip", "labels": ["thing"]},
        "events": {"kind": "moments", "asset": "clip", "labels": ["cut"]},
        "links": {
            "kind": "relations",
            "labels": ["shows", "names"],
            "from": ["events", "words"],
            "to": ["speech", "things"],
        },
        "caption": {"kind": "text"},
    },
    "objective": {"goal": "See and hear", "output": "predictive"},
    "guidelines": {},
}


def a_media_spec(expression: str) -> ProjectSpec:
    rule = Rule.model_validate({"id": "r", "expression": expression, "message": "Look again."})
    return a_spec(**SPEC, rules=[]).model_copy(update={"rules": (rule,)})


def judged(expression: str, **fields: Any) -> RuleVerdict:
    [verdict] = evaluate_rules(a_media_spec(expression), FACTS, fields)
    return verdict


def holds(expression: str, **fields: Any) -> bool:
    found = judged(expression, **fields)
    assert found.error is None, found.error
    assert found.passed is not None
    return found.passed


def a_range(start: float, end: float, **changes: Any) -> dict[str, Any]:
    return {"id": f"r{start}-{end}", "start": start, "end": end, "label": "thing"} | changes


def test_times_of_different_assets_are_compared_on_the_common_clock():
    """The voice starts at 5 s; the clip at 100 s, and runs at half speed: 2 s of the clock are 1 s of it."""
    scenes, speech = [a_range(1, 4)], [a_range(98, 101)]

    assert holds("overlaps(fields.scenes[0], fields.speech[0])", scenes=scenes, speech=speech)
    assert not holds("overlaps(fields.scenes[0], fields.speech[0])", scenes=[a_range(4, 9)], speech=speech)
    assert holds("at(assets.clip, 1.0) == 102.0 && at(assets.voice, 1.0) == 6.0", scenes=scenes) is True
    assert holds("at(fields.scenes[0], fields.scenes[0].start) == 102.0", scenes=scenes)
    assert holds("iou(fields.scenes[0], fields.speech[0]) == 0.8", scenes=[a_range(1, 2)], speech=[a_range(97, 99.5)])
    assert not holds("within(fields.scenes[0], fields.speech[0])", scenes=[a_range(1, 2)], speech=[a_range(98, 99.5)])


def test_a_sample_overrules_the_clock_of_its_project():
    facts = FACTS | {"clip": FACTS["clip"].model_copy(update={"clock": Clock()})}

    [verdict] = evaluate_rules(a_media_spec("at(assets.clip, 1) == 1.0 && fields.scenes == []"), facts, {"scenes": []})

    assert verdict.passed is True


def test_without_clocks_all_assets_start_together():
    facts = {"clip": FACTS["clip"], "voice": AssetFacts(modality="audio", duration=10.0)}
    spec = a_media_spec("at(assets.voice, 3.5) == 3.5 && size(fields.speech) == 0")

    [verdict] = evaluate_rules(spec, facts, {"speech": []})

    assert verdict.passed is True


def test_within_takes_times_characters_and_areas():
    boxes = [a_box(x=10, y=10, width=20, height=20, id="in"), a_box(x=0, y=0, width=100, height=100, id="out")]
    corners = a_polygon([[12, 12], [28, 12], [20, 28]], id="corners")

    assert holds("within(fields.words[0], fields.words[1])", words=[a_range(2, 5), a_range(0, 9)])
    assert not holds("within(fields.words[1], fields.words[0])", words=[a_range(2, 5), a_range(0, 9)])
    assert holds("within(fields.things[0], fields.things[1])", things=boxes)
    assert holds("within(fields.things[1], fields.things[0])", things=[boxes[0], corners])
    assert not holds("within(fields.things[1], fields.things[0])", things=boxes)
    assert holds("within(fields.speech[0], assets.voice)", speech=[a_range(0, 10)])
    assert holds(
        "within(fields.words[0], assets.chat) && within(fields.words[0], fields.words[0])", words=[a_range(0, 26)]
    )
    assert holds("within(fields.things[0], assets.photo)", things=boxes)
    assert holds('within(fields.scenes[0], {"start": 100.0, "end": 104.0})', scenes=[a_range(0, 2)])


def test_a_moment_meets_a_range_that_it_lies_in():
    cut = {"id": "c", "time": 2.0, "label": "cut"}

    assert holds("overlaps(fields.events[0], fields.scenes[0])", events=[cut], scenes=[a_range(2, 3)])
    assert holds("within(fields.events[0], fields.scenes[0])", events=[cut], scenes=[a_range(1, 2)])
    assert not holds("overlaps(fields.events[0], fields.scenes[0])", events=[cut], scenes=[a_range(2.5, 3)])
    assert holds("duration(fields.events[0]) == 0.0", events=[cut])


def test_what_lies_in_different_texts_or_pictures_shares_nothing():
    words, quotes = [a_range(0, 5)], [a_range(0, 5)]
    things, icons = [a_box()], [a_box()]

    assert not holds("overlaps(fields.words[0], fields.quotes[0])", words=words, quotes=quotes)
    assert not holds("within(fields.words[0], fields.quotes[0])", words=words, quotes=quotes)
    assert holds("iou(fields.things[0], fields.icons[0]) == 0.0", things=things, icons=icons)
    assert holds("iou(fields.things[0], fields.things[0]) == 1.0", things=things)


def test_what_is_of_different_natures_shares_nothing():
    assert not holds("overlaps(fields.words[0], fields.scenes[0])", words=[a_range(0, 5)], scenes=[a_range(0, 5)])
    assert not holds("within(fields.words[0], fields.scenes[0])", words=[a_range(0, 5)], scenes=[a_range(0, 5)])
    assert not holds("overlaps(fields.things[0], fields.scenes[0])", things=[a_box()], scenes=[a_range(0, 5)])


def test_durations_are_seconds_of_the_common_clock():
    """CEL's own ``duration`` of a text still is what it was."""
    keyframes = [{"frame": frame, "x": 0, "y": 0, "width": 9, "height": 9} for frame in (25, 75)]

    assert holds("duration(fields.scenes[0]) == 6.0", scenes=[a_range(1, 4)])
    assert holds("duration(assets.clip) == 40.0 && size(fields.scenes) == 0", scenes=[])
    assert holds("duration(fields.walkers[0]) == 4.0", walkers=[{"id": "w", "label": "thing", "keyframes": keyframes}])
    assert holds('duration("90s").getSeconds() == 90 && size(fields.scenes) == 0', scenes=[])


def test_a_track_takes_the_time_of_its_key_frames():
    keyframes = [{"frame": frame, "x": 0, "y": 0, "width": 9, "height": 9} for frame in (25, 75)]
    walkers = [{"id": "w", "label": "thing", "keyframes": keyframes}]

    assert holds("overlaps(fields.walkers[0], fields.scenes[0])", walkers=walkers, scenes=[a_range(2.5, 9)])
    assert not holds("overlaps(fields.walkers[0], fields.scenes[0])", walkers=walkers, scenes=[a_range(3.5, 9)])
    assert holds("within(fields.walkers[0], fields.scenes[0])", walkers=walkers, scenes=[a_range(1, 3)])


def test_the_text_of_things():
    box = a_box(text="CUP")

    assert holds('text_of(fields.words[0]) == "red ☕"', words=[a_range(2, 7)])
    assert holds('text_of(fields.things[0]) == "CUP" && text_of(fields.things[1]) == ""', things=[box, a_box(id="x")])
    assert holds('text_of(fields.speech[0]) == "yes"', speech=[a_range(0, 1, text="yes")])
    assert holds('text_of(fields.caption).startsWith("Two")', caption={"text": "Two cups", "language": "en"})
    assert holds('text_of(assets.letter) == assets.letter.text && text_of(fields.caption) != ""', caption={"text": "a"})
    assert holds('lowerAscii(text_of("ABC")) == "abc" && size(fields.words) == 0', words=[])


def test_items_are_linked_by_relations_of_the_answer():
    events = [{"id": "1", "time": 2.0, "label": "cut"}]
    speech = [a_range(0, 1, id="1"), a_range(1, 2, id="2")]
    links = [
        {"id": "l", "label": "shows", "from": {"field": "events", "id": "1"}, "to": {"field": "speech", "id": "2"}}
    ]
    answer: dict[str, Any] = {"events": events, "speech": speech}

    assert holds("linked(fields.events[0], fields.speech[1])", links=links, **answer)
    assert holds('linked(fields.speech[1], fields.events[0], "shows")', links=links, **answer)
    assert not holds('linked(fields.events[0], fields.speech[1], "names")', links=links, **answer)
    assert not holds("linked(fields.events[0], fields.speech[0])", links=links, **answer)
    assert not holds("linked(fields.events[0], fields.speech[1])", **answer)


@pytest.mark.parametrize(
    "expression",
    [
        "overlaps(fields.words[0], 3)",
        "within(fields.words[0])",
        'iou(fields.words[0], "x") > 0.5 || true',
        "duration(fields.words[0]) > 1.0",
        "duration(assets.letter) > 1.0 || size(fields.words) > 0",
        "at(fields.words, 1.0) > 1.0",
        'at(assets.clip, "1") > 1.0 || size(fields.words) > 0',
        "text_of(fields.words) == 'x'",
        "chars(fields.words) == 1",
        "linked(fields.words[0], assets.clip)",
        "overlaps(fields.words[0], {'a': 1})",
        "sum(['a', 'b']) == 1 && size(fields.words) > 0",
        "trim(3) == 'x' || size(fields.words) > 0",
    ],
)
def test_a_call_that_means_nothing_is_the_projects_fault_and_prints_nothing(
    expression: str, capfd: pytest.CaptureFixture[str]
):
    failed = judged(expression, words=[a_range(0, 5)])

    assert failed.passed is None
    assert str(failed.error).startswith("Rule r could not be run.")
    assert capfd.readouterr().err == ""
