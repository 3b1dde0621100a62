"""A check says what publishing would change, and how many labels that exist it concerns."""

from typing import Any

import orjson

from tests.builders import a_project_spec
from tests.unit.gateway.gateway_under_test import a_gateway, unavailable

HELD = "/v1/projects/support/labels/held-against"


def without_delivery() -> dict[str, Any]:
    spec = a_project_spec()
    spec["fields"]["intent"]["options"] = ["refund", "other"]
    return spec | {"title": "Renamed"}


def by_pointer(answer: Any) -> dict[str, int | None]:
    return {each["pointer"]: each["affected"] for each in answer["differences"]}


async def test_the_labels_that_a_change_concerns_are_counted_by_who_keeps_them():
    gateway = await a_gateway()
    counted = {"have": 40, "missing": 2, "invalid": 7}
    gateway.services.replies[HELD] = (200, {"labels": 42, "complete": True, "fields": {"intent": counted}})

    async with gateway.calling() as client:
        found = (await client.post("/projects/support/check", json=without_delivery())).json()

    assert by_pointer(found) == {"/fields/intent/options": 7, "/title": None}
    assert found["labels"] == {"looked_at": 42, "complete": True}
    assert (found["changes"], found["next_version"]) == ("new-version", 2)
    [asked] = gateway.services.asked
    assert (asked.service, asked.method, asked.told["content-type"]) == ("annotation_store", "POST", "application/json")
    assert orjson.loads(asked.body or b"")["fields"]["intent"]["options"] == ["refund", "other"]


async def test_a_field_that_becomes_required_concerns_the_labels_that_lack_it():
    gateway = await a_gateway()
    counted = {"have": 40, "missing": 2, "invalid": 0}
    gateway.services.replies[HELD] = (200, {"labels": 42, "complete": False, "fields": {"entities": counted}})
    spec = a_project_spec()
    spec["fields"]["entities"]["required"] = True

    async with gateway.calling() as client:
        found = (await client.post("/projects/support/check", json=spec)).json()

    assert by_pointer(found) == {"/fields/entities/required": 2}
    assert found["labels"]["complete"] is False


async def test_what_would_change_is_told_without_counts_when_nobody_can_count():
    for reply in (unavailable(), (503, {"title": "Not possible at the moment"})):
        gateway = await a_gateway()
        gateway.services.replies[HELD] = reply

        async with gateway.calling() as client:
            answer = await client.post("/projects/support/check", json=without_delivery())

        assert answer.status_code == 200
        assert by_pointer(answer.json()) == {"/fields/intent/options": None, "/title": None}
        assert answer.json()["labels"] is None


async def test_nobody_is_asked_where_no_label_can_be_concerned():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        same = (await client.post("/projects/support/check", json=a_project_spec())).json()
        title = (await client.post("/projects/support/check", json=a_project_spec(title="New"))).json()
        new = (await client.post("/projects/other/check", json=a_project_spec())).json()

    assert (same["changes"], same["differences"]) == ("no-change", [])
    assert by_pointer(title) == {"/title": None}
    assert (new["changes"], new["differences"]) == ("new-project", [])
    assert gateway.services.asked == []
