from pathlib import Path

import pytest

from shared.events.projects import ProjectPaused, ProjectRefused, ProjectVersioned
from tests.builders import a_project_published, a_project_spec, a_project_state_requested
from tests.unit.versioning.versioning_under_test import VersioningUnderTest


@pytest.fixture
async def versioning(tmp_path: Path) -> VersioningUnderTest:
    return await VersioningUnderTest.of(tmp_path)


async def test_versions_are_numbered_in_the_order_of_the_log(versioning: VersioningUnderTest):
    first, second = a_project_published(spec_hash="one"), a_project_published(spec_hash="two", based_on=1)

    await versioning.receive(first, second)

    given = [(each.version, each.cause_id) for each in versioning.announced.of(ProjectVersioned)]
    assert given == [(1, first.event_id), (2, second.event_id)]


async def test_the_same_spec_again_is_the_same_version_as_it_was_for_whoever_waits(versioning: VersioningUnderTest):
    await versioning.receive(a_project_published(published_by="ana"))
    again = a_project_published(published_by="bo")

    await versioning.receive(again)

    first, second = versioning.announced.of(ProjectVersioned)
    assert (second.version, second.cause_id) == (1, again.event_id)
    assert (second.published_by, second.occurred_at) == ("ana", first.occurred_at)


async def test_of_two_changes_of_one_version_the_second_is_refused(versioning: VersioningUnderTest):
    await versioning.receive(a_project_published(spec_hash="one"))

    mine, yours = (a_project_published(spec_hash=name, based_on=1) for name in ("mine", "yours"))
    await versioning.receive(mine, yours)

    assert [each.version for each in versioning.announced.of(ProjectVersioned)] == [1, 2]
    [refused] = versioning.announced.of(ProjectRefused)
    assert (refused.cause_id, refused.current_version) == (yours.event_id, 2)
    assert "read version 2" in refused.reason


async def test_wishes_of_different_types_on_one_topic_count_in_the_order_of_the_log(versioning: VersioningUnderTest):
    await versioning.receive(
        a_project_published(spec_hash="one"),
        a_project_state_requested(state="paused"),
        a_project_published(spec_hash="two"),
        a_project_state_requested(state="active"),
    )

    async with versioning.asking() as client:
        audit = (await client.get("/projects/support/audit")).json()["items"]
    assert [each["action"] for each in reversed(audit)] == ["published", "paused", "published", "activated"]


async def test_each_who_asks_for_a_state_is_answered_also_where_nothing_changes(versioning: VersioningUnderTest):
    await versioning.receive(a_project_published())
    asked = [a_project_state_requested(state="paused") for _ in range(2)]

    await versioning.receive(*asked)

    answers = [(each.cause_id, each.state) for each in versioning.announced.of(ProjectPaused)]
    assert answers == [(each.event_id, "paused") for each in asked]


async def test_a_project_that_was_never_published_has_no_state_to_change(versioning: VersioningUnderTest):
    [dead] = await versioning.receive(a_project_state_requested(project_id="unheard-of"))

    assert "publish it first" in dead.detail
    assert versioning.announced.events == []


async def test_the_audit_says_who_changed_which_parts_and_goes_page_by_page(versioning: VersioningUnderTest):
    spec = a_project_spec()
    fields = spec["fields"] | {"mood": {"kind": "choice", "options": ["good", "bad"]}}
    await versioning.receive(
        a_project_published(spec=spec, spec_hash="one", published_by="ana"),
        a_project_published(spec=spec | {"fields": fields, "title": "New"}, spec_hash="two", published_by="bo"),
    )

    async with versioning.asking() as client:
        newest = (await client.get("/projects/support/audit?limit=1")).json()
        oldest = (await client.get(f"/projects/support/audit?limit=1&cursor={newest['next']}")).json()
    [entry] = newest["items"]
    assert (entry["by"], entry["version"], entry["changes"]) == ("bo", 2, ["/fields/mood", "/title"])
    assert [each["by"] for each in oldest["items"]] == ["ana"]


async def test_a_redelivery_changes_no_version_and_writes_no_audit_entry_twice(versioning: VersioningUnderTest):
    await versioning.receive(a_project_published(spec_hash="one"), a_project_published(spec_hash="two"))
    before = versioning.documents["projects"].states, versioning.announced.ids

    await versioning.receive_all_again()

    assert (versioning.documents["projects"].states, versioning.announced.ids) == before
    assert len(versioning.documents["projects"].bodies) == 2


async def test_the_guidelines_have_a_new_version_only_when_they_say_something_else(versioning: VersioningUnderTest):
    written = [
        {},
        {"guidelines": {"text": "Read twice."}},
        {"guidelines": {"text": {"text": "Read twice.", "examples": []}}, "title": "The same in other words"},
        {"guidelines": {"text": "Read once."}},
        {"guidelines": {"text": "Read once."}, "title": "New"},
    ]
    specs = [a_project_published(spec=a_project_spec(**each), spec_hash=f"{n}") for n, each in enumerate(written)]

    await versioning.receive(*specs)
    await versioning.receive(a_project_published(spec=specs[-1].spec, spec_hash="4"))

    given = [(each.version, each.guideline_version) for each in versioning.announced.of(ProjectVersioned)]
    assert given == [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (5, 3)]
