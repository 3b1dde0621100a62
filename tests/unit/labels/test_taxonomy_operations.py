"""Changes of a taxonomy: each operation, all their faults, and what no sequence of them can break."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.taxonomy import Taxonomy, apply_operations, check_taxonomy, roll_back
from tests.builders import a_taxonomy


def changed(*operations: dict[str, Any], before: Taxonomy | None = None) -> Taxonomy:
    """Apply operations that have no faults."""
    done = apply_operations(before or a_taxonomy(), list(operations), version=2, migration="m-1")
    assert done.taxonomy is not None, done.faults
    return done.taxonomy


def faults_of(*operations: Any) -> list[tuple[str, str]]:
    done = apply_operations(a_taxonomy(), list(operations), version=2, migration="m-1")
    assert done.taxonomy is None
    return [(fault.pointer, fault.code) for fault in done.faults]


def test_an_added_label_stands_where_it_was_put():
    taxonomy = changed({"op": "add", "id": "fish", "name": "Fish", "parent": "pet", "synonyms": ["trout"]})

    assert taxonomy.path("fish") == ("pet", "fish")
    assert taxonomy.by_id["fish"].synonyms == ("trout",)
    assert taxonomy.replacements == {}


def test_a_renamed_label_keeps_its_id_and_the_languages_that_were_not_given():
    taxonomy = changed({"op": "rename", "label": "cat", "name": "House cat", "translations": {"fr": {"name": "Chat"}}})

    cat = taxonomy.by_id["cat"]
    assert (cat.name, cat.translations["de"].name, cat.translations["fr"].name) == ("House cat", "Katze", "Chat")
    assert taxonomy.replacements == {}


def test_a_label_moves_with_all_below_it():
    taxonomy = changed({"op": "move", "label": "bird", "parent": "pet"})

    assert taxonomy.path("owl") == ("pet", "bird", "owl")


def test_merged_labels_are_replaced_and_what_was_below_them_goes_below_the_one_that_stays():
    taxonomy = changed(
        {"op": "add", "id": "eagle_owl", "name": "Eagle owl", "parent": "owl"},
        {"op": "merge", "labels": ["owl", "duck"], "into": "goose"},
    )

    assert taxonomy.replacements == {"owl": "goose", "duck": "goose"}
    assert taxonomy.path("eagle_owl") == ("bird", "goose", "eagle_owl")
    retired = taxonomy.by_id["duck"].retired
    assert retired is not None
    assert (retired.by, retired.version, retired.migration) == ("merge", 2, "m-1")


def test_merges_one_after_the_other_lead_to_the_last():
    first = changed({"op": "merge", "labels": ["duck"], "into": "goose"})

    second = changed({"op": "merge", "labels": ["goose"], "into": "owl"}, before=first)

    assert second.replacements == {"duck": "owl", "goose": "owl"}


PARTS = [{"id": "barn_owl", "name": "Barn owl"}, {"id": "snowy_owl", "name": "Snowy owl"}]


def test_a_split_without_a_rule_guesses_nothing():
    taxonomy = changed({"op": "split", "label": "owl", "into": PARTS})

    assert taxonomy.replacements == {}
    assert taxonomy.undecided == {"owl"}
    assert taxonomy.selectable(under="bird") == ("duck", "goose", "barn_owl", "snowy_owl")


def test_a_split_with_a_rule_gives_samples_the_part_that_it_names():
    taxonomy = changed({"op": "split", "label": "owl", "into": PARTS, "use": "barn_owl"})

    assert taxonomy.replacements == {"owl": "barn_owl"}
    assert taxonomy.undecided == frozenset()


def test_a_deprecated_label_is_offered_no_more_and_samples_keep_it():
    taxonomy = changed({"op": "deprecate", "label": "owl"}, {"op": "deprecate", "label": "duck", "use": "goose"})

    assert taxonomy.selectable(under="bird") == ("goose",)
    assert taxonomy.replacements == {"duck": "goose"}


def test_operations_see_what_those_before_them_did():
    taxonomy = changed(
        {"op": "add", "id": "fish", "name": "Fish"},
        {"op": "move", "label": "cat", "parent": "fish"},
        {"op": "move", "label": "dog", "parent": None},
        {"op": "deprecate", "label": "pet"},
    )

    assert taxonomy.path("cat") == ("fish", "cat")


def test_all_faults_of_all_operations_are_told_at_once():
    assert faults_of(
        {"op": "paint", "label": "cat"},
        {"op": "add", "id": "owl", "name": "Another", "parent": "fisch"},
        {"op": "add", "id": "fish", "name": "cat", "parent": "pet"},
        {"op": "move", "label": "cat", "parent": "fish"},
        {"op": "move", "label": "bird", "parent": "owl"},
        {"op": "merge", "labels": ["pet", "pet"], "into": "cat"},
        {"op": "split", "label": "bird", "into": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}], "use": "c"},
        {"op": "deprecate", "label": "owl", "use": "owl"},
        {"op": "rename", "label": "cats", "title": "Cat"},
        "move",
    ) == [
        ("/operations/0/op", "unknown-operation"),
        ("/operations/1/id", "duplicate"),
        ("/operations/1/parent", "unknown-label"),
        ("/operations/2/name", "duplicate-name"),
        ("/operations/4/parent", "loop"),
        ("/operations/5/labels/0", "loop"),
        ("/operations/5/labels/1", "duplicate"),
        ("/operations/5/labels/1", "loop"),
        ("/operations/6/label", "has-children"),
        ("/operations/6/use", "unknown-label"),
        ("/operations/7/use", "loop"),
        ("/operations/8/title", "unknown-key"),
        ("/operations/9", "wrong-type"),
    ]


def test_a_label_out_of_use_takes_part_in_nothing_and_its_id_stays_taken():
    before = changed({"op": "merge", "labels": ["duck"], "into": "goose"})

    done = apply_operations(
        before,
        [{"op": "rename", "label": "duck", "name": "Drake"}, {"op": "add", "id": "duck", "name": "Drake"}],
        version=3,
        migration="m-2",
    )

    assert [fault.code for fault in done.faults] == ["retired-label", "duplicate"]
    assert "since version 2" in done.faults[0].message


@pytest.mark.parametrize("raw", [None, [], {}, "x", [None], [{"op": None}], [{"op": ["add"]}], [{}]])
def test_what_is_no_list_of_operations_is_refused(raw: object):
    assert apply_operations(a_taxonomy(), raw, version=2, migration="m").faults


def test_operations_that_change_nothing_are_refused():
    assert faults_of({"op": "rename", "label": "cat", "name": "Cat"}) == [("/operations", "no-change")]


def test_a_rollback_gives_the_tree_as_it_was_and_keeps_the_ids_that_came_in():
    before = a_taxonomy()
    after = changed(
        {"op": "split", "label": "owl", "into": PARTS, "use": "barn_owl"},
        {"op": "merge", "labels": ["duck"], "into": "goose"},
        {"op": "move", "label": "cat", "parent": None},
    )

    back = roll_back(before, after, version=3, migration="m-2")

    assert back.selectable() == before.selectable()
    assert {id_: back.path(id_) for id_ in before.by_id} == {id_: before.path(id_) for id_ in before.by_id}
    assert back.by_id.keys() == after.by_id.keys()
    assert back.replacements == {}
    assert check_taxonomy(back.to_json()).taxonomy == back


ids = st.sampled_from(["pet", "cat", "dog", "bird", "owl", "duck", "goose", "n0", "n1", "n2", "nowhere"])
new_labels = st.fixed_dictionaries({"id": st.sampled_from(["n0", "n1", "n2", "n3"]), "name": st.sampled_from("ABC")})
operations = st.one_of(
    st.builds(lambda new, parent: {"op": "add", "parent": parent, **new}, new_labels, st.none() | ids),
    st.fixed_dictionaries({"op": st.just("rename"), "label": ids, "name": st.sampled_from(["Cat", "Dog", "Z"])}),
    st.fixed_dictionaries({"op": st.just("move"), "label": ids, "parent": st.none() | ids}),
    st.fixed_dictionaries({"op": st.just("merge"), "labels": st.lists(ids, min_size=1, max_size=3), "into": ids}),
    st.fixed_dictionaries(
        {"op": st.just("split"), "label": ids, "into": st.lists(new_labels, min_size=2, max_size=3)},
        optional={"use": ids},
    ),
    st.fixed_dictionaries({"op": st.just("deprecate"), "label": ids}, optional={"use": ids}),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(operations, min_size=1, max_size=4), min_size=1, max_size=5))
def test_whatever_is_changed_each_version_is_a_tree_that_forgets_no_label(changes: list[list[dict[str, Any]]]):
    taxonomy, version = a_taxonomy(), 1

    for change in changes:
        done = apply_operations(taxonomy, change, version=version + 1, migration=f"m-{version}")
        assert (done.taxonomy is None) == bool(done.faults)
        if done.taxonomy is None:
            continue
        before, taxonomy, version = taxonomy, done.taxonomy, version + 1

        assert check_taxonomy(taxonomy.to_json()).taxonomy == taxonomy
        assert before.by_id.keys() <= taxonomy.by_id.keys()
        for label in taxonomy.labels:
            above = taxonomy.path(label.id)[:-1]
            assert label.retired is not None or all(taxonomy.by_id[each].retired is None for each in above)
        for last in taxonomy.replacements.values():
            retired = taxonomy.by_id[last].retired
            assert retired is None or retired.use is None
        back = roll_back(before, taxonomy, version=version + 1, migration="back")
        assert check_taxonomy(back.to_json()).taxonomy == back
        assert back.selectable() == before.selectable()
