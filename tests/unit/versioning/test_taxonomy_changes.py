"""A taxonomy changed by operations: in log order, with the projects that are bound to it, and taken back."""

from pathlib import Path
from typing import Any

import pytest

from shared.events import Event
from shared.events.migrations import MigrationRequested, ProjectRebindRequested, ProjectRebound
from shared.events.projects import ProjectVersioned
from shared.events.taxonomies import TaxonomyRefused, TaxonomyVersioned
from shared.labels.canonical import content_hash
from shared.labels.taxonomy.binding import check_bound_spec
from shared.taxonomies import Taxonomies
from tests.builders import (
    MIGRATION,
    TENANT,
    a_project_published,
    a_project_spec,
    a_project_versioned,
    a_taxonomy,
    a_taxonomy_change_requested,
    a_taxonomy_published,
    a_taxonomy_versioned,
)
from tests.unit.versioning.versioning_under_test import VersioningUnderTest

ROLLBACK = "annotation_store-r1"
BOUND = {"kind": "choice", "required": True, "taxonomy": {"name": "animals"}}


def a_bound_spec(**field: Any) -> dict[str, Any]:
    taxonomies = Taxonomies()
    taxonomies.learn(a_taxonomy_versioned())
    found = check_bound_spec(a_project_spec(fields={"animal": BOUND | field}), taxonomies.lookup(TENANT))
    assert found.spec is not None, found.faults
    return found.spec.to_json()


class Zoo(VersioningUnderTest):
    """Versioning with a taxonomy and a project that is bound to it; its catalog reads what it announces."""

    async def begin(self, **field: Any) -> None:
        spec = a_bound_spec(**field)
        await self.receive(
            a_taxonomy_published(),
            a_project_published(project_id="zoo", spec=spec, spec_hash=content_hash(spec)),
            a_project_published(project_id="support"),
        )
        await self.follow()

    async def follow(self) -> None:
        """Let the catalog read, and versioning hear, what it has announced; until it says nothing more."""
        done = 0
        while done < len(self.announced.events):
            fresh, done = self.announced.events[done:], len(self.announced.events)
            for event in fresh:
                await self.catalog.learn(event)
            own: list[Event] = [event for event in fresh if isinstance(event, ProjectRebindRequested)]
            await self.receive(*own)

    async def change(self, **changes: Any) -> None:
        await self.receive(a_taxonomy_change_requested(**changes))
        await self.follow()

    def rebound(self) -> dict[str, ProjectRebound]:
        return {each.project_id: each for each in self.announced.of(ProjectRebound)}


@pytest.fixture
async def zoo(tmp_path: Path) -> Zoo:
    return await Zoo.of(tmp_path, a_taxonomy_versioned(), a_project_versioned(project_id="zoo", spec=a_bound_spec()))


async def test_a_change_makes_a_version_and_brings_the_projects_to_it(zoo: Zoo):
    await zoo.begin()

    await zoo.change(note="They look alike.")

    taxonomy = zoo.announced.of(TaxonomyVersioned)[-1]
    assert (taxonomy.taxonomy_version, taxonomy.migration, taxonomy.note) == (2, MIGRATION, "They look alike.")
    [requested] = {each.event_id: each for each in zoo.announced.of(MigrationRequested)}.values()
    assert (requested.taxonomy_version, requested.projects) == (2, ["zoo"])
    project = zoo.announced.of(ProjectVersioned)[-1]
    assert (project.project_id, project.version, project.published_by) == ("zoo", 2, "manager")
    field = project.spec["fields"]["animal"]
    assert (field["taxonomy"]["version"], field["options"]) == (2, ["cat", "dog", "owl", "goose"])
    assert (zoo.rebound()["zoo"].project_version, zoo.rebound()["zoo"].bound) == (2, True)


async def test_the_audit_says_that_a_migration_bound_the_project_anew(zoo: Zoo):
    await zoo.begin()
    await zoo.change()

    async with zoo.asking() as client:
        newest = (await client.get("/projects/zoo/audit")).json()["items"][0]

    assert (newest["action"], newest["by"], newest["changes"]) == ("rebound", "manager", ["/fields/animal"])


