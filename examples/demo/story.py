"""The main job from end to end: raw samples in, two versions of a dataset out."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from examples.compose import PROJECTS, corrupt_sample, demo_samples
from examples.demo.counting import Evidence, count_project
from examples.demo.datasets import Archive, Frozen
from examples.demo.figures import ExportFigures, ModelFigures, Report
from examples.demo.learning import count_model, predict, work_off_findings
from examples.demo.plan import DemoSettings, Run
from examples.demo.progress import Narrator
from examples.demo.report import SIMULATED
from examples.demo.setup import Imported, admit, bring_in, dismiss, publish, upload
from examples.demo.workforce import Workforce
from examples.model import DemoSample
from labelmesh import AsyncLabelmesh, api

WORK_SECONDS: Final = 150.0
POLL_SECONDS: Final = 0.5


class UnfinishedError(Exception):
    """Some samples were not final in the time that the demo gives them."""

    def __init__(self, states: Mapping[str, Mapping[str, int]]) -> None:
        told = "; ".join(
            f"{project}: {', '.join(f'{n} {state}' for state, n in counts.items())}"
            for project, counts in states.items()
        )
        super().__init__(
            f"Not all samples were final after {WORK_SECONDS:.0f} s ({told}). See `make status` and `make logs`."
        )


async def tell(settings: DemoSettings, run: Run, narrator: Narrator) -> Report:
    """Do the main job and return what the services say of it.

    Raises:
        labelmesh.ApiError: The gateway refused something, or does not answer.
        UnfinishedError: The work took too long.
        examples.demo.workforce.WorkerFailedError: A process of simulated people failed.
        examples.demo.datasets.JobFailedError: A freeze or an export failed.
    """
    async with AsyncLabelmesh(settings.gateway, settings.owner_key) as client:
        with narrator.step("Publish the six projects"):
            await publish(client, run)
        with narrator.step("Make keys and profiles for annotators and reviewers (simulated)"):
            members = await admit(client, run)
        try:
            with tempfile.TemporaryDirectory(prefix="labelmesh-demo-") as folder:
                samples = [*demo_samples(), corrupt_sample(Path(folder))]
                imported = await _bring_in(client, run, samples, narrator)
            archive = Archive(client, settings, run)
            good = [sample for sample in samples if sample.truth is not None]
            async with Workforce(settings.gateway, members) as workforce:
                await _label(client, run, good, workforce, narrator)
                with narrator.step("Freeze, tag and export a dataset of each project"):
                    first, exports = await _freeze_all(archive)
                model, second, more = await _learn(client, run, good, first["support"], archive, narrator)
            with narrator.step("Count what happened"):
                evidence = {
                    project: Evidence(
                        imported[project],
                        first[project],
                        second if project == "support" else None,
                        [*exports[project], *(more if project == "support" else [])],
                    )
                    for project in PROJECTS
                }
                by_id = {sample.external_id: sample for sample in samples}
                projects = await asyncio.gather(
                    *(count_project(client, run, name, by_id, evidence[name]) for name in PROJECTS)
                )
        finally:
            await dismiss(client, members)
    return Report(
        run=run.name,
        simulated=SIMULATED,
        seconds=narrator.elapsed,
        steps=narrator.seconds,
        projects=projects,
        model=model,
        addresses=addresses(settings),
    )


def addresses(settings: DemoSettings) -> dict[str, str]:
    """Where the stack can be looked at."""
    return {
        "gateway": settings.gateway,
        "docs": f"{settings.gateway}/docs",
        **{f"{name} metrics": f"{address}/metrics" for name, address in settings.addresses.items()},
    }


async def _bring_in(
    client: AsyncLabelmesh, run: Run, samples: Sequence[DemoSample], narrator: Narrator
) -> dict[str, Imported]:
    with narrator.step("Upload the media to presigned addresses"):
        uploads = await upload(client, run, samples, narrator.tell)
    with narrator.step("Import the samples as NDJSON"):
        imported = await bring_in(client, run, samples, uploads)
        counts: Counter[str] = sum((Counter(each.job.outcomes) for each in imported.values()), Counter())
        narrator.tell(", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    return imported


async def _label(
    client: AsyncLabelmesh, run: Run, good: Sequence[DemoSample], workforce: Workforce, narrator: Narrator
) -> None:
    """Wait until every good sample is final.

    Raises:
        UnfinishedError: It takes too long.
    """
    wanted = Counter(sample.project for sample in good)
    deadline = time.monotonic() + WORK_SECONDS
    with narrator.step("Twelve simulated annotators and two reviewers work as clients of the gateway"):
        while True:
            workforce.check()
            found = await asyncio.gather(*(client.ask(api.progress(run.project_id(name))) for name in PROJECTS))
            states = {name: progress.samples for name, progress in zip(PROJECTS, found, strict=True)}
            expired = sum(progress.leases_expired for progress in found)
            narrator.tell(f"{_in_words(states)}; {expired} leases expired")
            if all(states[name].get("final", 0) >= wanted[name] for name in PROJECTS):
                return
            if time.monotonic() > deadline:
                raise UnfinishedError(states)
            await asyncio.sleep(POLL_SECONDS)


def _in_words(states: Mapping[str, Mapping[str, int]]) -> str:
    counts: Counter[str] = sum((Counter(each) for each in states.values()), Counter())
    return "samples: " + ", ".join(f"{counts[state]} {state}" for state in ("open", "judging", "final", "rejected"))


async def _freeze_all(archive: Archive) -> tuple[dict[str, Frozen], dict[str, list[ExportFigures]]]:
    frozen = await asyncio.gather(*(archive.freeze(name, 1, "First labels of the demo") for name in PROJECTS))
    first = dict(zip(PROJECTS, frozen, strict=True))
    exports = {name: [each.export] for name, each in first.items()}
    exports["blood-cells"].append(await archive.export("blood-cells", 1, "coco"))
    exports["meeting"].append(await archive.export("meeting", 1, "rttm"))
    return first, exports


async def _learn(
    client: AsyncLabelmesh,
    run: Run,
    good: Sequence[DemoSample],
    first: Frozen,
    archive: Archive,
    narrator: Narrator,
) -> tuple[ModelFigures, Frozen, list[ExportFigures]]:
    """Let the model predict, people look at what it errs in, and freeze what they made of it."""
    project_id = run.project_id("support")
    with narrator.step("Send a simulated model's predictions"):
        job = await predict(client, project_id, [sample for sample in good if sample.project == "support"])
        narrator.tell(f"{job.done - job.failed} of {job.total} taken in")
    with narrator.step("Reviewers look at what the model errs in"):
        await work_off_findings(client, project_id, narrator.tell)
    with narrator.step("Freeze the second dataset and compare"):
        second = await archive.freeze("support", 2, "After the model's findings were worked off")
        diff = await archive.diff(first, second)
        narrator.tell(f"{diff.changed} changed, {diff.reverified} confirmed")
    return await count_model(client, project_id, job, diff), second, [second.export]
