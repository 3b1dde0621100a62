"""What a claim costs somebody who has done every partly filled task, against somebody who has done none."""

from __future__ import annotations

from typing import Final

from bench.client import BenchError, Client
from bench.project import Annotator, BenchSettings, fresh_project
from bench.report import percentile
from bench.tasks import SPEC, answers, claim_body, claimed, seed_tasks

TASKS: Final = 1_000
DONE: Final = 400
"""Partly filled tasks that stand between the one annotator and the rest; more than an eager search would look at."""
CLAIMS: Final = 60
_AT_ONCE: Final = 20


async def worst_case_claim_ratio(settings: BenchSettings) -> float:
    """Let one annotator begin many tasks, then claim and give back in turn with one who has begun none.

    Returns:
        Their median times of a claim, divided.

    Raises:
        BenchError: Somebody gets no task though there are open ones.
    """
    async with fresh_project(settings, "claims-worst", SPEC) as project:
        await seed_tasks(settings, project, TASKS)
        eager, fresh = await project.hire(2, max_leases=_AT_ONCE)
        async with Client(settings.gateway_url, "") as client:
            await _begin(client, project.id, eager)
            await project.until_answered(DONE, 120.0)
            times: dict[str, list[float]] = {eager.name: [], fresh.name: []}
            for _ in range(CLAIMS):
                for each in (eager, fresh):
                    times[each.name].append(await _claim_and_give_back(client, project.id, each))
    return percentile(times[eager.name], 0.5) / percentile(times[fresh.name], 0.5)


async def _begin(client: Client, project_id: str, annotator: Annotator) -> None:
    key = {"Authorization": f"Bearer {annotator.key}"}
    mine = answers(annotator.name)
    done = 0
    while done < DONE:
        claim = await client.call("POST", "/v1/tasks/claim", claim_body(project_id, _AT_ONCE), key)
        given = claimed(claim.expect(200).body)
        if not given:
            raise BenchError(f"{annotator.name} gets no task after {done} of {TASKS}.")
        for task, token in given:
            path = f"/v1/tasks/{task}/annotations"
            (await client.call("POST", path, next(mine), key | {"Lease-Token": token})).expect(202)
            done += 1


async def _claim_and_give_back(client: Client, project_id: str, annotator: Annotator) -> float:
    """Return how many seconds a claim took."""
    key = {"Authorization": f"Bearer {annotator.key}"}
    claim = await client.call("POST", "/v1/tasks/claim", claim_body(project_id), key)
    given = claimed(claim.expect(200).body)
    if len(given) != 1:
        raise BenchError(f"{annotator.name} was given {len(given)} tasks, not one.")
    [(task, token)] = given
    (await client.call("POST", f"/v1/tasks/{task}/release", b"", key | {"Lease-Token": token})).expect(204)
    return claim.seconds
