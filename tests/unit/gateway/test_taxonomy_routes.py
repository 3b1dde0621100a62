"""Taxonomies over HTTP: published, read in a language, refused with every fault."""

import json

from shared.events import Event
from shared.events.projects import ProjectPublished, ProjectVersioned
from shared.events.taxonomies import TaxonomyPublished, TaxonomyRefused, TaxonomyVersioned
from tests.builders import a_project_spec, a_taxonomy_body, a_taxonomy_versioned
from tests.unit.gateway.gateway_under_test import GatewayUnderTest, a_gateway


async def with_versioning(*known: Event) -> GatewayUnderTest:
    """Return a gateway beside a versioning service that gives every wish its number."""
    gateway = await a_gateway(*known)

    async def give_a_number(event: Event) -> None:
        if isinstance(event, TaxonomyPublished):
            number = len(gateway.context.catalog.taxonomies.versions(event.tenant_id, event.taxonomy_id)) + 1
            wish = event.model_dump(include={"taxonomy_id", "content", "content_hash", "published_by"})
            versioned = TaxonomyVersioned.caused_by(event, **wish, taxonomy_version=number, cause_id=event.event_id)
            await gateway.context.catalog.learn(versioned)

    gateway.log.on_event = give_a_number
    return gateway


async def test_a_taxonomy_gets_a_version_and_publishing_it_again_changes_nothing():
    gateway = await with_versioning()

    async with gateway.calling() as client:
        first = await client.put("/taxonomies/animals", json=a_taxonomy_body())
        again = await client.put("/taxonomies/animals", json=first.json()["content"])

    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["version"], first.headers["etag"], again.json()["version"]) == (1, '"1"', 1)
    assert len(gateway.log.of(TaxonomyPublished)) == 1


async def test_a_taxonomy_may_come_as_yaml():
    gateway = await with_versioning()
    text = "title: Tiere\nlanguage: de\nlabels:\n  - id: cat\n    name: Katze\n"

    async with gateway.calling() as client:
        answer = await client.put("/taxonomies/tiere", content=text)

    assert answer.status_code == 201
    assert answer.json()["content"]["labels"] == [{"id": "cat", "name": "Katze"}]


async def test_every_fault_of_a_taxonomy_is_told_and_nothing_is_written():
    gateway = await with_versioning(a_taxonomy_versioned())
    labels = [{"id": "cat", "name": "Cat"}, {"id": "CAT", "name": "Cat"}, {"id": "fish", "name": "Fish", "parent": "x"}]

    async with gateway.calling() as client:
        unsound = await client.put("/taxonomies/animals", json={"title": "Animals", "labels": labels})
        losing = await client.put("/taxonomies/animals", json={"title": "Animals", "labels": labels[:1]})

    assert unsound.status_code == losing.status_code == 422
    assert {each["pointer"] for each in unsound.json()["errors"]} == {"/labels/1/id", "/labels/2/parent"}
    assert {each["code"] for each in losing.json()["errors"]} == {"missing-label"}
    assert gateway.log.of(TaxonomyPublished) == []


async def test_a_change_of_an_older_version_is_refused_with_the_newest_number():
    gateway = await with_versioning(a_taxonomy_versioned(), a_taxonomy_versioned(taxonomy_version=2))

    async with gateway.calling() as client:
        answer = await client.put(
            "/taxonomies/animals", json=a_taxonomy_body(title="Beasts"), headers={"if-match": '"1"'}
        )

    assert answer.status_code == 412
    assert answer.json()["current_version"] == 2


async def test_what_the_log_refuses_is_told_to_who_waits():
    gateway = await a_gateway(a_taxonomy_versioned())

    async def refuse(event: Event) -> None:
        refused = TaxonomyRefused.caused_by(
            event, taxonomy_id="animals", cause_id=event.event_id, current_version=7, reason="The newest is 7."
        )
        await gateway.context.catalog.learn(refused)

    gateway.log.on_event = refuse

    async with gateway.calling() as client:
        answer = await client.put("/taxonomies/animals", json=a_taxonomy_body(title="Beasts"))

    assert (answer.status_code, answer.json()["current_version"]) == (412, 7)


async def test_labels_are_read_in_the_language_that_is_asked_for():
    gateway = await a_gateway(a_taxonomy_versioned())

    async with gateway.calling("ana", "annotator") as client:
        answer = await client.get("/taxonomies/animals/versions/1", params={"language": "de-AT, en"})

    labels = {label["id"]: label for label in json.loads(answer.content)["labels"]}
    assert (labels["cat"]["name"], labels["owl"]["path"]) == ("Katze", ["Bird", "Owl"])


async def test_taxonomies_are_listed_with_their_versions_and_belong_to_one_tenant():
    gateway = await a_gateway(a_taxonomy_versioned(), a_taxonomy_versioned(taxonomy_version=2))

    async with gateway.calling() as client:
        listed = (await client.get("/taxonomies")).json()["items"]
        versions = (await client.get("/taxonomies/animals/versions")).json()["items"]
        missing = await client.get("/taxonomies/animals/versions/9")
    async with gateway.calling(tenant="other") as stranger:
        seen = [await stranger.get(path) for path in ("/taxonomies/animals", "/taxonomies/animals/versions/1")]
        nothing = (await stranger.get("/taxonomies")).json()["items"]

    assert [(each["taxonomy"], each["version"], each["labels"]) for each in listed] == [("animals", 2, 7)]
    assert [each["version"] for each in versions] == [2, 1]
    assert [answer.status_code for answer in (missing, *seen)] == [404, 404, 404]
    assert nothing == []


async def test_only_managers_publish_taxonomies():
    gateway = await a_gateway()

    async with gateway.calling("ana", "annotator") as client:
        answer = await client.put("/taxonomies/animals", json=a_taxonomy_body())

    assert answer.status_code == 403


async def test_a_project_is_bound_to_the_taxonomy_as_it_is_when_it_is_published():
    gateway = await a_gateway(a_taxonomy_versioned())

    async def give_version_one(event: Event) -> None:
        if isinstance(event, ProjectPublished):
            wish = event.model_dump(include={"project_id", "spec", "spec_hash", "published_by"})
            versioned = ProjectVersioned.caused_by(event, **wish, version=1, cause_id=event.event_id)
            await gateway.context.catalog.learn(versioned)

    gateway.log.on_event = give_version_one
    field = {"kind": "choice", "required": True, "taxonomy": {"name": "animals", "under": "bird"}}

    async with gateway.calling() as client:
        published = await client.put("/projects/zoo", json=a_project_spec(fields={"animal": field}))
        wrong = await client.post(
            "/projects/zoo/check", json=a_project_spec(fields={"animal": {**field, "taxonomy": {"name": "animal"}}})
        )

    assert published.status_code == 201
    animal = published.json()["spec"]["fields"]["animal"]
    assert (animal["options"], animal["taxonomy"]["version"]) == (["owl", "duck", "goose"], 1)
    assert published.json()["answer_schema"]["properties"]["animal"]["enum"] == ["owl", "duck", "goose"]
    assert [fault["pointer"] for fault in wrong.json()["faults"]] == ["/fields/animal/taxonomy/name"]
