"""A taxonomy from its publication to a populated project, a migration forward and back, and one that is killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from deploy.local.stack import Stack
from shared.ids import new_id
from tests.e2e.gateway import Gateway, a_spec, answer, assert_problem, claim_one, codes, found, until

ANIMALS = {
    "title": "Animals",
    "labels": [
        {"id": "cat", "name": "Cat", "translations": {"de": {"name": "Katze"}}},
        {
            "id": "bird",
            "name": "Bird",
            "children": [
                {"id": "owl", "name": "Owl", "translations": {"de": {"name": "Eule"}}},
                {"id": "duck", "name": "Duck", "translations": {"de": {"name": "Ente"}}},
                {"id": "goose", "name": "Goose", "translations": {"de": {"name": "Gans"}}},
            ],
        },
    ],
}
MERGE = {"operations": [{"op": "merge", "labels": ["duck"], "into": "goose"}], "note": "They look alike."}


class Zoo:
    """A taxonomy, a project that is bound to it, and an annotator who has labeled some samples of it."""

    def __init__(self, gateway: Gateway, owner: httpx2.Client) -> None:
        self.gateway, self.owner = gateway, owner
        self.taxonomy = f"animals-{new_id()}"
        published = owner.put(f"/v1/taxonomies/{self.taxonomy}", json=ANIMALS)
        assert published.status_code == 201, published.text
        field = {"kind": "choice", "asset": "chat", "required": True, "taxonomy": {"name": self.taxonomy}}
        spec = a_spec(fields={"animal": field}, quality={"overlap": 1}, workflow={"lease_seconds": 120})
        self.project = until(lambda: self._published(spec), "a project that is bound to the taxonomy")
        self.ana = gateway.http(gateway.key_of(f"ana-{new_id()}"))

    def _published(self, spec: Mapping[str, Any]) -> str | None:
        name = f"zoo-{new_id()}"
        return name if self.owner.put(f"/v1/projects/{name}", json=spec).status_code == 201 else None

    def claim(self) -> dict[str, Any]:
        """Send a sample and claim its task."""
        self.gateway.submit(self.project, language="en")
        return claim_one(self.ana, self.project)

    def label(self, animal: str) -> str:
        """Label a sample and return its id once it has a label of record."""
        task = self.claim()
        return self.finish(task, animal)

    def finish(self, task: Mapping[str, Any], animal: str) -> str:
        """Answer a claimed task and return the sample's id once it has a label of record."""
        assert answer(self.ana, task, {"animal": animal}).status_code == 202
        sample = str(task["sample"]["sample_id"])
        until(lambda: found(self.owner.get(f"/v1/samples/{sample}/label")), f"a label of {sample}")
        return sample

    def history(self, sample: str) -> list[dict[str, Any]]:
        """Return what a sample's label ever was, the oldest first."""
        items: list[dict[str, Any]] = found(self.owner.get(f"/v1/samples/{sample}/label/history"))["items"]
        return items[::-1]

    def animals(self, sample: str) -> list[str]:
        """Return what each revision of a label says, the oldest first."""
        return [each["fields"]["animal"] for each in self.history(sample)]

    def change(self, path: str = "", body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Begin a migration, or a rollback, and return the job once it is done."""
        begun = self.owner.post(f"/v1/taxonomies/{self.taxonomy}/migrations{path}", json=body)
        assert begun.status_code == 202, begun.text
        job: dict[str, Any] = until(lambda: self._done(begun.json()["job_id"]), "a migration that is done", 60)
        return job

    def _done(self, job_id: str) -> dict[str, Any] | None:
        job: dict[str, Any] | None = found(self.owner.get(f"/v1/jobs/{job_id}"))
        return job if job is not None and job["state"] == "done" else None

    def version(self) -> int:
        """Return the project's newest version."""
        return int(self.owner.get(f"/v1/projects/{self.project}").json()["version"])


@pytest.mark.timeout(180, func_only=True)
def test_a_migration_goes_forward_and_back_on_a_populated_project(gateway, owner):
    zoo = Zoo(gateway, owner)
    ducks, cat = [zoo.label("duck") for _ in range(3)], zoo.label("cat")
    held = zoo.claim()
    meaning = held["taxonomies"]["animal"]
    path = f"/v1/taxonomies/{zoo.taxonomy}/migrations"

    counted = owner.post(f"{path}?dry_run=true", json=MERGE).json()
    unchanged = owner.get(f"/v1/taxonomies/{zoo.taxonomy}").json()["version"]
    forward = zoo.change(body=MERGE)

    assert [label["name"] for label in meaning["labels"]] == ["Cat", "Owl", "Duck", "Goose"]
    assert counted["projects"][zoo.project]["labels"] == {"migrated": 3, "to_relabel": 0, "kept": 0}
    assert unchanged == 1
    assert (forward["done"], forward["outcomes"], forward["failed"]) == (3, {"migrated": 3}, 0)
    assert [zoo.animals(sample) for sample in ducks] == [["duck", "goose"]] * 3
    assert zoo.animals(cat) == ["cat"]
    assert zoo.history(ducks[0])[1]["provenance"]["migration"]["id"] == forward["job_id"]
    assert zoo.version() == 2

    late = zoo.finish(held, "duck")  # claimed under the older version, and still answered under it
    until(lambda: len(zoo.animals(late)) == 2, "a label that followed the migration")
    newer = zoo.claim()
    refused = answer(zoo.ana, newer, {"animal": "duck"})
    accepted = zoo.finish(newer, "goose")

    assert zoo.animals(late) == ["duck", "goose"]
    assert [each["project_version"] for each in zoo.history(late)] == [1, 2]
    assert codes(assert_problem(refused, 422, "invalid-body")) == {"/fields/animal": "unknown-option"}
    assert zoo.animals(accepted) == ["goose"]

    back = zoo.change(f"/{forward['job_id']}/rollback")

    assert (back["outcomes"], back["failed"]) == ({"restored": 4}, 0)
    assert [zoo.animals(sample) for sample in (*ducks, late)] == [["duck", "goose", "duck"]] * 4
    assert (zoo.animals(cat), zoo.animals(accepted)) == (["cat"], ["goose"])
    assert zoo.version() == 3
    assert zoo.label("duck")
    assert [each["rolls_back"] for each in owner.get(path).json()["items"]] == [forward["job_id"], None]


@pytest.mark.timeout(240, func_only=True)
def test_a_migration_whose_services_are_killed_goes_on_where_it_was(stack: Stack, gateway, owner):
    zoo = Zoo(gateway, owner)
    ducks = [zoo.label("duck") for _ in range(5)]

    begun = owner.post(f"/v1/taxonomies/{zoo.taxonomy}/migrations", json=MERGE)
    assert begun.status_code == 202, begun.text
    for service in ("annotation_store", "versioning"):
        stack.kill(service)
        stack.start(service)
    job = until(lambda: zoo._done(begun.json()["job_id"]), "a migration that is done", 90)

    assert (job["done"], job["total"], job["outcomes"]) == (5, 5, {"migrated": 5})
    assert [zoo.animals(sample) for sample in ducks] == [["duck", "goose"]] * 5


def test_labels_are_served_in_the_language_that_the_annotator_asks_for(gateway, owner):
    zoo = Zoo(gateway, owner)
    zoo.ana.headers["accept-language"] = "de-CH, en;q=0.5"

    task = zoo.claim()

    assert [label["name"] for label in task["taxonomies"]["animal"]["labels"]] == ["Katze", "Eule", "Ente", "Gans"]
    whole = zoo.ana.get(task["taxonomies"]["animal"]["href"]).json()
    assert [label["path"] for label in whole["labels"]][-1] == ["Bird", "Gans"]


def test_another_tenant_sees_neither_taxonomy_nor_migration(gateway, owner, elsewhere: Gateway):
    zoo = Zoo(gateway, owner)
    job = zoo.change(body=MERGE)

    with elsewhere.http() as stranger:
        paths = (
            f"/v1/taxonomies/{zoo.taxonomy}",
            f"/v1/taxonomies/{zoo.taxonomy}/versions/1",
            f"/v1/taxonomies/{zoo.taxonomy}/migrations",
            f"/v1/jobs/{job['job_id']}",
        )
        answers = [stranger.get(path) for path in paths]
        answers.append(stranger.post(f"/v1/taxonomies/{zoo.taxonomy}/migrations", json=MERGE))

    assert [each.status_code for each in answers] == [404] * 5
