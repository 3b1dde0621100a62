"""Valid events of ``shared.events.taxonomies``."""

from typing import Any

from shared.events import taxonomies
from shared.ids import new_id
from shared.labels.canonical import content_hash
from shared.labels.taxonomy import Taxonomy, check_taxonomy
from tests.builders.base import an_event

TAXONOMY = "animals"


def a_taxonomy_body(**changes: Any) -> dict[str, Any]:
    """Return a small taxonomy as JSON: pets and birds, two leaves and three."""
    body: dict[str, Any] = {
        "title": "Animals",
        "labels": [
            {
                "id": "pet",
                "name": "Pet",
                "children": [
                    {"id": "cat", "name": "Cat", "translations": {"de": {"name": "Katze"}}},
                    {"id": "dog", "name": "Dog", "definition": "It barks.", "synonyms": ["hound"]},
                ],
            },
            {
                "id": "bird",
                "name": "Bird",
                "children": [
                    {"id": "owl", "name": "Owl"},
                    {"id": "duck", "name": "Duck"},
                    {"id": "goose", "name": "Goose"},
                ],
            },
        ],
    }
    return body | changes


def a_taxonomy(**changes: Any) -> Taxonomy:
    """Return ``a_taxonomy_body`` as its model; fails when it has faults."""
    checked = check_taxonomy(a_taxonomy_body(**changes))
    assert checked.taxonomy is not None, checked.faults
    return checked.taxonomy


def a_taxonomy_published(**changes: Any) -> taxonomies.TaxonomyPublished:
    content = changes.setdefault("content", a_taxonomy().to_json())
    special = {"taxonomy_id": TAXONOMY, "content_hash": content_hash(content), "published_by": "manager"}
    return an_event(taxonomies.TaxonomyPublished, changes, **special)


def a_taxonomy_versioned(**changes: Any) -> taxonomies.TaxonomyVersioned:
    content = changes.setdefault("content", a_taxonomy().to_json())
    special = {"taxonomy_id": TAXONOMY, "content_hash": content_hash(content), "published_by": "manager"}
    return an_event(taxonomies.TaxonomyVersioned, changes, **special, taxonomy_version=1, cause_id=new_id())


def a_taxonomy_refused(**changes: Any) -> taxonomies.TaxonomyRefused:
    special = {"taxonomy_id": TAXONOMY, "cause_id": new_id(), "current_version": 2, "reason": "The newest is 2."}
    return an_event(taxonomies.TaxonomyRefused, changes, **special)
