from typing import Any

import pytest

from shared.labels.answer import check_answer
from shared.labels.facts import AssetFacts
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import a_box, a_field, a_raw_spec, a_relation, a_span, a_spec, accepted, refused

FACTS = {
    "chat": AssetFacts(modality="text", text_length=100),
    "screenshot": AssetFacts(modality="image", width=100, height=100),
    "responses": AssetFacts(modality="record"),
}
LINKED = {"shows": {"kind": "relations", "labels": ["shows"], "from": ["people"], "to": ["entities", "people"]}}


def a_linked_spec(**options: Any) -> Any:
    [(name, field)] = LINKED.items()
    return a_spec(fields=a_raw_spec()["fields"] | {name: field | options})


def an_answer(*relations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "sentiment": "positive",
        "entities": [a_span(8, 9, label="city", id="e2"), a_span(0, 2, label="date", id="e1")],
        "people": [a_box(label="person", id="p1")],
        "shows": [relation | {"label": "shows"} for relation in relations],
    } | changes


def told(answer: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in check_answer(a_linked_spec(**options), FACTS, answer).faults]


def test_relations_are_sorted_by_their_ends():
    relations = [a_relation("people/p2", "speech/s1"), a_relation("entities/e1", "entities/e2")]

    assert [item["from"]["field"] for item in accepted(a_field("relations"), relations)] == ["entities", "people"]


@pytest.mark.parametrize(
    ("relation", "fault"),
    [
        (a_relation("speech/s1", "entities/e1"), ("/0/from/field", "unknown-field")),
        (a_relation("people/p1", "people/p2"), ("/0/to/field", "unknown-field")),
        (a_relation("entities/e1", "entities/e1"), ("/0/to", "self-link")),
        (a_relation("people/p1", "entities/e1", label="fox"), ("/0/label", "unknown-label")),
        (a_relation("people/p1", "entities/e1", to={"field": "entities"}), ("/0/to/id", "missing")),
        (a_relation("people/p1", "entities/e1", to="entities/e1"), ("/0/to", "wrong-type")),
        (a_relation("people/p1", "entities/e1", weight=1), ("/0/weight", "unknown-key")),
    ],
)
def test_a_relation_that_is_wrong_is_named(relation, fault):
    assert refused(a_field("relations"), [relation]) == [fault]


def test_a_link_is_given_once_and_undirected_ones_have_one_form():
    both_ways = [a_relation("entities/e1", "entities/e2"), a_relation("entities/e2", "entities/e1")]

    assert len(accepted(a_field("relations"), both_ways)) == 2
    assert refused(a_field("relations", directed=False), both_ways) == [("/1", "duplicate")]
    assert accepted(a_field("relations", directed=False), both_ways[1:])[0]["from"]["id"] == "e1"


def test_ends_must_be_items_of_the_same_answer():
    sound = a_relation("people/p1", "entities/e1")

    assert told(an_answer(sound, a_relation("people/p1", "people/p9"), a_relation("people/p1", "entities/e3"))) == [
        ("/fields/shows/1/to", "missing-end"),
        ("/fields/shows/2/to", "missing-end"),
    ]
    assert told(an_answer(sound)) == []


def test_pointers_are_into_what_was_sent_not_into_what_was_sorted():
    answer = an_answer(a_relation("people/p9", "entities/e1"), a_relation("people/p1", "entities/e1"))

    assert told(answer) == [("/fields/shows/0/from", "missing-end")]


def test_a_field_that_is_left_out_has_no_items_and_an_unsound_one_is_told_of_once():
    without = an_answer(a_relation("people/p1", "entities/e1"))
    del without["people"]
    unsound = an_answer(a_relation("people/p1", "entities/e1"), people=[a_box(label="person", id="p1", x=-1)])

    check = check_answer(a_linked_spec(), FACTS, without)

    assert [fault.message for fault in check.faults] == [
        'Field "shows": Item "people.p1-entities.e1": "people" is not in this answer; add it, or leave the relation out.'
    ]
    assert "shows" not in check.fields
    assert told(unsound) == [("/fields/people/0/x", "out-of-range")]


def test_thousands_of_missing_ends_are_cut_short():
    relations = [a_relation("people/p1", f"entities/x{number}") for number in range(5_000)]

    faults = told(an_answer(*relations))

    assert len(faults) == 201
    assert faults[-1][1] == "more-faults"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"from": ["peeple"]}, ("/fields/shows/from/0", "unknown-field")),
        ({"to": ["entities", "sentiment"]}, ("/fields/shows/to/1", "no-items")),
        ({"to": ["shows"]}, ("/fields/shows/to/0", "no-items")),
        ({"from": ["people", "people"]}, ("/fields/shows/from/1", "duplicate")),
        ({"asset": "chat"}, ("/fields/shows/asset", "contradiction")),
    ],
)
def test_ends_that_cannot_be_are_faults_of_the_spec(options, fault):
    fields = a_raw_spec()["fields"] | {"shows": LINKED["shows"] | options}

    assert [(found.pointer, found.code) for found in check_spec(a_raw_spec(fields=fields)).faults] == [fault]
