"""Of a deleted project nothing is found, and its name is not given again."""

from typing import Any

import pytest

from shared.catalog import Catalog
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.projects import ProjectPaused, ProjectStateRequested
from shared.security import Principal
from tests.builders import (
    PROJECT,
    TENANT,
    a_catalog,
    a_project_paused,
    a_project_refused,
    a_project_spec,
    a_project_versioned,
)
from tests.unit.gateway.gateway_under_test import TASK, GatewayUnderTest, a_gateway


async def a_deleted_project() -> GatewayUnderTest:
    return await a_gateway(a_project_versioned(), a_project_paused(state="deleted"))


async def an_archived_project(answer: Any) -> GatewayUnderTest:
    """A gateway whose wishes about states are answered, as versioning would."""
    catalog = await a_catalog(a_project_versioned(), a_project_paused(state="archived"))
    gateway = await a_gateway(catalog=catalog)

    async def answered(event: Event) -> None:
        if isinstance(event, ProjectStateRequested):
            await catalog.learn(answer(event))

    gateway.log.on_event = answered
    return gateway


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/support"),
        ("GET", "/projects/support/versions"),
        ("GET", "/projects/support/versions/1"),
        ("GET", "/projects/support/progress"),
        ("GET", "/projects/support/agreement"),
        ("POST", "/projects/support/pause"),
        ("POST", "/projects/support/resume"),
        ("DELETE", "/projects/support"),
    ],
)
async def test_nothing_of_it_is_found(method: str, path: str):
    gateway = await a_deleted_project()

    async with gateway.calling() as client:
        answer = await client.request(method, path)
        listed = (await client.get("/projects")).json()["items"]

    assert answer.status_code == 404
    assert listed == []
    assert gateway.log.events == []


async def test_who_still_holds_a_task_of_it_cannot_submit():
    gateway = await a_deleted_project()

    async with gateway.calling("ana", "annotator") as client:
        body = {"fields": {"intent": "refund"}}
        answer = await client.post(f"/tasks/{TASK}/annotations", json=body, headers=gateway.holds())

    assert answer.status_code == 404
    assert gateway.log.events == []


async def test_its_name_is_not_given_again():
    gateway = await a_deleted_project()

    async with gateway.calling() as client:
        published = await client.put("/projects/support", json=a_project_spec())
        checked = await client.post("/projects/support/check", json=a_project_spec())

    assert (published.status_code, checked.status_code) == (409, 409)
    assert "choose another name" in published.json()["detail"]


async def test_its_audit_is_read_all_the_same():
    gateway = await a_deleted_project()
    gateway.services.replies["/v1/projects/support/audit"] = (200, {"items": [], "next": None})

    async with gateway.calling() as client:
        audit = await client.get("/projects/support/audit")
        unheard_of = await client.get("/projects/unheard-of/audit")

    assert (audit.status_code, unheard_of.status_code) == (200, 404)


async def test_an_archived_project_is_deleted():
    def deleted(event: ProjectStateRequested) -> ProjectPaused:
        return ProjectPaused.caused_by(event, project_id=PROJECT, state=event.state, cause_id=event.event_id)

    gateway = await an_archived_project(deleted)

    async with gateway.calling() as client:
        answer = await client.delete("/projects/support")
        after = await client.get("/projects/support")

    assert (answer.status_code, answer.json()) == (200, {"project": "support", "state": "deleted"})
    assert after.status_code == 404


async def test_what_versioning_refuses_is_told_with_its_reason():
    gateway = await an_archived_project(
        lambda event: a_project_refused(cause_id=event.event_id, reason="It is active; archive it.")
    )

    async with gateway.calling() as client:
        answer = await client.delete("/projects/support")

    assert answer.status_code == 409
    assert "It is active; archive it." in answer.json()["detail"]


async def test_a_project_that_is_in_use_is_archived_first():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        answer = await client.delete("/projects/support")

    assert answer.status_code == 409
    assert "/archive first" in answer.json()["detail"]


async def test_a_catalog_never_takes_a_deletion_back_and_still_knows_what_events_name():
    catalog: Catalog = await a_catalog(
        a_project_versioned(), a_project_paused(state="deleted"), a_project_paused(state="archived")
    )

    assert catalog.state(TENANT, PROJECT) == "deleted"
    assert catalog.inactive(TENANT) == catalog.deleted(TENANT) == {PROJECT}
    assert catalog.version(TENANT, PROJECT, 1).number == 1
    with pytest.raises(NotFoundError):
        catalog.latest(TENANT, PROJECT)


def test_whoever_asks_a_service_for_a_thing_of_it_does_not_find_it():
    caller = Principal(tenant_id=TENANT, subject="mo", roles=frozenset({"manager"}), deleted=frozenset({PROJECT}))

    caller.require({"manager"}, "other")
    with pytest.raises(NotFoundError):
        caller.require({"manager"}, PROJECT)
