import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.project import ProjectSpec, SpecCheck, SpecSyntaxError, check_spec, parse_spec_text
from tests.unit.labels.label_builders import JSON, a_raw_spec, a_spec


def told(check: SpecCheck) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in check.faults]


def faults_after(**changes: Any) -> list[tuple[str, str]]:
    return told(check_spec(a_raw_spec(**changes)))


def with_field(**field: Any) -> dict[str, Any]:
    return {"fields": {**a_raw_spec()["fields"], "extra": field}}


def test_a_sound_spec_has_no_faults_and_reads_back_from_its_json():
    raw = a_raw_spec()
    before = copy.deepcopy(raw)

    check = check_spec(raw)

    assert check.spec is not None
    assert (list(check.faults), list(check.warnings)) == ([], [])
    assert raw == before
    assert ProjectSpec.model_validate(check.spec.to_json()) == check.spec


def test_what_is_left_out_has_a_sensible_value():
    raw = a_raw_spec()
    del raw["quality"], raw["rules"], raw["guidelines"], raw["languages"]

    spec = check_spec(raw).spec

    assert spec is not None
    assert (spec.quality.overlap, spec.quality.max_overlap, spec.quality.quorum) == (3, 3, 0.6)
    assert (spec.workflow.peer_review, spec.sla.hours, spec.blind) == (0.0, None, True)


def test_a_broken_spec_tells_all_its_faults_at_once():
    raw = a_raw_spec(
        titel="typo",
        quality={"overlap": 5, "max_overlap": 3, "quorum": 0.2},
        guidelines={
            "texts": "...",
            "image": "ok",
            "audio": {"text": "ok", "examples": [{"verdict": "bad", "shows": "x"}]},
        },
        workflow={"audit": {"aql": 3}, "peer_reviews": 0.1},
        assignment={"working_hours": {"zone": "Berlin"}, "skip": {"remove_after": 0}},
        sla={"hours": 10, "warn_hours": 12},
        rules=[
            {"id": "one", "expression": "fields.sentimant == 'x' && size(", "message": "m"},
            {"id": "one", "expression": "fields.sentimant == 'x' && assets.chatt.size > 1", "message": "m"},
            {"id": "Three", "expression": "1 == 1", "severity": "error", "message": "m"},
        ],
    )
    raw["objective"] |= {"output": "ranking", "gates": [{"field": "tonne", "metric": "alpha", "minimum": True}]}
    raw["objective"]["gates"].append({"field": "sentiment", "metric": "mean_iou", "minimum": 0.5})
    raw["objective"] |= {
        "modalities": ["text", {"modality": "video", "importance": "critical"}],
        "relations": [{"description": "r", "between": ["chat", "chatt"], "captured_by": ["sentimant"]}],
    }
    raw["fields"] |= {
        "intent": {"kind": "choise", "options": ["a"]},
        "nokind": {"options": ["a"]},
        "places": {"kind": "spans", "asset": "screenshot", "labels": ["x", "x"], "requierd": True},
        "Bad-Name": {"kind": "rating", "minimum": 1, "maximum": 5},
        "in": {"kind": "rating", "minimum": 5, "maximum": 1, "asset": "nowhere"},
        "yes": {"kind": "choice", "options": [True, 1, "b"]},
    }
    raw["assets"]["chat"]["max_seconds"] = 3
    del raw["title"]

    check = check_spec(raw)

    assert check.spec is None
    assert sorted(told(check)) == sorted(
        [
            ("/title", "missing"),
            ("/titel", "unknown-key"),
            ("/quality/quorum", "out-of-range"),
            ("/guidelines/texts", "unknown-guideline"),
            ("/rules/0/expression", "invalid-expression"),
            ("/rules/1/id", "duplicate"),
            ("/rules/1/expression", "unknown-field"),
            ("/rules/1/expression", "unknown-asset"),
            ("/rules/2/id", "malformed"),
            ("/rules/2/severity", "unknown-value"),
            ("/objective/gates/0/minimum", "wrong-type"),
            ("/objective/gates/1/metric", "unknown-metric"),
            ("/objective/modalities/1", "critical-unmet"),
            ("/objective/relations/0/between/1", "unknown-asset"),
            ("/objective/relations/0/captured_by/0", "unknown-field"),
            ("/guidelines/audio/examples/0/verdict", "unknown-value"),
            ("/workflow/audit/aql", "unknown-value"),
            ("/workflow/peer_reviews", "unknown-key"),
            ("/assignment/working_hours/zone", "unknown-value"),
            ("/assignment/skip/remove_after", "out-of-range"),
            ("/sla/warn_hours", "out-of-range"),
            ("/fields/intent/kind", "unknown-kind"),
            ("/fields/nokind/kind", "missing"),
            ("/fields/places/requierd", "unknown-key"),
            ("/fields/Bad-Name", "malformed"),
            ("/fields/in", "reserved-name"),
            ("/fields/in/maximum", "out-of-range"),
            ("/fields/in/asset", "unknown-asset"),
            ("/fields/yes/options/0", "wrong-type"),
            ("/fields/yes/options/1", "wrong-type"),
            ("/assets/chat/max_seconds", "contradiction"),
        ]
    )