async def test_of_two_changes_at_once_the_second_is_refused(zoo: Zoo):
    await zoo.begin()

    await zoo.change(based_on=1)
    late = a_taxonomy_change_requested(job_id="annotation_store-m2", based_on=1)
    await zoo.receive(late)

    [refused] = zoo.announced.of(TaxonomyRefused)
    assert (refused.cause_id, refused.current_version, refused.faults) == (late.event_id, 2, [])


async def test_operations_that_the_newest_version_does_not_allow_are_refused_with_all_faults(zoo: Zoo):
    await zoo.begin()
    operations = [{"op": "move", "label": "fish", "parent": None}, {"op": "deprecate", "label": "bird"}]

    await zoo.change(operations=operations)

    [refused] = zoo.announced.of(TaxonomyRefused)
    assert [fault.pointer for fault in refused.faults] == ["/operations/0/label", "/operations/1/label"]
    assert zoo.announced.of(MigrationRequested) == []


async def test_a_taxonomy_that_nobody_published_cannot_be_changed(zoo: Zoo):
    await zoo.change()

    assert [fault.code for fault in zoo.announced.of(TaxonomyRefused)[0].faults] == ["unknown-taxonomy"]


async def test_a_rollback_brings_taxonomy_and_projects_back_as_new_versions(zoo: Zoo):
    await zoo.begin()
    await zoo.change()

    await zoo.change(job_id=ROLLBACK, rolls_back=MIGRATION)

    taxonomy = zoo.announced.of(TaxonomyVersioned)[-1]
    assert (taxonomy.taxonomy_version, taxonomy.rolls_back, taxonomy.content) == (3, MIGRATION, a_taxonomy().to_json())
    project = zoo.announced.of(ProjectVersioned)[-1]
    assert (project.version, project.spec["fields"]["animal"]["taxonomy"]["version"]) == (3, 3)
    assert project.spec["fields"]["animal"]["options"] == ["cat", "dog", "owl", "duck", "goose"]
    assert zoo.announced.of(MigrationRequested)[-1].rolls_back == MIGRATION


async def test_a_change_that_others_came_after_is_not_rolled_back(zoo: Zoo):
    await zoo.begin()
    await zoo.change()
    await zoo.change(job_id="annotation_store-m2", operations=[{"op": "add", "id": "fish", "name": "Fish"}])

    await zoo.change(job_id=ROLLBACK, rolls_back=MIGRATION)

    [refused] = zoo.announced.of(TaxonomyRefused)
    assert [fault.code for fault in refused.faults] == ["not-the-newest"]


async def test_a_project_that_cannot_follow_stays_and_says_why(zoo: Zoo):
    await zoo.begin(multiple=True, min_items=5, taxonomy={"name": "animals"})

    await zoo.change()

    rebound = zoo.rebound()["zoo"]
    assert (rebound.bound, rebound.project_version) == (False, 1)
    assert rebound.faults


async def test_everything_of_a_change_delivered_again_changes_nothing(zoo: Zoo):
    await zoo.begin()
    await zoo.change()
    await zoo.change(job_id=ROLLBACK, rolls_back=MIGRATION)
    ids = {each.event_id for each in zoo.announced.events}
    states = {name: store.states for name, store in zoo.documents.items()}

    await zoo.receive_all_again()

    assert {each.event_id for each in zoo.announced.events} == ids
    assert {name: store.states for name, store in zoo.documents.items()} == states


async def test_the_same_content_published_after_a_migration_tells_the_version_as_it_was(zoo: Zoo):
    await zoo.begin()
    await zoo.change()
    first = zoo.announced.of(TaxonomyVersioned)[-1]

    await zoo.receive(a_taxonomy_published(content=first.content))

    again = zoo.announced.of(TaxonomyVersioned)[-1]
    kept = {"taxonomy_version", "migration", "operations", "note", "published_by", "content"}
    assert again.model_dump(include=kept) == first.model_dump(include=kept)
