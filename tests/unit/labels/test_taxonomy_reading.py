"""A taxonomy that comes from outside: one tree, or every fault of it."""

from typing import Any

import pytest

from shared.labels.taxonomy import check_replacement, check_taxonomy, with_retired
from shared.labels.taxonomy.model import MAX_DEPTH, MAX_TAXONOMY_LABELS
from shared.labels.taxonomy.operations import apply_operations
from shared.labels.taxonomy.serving import labels_in
from tests.builders import a_taxonomy, a_taxonomy_body


def faults_of(raw: object) -> set[tuple[str, str]]:
    return {(fault.pointer, fault.code) for fault in check_taxonomy(raw).faults}


def test_labels_below_others_and_labels_that_name_their_parent_are_the_same_tree():
    flat = [{"id": "pet", "name": "Pet"}, {"id": "cat", "name": "Cat", "parent": "pet"}]
    nested = [{"id": "pet", "name": "Pet", "children": [{"id": "cat", "name": "Cat"}]}]

    assert a_taxonomy(labels=flat) == a_taxonomy(labels=nested)


def test_what_is_written_is_read_back_alike():
    taxonomy = a_taxonomy()

    assert check_taxonomy(taxonomy.to_json()).taxonomy == taxonomy


def test_all_faults_are_told_at_once_each_where_it_is():
    labels: list[Any] = [
        {"id": "Pet!", "name": "Pet"},
        {"id": "cat", "name": "Cat", "parent": "pat", "colour": "grey"},
        {"id": "dog", "name": "Dog", "parent": "fish"},
        {"id": "dog", "name": "Hound"},
        {"id": "a", "name": "A", "parent": "b"},
        {"id": "b", "name": "B", "parent": "a"},
        {"id": "owl", "name": "Owl"},
        {"id": "eule", "name": "owl", "children": "none"},
        {"id": "duck", "name": "Duck", "translations": {"Deutsch!": {"name": "Ente"}}},
        "goose",
    ]

    found = faults_of({"titel": "Animals", "labels": labels})

    assert found == {
        ("/title", "missing"),
        ("/titel", "unknown-key"),
        ("/labels/0/id", "malformed"),
        ("/labels/1/colour", "unknown-key"),
        ("/labels/2/parent", "unknown-label"),
        ("/labels/3/id", "duplicate"),
        ("/labels/4/parent", "loop"),
        ("/labels/5/parent", "loop"),
        ("/labels/7/name", "duplicate-name"),
        ("/labels/7/children", "wrong-type"),
        ("/labels/8/translations/Deutsch!", "malformed"),
        ("/labels/9", "wrong-type"),
    }


def test_a_parent_that_is_not_sound_is_told_once_and_not_for_its_children():
    assert faults_of(
        a_taxonomy_body(labels=[{"id": "Pet!", "name": "Pet", "children": [{"id": "x", "name": "X"}]}])
    ) == {("/labels/0/id", "malformed")}


def test_a_label_has_one_place():
    child = {"id": "cat", "name": "Cat", "parent": "bird"}
    labels = [{"id": "pet", "name": "Pet", "children": [child]}, {"id": "bird", "name": "Bird"}]

    assert faults_of(a_taxonomy_body(labels=labels)) == {("/labels/0/children/0/parent", "contradiction")}


@pytest.mark.parametrize(
    "raw", [None, [], "x", {"title": "T"}, {"title": "T", "labels": []}, {"title": "T", "labels": 3}]
)
def test_what_is_no_taxonomy_is_refused(raw: object):
    assert check_taxonomy(raw).taxonomy is None


def test_a_tree_may_be_as_deep_as_the_limit_and_no_deeper():
    def chain(length: int) -> dict[str, Any]:
        labels = [{"id": f"l{n}", "name": "L"} | ({"parent": f"l{n - 1}"} if n else {}) for n in range(length)]
        return a_taxonomy_body(labels=labels)

    assert check_taxonomy(chain(MAX_DEPTH)).taxonomy is not None
    assert faults_of(chain(MAX_DEPTH + 1)) == {(f"/labels/{MAX_DEPTH}/parent", "too-deep")}


def test_as_many_labels_as_the_limit_are_read_and_one_more_is_refused_with_the_limit_named():
    labels = [{"id": f"l{number}", "name": f"Label {number}"} for number in range(MAX_TAXONOMY_LABELS + 1)]

    assert check_taxonomy(a_taxonomy_body(labels=labels[:-1])).taxonomy is not None
    [fault] = check_taxonomy(a_taxonomy_body(labels=labels)).faults
    assert fault.code == "too-many"
    assert str(MAX_TAXONOMY_LABELS) in fault.message


def test_only_migrations_take_labels_out_of_use():
    retired = {"by": "deprecate", "version": 1}
    wish = a_taxonomy(labels=[{"id": "cat", "name": "Cat", "retired": retired}])

    assert [fault.pointer for fault in check_replacement(None, wish)] == ["/labels/0/retired"]


def test_a_whole_may_add_rename_and_move_labels_but_not_lose_them():
    before = a_taxonomy()
    labels = [
        {"id": "pet", "name": "House animal"},
        {"id": "cat", "name": "Cat"},
        {"id": "bird", "name": "Bird", "parent": "pet"},
        {"id": "owl", "name": "Owl", "parent": "bird"},
        {"id": "fish", "name": "Fish"},
    ]

    faults = check_replacement(before, a_taxonomy(labels=labels))

    assert [fault.message.split('"')[1] for fault in faults] == ["dog", "duck", "goose"]


def test_labels_out_of_use_stay_where_they_were_when_a_whole_leaves_them_out():
    merged = apply_operations(
        a_taxonomy(), [{"op": "merge", "labels": ["duck"], "into": "goose"}], version=2, migration="m"
    ).taxonomy
    assert merged is not None
    live_alone = merged.model_copy(update={"labels": tuple(each for each in merged.labels if each.retired is None)})

    completed = with_retired(merged, live_alone)

    assert completed == merged
    assert check_replacement(merged, completed) == []


def test_labels_are_shown_in_the_first_language_that_they_have():
    shown = {label["id"]: label for label in labels_in(a_taxonomy(), ["fr", "de-CH"])}

    assert (shown["cat"]["name"], shown["cat"]["language"]) == ("Katze", "de")
    assert (shown["dog"]["name"], shown["dog"]["language"]) == ("Dog", "en")
    assert shown["cat"]["path"] == ["Pet", "Katze"]


def test_a_field_may_offer_leaves_or_all_of_the_tree_or_what_is_below_a_label():
    taxonomy = a_taxonomy()

    assert taxonomy.selectable() == ("cat", "dog", "owl", "duck", "goose")
    assert taxonomy.selectable(leaves=False) == ("pet", "cat", "dog", "bird", "owl", "duck", "goose")
    assert taxonomy.selectable(under="bird") == ("owl", "duck", "goose")
    assert taxonomy.selectable(under="owl") == ()