def test_an_unknown_key_suggests_the_nearest():
    check = check_spec(a_raw_spec(**with_field(kind="choice", options=["a"], mutliple=True)))

    [fault] = check.faults
    assert fault.pointer == "/fields/extra/mutliple"
    assert 'did you mean "multiple"?' in fault.message


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (with_field(kind="spans", asset="screenshot", labels=["a"]), ("/fields/extra/asset", "modality-mismatch")),
        (with_field(kind="spans", labels=["a"]), ("/fields/extra/asset", "missing")),
        (with_field(kind="tracks", asset="voice_note", labels=["a"]), ("/fields/extra/asset", "modality-mismatch")),
        (with_field(kind="choice", asset="chatt", options=["a"]), ("/fields/extra/asset", "unknown-asset")),
        (with_field(kind="choice", options=["a", "a"]), ("/fields/extra/options/1", "duplicate")),
        (with_field(kind="choice", options=[]), ("/fields/extra/options", "too-short")),
        (with_field(kind="choice", options=[" a"]), ("/fields/extra/options/0", "malformed")),
        (with_field(kind="choice", options="ab"), ("/fields/extra/options", "wrong-type")),
        (with_field(kind="rating", minimum=0, maximum=1, step=0), ("/fields/extra/step", "out-of-range")),
        (with_field(kind="text", max_chars=10**6), ("/fields/extra/max_chars", "out-of-range")),
        (
            with_field(kind="regions", asset="screenshot", labels=["a"], shapes=["box", "box"]),
            ("/fields/extra/shapes/1", "duplicate"),
        ),
        (
            with_field(kind="regions", asset="screenshot", labels=["a"], attributes={"a": "float"}),
            ("/fields/extra/attributes/a", "unknown-value"),
        ),
        (
            with_field(kind="regions", asset="screenshot", labels=["a"], attributes={"a": ["x", 1]}),
            ("/fields/extra/attributes/a/1", "wrong-type"),
        ),
        (
            with_field(kind="record", schema={"$ref": "https://example.org"}),
            ("/fields/extra/schema", "invalid-schema"),
        ),
        ({"quality": {"overlap": 4, "max_overlap": 3}}, ("/quality/max_overlap", "out-of-range")),
        ({"quality": {"overlap": 0}}, ("/quality/overlap", "out-of-range")),
        ({"quality": {"overlap": "3"}}, ("/quality/overlap", "wrong-type")),
        ({"workflow": {"peer_review": 1.5}}, ("/workflow/peer_review", "out-of-range")),
        ({"sla": {"hours": float("inf")}}, ("/sla/hours", "not-finite")),
        ({"languages": ["english"]}, ("/languages/0", "malformed")),
        ({"assets": {}}, ("/assets", "too-short")),
        ({"title": "\ud800"}, ("/title", "malformed")),
        ({"title": 10**400}, ("/title", "out-of-range")),
        ({"rules": {"id": "x"}}, ("/rules", "wrong-type")),
    ],
)
def test_each_fault_has_its_pointer_and_code(changes: dict[str, Any], fault: tuple[str, str]):
    assert fault in faults_after(**changes)


