"""Imports as one streamed body, which a process of its own sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.client import Answer, Client
from bench.project import BenchSettings, Project


@dataclass(frozen=True, slots=True)
class ImportLoad:
    """What the load process sends, and where to."""

    url: str
    key: str
    project_id: str
    lines: int
    line_bytes: int

    @classmethod
    def of(cls, settings: BenchSettings, project: Project, lines: int, line_bytes: int = 0) -> ImportLoad:
        """Return a load for a project, sent by the owner.

        Args:
            settings: Where the stack is.
            project: What to import into.
            lines: How many samples.
            line_bytes: How long their lines are; 0: as they come.
        """
        return cls(settings.gateway_url, settings.owner_key.get_secret_value(), project.id, lines, line_bytes)


async def stream(load: ImportLoad, body: AsyncIterator[bytes]) -> Answer:
    """Send the lines of a load, and return the answer that they were accepted.

    Raises:
        BenchError: They were not, or the gateway does not answer.
    """
    path = f"/v1/projects/{load.project_id}/imports"
    async with Client(load.url, load.key) as client:
        answer = await client.call("POST", path, body, {"Content-Type": "application/x-ndjson"})
    return answer.expect(202)
