"""Migrations over HTTP: counted before, begun as a job, taken back, and refused with every fault."""

from typing import Any

import pytest

from shared.events import Event
from shared.events.migrations import TaxonomyChangeRequested
from shared.events.taxonomies import TaxonomyVersioned
from shared.labels.canonical import content_hash
from shared.labels.taxonomy import apply_operations
from shared.labels.taxonomy.binding import bind_spec
from tests.builders import TENANT, a_catalog, a_project_spec, a_project_versioned, a_taxonomy, a_taxonomy_versioned
from tests.unit.gateway.gateway_under_test import GatewayUnderTest, a_gateway

IMPACT = "/v1/taxonomies/animals/impact"
MERGE = {"op": "merge", "labels": ["duck"], "into": "goose"}
BODY = {"operations": [MERGE], "note": "They look alike."}


async def a_zoo(**field: Any) -> GatewayUnderTest:
    """Return a gateway that knows a taxonomy and a project bound to it, beside versioning that grants every change."""
    known = await a_catalog(a_taxonomy_versioned())
    spec = a_project_spec(fields={"animal": {"kind": "choice", "taxonomy": {"name": "animals"}} | field})
    bound = bind_spec(spec, known.taxonomies.lookup(TENANT)).raw
    gateway = await a_gateway(catalog=await a_catalog(a_taxonomy_versioned(), a_project_versioned(spec=bound)))

    async def grant(event: Event) -> None:
        if isinstance(event, TaxonomyChangeRequested):
            latest = gateway.context.catalog.taxonomies.latest(event.tenant_id, event.taxonomy_id)
            after = apply_operations(
                latest.content, event.operations, version=latest.number + 1, migration=event.job_id
            ).taxonomy
            content = (after or a_taxonomy()).to_json()
            versioned = TaxonomyVersioned.caused_by(
                event,
                **event.model_dump(include={"taxonomy_id", "published_by", "operations", "note", "rolls_back"}),
                taxonomy_version=latest.number + 1,
                content=content,
                content_hash=content_hash(content),
                migration=event.job_id,
                cause_id=event.event_id,
            )
            await gateway.context.catalog.learn(versioned)

    gateway.log.on_event = grant
    return gateway


def counted(**changes: Any) -> tuple[int, Any]:
    known = {"groups": {"migrated": 3, "to_relabel": 0, "kept": 0}, "labels": {"duck": 3}, "migrated": None}
    return 200, {"projects": {"support": known | {"newest": None} | changes}}


async def test_a_dry_run_counts_labels_by_project_and_changes_nothing():
    gateway = await a_zoo()
    gateway.services.replies[IMPACT] = counted()

    async with gateway.calling() as client:
        answer = await client.post("/taxonomies/animals/migrations", params={"dry_run": "true"}, json=BODY)

    assert answer.status_code == 200
    report = answer.json()
    assert (report["version"], report["replacements"]) == (2, {"duck": "goose"})
    assert report["projects"]["support"] == {
        "version": 1,
        "labels": {"migrated": 3, "to_relabel": 0, "kept": 0},
        "by_label": {"duck": 3},
        "faults": [],
    }
    assert gateway.log.events == []


async def test_a_dry_run_tells_which_projects_could_not_follow():
    gateway = await a_zoo(multiple=True, min_items=5)
    gateway.services.replies[IMPACT] = counted()

    async with gateway.calling() as client:
        answer = await client.post("/taxonomies/animals/migrations?dry_run=true", json=BODY)

    assert answer.json()["projects"]["support"]["faults"]


async def test_a_migration_is_accepted_as_a_job_with_the_new_version():
    gateway = await a_zoo()

    async with gateway.calling() as client:
        answer = await client.post("/taxonomies/animals/migrations", json=BODY)
        listed = (await client.get("/taxonomies/animals/migrations")).json()["items"]

    assert answer.status_code == 202
    [event] = gateway.log.of(TaxonomyChangeRequested)
    assert answer.json() == {"job_id": event.job_id, "taxonomy": "animals", "version": 2}
    assert event.job_id.startswith("annotation_store-")
    assert (event.operations, event.note, event.based_on) == ([MERGE], "They look alike.", 1)
    assert [(each["migration"], each["version"], each["note"]) for each in listed] == [
        (event.job_id, 2, "They look alike.")
    ]