def test_a_ranking_objective_needs_a_ranking_field():
    objective = {"goal": "Prefer", "output": "ranking"}
    ranking = with_field(kind="ranking", asset="responses")

    assert faults_after(objective=objective) == [("/objective/output", "objective-unmet")]
    assert faults_after(objective=objective, **ranking) == []


def test_what_is_probably_not_meant_is_a_warning():
    fields = {"mood": {"kind": "choice", "options": ["a"]}}

    check = check_spec(
        a_raw_spec(fields=fields, rules=[], objective={"goal": "g", "output": "predictive", "modalities": ["video"]})
    )

    assert check.spec is not None
    assert [(warning.pointer, warning.code) for warning in check.warnings] == [
        ("/fields", "nothing-required"),
        ("/objective/modalities/0", "modality-without-asset"),
        ("/guidelines", "no-guideline"),
    ]


def test_languages_are_spelled_as_usual():
    spec = a_spec(languages=["PT-br", "zh-hant-tw", "no", "de-1996", "en-x-us"])

    assert spec.languages == ("pt-BR", "zh-Hant-TW", "no", "de-1996", "en-x-us")


@given(raw=JSON)
@settings(max_examples=60, deadline=None)
def test_no_json_crashes_the_check(raw: Any):
    assert check_spec(raw).spec is None


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_no_rubbish_in_any_place_crashes_the_check(data: st.DataObject):
    raw = a_raw_spec()
    place: Any = raw
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)

    check = check_spec(raw)

    assert (check.spec is None) == bool(check.faults)


def test_large_specs_are_handled_in_time():
    labels = [f"label {number}" for number in range(5_000)]
    fields = {f"f{number}": {"kind": "choice", "options": ["a", "b"]} for number in range(199)}
    fields["many"] = {"kind": "spans", "asset": "chat", "labels": labels}
    started = time.process_time()

    check = check_spec(a_raw_spec(fields=fields, rules=[]))

    assert check.spec is not None
    assert time.process_time() - started < 2
    assert faults_after(fields={**fields, "more": {"kind": "choice", "options": ["a"]}}, rules=[]) == [
        ("/fields", "too-long")
    ]
    assert ("/fields/many/labels", "too-long") in faults_after(
        fields={"many": {"kind": "spans", "asset": "chat", "labels": [*labels, "one more"]}}, rules=[]
    )


def test_yaml_means_what_it_says():
    text = "languages: [no, en]\nday: 2024-01-01\nzip: 012\nyes: on\ntrue: true\nshare: 0.5\nnothing:\nn: -3\n"

    assert parse_spec_text(text) == {
        "languages": ["no", "en"],
        "day": "2024-01-01",
        "zip": "012",
        "yes": "on",
        True: True,
        "share": 0.5,
        "nothing": None,
        "n": -3,
    }
    assert parse_spec_text('\ufeff{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2", "invalid-yaml"),
        ("a: &x [1]\nb: *x", "yaml-anchor"),
        ("a: [1", "invalid-yaml"),
        ("--- 1\n--- 2", "invalid-yaml"),
        ("a: !!python/object/apply:os.system [ls]", "invalid-yaml"),
        ("[" * 500, "too-deep"),
        ("? [a]\n: 1", "invalid-yaml"),
        ("a: \x00", "invalid-yaml"),
        ("\ud800: 1", "invalid-yaml"),
        ("a: 1" + "0" * 5_000, "invalid-yaml"),
        ("- " * 300_000, "too-deep"),
        ("a\n" * 600_000, "too-long"),
        ("[" + "0," * 300_000 + "0]", "too-long"),
        ('{"a": 1, "a": 2}', "duplicate"),
        ('{"a": NaN}', "not-finite"),
        ('{"a": ', "invalid-json"),
        ('{"a":' * 100_000, "too-deep"),
        ('{"a": 1' + "0" * 5_000 + "}", "invalid-json"),
    ],
)
def test_text_that_is_no_spec_is_refused_with_its_place(text: str, code: str):
    with pytest.raises(SpecSyntaxError) as refused:
        parse_spec_text(text)

    assert refused.value.fault.code == code
