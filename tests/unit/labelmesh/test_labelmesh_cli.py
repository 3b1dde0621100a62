"""The command line, as somebody at a terminal or a script sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from labelmesh.cli import app
from labelmesh.commands import console
from labelmesh.settings import connection
from tests.unit.labelmesh.a_gateway import AGateway, a_task, json_answer, problem

JOB = {"job_id": "ingest-1", "state": "done", "done": 2, "total": 2, "failed": 0, "outcomes": {"created": 2}}


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
    return CliRunner().invoke(app, [*words, "--key", "lm_id_secret"])


def a_file(path: Path, content: Any) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_refused_spec_shows_title_detail_and_each_fault_with_its_pointer(gateway, tmp_path):
    faults = [
        {"pointer": "/fields/intent/options", "code": "too-short", "message": "at least 2 entries are needed."},
        {"pointer": "", "code": "missing", "message": '"objective" is missing; [add] it.'},
    ]
    gateway.answers("PUT", "/v1/projects/support", problem(422, "invalid-body", *faults))

    result = run("project", "publish", "support", a_file(tmp_path / "p.yaml", "title: x"))

    assert result.exit_code == 1
    assert "Title of invalid-body: What happened with invalid-body" in result.stderr
    assert "/fields/intent/options  too-short  at least 2 entries are needed." in result.stderr
    assert '(all)  missing  "objective" is missing; [add] it.' in result.stderr
    assert result.stdout == ""


def test_a_published_spec_is_shown_and_goes_out_as_it_is_in_the_file(gateway, tmp_path):
    view = {"project": "support", "version": 2, "state": "active", "title": "Support", "spec": {}}
    gateway.answers("PUT", "/v1/projects/support", json_answer(view, 201))

    result = run("project", "publish", "support", a_file(tmp_path / "p.yaml", "title: Übung"), "--if-match", "1")

    assert result.exit_code == 0
    assert "Support" in result.stdout
    assert gateway.requests[0].content == "title: Übung".encode()
    assert gateway.requests[0].headers["if-match"] == '"1"'


@pytest.mark.parametrize(("valid", "code"), [(True, 0), (False, 1)])
def test_check_says_by_its_exit_code_whether_a_spec_is_good(gateway, tmp_path, valid, code):
    fault = {"pointer": "/title", "code": "missing", "message": "add it"}
    found = {"valid": valid, "faults": [] if valid else [fault], "warnings": [fault], "changes": "new-version"}
    gateway.answers("POST", "/v1/projects/support/check", json_answer(found))

    result = run("project", "check", "support", a_file(tmp_path / "p.yaml", "{}"))

    assert result.exit_code == code
    assert "warning: /title  missing  add it" in result.stdout


def test_lists_are_tables_for_people_and_json_for_scripts(gateway):
    items = [{"project": "support", "version": 2, "state": "active", "title": "Chats [en]"}]
    gateway.answers("GET", "/v1/projects", json_answer({"items": items, "next": None}))

    for_people = run("project", "list")
    for_scripts = run("project", "list", "--json")

    assert "Chats [en]" in for_people.stdout
    assert json.loads(for_scripts.stdout) == items


def test_an_import_shows_what_came_of_the_lines(gateway, tmp_path):
    gateway.answers("POST", "/v1/projects/support/imports", json_answer({"job_id": "ingest-1"}, 202))
    gateway.answers("GET", "/v1/jobs/ingest-1", json_answer(JOB))

    result = run("import", "support", a_file(tmp_path / "s.ndjson", '{"external_id":"a"}\n{"external_id":"b"}\n'))

    assert result.exit_code == 0
    assert "created" in result.stdout


@pytest.mark.parametrize("source", ["s.ndjson", "s3://raw/visits/"])
def test_an_import_says_when_its_samples_are_due(gateway, tmp_path, source):
    gateway.answers("POST", "/v1/projects/support/imports", json_answer({"job_id": "ingest-1"}, 202))
    gateway.answers("GET", "/v1/jobs/ingest-1", json_answer(JOB))
    a_file(tmp_path / "s.ndjson", '{"external_id":"a"}\n')

    result = run("import", "support", source, "--due-at", "2026-12-01T18:00:00+01:00", "--replace")

    assert result.exit_code == 0
    [sent] = gateway.sent("POST", "/v1/projects/support/imports")
    assert dict(sent.url.params) == {"due_at": "2026-12-01T18:00:00+01:00", "on_conflict": "replace"}


@pytest.mark.parametrize("due_at", ["tomorrow", "2026-12-01T18:00:00"])
def test_a_due_date_that_may_be_any_hour_is_refused_before_anything_is_sent(gateway, tmp_path, due_at):
    result = run("import", "support", a_file(tmp_path / "s.ndjson", "{}\n"), "--due-at", due_at)

    assert result.exit_code == 2
    assert gateway.requests == []


def test_an_import_with_bad_lines_tells_them_and_fails(gateway, tmp_path):
    error = {
        "line": 2,
        "outcome": "rejected",
        "external_id": "b",
        "faults": [{"pointer": "/assets/chat", "code": "missing-asset", "message": "add it"}],
    }
    headers = {"content-type": "application/x-ndjson"}
    gateway.answers("POST", "/v1/projects/support/imports", json_answer({"job_id": "ingest-1"}, 202))
    gateway.answers("GET", "/v1/jobs/ingest-1", json_answer(JOB | {"failed": 1}))
    lines = httpx2.Response(200, content=json.dumps(error).encode() + b"\n", headers=headers)
    gateway.answers("GET", "/v1/jobs/ingest-1/errors", lines)
    file = a_file(tmp_path / "s.ndjson", '{"external_id":"a"}\n{"external_id":"b"}\n')

    for_people = run("import", "support", file)
    for_scripts = run("import", "support", file, "--json")

    assert (for_people.exit_code, for_scripts.exit_code) == (1, 1)
    assert "line 2 (b): rejected" in for_people.stderr
    assert "/assets/chat  missing-asset  add it" in for_people.stderr
    assert json.loads(for_scripts.stdout)["errors"] == [error]


def test_work_answers_from_the_file_skips_what_is_not_in_it_and_tells_refusals(gateway, tmp_path):
    def task(name: str) -> dict[str, Any]:
        return a_task(task=name, sample={"sample_id": name, "external_id": name})

    known, unknown, wrong, late = (task(name) for name in ("known", "unknown", "wrong", "late"))
    held = {"tasks": [known, unknown, wrong, late]}
    nothing = {"tasks": [], "reason": "no-open-tasks", "retry_after": 0}
    # The second claim still gives a task whose answer is not counted yet.
    gateway.answers("POST", "/v1/tasks/claim", json_answer(held), json_answer({"tasks": [known]}), json_answer(nothing))
    fault = {"pointer": "/fields/intent", "code": "unknown-option", "message": "no option"}
    gateway.answers("POST", "/v1/tasks/known/annotations", json_answer({"annotation_id": "a1"}, 202))
    gateway.answers("POST", "/v1/tasks/wrong/annotations", problem(422, "invalid-body", fault))
    gateway.answers("POST", "/v1/tasks/late/annotations", problem(409, "lease-expired"))
    for name in ("unknown", "wrong"):
        gateway.answers("POST", f"/v1/tasks/{name}/skip", httpx2.Response(204))
    answers = {"known": {"intent": "ask"}, "wrong": {"intent": "?"}, "late": {"intent": "ask"}}

    result = run("work", "support", "--answers", a_file(tmp_path / "a.json", answers), "--json")

    done = json.loads(result.stdout)
    assert (done["answered"], done["skipped"], done["late"]) == (1, 1, 1)
    assert [each["external_id"] for each in done["refusals"]] == ["wrong"]
    assert "/fields/intent  unknown-option  no option" in result.stderr
    assert result.exit_code == 1
    assert len(gateway.sent("POST", "/v1/tasks/known/annotations")) == 1


@pytest.mark.parametrize("content", ["{broken", "[1]", '{"a": 1}'])
def test_answers_that_are_none_are_refused_before_anything_is_claimed(gateway, tmp_path, content):
    result = run("work", "support", "--answers", a_file(tmp_path / "a.json", content))

    assert result.exit_code == 1
    assert "a.json" in result.stderr
    assert gateway.requests == []


def test_progress_counts_by_state_and_stage(gateway):
    counts = {"project": "support", "samples": {"final": 7, "open": 2}, "tasks": {"first_pass": {"done": 14}}}
    gateway.answers("GET", "/v1/projects/support/progress", json_answer(counts | {"leases_expired": 3}))

    result = run("progress", "support")

    assert result.exit_code == 0
    for shown in ("final", "7", "first_pass", "14", "expired"):
        assert shown in result.stdout


def test_a_freeze_that_fails_says_why(gateway):
    job = {"job_id": "v-1", "state": "failed", "failed": 1, "result": {"failure": "the tag is taken"}}
    gateway.answers("POST", "/v1/projects/support/datasets", json_answer({"job_id": "v-1"}, 202))
    gateway.answers("GET", "/v1/jobs/v-1", json_answer(job))

    result = run("dataset", "freeze", "support", "--tag", "v1", "--filter", '{"languages": ["en"]}')

    assert result.exit_code == 1
    assert "the tag is taken" in result.stderr
    assert json.loads(gateway.requests[0].content)["filter"] == {"languages": ["en"]}


def test_an_export_is_written_where_it_is_wanted(gateway, tmp_path):
    job = {"job_id": "v-2", "state": "done", "done": 1, "total": 1, "result": {"records": 2}}
    gateway.answers("POST", "/v1/datasets/v1/exports", json_answer({"job_id": "v-2"}, 202))
    gateway.answers("GET", "/v1/jobs/v-2", json_answer(job))
    location = {"location": "http://store.test/e"}
    gateway.answers("GET", "/v1/exports/v-2/download", httpx2.Response(302, headers=location))
    gateway.answers("GET", "/e", httpx2.Response(200, content=b"rows\n"))

    result = run("dataset", "export", "v1", "--format", "jsonl", "--json")

    assert json.loads(result.stdout)["path"] == "v1.jsonl"
    assert (tmp_path / "v1.jsonl").read_bytes() == b"rows\n"


def test_a_diff_shows_both_values_of_each_field_that_differs(gateway):
    fields = {"intent": {"before": "ask", "after": "refund"}}
    items = [{"sample_id": "s1", "external_id": "chat-1", "change": "changed", "fields": fields}]
    page = {"counts": {"changed": 1, "unchanged": 9}, "items": items, "next": None}
    gateway.answers("GET", "/v1/datasets/v1/diff/v2", json_answer(page))

    result = run("dataset", "diff", "v1", "v2")

    for shown in ("chat-1", "intent", "ask", "refund", "unchanged"):
        assert shown in result.stdout


def test_findings_and_errors_of_one_model_are_asked_for_by_its_name(gateway):
    gateway.answers("GET", "/v1/projects/support/findings", json_answer({"items": [], "next": None}))
    fields = [{"field": "intent", "error_rate": 0.25, "n": 8, "erring": 2}]
    items = [{"model": "m", "model_version": "1", "fields": fields}]
    gateway.answers("GET", "/v1/projects/support/errors", json_answer({"items": items, "next": None}))

    findings = run("findings", "support", "--model", "m")
    errors = run("errors", "support", "--model", "m")

    assert "There are none." in findings.stdout
    assert "0.25" in errors.stdout
    assert {each.url.params["model"] for each in gateway.requests} == {"m"}


def test_late_samples_are_listed_over_all_pages_with_who_holds_them(gateway):
    task = {"task": "s1.first_pass.1", "stage": "first_pass", "missing": 2, "held_by": ["ana", "bo"]}
    sample = {
        "external_id": "chat-1",
        "due_at": "2026-12-01T17:00:00Z",
        "late": "overdue",
        "priority": 3,
        "tasks": [task],
    }
    waits = sample | {"external_id": "chat-2", "tasks": []}
    pages = json_answer({"items": [sample], "next": "c2"}), json_answer({"items": [waits], "next": None})
    gateway.answers("GET", "/v1/projects/support/late", *pages)

    result = run("late", "support", "--which", "overdue")

    assert result.exit_code == 0
    for shown in ("chat-1", "chat-2", "2026-12-01T17:00:00Z", "first_pass: 2 missing, held by ana, bo"):
        assert shown in result.stdout
    assert [each.url.params["which"] for each in gateway.requests] == ["overdue", "overdue"]


def test_a_workload_is_exported_as_csv_with_all_counts_of_all_pages(gateway):
    ana = {"annotator_id": "ana", "from": "2026-11-01", "to": "2026-11-30", "project": "support", "counted": 7}
    pages = (
        json_answer({"items": [ana], "next": "ana"}),
        json_answer({"items": [ana | {"annotator_id": 'bo, "b"'}], "next": None}),
    )
    gateway.answers("GET", "/v1/workload", *pages)

    result = run("workload", "--from", "2026-11-01", "--to", "2026-11-30", "--by", "period", "--csv")

    assert result.stdout.splitlines() == [
        "annotator_id,from,to,project,counted",
        "ana,2026-11-01,2026-11-30,support,7",
        '"bo, ""b""",2026-11-01,2026-11-30,support,7',
    ]
    asked = dict(gateway.requests[-1].url.params)
    assert asked == {"from": "2026-11-01", "to": "2026-11-30", "by": "period", "cursor": "ana"}


