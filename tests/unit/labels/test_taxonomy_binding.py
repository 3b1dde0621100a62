"""Fields that take their labels from a taxonomy: bound when the project is published, checked like any others."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.labels.answer import check_answer
from shared.labels.project import SpecCheck
from shared.labels.schema import answer_schema
from shared.labels.taxonomy import apply_operations
from shared.labels.taxonomy.binding import check_bound_spec, rebind_spec
from shared.languages import preferred_languages
from shared.taxonomies import Taxonomies
from tests.builders import TENANT, a_project_spec, a_taxonomy, a_taxonomy_versioned, text_facts

MERGE = [{"op": "merge", "labels": ["duck"], "into": "goose"}]


def merged():
    done = apply_operations(a_taxonomy(), MERGE, version=2, migration="m-1").taxonomy
    assert done is not None
    return done


def known() -> Taxonomies:
    taxonomies = Taxonomies()
    taxonomies.learn(a_taxonomy_versioned())
    taxonomies.learn(a_taxonomy_versioned(taxonomy_version=2, content=merged().to_json()))
    return taxonomies


def a_bound_spec(**fields: Any) -> dict[str, Any]:
    choice = {"kind": "choice", "required": True, "taxonomy": {"name": "animals"}}
    return a_project_spec(fields={"animal": choice} | fields)


def checked(spec: dict[str, Any]) -> SpecCheck:
    return check_bound_spec(spec, known().lookup(TENANT))


def test_a_field_takes_the_leaves_of_the_newest_version_and_pins_it():
    spec = checked(a_bound_spec()).spec

    assert spec is not None
    field = spec.to_json()["fields"]["animal"]
    assert field["options"] == ["cat", "dog", "owl", "goose"]
    assert field["taxonomy"]["version"] == 2


def test_what_was_published_can_be_published_again_and_is_the_same():
    first = checked(a_bound_spec()).spec
    assert first is not None

    assert checked(first.to_json()).spec == first


def test_a_field_may_take_an_older_version_and_is_told_that_there_is_a_newer_one():
    found = checked(a_bound_spec(animal={"kind": "choice", "taxonomy": {"name": "animals", "version": 1}}))

    assert found.spec is not None
    assert found.spec.to_json()["fields"]["animal"]["options"][-2:] == ["duck", "goose"]
    assert "older-version" in {warning.code for warning in found.warnings}


def test_spans_take_their_labels_as_a_choice_takes_its_options():
    spans = {"kind": "spans", "asset": "chat", "taxonomy": {"name": "animals", "under": "pet", "selectable": "all"}}

    spec = checked(a_bound_spec(mentions=spans)).spec

    assert spec is not None
    assert spec.to_json()["fields"]["mentions"]["labels"] == ["cat", "dog"]


def test_every_fault_of_a_binding_is_told_with_what_was_probably_meant():
    def bound(**binding: Any) -> dict[str, Any]:
        return {"kind": "choice", "taxonomy": {"name": "animals", **binding}}

    found = checked(
        a_bound_spec(
            a=bound(name="animal"),
            b=bound(version=9),
            c=bound(under="brid"),
            d=bound(under="owl"),
            e=bound(under="duck"),
            f=bound(selectable="some", colour="grey"),
            g=bound() | {"options": ["cat"]},
            h={"kind": "rating", "minimum": 0, "maximum": 1, "taxonomy": {"name": "animals"}},
            i={"kind": "choice"},
        )
    )

    assert {(fault.pointer, fault.code) for fault in found.faults} == {
        ("/fields/a/taxonomy/name", "unknown-taxonomy"),
        ("/fields/b/taxonomy/version", "unknown-version"),
        ("/fields/c/taxonomy/under", "unknown-label"),
        ("/fields/d/taxonomy/under", "no-labels"),
        ("/fields/e/taxonomy/under", "retired-label"),
        ("/fields/f/taxonomy/selectable", "unknown-value"),
        ("/fields/f/taxonomy/colour", "unknown-key"),
        ("/fields/g/options", "contradiction"),
        ("/fields/h/taxonomy", "unknown-key"),
        ("/fields/i/options", "missing"),
    }
    messages = " ".join(fault.message for fault in found.faults)
    assert 'did you mean "animals"?' in messages
    assert 'did you mean "bird"?' in messages


def test_an_answer_holds_ids_and_another_label_is_a_fault_with_a_suggestion():
    spec = checked(a_bound_spec()).spec
    assert spec is not None

    good = check_answer(spec, {"chat": text_facts()}, {"animal": "goose"})
    bad = check_answer(spec, {"chat": text_facts()}, {"animal": "Goose"})

    assert good.fields == {"animal": "goose"}
    [fault] = bad.faults
    assert fault.pointer == "/fields/animal"
    assert 'did you mean "goose"?' in fault.message


def test_the_answers_schema_names_the_taxonomy_that_the_ids_are_of():
    spec = checked(a_bound_spec()).spec
    assert spec is not None

    animal = answer_schema(spec)["properties"]["animal"]

    assert animal["enum"] == ["cat", "dog", "owl", "goose"]
    assert "taxonomy animals, version 2" in animal["$comment"]


def test_a_spec_is_brought_to_a_newer_version_field_by_field():
    old = {"kind": "choice", "taxonomy": {"name": "animals", "version": 1, "under": "bird"}}
    spec = checked(a_bound_spec(bird=old)).spec
    assert spec is not None

    rebound = rebind_spec(spec.to_json(), "animals", 2, merged())

    assert rebound["fields"]["bird"]["options"] == ["owl", "goose"]
    assert rebound["fields"]["bird"]["taxonomy"]["version"] == 2
    assert rebound["fields"]["animal"] == spec.to_json()["fields"]["animal"]
    assert checked(rebound).spec is not None


def test_a_branch_that_was_merged_away_is_followed_to_where_it_went():
    parts = [{"op": "merge", "labels": ["pet"], "into": "bird"}]
    after = apply_operations(a_taxonomy(), parts, version=2, migration="m").taxonomy
    assert after is not None
    spec = checked(
        a_bound_spec(animal={"kind": "choice", "taxonomy": {"name": "animals", "version": 1, "under": "pet"}})
    )
    assert spec.spec is not None

    field = rebind_spec(spec.spec.to_json(), "animals", 2, after)["fields"]["animal"]

    assert field["taxonomy"]["under"] == "bird"
    assert field["options"] == ["cat", "dog", "owl", "duck", "goose"]


def test_a_claim_brings_what_the_labels_mean_in_the_annotators_language():
    spec = checked(a_bound_spec()).spec
    assert spec is not None

    served = known().served(TENANT, spec, ["de"])["animal"]

    assert [label["name"] for label in served["labels"]] == ["Katze", "Dog", "Owl", "Goose"]
    assert (served["taxonomy"], served["version"]) == ("animals", 2)
    assert served["href"] == "/v1/taxonomies/animals/versions/2?language=de"


def test_labels_that_are_not_known_or_too_many_are_named_by_their_address():
    labels = [{"id": f"l{number}", "name": f"Label {number}"} for number in range(301)]
    many = Taxonomies()
    many.learn(a_taxonomy_versioned(content=a_taxonomy(labels=labels).to_json()))
    spec = check_bound_spec(a_bound_spec(), many.lookup(TENANT)).spec
    assert spec is not None

    assert many.served(TENANT, spec, [])["animal"]["labels"] is None
    assert Taxonomies().served(TENANT, spec, [])["animal"]["labels"] is None


def test_another_tenants_taxonomies_are_not_known():
    found = check_bound_spec(a_bound_spec(), known().lookup("other"))

    assert [fault.code for fault in found.faults] == ["unknown-taxonomy"]


def test_preferred_languages_come_by_their_weight():
    assert preferred_languages("en;q=0.5, de-CH, *;q=0.1, fr;q=0, pt ; q=0.9, 123x;q=z") == ["de-CH", "pt", "en"]


@given(st.text(max_size=60))
def test_no_header_breaks_the_reading_of_languages(header: str):
    assert len(preferred_languages(header)) <= 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_no_binding_whatever_it_is_breaks_the_check(binding: Any, field: Any):
    checked(a_bound_spec(animal={"kind": "choice", "taxonomy": binding}, other=field))
    check_bound_spec(field, known().lookup(TENANT))
