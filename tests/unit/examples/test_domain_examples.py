"""The starter taxonomies and the projects that use them are sound, guided, and take the answers that they ask for."""

import pytest

from shared.labels.answer import check_answer
from shared.labels.facts import AssetFacts
from shared.labels.project import SpecCheck
from shared.labels.spec_text import parse_spec_text
from shared.labels.taxonomy import Taxonomy, check_taxonomy
from shared.labels.taxonomy.binding import KnownTaxonomy, TaxonomyLookup, check_bound_spec
from shared.labels.taxonomy.migrating import used_labels
from shared.labels.verdicts import evaluate_rules
from tests.builders import image_facts, text_facts
from tests.domain_examples import DOMAIN_EXAMPLES, ROOT, DomainExample

every_example = pytest.mark.parametrize("example", DOMAIN_EXAMPLES, ids=lambda example: example.taxonomy)


def taxonomy_of(example: DomainExample) -> Taxonomy:
    checked = check_taxonomy(parse_spec_text(example.taxonomy_text()))
    assert checked.taxonomy is not None, checked.faults
    return checked.taxonomy


def checked(example: DomainExample) -> SpecCheck:
    known = KnownTaxonomy(1, taxonomy_of(example), 1)
    lookup = TaxonomyLookup([example.taxonomy], lambda name, _version: known if name == example.taxonomy else None)
    return check_bound_spec(example.spec(), lookup)


def facts_of(example: DomainExample) -> dict[str, AssetFacts]:
    known = {slot: text_facts(text) for slot, text in example.texts.items()}
    known |= {slot: AssetFacts(modality="record") for slot in example.records}
    video = AssetFacts(modality="video", width=320, height=240, duration=2.0, frames=60)
    return known | {slot: image_facts() if slot != "video" else video for slot in example.uploads}


@every_example
def test_the_taxonomy_is_sound_and_speaks_german_too(example: DomainExample):
    taxonomy = taxonomy_of(example)

    assert len(taxonomy.labels) > 15
    assert [label.id for label in taxonomy.labels if "de" not in label.translations] == []


@every_example
def test_the_project_takes_its_labels_from_the_taxonomy_and_leaves_nothing_unguided(example: DomainExample):
    found = checked(example)

    assert not found.faults
    assert {warning.code for warning in found.warnings} <= {"without-force"}
    assert found.spec is not None
    assert found.spec.guidelines.keys() == found.spec.fields.keys()


@every_example
def test_the_project_takes_an_answer_that_uses_the_taxonomy(example: DomainExample):
    spec = checked(example).spec
    assert spec is not None
    facts = facts_of(example)

    answer = check_answer(spec, facts, example.answer)

    assert not answer.faults
    assert used_labels(spec, answer.fields)
    verdicts = evaluate_rules(spec, facts, answer.fields)
    assert [verdict for verdict in verdicts if verdict.passed is False or verdict.error] == []


def test_a_finding_that_is_not_named_is_refused():
    [chest] = [example for example in DOMAIN_EXAMPLES if example.taxonomy == "image-abnormalities"]
    spec = checked(chest).spec
    assert spec is not None

    verdicts = evaluate_rules(spec, facts_of(chest), {**chest.answer, "abnormalities": ["fracture"]})

    assert [verdict.rule_id for verdict in verdicts if verdict.passed is False] == ["found-is-named"]


def test_every_starter_taxonomy_has_an_example_here():
    files = {path.stem for path in (ROOT / "taxonomies").glob("*.yaml")}

    assert files == {example.taxonomy for example in DOMAIN_EXAMPLES}
