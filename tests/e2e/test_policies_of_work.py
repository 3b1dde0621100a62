"""Skips that come back, drafts, the only answer reopened, and what people have done, through the gateway."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.e2e.gateway import Gateway, a_spec, answer, assert_problem, claim_one, found, until


def token(task: dict[str, Any]) -> dict[str, str]:
    return {"lease-token": task["lease"]["token"]}


def test_what_people_do_is_counted_and_what_they_skip_comes_back(
    gateway: Gateway, elsewhere: Gateway, owner: httpx2.Client
):
    skip = {"then": "return_later", "return_after_seconds": 4}
    policy = {"order": "breadth_first", "random_within": 3, "skip": skip}
    project = gateway.publish(a_spec(quality={"overlap": 1}, workflow={"lease_seconds": 300}, assignment=policy))
    gateway.submit(project)
    who = f"ana-{project}"
    with gateway.http(gateway.key_of(who, projects=(project,))) as ana:
        task = claim_one(ana, project)
        skipped = ana.post(f"/v1/tasks/{task['task']}/skip", headers=token(task), json={"reason": "unclear"})
        at_once = ana.post("/v1/tasks/claim", json={"project": project}).json()
        again = claim_one(ana, project)
        assert (skipped.status_code, at_once["tasks"], again["task"]) == (204, [], task["task"])

        draft = f"/v1/tasks/{task['task']}/draft"
        saved = ana.put(draft, json={"fields": {"intent": "tell"}})
        given = answer(ana, again, {"intent": "ask"}, prefer="wait=20")
        until(lambda: ana.get(draft).status_code == 404, "a draft that was submitted")
        stale = ana.put(draft, json={"fields": {"intent": "tell"}}, headers={"if-match": saved.headers["etag"]})
        assert assert_problem(stale, 412, "precondition-failed")["revision"] == 2

        reopened = ana.post(f"/v1/annotations/{given.json()['annotation_id']}/reopen")
        assert reopened.status_code == 200, reopened.text
        answer(ana, reopened.json(), {"intent": "tell"}, prefer="wait=20")
        sample = again["sample"]["sample_id"]
        label = until(
            lambda: (read := found(owner.get(f"/v1/samples/{sample}/label"))) and read["revision"] == 2 and read,
            "the label of the revised answer",
        )
        assert label["fields"] == {"intent": "tell"}

        def counted() -> Any:
            [row] = owner.get("/v1/workload", params={"annotator": who, "by": "period"}).json()["items"] or [{}]
            return row if row.get("revised") else None

        row = until(counted, "the counts of what was done")
        assert (row["project"], row["counted"], row["surplus"], row["skipped"]) == (project, 1, 0, 1)
        text = owner.get("/v1/workload", params={"project": project, "format": "csv"})
        assert text.headers["content-type"].startswith("text/csv") and who in text.text
        assert_problem(ana.get("/v1/workload"), 403, "forbidden")
        with elsewhere.http() as stranger:
            assert stranger.get("/v1/workload", params={"annotator": who}).json() == {"items": [], "next": None}
