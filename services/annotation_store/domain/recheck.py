"""The job that holds a project's labels against rules that have changed: page by page, each page one event."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.events import Event
from shared.events.annotations import LabelCheckRequested, LabelRecheckContinued, LabelRechecked
from shared.events.projects import ProjectVersioned
from shared.ids import recheck_job_of
from shared.jobs import JobView
from shared.ledger import Step, wait

PAGE: Final = 200
"""Labels that one event asks for."""


class Recheck(BaseModel):
    """How far a project's labels have been held against the rules of one version."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    project_id: str
    project_version: int
    started: datetime
    updated: datetime
    after: str = ""
    """The last sample that was asked for."""
    asked: int = 0
    is_complete: bool = False
    """Whether all samples have been asked for."""
    outcomes: dict[str, int] = {}

    def view(self) -> JobView:
        """Return the job as the API shows it."""
        done = sum(self.outcomes.values())
        finished = self.is_complete and done >= self.asked
        return JobView(
            job_id=self.job_id,
            state="done" if finished else "running",
            done=done,
            total=self.asked if self.is_complete else None,
            started=self.started,
            outcomes=self.outcomes,
            result={"project": self.project_id, "project_version": self.project_version} if finished else None,
        )


def on_project_versioned(job: Recheck | None, event: ProjectVersioned, *, judges_alike: bool) -> Step[Recheck]:
    """Begin when the rules are not those of the version before. Told again, the job is there already."""
    if job is not None or judges_alike:
        return Step(job)
    begun = Recheck(
        job_id=recheck_job_of(event.tenant_id, event.project_id, event.version),
        project_id=event.project_id,
        project_version=event.version,
        started=event.occurred_at,
        updated=event.occurred_at,
    )
    return Step(begun, [_continued(begun, event)])


def on_recheck_continued(job: Recheck | None, event: LabelRecheckContinued) -> Step[Recheck]:
    """Ask for the next page of labels, and go on behind it; a page that is not full is the last."""
    if job is None:
        return wait(job)
    if job.is_complete or event.after != job.after:
        return Step(job)
    asked = [
        LabelCheckRequested.caused_by(
            event,
            sample_id=sample_id,
            project_id=job.project_id,
            project_version=job.project_version,
            job_id=job.job_id,
        )
        for sample_id in event.page
    ]
    changed = job.model_copy(
        update={
            "asked": job.asked + len(asked),
            "after": event.page[-1] if event.page else job.after,
            "is_complete": len(event.page) < PAGE,
        }
    )
    return Step(changed, asked if changed.is_complete else [*asked, _continued(changed, event)])


def on_label_rechecked(job: Recheck | None, event: LabelRechecked) -> Step[Recheck]:
    """Count a label's outcome."""
    if job is None:
        return wait(job)
    outcomes = job.outcomes | {event.outcome: job.outcomes.get(event.outcome, 0) + 1}
    return Step(job.model_copy(update={"outcomes": outcomes, "updated": max(job.updated, event.occurred_at)}))


def _continued(job: Recheck, cause: Event) -> LabelRecheckContinued:
    return LabelRecheckContinued.caused_by(
        cause,
        part=job.after,
        job_id=job.job_id,
        project_id=job.project_id,
        project_version=job.project_version,
        after=job.after,
    )
