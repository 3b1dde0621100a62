"""What a project's policy makes of a sample in which personal data stands."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.pii.screening import MASK, Screened, hide, screen_prediction, screen_sample, screen_text
from shared.labels.policies import PiiPolicy
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import a_raw_spec
from tests.unit.labels.pii_examples import examples

MAIL = "anna@example.org"


def a_spec_with(action: str | None, **slots: str) -> Any:
    assets = {slot: {"modality": "text", "pii": own} for slot, own in slots.items()}
    assets |= {"note": {"modality": "text"}, "ticket": {"modality": "record"}}
    raw = a_raw_spec(assets=assets, fields={"ok": {"kind": "choice", "options": ["a", "b"]}}, rules=[])
    checked = check_spec(raw | ({"intake": {"pii": {"action": action}}} if action else {}))
    assert checked.spec is not None, checked.faults
    return checked.spec


def screened(spec: Any, assets: Any = None, metadata: Any = None, predictions: Any = None) -> Screened:
    return screen_sample(spec, assets or {}, metadata or {}, predictions)


def test_a_masked_text_keeps_its_length_so_that_offsets_stay_those_of_the_original():
    found = screened(a_spec_with("mask"), {"note": {"text": f"Ask {MAIL} today."}})

    assert found.assets["note"]["text"] == f"Ask {MASK * len(MAIL)} today."
    [finding] = found.findings
    assert (finding.kind, finding.pointer, finding.start, finding.end) == ("email", "/assets/note/text", 4, 20)


def test_what_is_masked_of_a_text_with_invisible_characters_are_those_between_too_and_no_others():
    found = screened(a_spec_with("mask"), {"note": {"text": "Ask\u200b an\u00adna@exam\u200bple.org\u2060 today."}})

    assert found.assets["note"]["text"] == f"Ask\u200b {MASK * 18}\u2060 today."
    assert [(finding.start, finding.end) for finding in found.findings] == [(5, 23)]


def test_a_flagged_text_stays_as_it_is_and_the_finding_does_not_tell_the_value():
    source = {"text": f"Ask {MAIL} today."}

    found = screened(a_spec_with("flag"), {"note": source})

    assert (found.assets["note"], found.faults) == (source, [])
    assert MAIL not in "".join(finding.model_dump_json() for finding in found.findings)


def test_a_rejected_text_is_told_by_place_and_kind_alone():
    found = screened(a_spec_with("reject"), {"note": {"text": f"Ask {MAIL} today."}})

    [fault] = found.faults
    assert (fault.code, fault.pointer) == ("pii-found", "/assets/note/text")
    assert "4 to 20 look like an e-mail address" in fault.message
    assert MAIL not in fault.message


def test_records_metadata_and_predictions_are_searched_value_by_value():
    record = {"contact": {"mail": MAIL, "age": 40}, "cards": [4111111111111111, 7]}

    found = screened(
        a_spec_with("mask"),
        {"ticket": {"record": record}},
        {"from": MAIL},
        {"answer": f"Ask {MAIL}", "n": 4111111111111111},
    )

    masked = MASK * len(MAIL)
    assert found.assets["ticket"]["record"] == {"contact": {"mail": masked, "age": 40}, "cards": [None, 7]}
    assert (found.metadata, found.predictions) == ({"from": masked}, {"answer": f"Ask {masked}", "n": 4111111111111111})
    assert [finding.pointer for finding in found.findings] == [
        "/assets/ticket/record/contact/mail",
        "/assets/ticket/record/cards/0",
        "/metadata/from",
        "/predictions/answer",
    ]


@pytest.mark.parametrize(("action", "codes"), [("mask", ["pii-found"]), ("reject", ["pii-found"]), ("flag", [])])
def test_a_key_cannot_be_masked_and_no_pointer_tells_it(action: str, codes: list[str]):
    found = screened(a_spec_with(action), {"ticket": {"record": {MAIL: {"deep": "+49 170 1234567"}}}})

    assert [fault.code for fault in found.faults][:1] == codes
    assert {finding.kind for finding in found.findings} == {"email", "phone"}
    told = [*(finding.pointer for finding in found.findings), *(f.pointer + f.message for f in found.faults)]
    assert not any("anna" in each for each in told)


@pytest.mark.parametrize(("action", "codes"), [("mask", ["pii-found"]), ("reject", ["pii-found"]), ("flag", [])])
def test_a_name_cannot_be_masked_either(action: str, codes: list[str]):
    found = screen_sample(a_spec_with(action), {}, {}, None, external_id=f"mail-of-{MAIL}")

    assert [(fault.code, fault.pointer) for fault in found.faults] == [(code, "/external_id") for code in codes]
    assert [finding.pointer for finding in found.findings] == ["/external_id"]
    assert MAIL not in "".join(fault.message for fault in found.faults)


@pytest.mark.parametrize(("action", "kept"), [("mask", MASK * len(MAIL)), ("flag", MAIL), (None, MAIL)])
def test_the_name_in_a_line_that_is_kept_is_masked_only_where_names_are_searched(action: str | None, kept: str):
    line = hide(a_spec_with(action, chat="mask"), orjson.dumps({"external_id": MAIL, "assets": 1}).decode())

    assert line is not None and orjson.loads(line) == {"external_id": kept, "assets": 1}


def test_a_name_that_was_masked_in_a_kept_line_is_no_name():
    found = screen_sample(a_spec_with("mask"), {}, {}, None, external_id=MASK * len(MAIL))

    assert [fault.code for fault in found.faults] == ["masked-name"]


@pytest.mark.parametrize(
    ("action", "kept", "codes"),
    [("mask", MASK * len(MAIL), []), ("flag", MAIL, []), ("reject", MAIL, ["pii-found"] * 2)],
)
def test_a_prediction_that_comes_later_is_searched_as_one_that_comes_with_its_sample(
    action: str, kept: str, codes: list[str]
):
    found = screen_prediction(a_spec_with(action), {"answer": f"Ask {MAIL}", "n": 4111111111111111}, f"Who is {MAIL}?")

    assert (found.fields, found.prompt) == ({"answer": f"Ask {kept}", "n": 4111111111111111}, f"Who is {kept}?")
    assert [finding.pointer for finding in found.findings] == ["/fields/answer", "/prompt"]
    assert [fault.code for fault in found.faults] == codes


def test_a_slot_may_differ_from_its_project_and_ignore_means_not_searched():
    spec = a_spec_with("reject", logs="ignore", chat="mask")
    text = {"text": f"Ask {MAIL}"}

    found = screened(spec, {"logs": text, "chat": text})

    assert (found.assets["logs"], found.faults) == (text, [])
    assert found.assets["chat"]["text"] == f"Ask {MASK * len(MAIL)}"
    assert screened(a_spec_with(None, chat="mask"), {"chat": text, "note": text}).assets["note"] == text


def test_what_a_sender_states_of_the_original_does_not_go_on_with_a_masked_text():
    facts = {"sha256": "0" * 64, "size": 8, "text_length": 20}

    found = screened(a_spec_with("mask"), {"note": {"text": f"Ask {MAIL}", "facts": facts}})

    assert found.assets["note"]["facts"] == {"text_length": 20}


@pytest.mark.parametrize("action", ["mask", "flag", "reject"])
def test_too_much_to_look_at_is_refused_whatever_the_policy(action: str):
    found = screened(a_spec_with(action), {"note": {"text": "1234567890 " * 5000}})

    assert [(fault.code, fault.pointer) for fault in found.faults] == [("pii-undecidable", "/assets/note/text")]


@pytest.mark.parametrize("example", [pytest.param(each, id=each.text[:30]) for each in examples() if each.wanted])
def test_nothing_is_found_in_what_was_masked(example: Any):
    policy = PiiPolicy(action="mask", regions=example.regions)

    masked = screen_text(policy, example.text)
    again = screen_text(policy, masked.assets["text"])

    assert len(masked.assets["text"]) == len(example.text)
    assert again.findings == ()


@settings(deadline=None)
@given(st.text(alphabet="a@.: 1234567890+-é█", max_size=80))
def test_masking_is_done_once_and_for_all_and_changes_nothing_but_what_was_found(text: str):
    policy = PiiPolicy(action="mask", regions=("DE", "NL"))

    masked = screen_text(policy, text)

    inside = {at for finding in masked.findings for at in range(finding.start, finding.end)}
    assert all(
        new == (MASK if at in inside else old)
        for at, (old, new) in enumerate(zip(text, masked.assets["text"], strict=True))
    )
    assert screen_text(policy, masked.assets["text"]).assets["text"] == masked.assets["text"]


def test_a_failed_line_is_kept_without_its_personal_data_whether_it_is_json_or_not():
    spec = a_spec_with("reject")
    line = {"external_id": "a-1", "assets": {"note": {"text": f"Ask {MAIL}"}, "photo": {"upload": "4111111111111111"}}}

    kept = orjson.loads(hide(spec, orjson.dumps(line).decode()) or "")

    assert kept["assets"]["note"]["text"] == f"Ask {MASK * len(MAIL)}"
    assert MAIL not in (hide(spec, f'{{"text": "Ask {MAIL}') or "")
    assert hide(spec, "1234567890 " * 5000) is None
    assert hide(a_spec_with("flag"), MAIL) == MAIL


@pytest.mark.parametrize(
    ("intake", "asset", "pointer", "code"),
    [
        ({"pii": {"action": "hide"}}, {}, "/intake/pii/action", "unknown-value"),
        ({"pii": {"action": "mask", "kinds": ["name"]}}, {}, "/intake/pii/kinds/0", "unknown-value"),
        ({"pii": {"action": "mask", "regions": ["UK"]}}, {}, "/intake/pii/regions/0", "unknown-value"),
        ({}, {"modality": "image", "pii": "mask"}, "/assets/note/pii", "contradiction"),
    ],
)
def test_a_policy_that_means_nothing_is_refused_with_the_project(
    intake: dict[str, Any], asset: dict[str, Any], pointer: str, code: str
):
    raw = a_raw_spec(assets={"note": {"modality": "text"} | asset}, fields={"ok": {"kind": "choice", "options": ["a"]}})

    faults = check_spec(raw | {"intake": intake}).faults

    assert (pointer, code) in {(fault.pointer, fault.code) for fault in faults}
