"""A manager's hand through the gateway: leases seen, ended and given to others; labels voided; an answer taken up again."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.e2e.gateway import Gateway, a_spec, answer, assert_problem, claim_one, found, until


@pytest.fixture
def project(gateway: Gateway) -> str:
    return gateway.publish(a_spec(workflow={"lease_seconds": 300}))


def key(gateway: Gateway, project: str, who: str) -> str:
    return gateway.key_of(f"{who}-{project}", projects=(project,))


def leases(owner: httpx2.Client, project: str) -> list[dict[str, Any]]:
    items = found(owner.get("/v1/leases", params={"limit": 200}))["items"]
    return [each for each in items if each["project"] == project]


def test_leases_are_seen_ended_and_given_to_somebody_else(
    gateway: Gateway, elsewhere: Gateway, owner: httpx2.Client, project: str
):
    gateway.submit(project)
    with gateway.http(key(gateway, project, "ana")) as ana, gateway.http(key(gateway, project, "bo")) as bo:
        task = claim_one(ana, project)
        [seen] = leases(owner, project)
        assert (seen["annotator_id"], seen["task"]) == (f"ana-{project}", task["task"])

        given = owner.post(
            f"/v1/tasks/{task['task']}/reassign", json={"to": f"bo-{project}", "holder": f"ana-{project}"}
        )
        assert given.status_code == 200, given.text
        theirs = claim_one(bo, project)
        assert theirs["task"] == task["task"]
        assert_problem(ana.post(f"/v1/tasks/{task['task']}/heartbeat", headers=token(task)), 409, "lease-lost")

        ended = owner.post(f"/v1/tasks/{task['task']}/force-release", json={})
        again = owner.post(f"/v1/tasks/{task['task']}/force-release", json={})
        assert [each["annotator_id"] for each in ended.json()["released"]] == [f"bo-{project}"]
        assert again.json() == {"released": []}
        assert leases(owner, project) == []

        for act in ("force-release", "reassign"):
            assert_problem(ana.post(f"/v1/tasks/{task['task']}/{act}", json={"to": "bo"}), 403, "forbidden")
            with elsewhere.http() as stranger:
                body = {"to": "bo"} if act == "reassign" else {}
                assert_problem(stranger.post(f"/v1/tasks/{task['task']}/{act}", json=body), 404, "not-found")


def test_a_release_that_is_sent_again_is_answered_as_before(gateway: Gateway, project: str):
    gateway.submit(project)
    with gateway.http(key(gateway, project, "ana")) as ana:
        task = claim_one(ana, project)

        first, second = (ana.post(f"/v1/tasks/{task['task']}/release", headers=token(task)) for _ in range(2))
        skipped = ana.post(f"/v1/tasks/{task['task']}/skip", headers=token(task), json={"reason": "unclear"})

        assert (first.status_code, second.status_code) == (204, 204)
        assert_problem(skipped, 409, "lease-lost")


def test_an_own_answer_is_taken_up_again_until_it_is_judged(gateway: Gateway, project: str):
    gateway.submit(project)
    with gateway.http(key(gateway, project, "ana")) as ana, gateway.http(key(gateway, project, "bo")) as bo:
        task = claim_one(ana, project)
        given = answer(ana, task, {"intent": "ask"}, prefer="wait=20")
        assert given.status_code == 201, given.text
        path = f"/v1/annotations/{given.json()['annotation_id']}"

        reopened = ana.post(f"{path}/reopen")
        assert reopened.status_code == 200, reopened.text
        changed = answer(ana, reopened.json(), {"intent": "tell"}, prefer="wait=20")
        assert changed.json()["annotation_id"] == given.json()["annotation_id"]
        until(lambda: found(ana.get(path))["revision"] == 2, "the second revision")
        assert bo.post(f"{path}/reopen").status_code in {403, 404}

        answer(bo, claim_one(bo, project), {"intent": "tell"}, prefer="wait=20")
        until(lambda: ana.post(f"{path}/reopen").status_code == 409, "an answer that was judged")


def test_voided_labels_are_dropped_and_their_samples_are_labeled_anew(
    gateway: Gateway, owner: httpx2.Client, project: str
):
    sample = gateway.submit(project)
    people = [key(gateway, project, who) for who in ("ana", "bo", "cy")]
    with gateway.http(people[0]) as ana, gateway.http(people[1]) as bo, gateway.http(people[2]) as cy:
        for person in (ana, bo):
            answer(person, claim_one(person, project), {"intent": "ask"})
        first = until(lambda: found(owner.get(f"/v1/samples/{sample}/label")), "a label of record")

        body = {"reason": "guesses", "project": project}
        refused = ana.post(f"/v1/annotators/ana-{project}/void", json=body)
        accepted = owner.post(f"/v1/annotators/ana-{project}/void", json=body)
        assert_problem(refused, 403, "forbidden")
        assert accepted.status_code == 202, accepted.text
        job = f"/v1/jobs/{accepted.json()['job_id']}"
        done = until(lambda: (read := found(owner.get(job))) and read["state"] == "done" and read, "a finished job")
        assert done["outcomes"] == {"samples": 1, "labels": 1, "verdicts": 0}

        answer(cy, claim_one(cy, project), {"intent": "ask"})

        def second() -> Any:
            label = found(owner.get(f"/v1/samples/{sample}/label"))
            return label if sorted(label["provenance"]["annotators"]) == [f"bo-{project}", f"cy-{project}"] else None

        label = until(second, "a label without the voided one")
        given = found(owner.get(f"/v1/samples/{sample}/annotations"))["items"]
    assert label["revision"] > first["revision"] or label["fields"] == first["fields"]
    assert {each["annotator_id"]: each["voided"] for each in given} == {
        f"ana-{project}": True,
        f"bo-{project}": False,
        f"cy-{project}": False,
    }


def test_a_voided_verdict_is_taken_back_and_somebody_else_reviews(gateway: Gateway, owner: httpx2.Client):
    project = gateway.publish(a_spec(quality={"overlap": 1}, workflow={"lease_seconds": 300, "peer_review": 1.0}))
    sample = gateway.submit(project)
    reviewers = [gateway.key_of(f"{who}-{project}", "reviewer", projects=(project,)) for who in ("rita", "rob")]
    with (
        gateway.http(key(gateway, project, "ana")) as ana,
        gateway.http(reviewers[0]) as rita,
        gateway.http(reviewers[1]) as rob,
    ):
        answer(ana, claim_one(ana, project), {"intent": "ask"})
        review(rita, claim_one(rita, project), verdict="fix", fields={"intent": "tell"})
        until(lambda: intent_of(owner, sample) == "tell", "a label that a reviewer has made")

        body = {"reason": "does not look", "project": project}
        accepted = owner.post(f"/v1/annotators/rita-{project}/void", json=body)
        job = f"/v1/jobs/{accepted.json()['job_id']}"
        done = until(lambda: (read := found(owner.get(job))) and read["state"] == "done" and read, "a finished job")
        task = claim_one(rob, project)
        nothing = rita.post("/v1/tasks/claim", json={"count": 1, "project": project}).json()
        review(rob, task, verdict="accept")
        until(lambda: intent_of(owner, sample) == "ask", "a label without the voided verdict")

    assert done["outcomes"] == {"samples": 1, "labels": 0, "verdicts": 1}
    assert (task["stage"], task["proposal"], nothing["tasks"]) == ("peer_review", {"intent": "ask"}, [])
    label = found(owner.get(f"/v1/samples/{sample}/label"))
    assert label["provenance"]["reviewers"] == [f"rob-{project}"]


def review(http: httpx2.Client, task: dict[str, Any], **verdict: Any) -> None:
    sent = http.post(f"/v1/tasks/{task['task']}/reviews", json=verdict, headers=token(task))
    assert sent.status_code == 202, sent.text


def intent_of(owner: httpx2.Client, sample: str) -> str | None:
    label = found(owner.get(f"/v1/samples/{sample}/label"))
    return None if label is None else str(label["fields"]["intent"])


def test_an_answer_under_a_lease_that_a_manager_ended_is_refused_and_kept(
    gateway: Gateway, owner: httpx2.Client, project: str
):
    gateway.submit(project)
    with gateway.http(key(gateway, project, "ana")) as ana:
        task = claim_one(ana, project)
        owner.post(f"/v1/tasks/{task['task']}/force-release", json={})

        def refused() -> bool:  # the gateway reads of it in the log, a moment later
            return answer(ana, task, {"intent": "ask"}).status_code == 409

        until(refused, "an answer that is refused")
        until(lambda: found(ana.get(f"/v1/tasks/{task['task']}/draft")), "the work, kept as a draft")


def test_who_is_paused_gets_no_work_and_what_they_submit_is_refused(
    gateway: Gateway, owner: httpx2.Client, project: str
):
    gateway.submit(project)
    who = f"ana-{project}"
    with gateway.http(key(gateway, project, "ana")) as ana:
        task = claim_one(ana, project)
        assert owner.put(f"/v1/annotators/{who}", json={"paused": True}).status_code == 202

        until(lambda: leases(owner, project) == [], "an end of their lease")
        until(lambda: answer(ana, task, {"intent": "ask"}).status_code in {403, 409}, "an answer that is refused")
        empty = ana.post("/v1/tasks/claim", json={"project": project}).json()

    assert (empty["tasks"], empty["reason"]) == ([], "paused")
    assert empty["retry_after"] > 2


def test_what_too_many_have_skipped_goes_to_an_adjudicator(gateway: Gateway):
    policy = {"skip": {"remove_after": 2}}
    project = gateway.publish(a_spec(workflow={"lease_seconds": 300}, assignment=policy))
    gateway.submit(project)
    for who in ("ana", "bo"):
        with gateway.http(key(gateway, project, who)) as person:
            task = claim_one(person, project)
            skipped = person.post(f"/v1/tasks/{task['task']}/skip", headers=token(task), json={"reason": "unclear"})
            assert skipped.status_code == 204, skipped.text

    adi = gateway.key_of(f"adi-{project}", "adjudicator", projects=(project,))
    with gateway.http(adi) as adjudicator, gateway.http(key(gateway, project, "cy")) as cy:
        asked = claim_one(adjudicator, project)
        nothing = cy.post("/v1/tasks/claim", json={"project": project}).json()

    assert (asked["stage"], asked["reason"]) == ("adjudication", "skipped by 2 annotators")
    assert nothing["tasks"] == []


def token(task: dict[str, Any]) -> dict[str, str]:
    return {"lease-token": task["lease"]["token"]}
