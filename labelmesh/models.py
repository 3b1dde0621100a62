"""What the gateway answers, as far as a client works with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

REVIEW_STAGES: Final = frozenset({"peer_review", "senior_qa", "audit"})
"""Stages whose work is a verdict on the label that is there."""


class Model(BaseModel):
    """An answer; what this client does not know yet is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Lease(Model):
    """The right to answer a task until ``expires_at``."""

    token: str
    expires_at: datetime
    assets: dict[str, dict[str, Any]] = {}
    """Links that a heartbeat renewed, by slot."""


class TaskSample(Model):
    """The sample that a task is about."""

    sample_id: str
    external_id: str
    language: str | None = None
    metadata: dict[str, Any] = {}


class Guidelines(Model):
    """What to read before labeling."""

    version: int
    seen: int | None = None
    """The version that came with the caller's last task of the project; None before the first."""
    changed: bool = False
    """Whether that was another one."""
    text: dict[str, str] = {}
    """Markdown by modality or field."""
    examples: dict[str, list[dict[str, Any]]] = {}
    """By modality or field: ``verdict`` (positive or negative), ``shows``, ``why``, ``media``."""


class ClaimedTask(Model):
    """A task that the caller holds."""

    task: str
    stage: str
    project: str
    project_version: int
    sample: TaskSample
    assets: dict[str, dict[str, Any]]
    fields: dict[str, dict[str, Any]]
    guidelines: Guidelines | None = None
    predictions: dict[str, Any] | None = None
    proposal: dict[str, Any] | None = None
    reason: str = ""
    lease: Lease

    @property
    def is_review(self) -> bool:
        """Whether a verdict is wanted rather than an answer."""
        return self.stage in REVIEW_STAGES

    def renewed(self, lease: Lease) -> ClaimedTask:
        """Return the task under the lease that a heartbeat gave, with its new links."""
        links = {slot: facts | lease.assets.get(slot, {}) for slot, facts in self.assets.items()}
        return self.model_copy(update={"lease": lease, "assets": links})


class Claim(Model):
    """The answer to a claim."""

    tasks: list[ClaimedTask]
    reason: str | None = None
    """Why there is no task."""
    retry_after: float = 2.0
    """Seconds after which there may be."""


class UploadPart(Model):
    """Where to PUT one part of a file."""

    number: int
    size: int
    url: str


class Upload(Model):
    """Where to PUT a file: at ``url``, or, when it is large, in ``parts`` of ``part_size`` bytes."""

    upload_id: str
    url: str | None = None
    method: str = "PUT"
    expires_at: datetime | None = None
    part_size: int | None = None
    parts: list[UploadPart] | None = None
    token: str | None = None


class Job(Model):
    """How far a job is."""

    job_id: str
    state: str
    done: int = 0
    total: int | None = None
    """None until all of it was read."""
    failed: int = 0
    started: datetime | None = None
    eta: datetime | None = None
    outcomes: dict[str, int] = {}
    result: dict[str, Any] | None = None


class Progress(Model):
    """How far a project is."""

    project: str
    samples: dict[str, int] = {}
    """Samples by state."""
    languages: dict[str, int] = {}
    tasks: dict[str, dict[str, int]] = {}
    """Tasks by stage and state."""
    slots: dict[str, dict[str, int]] = {}
    """Annotators' slots by stage and state."""
    leases_expired: int = 0
    finalizations: int = 0
