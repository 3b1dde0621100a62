from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.facts import AssetDetails, AssetFacts, Clock
from shared.labels.project import check_spec
from shared.labels.sample import check_sample, clock_faults, inline_facts
from tests.unit.labels.label_builders import JSON, a_raw_spec, a_spec


def assets(**changes: Any) -> dict[str, Any]:
    return {"chat": {"text": "hello"}, "screenshot": {"upload": "u1"}, "responses": {"record": {"a": 1}}} | changes


def told(**changes: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in check_sample(a_spec(), assets(**changes))]


def test_each_slot_takes_its_source():
    assert told() == []
    assert told(voice_note={"upload": "u2"}, chat={"upload": "u3"}) == []


def test_all_that_is_missing_unknown_or_wrong_is_told():
    faults = check_sample(
        a_spec(),
        {
            "screenshott": {"upload": "u1"},
            "chat": {"record": {}},
            "responses": {"record": [1]},
            "voice_note": {"text": "hi"},
        },
    )

    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/assets/screenshot", "missing-asset"),
        ("/assets/screenshott", "unknown-asset"),
        ("/assets/chat/record", "wrong-source"),
        ("/assets/responses/record", "wrong-type"),
        ("/assets/voice_note/text", "wrong-source"),
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"screenshot": {"uri": "http://example.org/a.png"}}, ("/assets/screenshot/uri", "unsupported-source")),
        ({"screenshot": {"uri": "file:///etc/passwd"}}, ("/assets/screenshot/uri", "unsupported-source")),
        ({"screenshot": {"uri": "https://example.org/ä.png"}}, ("/assets/screenshot/uri", "malformed")),
        ({"screenshot": {"uri": 7}}, ("/assets/screenshot/uri", "wrong-type")),
        ({"responses": {"uri": "https://example.org/a.json"}}, ("/assets/responses/uri", "wrong-source")),
        ({"screenshot": {"file": "a.png"}}, ("/assets/screenshot/file", "unknown-key")),
        ({"screenshot": {}}, ("/assets/screenshot", "wrong-type")),
        ({"screenshot": {"upload": "u", "text": "x"}}, ("/assets/screenshot", "wrong-type")),
        ({"screenshot": "u1"}, ("/assets/screenshot", "wrong-type")),
        ({"screenshot": {"upload": 7}}, ("/assets/screenshot/upload", "wrong-type")),
        ({"screenshot": {"upload": "u\n"}}, ("/assets/screenshot/upload", "malformed")),
        ({"chat": {"text": "  \n"}}, ("/assets/chat/text", "empty")),
        ({"chat": {"text": "half \ud83d"}}, ("/assets/chat/text", "malformed")),
        ({"chat": {"text": "x" * 20_001}}, ("/assets/chat/text", "too-long")),
        ({"chat": {"text": "x" * 2_000_000}}, ("/assets/chat/text", "too-long")),
        ({"chat": {"text": None}}, ("/assets/chat/text", "wrong-type")),
        ({"responses": {"record": {"x": float("nan")}}}, ("/assets/responses/record/x", "not-finite")),
        ({"responses": {"record": {"x": "y" * 300_000}}}, ("/assets/responses/record", "too-long")),
    ],
)
def test_a_source_that_is_wrong_is_named(change: dict[str, Any], fault: tuple[str, str]):
    assert told(**change) == [fault]


def test_length_is_counted_after_normalization():
    assert told(chat={"text": "e\u0301" * 20_000}) == []
    assert told(chat={"text": "e\u0301" * 20_001}) == [("/assets/chat/text", "too-long")]


