"""Due dates through the gateway: what is due first is given out first, a warning comes before the breach, both are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.e2e.gateway import Gateway, a_spec, answer, assert_problem, claim_one, codes, found, in_state, until

SECONDS = 1 / 3600
"""Of an hour."""


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def told(http: httpx2.Client, project: str, wanted: int) -> list[dict[str, Any]]:
    """Follow the live feed until it has told so much of a project's due dates."""
    seen: list[dict[str, Any]] = []
    with http.stream("GET", "/v1/events", timeout=120) as response:
        for kind, data in _events(response.iter_lines()):
            if kind.startswith("Sla") and data["project_id"] == project:
                seen.append({"event": kind, **data})
            if len(seen) >= wanted:
                break
    return seen


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = ""
    for line in lines:
        name, _, rest = line.partition(": ")
        if name == "event":
            kind = rest
        elif name == "data":
            yield kind, json.loads(rest)


def progress(http: httpx2.Client, project: str) -> Any:
    return found(http.get(f"/v1/projects/{project}/progress"))


def test_what_is_due_first_comes_first_whatever_is_older(gateway: Gateway, owner: httpx2.Client):
    project = gateway.publish(a_spec(quality={"overlap": 1}))
    undated = gateway.submit(project)
    lines = [
        {"external_id": name, "assets": {"chat": {"text": "Hello."}}} | due
        for name, due in (("later", {}), ("soon", {"due_at": in_seconds(600)}))
    ]
    body = "\n".join(json.dumps(line) for line in lines)
    imported = owner.post(f"/v1/projects/{project}/imports", params={"due_at": in_seconds(7200)}, content=body)
    assert imported.status_code == 202, imported.text
    until(lambda: progress(owner, project)["samples"].get("open") == 3, "three open samples")

    with gateway.http(gateway.key_of(f"ana-{project}", projects=(project,))) as ana:
        order = []
        for _ in range(3):
            task = claim_one(ana, project)
            order.append(task["sample"])
            assert answer(ana, task, {"intent": "ask"}, prefer="wait=20").status_code == 201

    assert [each["external_id"] for each in order[:2]] == ["soon", "later"]
    assert order[2]["sample_id"] == undated
    assert order[0]["due_at"] is not None and order[2]["due_at"] is None


def test_a_warning_comes_before_the_breach_and_both_are_told(gateway: Gateway, owner: httpx2.Client):
    sla = {"hours": 25 * SECONDS, "warn_hours": 15 * SECONDS, "near_hours": 20 * SECONDS, "urgent_hours": 5 * SECONDS}
    project = gateway.publish(a_spec(quality={"overlap": 1}, sla=sla))
    with ThreadPoolExecutor(1) as pool, gateway.http() as listening:
        listener = pool.submit(told, listening, project, 2)
        until(lambda: found(owner.get("/v1/projects")) is not None, "a gateway that answers")
        sample = gateway.submit(project)
        until(lambda: in_state(owner, sample, "ingested"), "an ingested sample")

        warned, breached = listener.result(timeout=120)

    assert (warned["event"], warned["cause"]) == ("SlaAtRisk", "remaining")
    assert (breached["event"], breached["cause"], breached["overdue"]) == ("SlaBreached", "due", 1)
    assert warned["next_due_at"] > warned["occurred_at"]
    stage = progress(owner, project)["sla"]["stages"]["first_pass"]
    assert (stage["due"], stage["overdue"], stage["burn"]) == (1, 1, 1.0)
    assert "due" in stage["alarms"]
    late = found(owner.get(f"/v1/projects/{project}/late"))
    assert [(each["sample_id"], each["late"]) for each in late["items"]] == [(sample, "overdue")]

    with gateway.http(gateway.key_of(f"ana-{project}", projects=(project,))) as ana:
        assert answer(ana, claim_one(ana, project), {"intent": "ask"}, prefer="wait=20").status_code == 201
    done = until(lambda: (read := progress(owner, project)) and read["sla"]["late"] == 1 and read, "a late label")
    assert done["sla"]["stages"] == {}
    assert found(owner.get(f"/v1/projects/{project}/late")) == {"items": [], "next": None}


def test_a_due_date_without_a_zone_is_refused(gateway: Gateway, owner: httpx2.Client, chats: str):
    sample = {"external_id": "x", "assets": {"chat": {"text": "Hi."}}, "due_at": "2026-12-01T12:00:00"}

    problem = assert_problem(owner.post(f"/v1/projects/{chats}/samples", json=sample), 422, "invalid-body")

    assert list(codes(problem)) == ["/due_at"]
