"""An objective is held against the project: what it asks for and nothing gives is told, with what to add."""

from typing import Any

import pytest

from shared.labels.kinds import KINDS
from shared.labels.metrics import METRICS, metrics_of
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import a_raw_spec, a_spec

RELATION = {"description": "The voice means what the text says."}


def an_objective(**changes: Any) -> dict[str, Any]:
    return {"goal": "Route tickets", "output": "predictive"} | changes


def checked(fields: dict[str, Any] | None = None, rules: Any = None, **objective: Any) -> list[tuple[str, str, str]]:
    raw = a_raw_spec(objective=an_objective(**objective))
    raw["fields"] = raw["fields"] if fields is None else fields
    raw["rules"] = raw["rules"] if rules is None else rules
    return [(fault.pointer, fault.code, fault.message) for fault in check_spec(raw).faults]


def warned(fields: dict[str, Any] | None = None, **objective: Any) -> list[tuple[str, str]]:
    raw = a_raw_spec(objective=an_objective(**objective)) | ({} if fields is None else {"fields": fields, "rules": []})
    return [(fault.pointer, fault.code) for fault in check_spec(raw).warnings]


def test_short_forms_stand_for_the_usual():
    spec = a_spec(objective=an_objective(modalities=["text", {"modality": "audio", "importance": "helpful"}]))

    assert [(need.modality, need.importance) for need in spec.objective.modalities] == [
        ("text", "important"),
        ("audio", "helpful"),
    ]


def test_a_critical_modality_needs_a_required_field_about_it():
    critical = [{"modality": "image", "importance": "critical"}]

    [(pointer, code, message)] = checked(modalities=critical)

    assert (pointer, code) == ("/objective/modalities/0", "critical-unmet")
    assert 'mark one of "people" as required: true' in message
    assert checked(modalities=[{"modality": "text", "importance": "critical"}]) == []


def test_a_critical_modality_without_any_field_or_asset_says_what_to_add():
    record, video = ([{"modality": modality, "importance": "critical"}] for modality in ("record", "video"))

    assert 'add one about "responses"' in checked(modalities=record)[0][2]
    assert "no asset is of this modality; add one" in checked(modalities=video)[0][2]


def test_a_field_about_the_whole_sample_serves_the_only_modality_there_is():
    raw = a_raw_spec(
        objective=an_objective(modalities=[{"modality": "image", "importance": "critical"}]),
        assets={"photo": {"modality": "image"}},
        fields={"animal": {"kind": "choice", "options": ["owl"], "required": True}},
        rules=[],
    )

    assert list(check_spec(raw).faults) == []


def test_a_critical_modality_that_a_sample_may_lack_is_a_warning():
    assert warned(modalities=[{"modality": "audio", "importance": "critical"}]) == [
        ("/objective/modalities/0", "critical-but-optional")
    ]


def test_modalities_stand_in_the_order_of_their_importance():
    mixed = ["text", {"modality": "audio", "importance": "critical"}]

    assert [each[:2] for each in checked(modalities=mixed)] == [("/objective/modalities/1/importance", "contradiction")]


def test_a_relation_that_nothing_captures_says_what_to_add():
    for relation in (RELATION, RELATION["description"]):
        [(pointer, code, message)] = checked(relations=[relation])

        assert (pointer, code) == ("/objective/relations/0", "relation-uncaptured")
        assert "add a field of kind relations, or name in captured_by" in message


def test_a_relation_is_captured_by_one_field_about_the_whole_sample():
    fields = {**a_raw_spec()["fields"], "fits": {"kind": "choice", "options": ["yes", "no"]}}

    assert checked(fields, relations=[RELATION | {"captured_by": ["fits"]}]) == []


def test_fields_beside_each_other_capture_a_relation_when_a_rule_reads_them_together():
    relation = RELATION | {"between": ["chat", "voice_note"], "captured_by": ["sentiment", "tone"]}

    assert checked(relations=[relation]) == []
    assert [each[:2] for each in checked(rules=[], relations=[relation])] == [
        ("/objective/relations/0/captured_by", "relation-uncaptured")
    ]


def test_a_relation_names_what_captures_each_asset_that_it_spans():
    relation = RELATION | {"between": ["chat", "screenshot"], "captured_by": ["sentiment", "tone"]}

    [(_, code, message)] = checked(relations=[relation])

    assert (code, 'spans "screenshot", and no field' in message) == ("relation-uncaptured", True)