def test_a_record_that_is_ranked_needs_its_candidates():
    ranking = {**a_raw_spec()["fields"], "best": {"kind": "ranking", "asset": "responses"}}
    spec = a_spec(fields=ranking)

    def faults(candidates: object) -> list[tuple[str, str]]:
        found = check_sample(spec, assets(responses={"record": {"candidates": candidates}}))
        return [(fault.pointer.removeprefix("/assets/responses/record/candidates"), fault.code) for fault in found]

    assert faults([{"id": "A", "text": "yes"}, {"id": "B", "text": "no"}]) == []
    assert faults([{"id": "A"}, {"id": "A"}, {"text": "?"}, "B"]) == [
        ("/1/id", "duplicate"),
        ("/2/id", "malformed"),
        ("/3/id", "malformed"),
    ]
    assert faults([{"id": "A"}]) == [("", "out-of-range")]
    assert faults(None) == [("", "wrong-type")]


def test_a_text_is_measured_in_the_form_that_spans_count_on():
    facts = inline_facts(a_spec().assets["chat"], {"text": "Cafe\u0301 🙂\r\n"})

    text = "Café 🙂\r\n"
    assert facts == AssetFacts(
        modality="text",
        media_type="text/plain; charset=utf-8",
        size=len(text.encode()),
        sha256=sha256(text.encode()).hexdigest(),
        text=text,
        text_length=8,
        turns=1,
        details=AssetDetails(encoding="utf-8", normal_form="NFD", graphemes=7),
    )


def test_a_record_is_measured_with_its_candidates():
    spec = a_spec().assets["responses"]

    preference = inline_facts(spec, {"record": {"prompt": "?", "candidates": [{"id": "A"}, {"id": "B"}]}})
    ticket = inline_facts(spec, {"record": {"candidates": "none yet", "n": 1.0}})

    assert preference is not None
    assert ticket is not None
    assert preference.candidates == ("A", "B")
    assert (ticket.candidates, ticket.record) == (None, {"candidates": "none yet", "n": 1})
    assert inline_facts(a_spec().assets["screenshot"], {"upload": "u1"}) is None


def test_a_clock_is_for_an_asset_that_has_times():
    clocks = {"voice_note": Clock(offset=2.5), "chat": Clock(), "nowhere": Clock()}

    faults = clock_faults(a_spec(), clocks)

    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/clocks/chat", "contradiction"),
        ("/clocks/nowhere", "unknown-asset"),
    ]
    assert clock_faults(a_spec(), {}) == []


@given(given_assets=st.dictionaries(st.sampled_from(["chat", "responses", "screenshot", "x"]), JSON) | JSON)
@settings(max_examples=80, deadline=None)
def test_no_json_crashes_the_check(given_assets: Any):
    assert check_sample(a_spec(), given_assets)


def test_a_conversation_in_a_record_is_a_list_of_turns_that_are_counted():
    fields = {"flow": {"kind": "turns", "asset": "responses", "labels": ["ask"]}}
    spec = a_spec(fields=fields, rules=[], guidelines={}, assets={"responses": {"modality": "record"}})

    def told(record: object) -> list[tuple[str, str]]:
        return [(fault.pointer, fault.code) for fault in check_sample(spec, {"responses": {"record": record}})]

    assert told({"turns": [{"speaker": "A", "text": "Hello?"}, {}]}) == []
    assert told({"turns": ["Hello?"]}) == [("/assets/responses/record/turns/0", "wrong-type")]
    assert told({"turns": []}) == [("/assets/responses/record/turns", "out-of-range")]
    assert told({"turns": "A: Hello?"}) == told({}) == [("/assets/responses/record/turns", "wrong-type")]
    assert inline_facts(spec.assets["responses"], {"record": {"turns": [{}, {}]}}).turns == 2


def test_an_asset_takes_the_languages_that_its_slot_names():
    raw = a_raw_spec()
    raw["assets"]["chat"]["languages"] = ["en", "pt"]
    spec = check_spec(raw).spec

    def refused_in(language):
        return [(fault.pointer, fault.code) for fault in check_sample(spec, assets(), language)]

    assert refused_in(None) == refused_in("en-GB") == refused_in("pt-BR") == []
    assert refused_in("de") == [("/language", "unknown-language")]