@pytest.mark.parametrize("words", [["--from", "soon"], ["--by", "hour"], ["--csv", "--json"]])
def test_a_workload_that_makes_no_sense_is_not_asked_for(gateway, words):
    result = run("workload", *words)

    assert result.exit_code != 0
    assert gateway.requests == []


def test_a_gateway_that_is_away_is_an_exit_code_and_a_sentence(gateway):
    gateway.answers("GET", "/v1/projects", httpx2.ConnectError("refused"))

    result = run("project", "list")

    assert result.exit_code == 1
    assert "does not answer (refused)" in result.stderr
    assert "make status" in result.stderr


def test_without_a_key_the_command_says_where_one_may_come_from(gateway):
    result = CliRunner().invoke(app, ["project", "list"])

    assert result.exit_code == 1
    assert "LABELMESH_API_KEY" in result.stderr
    assert gateway.requests == []


def test_a_file_that_is_not_there_is_a_wrong_use_of_the_command(gateway):
    result = run("import", "support", "nowhere.ndjson")

    assert result.exit_code == 2
    assert gateway.requests == []


def test_address_and_key_come_from_options_then_the_environment_then_the_stacks_settings(monkeypatch, tmp_path):
    settings = "# made by make up\nLABELMESH_GATEWAY_URL=http://file\nLABELMESH_OWNER_KEY='lm_file'\n"
    (tmp_path / ".env").write_text(settings)
    for name in ("LABELMESH_URL", "LABELMESH_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    from_file = connection(None, None, tmp_path)
    monkeypatch.setenv("LABELMESH_URL", "http://environment")
    monkeypatch.setenv("LABELMESH_API_KEY", "lm_environment")
    from_environment = connection(None, None, tmp_path)
    from_options = connection("http://option", "lm_option", tmp_path)

    assert from_file == ("http://file", "lm_file")
    assert from_environment == ("http://environment", "lm_environment")
    assert from_options == ("http://option", "lm_option")


@pytest.mark.parametrize(("url", "key"), [("gateway:18080", "lm_x"), ("http://gateway", "lm_\nx")])
def test_an_address_or_key_that_cannot_be_one_is_refused_at_once(url, key):
    with pytest.raises(LookupError):
        connection(url, key)


def test_a_project_is_deleted_when_it_is_said_twice(gateway, tmp_path):
    gateway.answers("DELETE", "/v1/projects/support", json_answer({"project": "support", "state": "deleted"}))

    unsure = CliRunner().invoke(app, ["project", "delete", "support", "--key", "lm_id_secret"], input="n\n")
    sent_before = len(gateway.requests)
    sure = run("project", "delete", "support", "--yes", "--json")

    assert (unsure.exit_code, sent_before) == (1, 0)
    assert json.loads(sure.stdout) == {"project": "support", "state": "deleted"}


def test_the_audit_shows_who_did_what(gateway, tmp_path):
    entry = {
        "number": 2,
        "at": "2026-11-24T08:00:00Z",
        "by": "mo",
        "action": "archived",
        "version": None,
        "changes": [],
    }
    gateway.answers("GET", "/v1/projects/support/audit", json_answer({"items": [entry], "next": None}))

    result = run("project", "audit", "support")

    assert result.exit_code == 0
    assert "archived" in result.stdout
    assert "mo" in result.stdout


def test_a_check_shows_what_a_new_version_would_do_to_labels(gateway, tmp_path):
    difference = {
        "pointer": "/fields/intent/options",
        "change": "options-removed",
        "effect": "breaks",
        "message": 'The option "delivery" is gone.',
        "field": "intent",
        "affected": 7,
    }
    found = {"valid": True, "faults": [], "warnings": [], "changes": "new-version", "next_version": 2}
    labels = {"looked_at": 42, "complete": False}
    answer = found | {"differences": [difference], "labels": labels}
    gateway.answers("POST", "/v1/projects/support/check", json_answer(answer))

    result = run("project", "check", "support", a_file(tmp_path / "p.yaml", "title: x"))

    assert result.exit_code == 0
    assert "breaks: /fields/intent/options  options-removed" in result.stdout
    assert "Labels concerned: 7." in result.stdout
    assert "from 42 labels of record, a sample" in result.stdout
