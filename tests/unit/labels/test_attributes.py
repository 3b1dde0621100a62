"""What items of any kind may say beside their label."""

from typing import Any

import pytest

from shared.labels.facts import AssetFacts
from shared.labels.kinds import KINDS
from shared.labels.kinds.items import LabeledOptions
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import (
    FACTS,
    a_field,
    a_moment,
    a_raw_spec,
    a_relation,
    a_segment,
    a_span,
    a_turn,
    accepted,
    refused,
)

WITH_ITEMS = sorted(name for name, kind in KINDS.items() if issubclass(kind.options, LabeledOptions))
CERTAIN = {"certain": {"type": "boolean", "required": True}, "breed": {"values": ["lab", "pug"], "labels": ["dog"]}}
ITEMS: dict[str, dict[str, Any]] = {
    "spans": a_span(0, 3),
    "turns": a_turn(1),
    "segments": a_segment(0, 3),
    "moments": a_moment(3),
    "relations": a_relation("people/p1", "entities/e1"),
}


def told(kind: str, **item: Any) -> list[tuple[str, str]]:
    return refused(a_field(kind, attributes=CERTAIN), [ITEMS[kind] | item])


@pytest.mark.parametrize("kind", ITEMS)
def test_an_attribute_may_be_required_and_may_belong_to_some_labels_alone(kind: str):
    field = a_field(kind, attributes=CERTAIN)
    sure = {"certain": True}

    assert told(kind) == told(kind, attributes={}) == [("/0/attributes", "missing-attribute")]
    assert told(kind, attributes=sure | {"breed": "pug"}) == [("/0/attributes/breed", "not-asked")]
    [kept] = accepted(field, [ITEMS[kind] | {"label": "dog", "attributes": {"certain": False, "breed": "lab"}}])
    assert kept["attributes"] == {"breed": "lab", "certain": False}


@pytest.mark.parametrize("kind", WITH_ITEMS)
def test_every_kind_with_items_has_attributes(kind: str):
    assert "attributes" in KINDS[kind].json_schema(a_field(kind, attributes=CERTAIN))["items"].get(
        "properties", {"attributes": kind == "regions"}
    )


def test_equal_attributes_have_one_form_and_none_is_no_attribute():
    [one] = accepted(a_field("spans"), [a_span(0, 3, attributes={"note": "Cafe\u0301", "count": 2})])
    [none] = accepted(a_field("spans"), [a_span(0, 3, attributes={})])

    assert one["attributes"] == {"count": 2.0, "note": "Café"}
    assert "attributes" not in none


@pytest.mark.parametrize(
    ("attributes", "faults"),
    [
        ({"a": {}}, [("/attributes/a", "contradiction")]),
        ({"a": {"type": "text", "values": ["x"]}}, [("/attributes/a", "contradiction")]),
        ({"a": ["x", "x"]}, [("/attributes/a/1", "duplicate")]),
        ({"a": {"type": "text", "labels": ["fox"]}}, [("/attributes/a/labels/0", "unknown-label")]),
    ],
)
def test_attributes_that_cannot_be_are_faults_of_the_spec(attributes: Any, faults: list[tuple[str, str]]):
    field = a_field("spans", attributes=attributes)

    assert [(fault.pointer, fault.code) for fault in field.faults()] == faults


def test_channels_are_those_of_the_series():
    field, series = a_field("segments", channels=True), FACTS["moments"]
    audio = AssetFacts(modality="audio", duration=60.0)

    [kept] = accepted(field, [a_segment(0, 3, channels=["speed", "heat"])], series)

    assert kept["channels"] == ["heat", "speed"]
    assert refused(field, [a_segment(0, 3, channels=["heat", "sped"])], series) == [
        ("/0/channels/1", "unknown-channel")
    ]
    assert refused(field, [a_segment(0, 3, channels=["heat", "heat"])], series) == [("/0/channels", "duplicate")]
    assert refused(field, [a_segment(0, 3, channels=[])], series) == [("/0/channels", "too-short")]
    assert refused(field, [a_segment(0, 3, channels=["heat"])], audio) == [("/0/channels", "not-asked")]
    assert refused(a_field("segments"), [a_segment(0, 3, channels=["heat"])], series) == [("/0/channels", "not-asked")]


def test_a_field_asks_for_channels_of_sensor_series_alone():
    fields = {"speech": {"kind": "segments", "asset": "voice_note", "labels": ["speech"], "channels": True}}

    faults = check_spec(a_raw_spec(fields=fields, rules=[])).faults

    assert [(fault.pointer, fault.code) for fault in faults] == [("/fields/speech/channels", "contradiction")]
