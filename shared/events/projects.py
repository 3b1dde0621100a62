"""Projects: what to label and how, versioned in log order by the versioning service."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from typing_extensions import override

from shared.events.base import Event

ALL_SERVICES = frozenset({"gateway", "ingest", "task_assignment", "annotation_store", "qa", "feedback"})
ProjectState = Literal["active", "paused", "archived", "deleted"]


class ProjectPublished(Event):
    """Somebody wishes this spec to be the project's next version; versioning decides."""

    topic: ClassVar[str] = "project.published.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "project_id"

    project_id: str
    spec: dict[str, Any]
    spec_hash: str
    published_by: str
    based_on: int | None = None
    """The version the author had read; None where the author does not mind."""

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}"


class ProjectVersioned(Event):
    """The project has a new version, immutable from here on."""

    topic: ClassVar[str] = "project.versioned.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = ALL_SERVICES
    key_field: ClassVar[str] = "project_id"
    compacted: ClassVar[bool] = True

    project_id: str
    version: int
    spec: dict[str, Any]
    spec_hash: str
    published_by: str
    cause_id: str
    guideline_version: int = 1
    """Counted from 1; it grows with a project version whose guidelines say something else."""

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}/{self.version}"


class ProjectRefused(Event):
    """A wish about a project was not met: it was based on an older version, or the project was deleted or is in use."""

    topic: ClassVar[str] = "project.refused.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "project_id"

    project_id: str
    cause_id: str
    current_version: int
    reason: str

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}"


class ProjectStateRequested(Event):
    """Somebody asks that a project be paused, resumed, archived or deleted."""

    topic: ClassVar[str] = "project.published.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "project_id"

    project_id: str
    state: ProjectState
    requested_by: str

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}"


class ProjectPaused(Event):
    """The project's state changed; only an active project takes samples and serves tasks. Deleted is for good."""

    topic: ClassVar[str] = "project.paused.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = ALL_SERVICES
    key_field: ClassVar[str] = "project_id"
    compacted: ClassVar[bool] = True

    project_id: str
    state: ProjectState
    cause_id: str

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}"