@pytest.mark.parametrize(
    ("relation", "fault"),
    [
        ({"between": ["chat", "chatt"]}, ("/objective/relations/0/between/1", "unknown-asset")),
        ({"captured_by": ["tonne"]}, ("/objective/relations/0/captured_by/0", "unknown-field")),
        ({"between": ["chat"], "captured_by": ["sentiment"]}, ("/objective/relations/0/between", "too-few")),
        (
            {"between": ["chat", "chat"], "captured_by": ["sentiment"]},
            ("/objective/relations/0/between/1", "duplicate"),
        ),
    ],
)
def test_each_fault_of_a_relation_has_its_pointer(relation: dict[str, Any], fault: tuple[str, str]):
    assert [each[:2] for each in checked(relations=[RELATION | relation])] == [fault]


def test_a_gate_on_a_metric_that_the_kind_does_not_have_lists_those_it_has():
    [(pointer, code, message)] = checked(gates=[{"field": "sentiment", "metric": "mean_iou", "minimum": 0.5}])

    assert (pointer, code) == ("/objective/gates/0/metric", "unknown-metric")
    assert all(f'"{name}"' in message for name in metrics_of("choice"))


@pytest.mark.parametrize(
    ("gate", "faults"),
    [
        ({"metric": "krippendorff_alpha", "minimum": 0.6}, []),
        ({"metric": "krippendorff_alpha", "minimum": 1.6}, [("/objective/gates/0/minimum", "out-of-range")]),
        ({"metric": "krippendorff_alpha", "maximum": 0.6}, [("/objective/gates/0/maximum", "contradiction")]),
        ({"metric": "krippendorff_alpha"}, [("/objective/gates/0/minimum", "missing")]),
        ({"metric": "krippendorf_alpha", "minimum": 0.6}, [("/objective/gates/0/metric", "unknown-metric")]),
        ({"field": "mood", "metric": "kendall_tau", "minimum": 0}, [("/objective/gates/0/field", "unknown-field")]),
    ],
)
def test_a_gate_has_the_bar_that_its_metric_needs(gate: dict[str, Any], faults: list[tuple[str, str]]):
    assert [each[:2] for each in checked(gates=[{"field": "sentiment"} | gate])] == faults


def test_an_error_rate_has_a_highest_value():
    fields = {"heard": {"kind": "text", "required": True}}
    gate = {"field": "heard", "metric": "word_error_rate"}

    assert checked(fields, rules=[], gates=[gate | {"maximum": 0.1}]) == []
    assert [each[:2] for each in checked(fields, rules=[], gates=[gate | {"minimum": 0.1}])] == [
        ("/objective/gates/0/minimum", "contradiction")
    ]


def test_a_gate_on_what_nothing_works_out_is_a_warning():
    gates = [{"field": "sentiment", "metric": "macro_f1", "minimum": 0.8}]

    assert warned(gates=gates) == [("/objective/gates/0/metric", "without-force")]


def test_every_metric_is_of_kinds_that_there_are_and_every_kind_has_some():
    for metric in METRICS.values():
        assert metric.kinds is None or metric.kinds <= KINDS.keys(), metric.name
    for kind in KINDS:
        assert "krippendorff_alpha" in metrics_of(kind)


def test_what_an_output_is_only_half_served_by_is_a_warning():
    ranking = {"best": {"kind": "ranking", "asset": "responses"}}
    required = {"tone": {"kind": "choice", "asset": "voice_note", "options": ["calm"], "required": True}}

    assert ("/objective/output", "objective-half-met") in warned(output="generative")
    assert ("/objective/output", "objective-half-met") in warned(ranking | required, output="ranking")


def test_a_fault_in_one_part_of_the_objective_hides_no_fault_of_another():
    found = checked(
        modalities=["vidio", {"modality": "image", "importance": "critical"}],
        relations=[RELATION, 5],
        gates=[{"field": "tone", "metric": "mean_iou", "minimum": 0.5}, {"metric": "x"}],
    )

    assert sorted(each[:2] for each in found) == [
        ("/objective/gates/0/metric", "unknown-metric"),
        ("/objective/gates/1/field", "missing"),
        ("/objective/modalities/0", "unknown-value"),
        ("/objective/modalities/1", "critical-unmet"),
        ("/objective/relations/0", "relation-uncaptured"),
        ("/objective/relations/1", "wrong-type"),
    ]
