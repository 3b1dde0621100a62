"""What one run of the demo does: under which names, with which settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from examples.compose import PROJECTS, load_project

LEASE_SECONDS: Final = 15
"""Short, so that the leases of those who vanish end, and are served again, while the demo runs."""
SERVICES: Final = ("gateway", "ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback")


class NotConfiguredError(Exception):
    """The demo was started without the stack's settings."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set; start the demo with `make demo`, which brings the stack up and sets it.")


@dataclass(frozen=True)
class DemoSettings:
    """Where the gateway is, who calls, and where results go."""

    gateway: str
    owner_key: str
    home: Path
    addresses: Mapping[str, str]
    """Of the services by name, for the reader of the report alone: the demo calls nothing but the gateway."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "DemoSettings":
        """Read the settings that ``deploy.local run`` gives.

        Raises:
            NotConfiguredError: The gateway's address or the owner's key is missing.
        """
        for name in ("LABELMESH_GATEWAY_URL", "LABELMESH_OWNER_KEY"):
            if not environ.get(name):
                raise NotConfiguredError(name)
        named = {service: environ.get(f"LABELMESH_{service.upper()}_URL", "") for service in SERVICES}
        return cls(
            gateway=environ["LABELMESH_GATEWAY_URL"],
            owner_key=environ["LABELMESH_OWNER_KEY"],
            home=Path(environ.get("LABELMESH_HOME") or ".labelmesh"),
            addresses={service: address for service, address in named.items() if address},
        )


@dataclass(frozen=True)
class Run:
    """One run: its projects bear its name, so that runs never meet and each report counts its own work alone."""

    name: str

    @classmethod
    def at(cls, now: datetime) -> "Run":
        """Name a run by the time it starts."""
        return cls(now.astimezone(UTC).strftime("%m%d-%H%M%S"))

    def project_id(self, project: str) -> str:
        """The id under which a project is published."""
        return f"{project}-{self.name}"

    @property
    def project_ids(self) -> dict[str, str]:
        """Ids of all projects by the name of their folder."""
        return {project: self.project_id(project) for project in PROJECTS}

    def tag(self, project: str, version: int) -> str:
        """The tag of the project's first or second dataset."""
        return f"{self.project_id(project)}-v{version}"


def spec_of(project: str) -> dict[str, Any]:
    """The project's spec as it is published: as its file states it, with short leases."""
    spec = load_project(project)
    return spec | {"workflow": spec.get("workflow", {}) | {"lease_seconds": LEASE_SECONDS}}