async def test_a_migration_whose_sender_did_not_learn_what_came_of_it_is_begun_once():
    gateway = await a_zoo()
    headers = {"idempotency-key": "migration-1"}
    grant, gateway.log.on_event = gateway.log.on_event, None

    async with gateway.calling() as client:
        first = await client.post("/taxonomies/animals/migrations", json=BODY, headers=headers)
        [event] = gateway.log.of(TaxonomyChangeRequested)
        assert grant is not None
        await grant(event)
        again = await client.post("/taxonomies/animals/migrations", json=BODY, headers=headers)

    assert (first.status_code, again.status_code) == (503, 202)
    assert again.json() == {"job_id": event.job_id, "taxonomy": "animals", "version": 2}
    assert gateway.log.of(TaxonomyChangeRequested) == [event]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/operations"]),
        ([], [""]),
        ({"operations": [MERGE], "nots": "x", "note": 3}, ["/nots", "/note"]),
        (
            {"operations": [{"op": "merge", "labels": ["duk"], "into": "goose"}, {"op": "mrge"}]},
            ["/operations/0/labels/0", "/operations/1/op"],
        ),
    ],
)
async def test_every_fault_of_a_migration_is_told(body: Any, pointers: list[str]):
    gateway = await a_zoo()

    async with gateway.calling() as client:
        answer = await client.post("/taxonomies/animals/migrations", json=body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers
    assert gateway.log.events == []


async def test_only_the_newest_migration_is_rolled_back_and_only_when_it_is_done():
    gateway = await a_zoo()

    async with gateway.calling() as client:
        first = (await client.post("/taxonomies/animals/migrations", json=BODY)).json()["job_id"]
        path = f"/taxonomies/animals/migrations/{first}/rollback"
        gateway.services.replies[f"/v1/jobs/{first}"] = (200, {"state": "running"})
        running = await client.post(path)
        gateway.services.replies[f"/v1/jobs/{first}"] = (200, {"state": "done"})
        done = await client.post(path)
        after = await client.post(path)
        unknown = await client.post("/taxonomies/animals/migrations/nothing/rollback")

    assert [answer.status_code for answer in (running, done, after, unknown)] == [409, 202, 409, 404]
    assert "still running" in running.json()["detail"]
    assert gateway.log.of(TaxonomyChangeRequested)[-1].rolls_back == first


async def test_a_dry_run_of_a_rollback_counts_what_it_would_restore_and_what_it_would_leave():
    gateway = await a_zoo()
    gateway.services.replies[IMPACT] = counted(groups={}, labels={}, migrated=5, newest=4)

    async with gateway.calling() as client:
        first = (await client.post("/taxonomies/animals/migrations", json=BODY)).json()["job_id"]
        answer = await client.post(f"/taxonomies/animals/migrations/{first}/rollback?dry_run=true")

    assert answer.status_code == 200
    assert answer.json()["projects"]["support"]["labels"] == {"restored": 4, "left": 1}


async def test_a_migration_based_on_an_older_version_is_refused():
    gateway = await a_zoo()

    async with gateway.calling() as client:
        await client.post("/taxonomies/animals/migrations", json=BODY)
        answer = await client.post("/taxonomies/animals/migrations", json=BODY, headers={"if-match": '"1"'})

    assert (answer.status_code, answer.json()["current_version"]) == (412, 2)


async def test_only_managers_of_the_tenant_migrate():
    gateway = await a_zoo()

    async with gateway.calling("ana", "annotator") as ana, gateway.calling(tenant="other") as stranger:
        answers = [await client.post("/taxonomies/animals/migrations", json=BODY) for client in (ana, stranger)]

    assert [answer.status_code for answer in answers] == [403, 404]
