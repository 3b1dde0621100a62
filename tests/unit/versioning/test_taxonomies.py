from pathlib import Path

import pytest

from shared.events.taxonomies import TaxonomyRefused, TaxonomyVersioned
from tests.builders import a_taxonomy, a_taxonomy_published
from tests.unit.versioning.versioning_under_test import VersioningUnderTest


@pytest.fixture
async def versioning(tmp_path: Path) -> VersioningUnderTest:
    return await VersioningUnderTest.of(tmp_path)


async def test_versions_of_a_taxonomy_are_numbered_in_the_order_of_the_log(versioning: VersioningUnderTest):
    first = a_taxonomy_published()
    second = a_taxonomy_published(content=a_taxonomy(title="Beasts").to_json(), based_on=1)

    await versioning.receive(first, second)
    await versioning.receive_all_again()

    given = [(each.taxonomy_version, each.cause_id) for each in versioning.announced.of(TaxonomyVersioned)]
    assert sorted(set(given)) == [(1, first.event_id), (2, second.event_id)]


async def test_the_same_taxonomy_again_is_the_same_version_for_whoever_waits(versioning: VersioningUnderTest):
    first, again = a_taxonomy_published(published_by="ana"), a_taxonomy_published(published_by="bo")

    await versioning.receive(first, again)

    given = versioning.announced.of(TaxonomyVersioned)
    assert [(each.taxonomy_version, each.published_by) for each in given] == [(1, "ana"), (1, "ana")]
    assert given[1].cause_id == again.event_id


async def test_of_two_changes_of_one_version_of_a_taxonomy_the_second_is_refused(versioning: VersioningUnderTest):
    mine, yours = (a_taxonomy(title=title).to_json() for title in ("Mine", "Yours"))
    await versioning.receive(a_taxonomy_published())

    late = a_taxonomy_published(content=yours, based_on=1)
    await versioning.receive(a_taxonomy_published(content=mine, based_on=1), late)

    [refused] = versioning.announced.of(TaxonomyRefused)
    assert (refused.cause_id, refused.current_version) == (late.event_id, 2)


async def test_a_wish_that_loses_labels_is_refused_by_the_newest_version_of_the_log(versioning: VersioningUnderTest):
    content = a_taxonomy(labels=[{"id": "cat", "name": "Cat"}]).to_json()

    await versioning.receive(a_taxonomy_published(), a_taxonomy_published(content=content))

    [refused] = versioning.announced.of(TaxonomyRefused)
    assert {fault.code for fault in refused.faults} == {"missing-label"}
