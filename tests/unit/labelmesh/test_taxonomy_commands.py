"""``labelmesh taxonomy``: what it sends, and what somebody at a terminal or a script sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from labelmesh.cli import app
from labelmesh.commands import console
from tests.unit.labelmesh.a_gateway import AGateway, json_answer, problem

MIGRATION = "annotation_store-m1"
JOB = {"job_id": MIGRATION, "state": "done", "done": 3, "total": 3, "failed": 0, "outcomes": {"migrated": 3}}
BEGUN = {"job_id": MIGRATION, "taxonomy": "animals", "version": 2}
REPORT = {
    "taxonomy": "animals",
    "version": 2,
    "replacements": {"duck": "goose"},
    "projects": {"zoo": {"version": 1, "labels": {"migrated": 3}, "by_label": {"duck": 3}, "faults": []}},
}
CHANGE = "operations: [{op: merge, labels: [duck], into: goose}]\n"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AGateway:
    gateway = AGateway()
    monkeypatch.setattr(console, "Labelmesh", lambda url, key, **more: gateway.client(**more))
    for name in ("LABELMESH_URL", "LABELMESH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return gateway


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["taxonomy", *words, "--key", "lm_id_secret"])


def a_file(content: str) -> str:
    Path("input.yaml").write_text(content)
    return "input.yaml"


def test_a_taxonomy_goes_out_as_it_is_in_the_file(gateway: AGateway):
    view = {"taxonomy": "animals", "version": 2, "content": {}}
    gateway.answers("PUT", "/v1/taxonomies/animals", json_answer(view, 201))

    result = run("publish", "animals", a_file("title: Übung"), "--if-match", "1")

    assert result.exit_code == 0, result.stderr
    assert "animals" in result.stdout
    assert gateway.requests[0].content == "title: Übung".encode()
    assert gateway.requests[0].headers["if-match"] == '"1"'


def test_a_refused_taxonomy_shows_each_fault_with_its_pointer(gateway: AGateway):
    fault = {"pointer": "/labels/0/id", "code": "malformed", "message": "choose another."}
    gateway.answers("PUT", "/v1/taxonomies/animals", problem(422, "invalid-body", fault))

    result = run("publish", "animals", a_file("{}"))

    assert result.exit_code == 1
    assert "/labels/0/id  malformed  choose another." in result.stderr


def test_a_taxonomy_is_shown_as_a_tree_of_the_labels_in_use(gateway: AGateway):
    labels: list[dict[str, Any]] = [
        {"id": "duck", "parent": "bird", "name": "Ente"},
        {"id": "bird", "parent": None, "name": "Vogel"},
        {"id": "drake", "parent": "bird", "name": "Erpel", "retired": {"by": "merge"}},
    ]
    view = {"taxonomy": "animals", "version": 3, "content": {"title": "Animals"}, "labels": labels}
    gateway.answers("GET", "/v1/taxonomies/animals", json_answer(view))

    result = run("show", "animals", "--language", "de")

    assert result.exit_code == 0, result.stderr
    lines = [line.strip("│├└─ ") for line in result.stdout.splitlines() if line.strip()]
    assert lines == ["Animals (version 3)", "bird  Vogel", "duck  Ente"]
    assert gateway.requests[0].url.params["language"] == "de"


def test_a_dry_run_shows_what_would_be_changed_by_project(gateway: AGateway):
    gateway.answers("POST", "/v1/taxonomies/animals/migrations", json_answer(REPORT))

    result = run("migrate", "animals", a_file(CHANGE), "--dry-run")

    assert result.exit_code == 0, result.stderr
    assert "Nothing was changed. It would be version 2." in result.stdout
    assert '{"migrated": 3}' in result.stdout
    assert gateway.requests[0].url.params["dry_run"] == "true"
    assert gateway.requests[0].content == CHANGE.encode()


def test_a_migration_is_waited_for(gateway: AGateway):
    gateway.answers("POST", "/v1/taxonomies/animals/migrations", json_answer(BEGUN, 202))
    gateway.answers("GET", f"/v1/jobs/{MIGRATION}", json_answer(JOB))

    result = run("migrate", "animals", a_file(CHANGE))

    assert result.exit_code == 0, result.stderr
    assert '{"migrated": 3}' in result.stdout
    assert "dry_run" not in gateway.requests[0].url.params


def test_a_migration_need_not_be_waited_for(gateway: AGateway):
    gateway.answers("POST", "/v1/taxonomies/animals/migrations", json_answer(BEGUN, 202))

    result = run("migrate", "animals", a_file(CHANGE), "--no-wait", "--json")

    assert json.loads(result.stdout) == BEGUN
    assert len(gateway.requests) == 1


def test_a_rollback_names_its_migration(gateway: AGateway):
    path = f"/v1/taxonomies/animals/migrations/{MIGRATION}/rollback"
    gateway.answers("POST", path, json_answer(REPORT), json_answer(BEGUN | {"version": 3}, 202))
    gateway.answers("GET", f"/v1/jobs/{MIGRATION}", json_answer(JOB))

    tried = run("rollback", "animals", MIGRATION, "--dry-run")
    done = run("rollback", "animals", MIGRATION)

    assert (tried.exit_code, done.exit_code) == (0, 0), tried.stderr + done.stderr
    assert gateway.requests[0].url.params["dry_run"] == "true"
    assert "dry_run" not in gateway.requests[1].url.params


def test_taxonomies_and_migrations_are_listed(gateway: AGateway):
    taxonomy = {"taxonomy": "animals", "version": 2, "title": "Animals", "labels": 7}
    migration = {"migration": MIGRATION, "version": 2, "rolls_back": None, "note": "They look alike."}
    gateway.answers("GET", "/v1/taxonomies", json_answer({"items": [taxonomy], "next": None}))
    gateway.answers("GET", "/v1/taxonomies/animals/migrations", json_answer({"items": [migration], "next": None}))

    assert "Animals" in run("list").stdout
    assert "They look alike." in run("migrations", "animals").stdout
