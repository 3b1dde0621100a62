"""Fields that are brought to another version of a taxonomy: rewritten where a label is out of use, never guessed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.labels.answer import check_answer
from shared.labels.project import ProjectSpec
from shared.labels.taxonomy import Taxonomy, apply_operations
from shared.labels.taxonomy.binding import KnownTaxonomy, TaxonomyLookup, check_bound_spec
from shared.labels.taxonomy.migrating import Migrated, migrate, used_labels
from tests.builders import a_project_spec, a_taxonomy

BOUND = {"name": "animals"}
FIELDS: dict[str, Any] = {
    "main": {"kind": "choice", "taxonomy": BOUND},
    "seen": {"kind": "choice", "taxonomy": BOUND, "multiple": True},
    "mentions": {"kind": "spans", "asset": "chat", "taxonomy": BOUND},
    "mood": {"kind": "choice", "options": ["duck", "calm"]},
}


def a_version(number: int, *operations: dict[str, Any]) -> Taxonomy:
    if not operations:
        return a_taxonomy()
    done = apply_operations(a_taxonomy(), list(operations), version=number, migration=f"m-{number}").taxonomy
    assert done is not None
    return done


def a_spec(taxonomy: Taxonomy, number: int, **fields: Any) -> ProjectSpec:
    lookup = TaxonomyLookup(["animals"], lambda _name, _version: KnownTaxonomy(number, taxonomy, number))
    found = check_bound_spec(a_project_spec(fields=FIELDS | fields), lookup)
    assert found.spec is not None, found.faults
    return found.spec


def migrated(fields: dict[str, Any], *operations: dict[str, Any], **changed: Any) -> Migrated:
    after = a_version(2, *operations)
    return migrate(a_spec(a_version(1), 1), a_spec(after, 2, **changed), fields, lambda _name, _version: after)


MERGE = {"op": "merge", "labels": ["duck"], "into": "goose"}


def test_a_label_out_of_use_is_replaced_wherever_it_stands():
    span = {"id": "s1", "start": 0, "end": 4, "label": "duck"}

    done = migrated({"main": "duck", "seen": ["cat", "duck", "goose"], "mentions": [span], "mood": "duck"}, MERGE)

    assert done.fields == {
        "main": "goose",
        "seen": ["cat", "goose"],
        "mentions": [{**span, "label": "goose"}],
        "mood": "duck",
    }
    assert done.cause is not None
    assert (done.cause.by, done.cause.migration, done.taxonomy) == ("merge", "m-2", "animals")


def test_fields_without_a_label_out_of_use_are_left_alone():
    fields = {"main": "owl", "seen": ["cat"], "mood": "duck"}

    done = migrated(fields, MERGE, {"op": "rename", "label": "owl", "name": "Eule"})

    assert (done.fields, done.cause, done.faults) == (fields, None, [])


def test_a_split_label_is_not_guessed():
    parts = [{"id": "barn_owl", "name": "Barn owl"}, {"id": "snowy_owl", "name": "Snowy owl"}]

    done = migrated({"main": "owl", "seen": ["duck"]}, MERGE, {"op": "split", "label": "owl", "into": parts})

    assert done.fields == {"main": "owl", "seen": ["duck"]}
    [fault] = done.faults
    assert (fault.pointer, fault.code) == ("/fields/main", "to-relabel")
    assert '"barn_owl", "snowy_owl"' in fault.message


def test_a_label_that_was_merged_into_one_that_was_split_is_not_guessed_either():
    parts = [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]

    done = migrated({"main": "duck"}, MERGE, {"op": "split", "label": "goose", "into": parts})

    assert [fault.code for fault in done.faults] == ["to-relabel"]


def test_what_a_deprecated_label_without_a_substitute_is_given_to_stays():
    done = migrated({"main": "owl"}, {"op": "deprecate", "label": "owl"})

    assert (done.cause, done.faults) == (None, [])


def test_a_label_that_does_not_fit_the_project_otherwise_is_left_with_the_reason():
    done = migrated({"main": "duck", "mood": "duck"}, MERGE, mood={"kind": "choice", "options": ["calm", "wild"]})

    assert done.fields == {"main": "duck", "mood": "duck"}
    assert [fault.pointer for fault in done.faults] == ["/fields/mood"]


def test_a_field_that_became_required_is_not_missed():
    done = migrated({"main": "duck"}, MERGE, mood={"kind": "choice", "options": ["calm"], "required": True})

    assert (done.fields, done.faults) == ({"main": "goose"}, ())


def test_a_field_that_is_not_bound_to_the_taxonomy_any_more_is_not_touched():
    done = migrated({"main": "duck"}, MERGE, main={"kind": "choice", "options": ["duck"]})

    assert (done.fields, done.cause, done.faults) == ({"main": "duck"}, None, [])


@pytest.mark.parametrize(("fields", "labels"), [({}, set()), ({"mood": "duck"}, set()), ({"seen": ["cat"]}, {"cat"})])
def test_only_labels_of_taxonomies_are_found(fields: dict[str, Any], labels: set[str]):
    assert used_labels(a_spec(a_version(1), 1), fields) == {("animals", label) for label in labels}


OPERATIONS: list[dict[str, Any]] = [
    MERGE,
    {"op": "merge", "labels": ["cat", "dog"], "into": "pet"},
    {"op": "deprecate", "label": "owl", "use": "goose"},
    {"op": "deprecate", "label": "goose"},
    {"op": "split", "label": "owl", "into": [{"id": "x", "name": "X"}, {"id": "y", "name": "Y"}], "use": "x"},
    {"op": "split", "label": "cat", "into": [{"id": "p", "name": "P"}, {"id": "q", "name": "Q"}]},
    {"op": "move", "label": "duck", "parent": "pet"},
]
leaves = st.sampled_from(["cat", "dog", "owl", "duck", "goose"])


@given(
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=3, unique_by=str),
    st.fixed_dictionaries({"main": leaves, "seen": st.sets(leaves).map(sorted)}),
)
def test_what_was_migrated_has_no_label_out_of_use_and_migrating_it_again_changes_nothing(
    operations: list[dict[str, Any]], fields: dict[str, Any]
):
    done = apply_operations(a_taxonomy(), operations, version=2, migration="m-2").taxonomy
    if done is None:
        return
    before = a_spec(a_version(1), 1)
    after = a_spec(done, 2)

    first = migrate(before, after, fields, lambda _name, _version: done)

    if first.faults:
        assert first.fields == fields
        return
    again = migrate(after, after, first.fields, lambda _name, _version: done)
    assert (again.fields, again.cause) == (first.fields, None)
    assert not {label for _, label in used_labels(before, first.fields)} & done.replacements.keys()
    if first.cause is not None:
        assert check_answer(after, {}, first.fields).fields == first.fields
