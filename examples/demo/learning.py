"""Lets a model predict, and waits until people have looked at what it errs in."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from examples.compose import load_project
from examples.demo.figures import DiffFigures, FieldErrors, FindingFigures, ModelFigures
from examples.model import DemoSample, fields_of
from examples.simulation import MODEL
from labelmesh import AsyncLabelmesh, api
from labelmesh.models import Job

JOB_SECONDS: Final = 60.0
FINDING_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 1.5
"""A finding is opened, and opens another when it closes, within less than this."""


async def predict(client: AsyncLabelmesh, project_id: str, samples: Sequence[DemoSample]) -> Job:
    """Send the model's predictions as NDJSON and wait until each line has its outcome."""
    fields = fields_of(load_project("support"))
    lines = [asdict(MODEL.predict(sample, fields)) for sample in samples]
    return await client.wait_for(await client.predict(project_id, lines), JOB_SECONDS)


async def work_off_findings(client: AsyncLabelmesh, project_id: str, tell: Callable[[str], None]) -> None:
    """Wait until there have been findings and none is open any more, for a bounded time; reviewers do the rest."""
    deadline = time.monotonic() + FINDING_SECONDS
    quiet_since: float | None = None
    while time.monotonic() < deadline:
        found = (await client.ask(api.findings(project_id)))["items"]
        waiting = [each for each in found if each["state"] == "open"]
        looked_at = sum(each["changed"] + each["confirmed"] for each in found)
        samples = sum(len(each["samples"]) for each in found)
        tell(f"{len(found)} findings, {len(waiting)} open, {looked_at} of {samples} samples looked at again")
        if waiting or not found:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= SETTLE_SECONDS:
            return
        await asyncio.sleep(0.5)


async def count_model(client: AsyncLabelmesh, project_id: str, job: Job, diff: DiffFigures) -> ModelFigures:
    """Ask how the model does and what came of its findings."""
    errors = (await client.ask(api.errors(project_id, MODEL.name)))["items"]
    findings = (await client.ask(api.findings(project_id)))["items"]
    of_version = [field for each in errors if each["model_version"] == MODEL.version for field in each["fields"]]
    return ModelFigures(
        model=MODEL.name,
        version=MODEL.version,
        sent=job.total or 0,
        accepted=job.done - job.failed,
        errors=[
            FieldErrors(field=each["field"], error_rate=each["error_rate"], judged=each["n"], erring=each["erring"])
            for each in of_version
        ],
        findings=[_finding(each) for each in findings],
        diff=diff,
    )


def _finding(told: dict[str, Any]) -> FindingFigures:
    shown = ("finding_id", "field", "slice", "error_rate", "state", "changed", "confirmed", "waiting")
    return FindingFigures(samples=len(told["samples"]), **{key: told[key] for key in shown})
