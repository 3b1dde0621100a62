"""A project of a benchmark's own: published for it, worked on, and put away afterwards, so that nothing is disturbed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import Field, SecretStr

from bench.client import BenchError, Client
from shared.settings import SharedSettings

TENANT: Final = "default"
"""The tenant of the owner's key that stands in the settings."""

Progress = Mapping[str, Any]


class BenchSettings(SharedSettings):
    """Where the running stack is; ``python -m deploy.local run`` puts it into the environment."""

    gateway_url: str = Field(description="Address of the gateway.")
    task_assignment_url: str = Field(description="Address of task assignment, whose metrics tell what it has read.")
    qa_url: str = Field(description="Address of QA, whose metrics tell what it has folded.")
    owner_key: SecretStr = Field(description="The default tenant's owner key, made by `make up`.")


@dataclass(frozen=True, slots=True)
class Annotator:
    """Somebody who works for a benchmark."""

    name: str
    key: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Project:
    """A published project, and the owner's client to work with it."""

    id: str
    version: int
    owner: Client
    hired: list[Annotator] = field(default_factory=list)

    async def hire(self, count: int, max_leases: int | None = None) -> list[Annotator]:
        """Make keys for annotators of this project alone.

        Args:
            count: How many.
            max_leases: How many leases each may hold at once; the service's own bound where None.
        """
        for _ in range(count):
            name = f"{self.id}-{len(self.hired) + 1}"
            body = {"subject": name, "roles": ["annotator"], "projects": [self.id]}
            made = (await self.owner.call("POST", "/v1/api-keys", orjson.dumps(body))).expect(201).json()
            self.hired.append(Annotator(name, made["key"], made["id"]))
            if max_leases is not None:
                profile = orjson.dumps({"projects": [self.id], "max_leases": max_leases})
                (await self.owner.call("PUT", f"/v1/annotators/{name}", profile)).expect(202)
        return self.hired[-count:]

    async def progress(self) -> Progress:
        """Return how far the project is; task assignment writes it once a second."""
        return dict((await self.owner.call("GET", f"/v1/projects/{self.id}/progress")).expect(200).json())

    async def until(self, reached: Callable[[Progress], bool], seconds: float, what: str) -> float:
        """Wait until the project is so far and return how many seconds that took.

        Raises:
            BenchError: It did not get there in time.
        """
        started = time.monotonic()
        while not reached(progress := await self.progress()):
            if time.monotonic() - started > seconds:
                raise BenchError(f"Not within {seconds:g} s: {what}. The project stands at {dict(progress)}.")
            await asyncio.sleep(0.1)
        return time.monotonic() - started

    async def until_answered(self, count: int, seconds: float) -> None:
        """Wait until so many answers count.

        Raises:
            BenchError: They did not in time.
        """
        await self.until(lambda progress: answered_slots(progress) >= count, seconds, f"{count} answers that count")


@asynccontextmanager
async def fresh_project(settings: BenchSettings, purpose: str, spec: Mapping[str, Any]) -> AsyncIterator[Project]:
    """Publish a project for the block, then take away its keys and archive it."""
    project_id = f"bench-{purpose}-{time.time_ns() // 1_000_000:x}"
    async with Client(settings.gateway_url, settings.owner_key.get_secret_value()) as owner:
        published = await owner.call("PUT", f"/v1/projects/{project_id}", orjson.dumps(spec))
        project = Project(project_id, published.expect(201).json()["version"], owner)
        try:
            yield project
        finally:
            for annotator in project.hired:
                await owner.call("DELETE", f"/v1/api-keys/{annotator.key_id}")
            await owner.call("POST", f"/v1/projects/{project_id}/archive")


def open_tasks(progress: Progress) -> int:
    """Return how many first-pass tasks can be worked on."""
    return int(progress["tasks"].get("first_pass", {}).get("open", 0))


def answered_slots(progress: Progress) -> int:
    """Return how many answers count."""
    return int(progress["slots"].get("first_pass", {}).get("done", 0))
