"""Publishes the projects, lets the people in, and brings the samples in."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examples.compose import PROJECTS
from examples.demo.plan import Run, spec_of
from examples.model import DemoAsset, DemoSample
from examples.simulation import ANNOTATORS, REVIEWERS, SimulatedAnnotator
from labelmesh import AsyncLabelmesh, api, workforce
from labelmesh.models import Job
from labelmesh.requests import Call, at

MALFORMED_LINE: Final = b'{"external_id": "support-broken-line", "assets": {"chat": '
"""Breaks off in the middle, as a line of a file that was not written to its end."""
UPLOADS_AT_ONCE: Final = 8
JOB_SECONDS: Final = 60.0
REVIEW_ROLES: Final = ("reviewer", "adjudicator")
REVIEW_STAGES: Final = ("peer_review", "senior_qa", "audit", "adjudication")


@dataclass(frozen=True)
class Member:
    """Somebody who works in this run, with the key that they work with."""

    name: str
    key_id: str
    key: str


@dataclass(frozen=True)
class Imported:
    """What was sent to a project, and what its job then told."""

    lines: int
    malformed: int
    job: Job
    errors: Sequence[Mapping[str, Any]]


async def publish(client: AsyncLabelmesh, run: Run) -> None:
    """Publish the six projects."""
    await asyncio.gather(
        *(client.ask(api.publish_project(run.project_id(project), spec_of(project))) for project in PROJECTS)
    )


async def admit(client: AsyncLabelmesh, run: Run) -> dict[str, Member]:
    """Declare twelve annotators and two reviewers and make them keys for this run's projects; by name."""
    people = [*ANNOTATORS, *REVIEWERS]
    members = await asyncio.gather(*(_admit(client, run, person) for person in people))
    return {member.name: member for member in members}


async def _admit(client: AsyncLabelmesh, run: Run, person: SimulatedAnnotator) -> Member:
    reviews = person in REVIEWERS
    profile = {
        "name": f"{person.name} (simulated)",
        "languages": list(person.languages),
        "stages": list(REVIEW_STAGES) if reviews else ["first_pass"],
    }
    await client.ask(workforce.declare_annotator(person.name, profile))
    roles = REVIEW_ROLES if reviews else ("annotator",)
    made = await client.ask(workforce.create_key(person.name, roles, sorted(run.project_ids.values())))
    return Member(person.name, made["id"], made["key"])


async def dismiss(client: AsyncLabelmesh, members: Mapping[str, Member]) -> None:
    """Revoke the keys of the run, so that runs leave none behind."""
    revoked = [Call("DELETE", at("api-keys", member.key_id)) for member in members.values()]
    await asyncio.gather(*(client.ask(api.Ask(call, lambda _: None)) for call in revoked))


async def upload(
    client: AsyncLabelmesh, run: Run, samples: Sequence[DemoSample], tell: Callable[[str], None]
) -> dict[tuple[str, Path], str]:
    """Upload each file once per project, by addresses that the gateway signed.

    Returns:
        Upload ids by (project, file).
    """
    files = [(sample.project, asset.file) for sample in samples for asset in sample.assets.values() if asset.file]
    wanted = list(dict.fromkeys(files))
    free = asyncio.Semaphore(UPLOADS_AT_ONCE)
    done: dict[tuple[str, Path], str] = {}

    async def send(project: str, file: Path) -> None:
        async with free:
            done[project, file] = (await client.upload_file(run.project_id(project), file)).upload_id
        tell(f"{len(done)} of {len(wanted)} files")

    await asyncio.gather(*(send(project, file) for project, file in wanted))
    return done


async def bring_in(
    client: AsyncLabelmesh, run: Run, samples: Sequence[DemoSample], uploads: Mapping[tuple[str, Path], str]
) -> dict[str, Imported]:
    """Import each project's samples as NDJSON and wait until each line has its outcome; by project."""

    async def send(project: str) -> Imported:
        lines: list[Any] = [line_of(sample, uploads) for sample in samples if sample.project == project]
        malformed = [MALFORMED_LINE] if project == "support" else []
        job_id = await client.import_samples(run.project_id(project), [*lines, *malformed])
        job = await client.wait_for(job_id, JOB_SECONDS)
        errors = await client.ask(api.job_errors(job_id)) if job.failed else []
        return Imported(len(lines) + len(malformed), len(malformed), job, errors or [])

    found = await asyncio.gather(*(send(project) for project in PROJECTS))
    return dict(zip(PROJECTS, found, strict=True))


def line_of(sample: DemoSample, uploads: Mapping[tuple[str, Path], str]) -> dict[str, Any]:
    """The sample as a line of an import."""

    def source(asset: DemoAsset) -> dict[str, Any]:
        if asset.file is not None:
            return {"upload": uploads[sample.project, asset.file]}
        return {"text": asset.text} if asset.text is not None else {"record": asset.record}

    return {
        "external_id": sample.external_id,
        "assets": {slot: source(asset) for slot, asset in sample.assets.items()},
        "metadata": sample.metadata,
        "language": sample.language,
    }
