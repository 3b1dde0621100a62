"""A project is deleted for good, and only when it was put away before."""

from pathlib import Path

import pytest

from shared.events.projects import ProjectPaused, ProjectRefused, ProjectVersioned
from tests.builders import a_project_published, a_project_state_requested
from tests.unit.versioning.versioning_under_test import VersioningUnderTest


@pytest.fixture
async def versioning(tmp_path: Path) -> VersioningUnderTest:
    found = await VersioningUnderTest.of(tmp_path)
    await found.receive(a_project_published())
    return found


async def audited(versioning: VersioningUnderTest) -> list[str]:
    async with versioning.asking() as client:
        items = (await client.get("/projects/support/audit")).json()["items"]
    return [each["action"] for each in reversed(items)]


async def test_an_archived_project_is_deleted_and_its_audit_stays(versioning: VersioningUnderTest):
    wishes = [a_project_state_requested(state=state) for state in ("archived", "deleted", "deleted")]

    await versioning.receive(*wishes)

    states = [(each.state, each.cause_id) for each in versioning.announced.of(ProjectPaused)]
    assert states == [(wish.state, wish.event_id) for wish in wishes]
    assert await audited(versioning) == ["published", "archived", "deleted"]


@pytest.mark.parametrize("state", ["active", "paused"])
async def test_a_project_that_is_in_use_is_not_deleted(versioning: VersioningUnderTest, state: str):
    await versioning.receive(a_project_state_requested(state=state))
    wish = a_project_state_requested(state="deleted")

    await versioning.receive(wish)

    [refused] = versioning.announced.of(ProjectRefused)
    assert (refused.cause_id, f"It is {state}; archive it" in refused.reason) == (wish.event_id, True)
    assert "deleted" not in [each.state for each in versioning.announced.of(ProjectPaused)]


async def test_a_deleted_project_takes_neither_versions_nor_states(versioning: VersioningUnderTest):
    await versioning.receive(*(a_project_state_requested(state=state) for state in ("archived", "deleted")))
    late = [a_project_published(spec_hash="new"), a_project_published(), a_project_state_requested(state="active")]

    await versioning.receive(*late)

    refused = versioning.announced.of(ProjectRefused)
    assert [each.cause_id for each in refused] == [each.event_id for each in late]
    assert all("its name is not given again" in each.reason for each in refused)
    assert len(versioning.announced.of(ProjectVersioned)) == 1
    assert (await audited(versioning))[-3:] == ["refused"] * 3


async def test_a_redelivered_deletion_changes_nothing(versioning: VersioningUnderTest):
    await versioning.receive(*(a_project_state_requested(state=state) for state in ("archived", "deleted")))
    before = versioning.documents["projects"].states, versioning.announced.ids

    await versioning.receive_all_again()

    assert (versioning.documents["projects"].states, versioning.announced.ids) == before
