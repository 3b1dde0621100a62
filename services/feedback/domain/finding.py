"""A finding: errors that people look at, until each of its samples was looked at or somebody says that there is no need."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.feedback.domain.naming import WHOLE_FIELD, model_key_of
from shared.events.base import Event
from shared.events.feedback import (
    FindingClosed,
    FindingDismissed,
    FindingOpened,
    FindingProgressed,
    FindingSampleAwaited,
)
from shared.ledger import Step, wait

Outcome = Literal["worked_off", "dismissed"]


class Finding(BaseModel):
    """What a model errs in, and how far the samples it shows on were looked at."""

    model_config = ConfigDict(frozen=True)

    finding_id: str
    project_id: str
    project_version: int
    model: str
    model_version: str
    model_key: str
    field: str
    slice: str
    error_rate: float
    judged: int
    samples: tuple[str, ...]
    progress: dict[str, bool] = Field(default_factory=dict)
    """Samples looked at again, by id: whether the label changed."""
    opened_ms: int
    outcome: Outcome | None = None
    """None while it is open."""
    closed_ms: int | None = None
    dismissed_by: str = ""
    reason: str = ""


def open_finding(finding: Finding | None, event: FindingOpened) -> Step[Finding]:
    """Send every sample of the finding back to work. Opened twice, it is opened once."""
    if finding is not None:
        return Step(finding)
    finding = Finding(
        **event.model_dump(include=set(Finding.model_fields) & set(FindingOpened.model_fields)),
        model_key=model_key_of(event.tenant_id, event.project_id, event.model, event.model_version),
        opened_ms=event.appended_at_ms,
    )
    reason = reason_of(event)
    awaited = [
        FindingSampleAwaited.caused_by(
            event, sample_id=sample_id, project_id=event.project_id, finding_id=event.finding_id, reason=reason
        )
        for sample_id in event.samples
    ]
    return Step(finding, awaited)


def progress(finding: Finding | None, event: FindingProgressed) -> Step[Finding]:
    """Tick a sample off, and close the finding after the last. A sample that is ticked off stays as it is."""
    if finding is None:
        return wait(finding)
    if event.sample_id in finding.progress or event.sample_id not in finding.samples:
        return Step(finding)
    finding = finding.model_copy(update={"progress": finding.progress | {event.sample_id: event.changed}})
    if finding.outcome is not None or len(finding.progress) < len(finding.samples):
        return Step(finding)
    return _closed(finding, event, "worked_off")


def dismiss(finding: Finding | None, event: FindingDismissed) -> Step[Finding]:
    """Close the finding without its work. One that is closed stays as it is."""
    if finding is None:
        return wait(finding)
    if finding.outcome is not None:
        return Step(finding)
    finding = finding.model_copy(update={"dismissed_by": event.dismissed_by, "reason": event.reason})
    return _closed(finding, event, "dismissed")


def reason_of(event: FindingOpened) -> str:
    """Return what the reviewer reads: where the model errs, and that the label may be what is wrong."""
    says = (
        f"errs in {event.field}"
        if event.slice == WHOLE_FIELD
        else f"takes {event.slice} (label -> model) in {event.field}"
    )
    return f"Model {event.model} {event.model_version} {says}; check whether the label is right here."


def _closed(finding: Finding, cause: Event, outcome: Outcome) -> Step[Finding]:
    finding = finding.model_copy(update={"outcome": outcome, "closed_ms": cause.appended_at_ms})
    changed = sum(finding.progress.values())
    closed = FindingClosed.caused_by(
        cause,
        finding_id=finding.finding_id,
        project_id=finding.project_id,
        model_key=finding.model_key,
        outcome=outcome,
        changed=changed,
        confirmed=len(finding.progress) - changed,
    )
    return Step(finding, [closed])
