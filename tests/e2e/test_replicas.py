"""Two replicas of a service share its partitions; one that dies leaves its work to the other."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from deploy.local.replicas import replica_of
from deploy.local.stack import Stack
from tests.e2e.gateway import Gateway, a_spec, until
from tests.e2e.reduced_loop import SAMPLES, Loop, Outcome, assert_nothing_accepted_is_missing
from tests.e2e.replicas import owned

MANY = 20
TAKE_OVER_SECONDS = 60
"""Kafka notices after ten seconds that a member of a group is gone; the rest is a busy machine."""


@pytest.mark.timeout(300, func_only=True)
def test_two_replicas_share_the_work_and_when_one_is_killed_the_other_finishes_it(
    stack: Stack, loop: Loop, undisturbed: Outcome
):
    partitions = int(stack.settings()["LABELMESH_PARTITIONS"])
    first = stack.settings()["LABELMESH_TASK_ASSIGNMENT_URL"]
    with ExitStack() as replicas, loop.workforce():
        second = replicas.enter_context(replica_of(stack, "task_assignment"))
        store = replicas.enter_context(replica_of(stack, "annotation_store"))
        until(lambda: owned(first) and owned(second.url), "partitions for both", seconds=TAKE_OVER_SECONDS)
        shares = owned(first), owned(second.url)

        loop.send(SAMPLES // 2)
        until(lambda: len(loop.accepted) >= SAMPLES // 2, "answers to half of the samples", seconds=60)
        loop.send_without_waiting(SAMPLES)
        second.process.kill()
        store.process.kill()
        outcome = loop.outcome()
        until(lambda: owned(first) == partitions, "a replica that owns everything", seconds=TAKE_OVER_SECONDS)

    assert sum(shares) == partitions
    assert loop.failures == []
    assert outcome == undisturbed
    assert_nothing_accepted_is_missing(loop)


@pytest.mark.timeout(300, func_only=True)
def test_a_claim_of_many_tasks_is_filled_by_both_replicas(stack: Stack, gateway: Gateway):
    project = gateway.publish(a_spec(quality={"overlap": 1}))
    first = stack.settings()["LABELMESH_TASK_ASSIGNMENT_URL"]
    with ExitStack() as open_:
        second = open_.enter_context(replica_of(stack, "task_assignment"))
        until(lambda: owned(first) and owned(second.url), "partitions for both", seconds=TAKE_OVER_SECONDS)
        samples = {gateway.submit(project, external_id=f"sample-{number}") for number in range(MANY)}
        manager = open_.enter_context(gateway.http())
        progress = f"/v1/projects/{project}/progress"
        until(lambda: manager.get(progress).json()["tasks"] == {"first_pass": {"open": MANY}}, "open tasks")
        who = f"ana-{project}"
        profile = {"languages": [], "max_leases": MANY}
        assert manager.put(f"/v1/annotators/{who}", json=profile).status_code == 202
        ana = open_.enter_context(gateway.http(gateway.key_of(who, projects=(project,))))

        def all_of_them() -> set[str] | None:
            answer = ana.post("/v1/tasks/claim", json={"project": project, "count": MANY})
            held = {task["sample"]["sample_id"] for task in answer.json()["tasks"]}
            return held if len(held) == MANY else None

        assert until(all_of_them, "tasks from both replicas") == samples
