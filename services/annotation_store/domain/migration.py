"""Migrations of labels: the job, its chunks, and what happens to each label."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.annotation_store.domain.label import Recording, SampleLabel
from services.annotation_store.domain.vocabulary import Vocabulary
from shared.events import Event
from shared.events.annotations import MigrationStamp
from shared.events.migrations import (
    LabelMigrated,
    LabelMigrationDue,
    MigrationChunkDue,
    MigrationRequested,
    MigrationScanned,
    MigrationTarget,
    ProjectRebound,
)
from shared.labels.faults import Fault
from shared.ledger import Step, wait


class ReboundProject(BaseModel):
    """What became of a project that is bound to the taxonomy."""

    model_config = ConfigDict(frozen=True)

    project_version: int
    bound: bool
    faults: list[Fault] = []


class MigrationJob(BaseModel):
    """A migration from its request until the projects are all bound anew; its labels are counted beside it."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    taxonomy_id: str
    taxonomy_version: int
    rolls_back: str | None = None
    requested_by: str
    started: datetime
    expected: tuple[str, ...]
    projects: dict[str, ReboundProject] = {}


class MigrationChunk(BaseModel):
    """Some labels that a migration concerns, found and told of once."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    number: int
    found: int


def request(job: MigrationJob | None, event: MigrationRequested) -> Step[MigrationJob]:
    """Take the migration in. The same request again changes nothing."""
    if job is not None:
        return Step(job)
    job = MigrationJob(
        **event.model_dump(include={"job_id", "taxonomy_id", "taxonomy_version", "rolls_back", "requested_by"}),
        started=event.occurred_at,
        expected=tuple(event.projects),
    )
    return Step(job, _begun(job, event))


def rebind(job: MigrationJob | None, event: ProjectRebound) -> Step[MigrationJob]:
    """Note what became of a project; after the last one, the search for labels begins."""
    if job is None:
        return wait(None)
    if event.project_id in job.projects:
        return Step(job)
    project = ReboundProject(project_version=event.project_version, bound=event.bound, faults=event.faults)
    job = job.model_copy(update={"projects": job.projects | {event.project_id: project}})
    return Step(job, _begun(job, event))


def take_chunk(chunk: MigrationChunk | None, event: MigrationChunkDue) -> Step[MigrationChunk]:
    """Tell each label that was found, then go on to the next chunk, or say how many labels there are.

    A chunk has a document of its own, which keeps what it told: read again, it tells the same of the same labels.
    """
    if chunk is not None:
        return Step(chunk)
    target = event.targets[0]
    due = [
        LabelMigrationDue.caused_by(
            event,
            sample_id=sample_id,
            project_id=target.project_id,
            project_version=target.project_version,
            taxonomy_id=event.taxonomy_id,
            taxonomy_version=event.taxonomy_version,
            migration=event.job_id,
            rolls_back=event.rolls_back,
            line=event.line + position,
        )
        for position, sample_id in enumerate(event.found)
    ]
    lines = event.line + len(event.found)
    following = _following(event, lines)
    taken = MigrationChunk(job_id=event.job_id, number=event.number, found=len(event.found))
    return Step(taken, [*due, following])


def on_label_migration_due(label: SampleLabel | None, event: LabelMigrationDue, known: Vocabulary) -> Step[SampleLabel]:
    """Give the label a revision by the migration, or take that of another migration back.

    A label that the migration has dealt with already is left alone. Where the label has got a new revision since its
    fields were looked up, the event is told again, to be looked up again.
    """
    if label is None or not label.revisions:
        return Step(label, _settled(label, event, "unchanged", []))
    if event.rolls_back is not None:
        return _taken_back(label, event, event.rolls_back, known)
    if event.body != label.revisions[-1].body:
        return Step(label, [_again(event)])
    recording = Recording(label, event, known)
    outcome, faults = recording.bring_up(event.fields, event.project_version)
    return recording.step(*_settled(recording.label, event, outcome, faults))


def body_to_read(label: SampleLabel | None, event: LabelMigrationDue) -> str | None:
    """Return which body the step needs: the newest one, or the one before the revision that is taken back."""
    if label is None or not label.revisions:
        return None
    if event.rolls_back is None:
        return label.revisions[-1].body
    stamp = label.revisions[-1].provenance.migration
    return label.revisions[stamp.revision - 1].body if stamp is not None and stamp.id == event.rolls_back else None


def _taken_back(label: SampleLabel, event: LabelMigrationDue, migration: str, known: Vocabulary) -> Step[SampleLabel]:
    newest = label.revisions[-1]
    stamp = newest.provenance.migration
    if stamp is None or stamp.id != migration:
        if stamp is not None and stamp.rolls_back == migration:
            return Step(label, _settled(label, event, "unchanged", []))
        message = f"Revision {newest.revision} came after the migration's, so it stays; look at it by hand."
        fault = Fault(pointer="", code="changed-since", message=message)
        return Step(label, _settled(label, event, "left", [fault]))
    before = label.revisions[stamp.revision - 1]
    if event.body != before.body:
        return Step(label, [_again(event)])
    back = MigrationStamp(
        id=event.migration,
        taxonomy=stamp.taxonomy,
        version=stamp.version,
        revision=newest.revision,
        rolls_back=migration,
    )
    recording = Recording(label, event, known)
    provenance = before.provenance.model_copy(update={"migration": back})
    recording.append(event.fields, before.project_version, provenance, event.occurred_at)
    recording.bring_up(event.fields, event.project_version)
    return recording.step(*_settled(recording.label, event, "restored", []))


def _begun(job: MigrationJob, cause: Event) -> list[Event]:
    """Begin to look for labels once all projects have answered; nothing before, and nothing twice."""
    if job.projects.keys() < set(job.expected):
        return []
    targets = [
        MigrationTarget(project_id=name, project_version=project.project_version)
        for name, project in sorted(job.projects.items())
        if project.bound or job.rolls_back is not None
    ]
    if not targets:
        return [MigrationScanned.caused_by(cause, job_id=job.job_id, lines=0)]
    first = MigrationChunkDue.caused_by(
        cause,
        **job.model_dump(include={"job_id", "taxonomy_id", "taxonomy_version", "rolls_back"}),
        number=0,
        targets=targets,
    )
    return [first]


def _following(event: MigrationChunkDue, lines: int) -> Event:
    targets = event.targets[1:] if event.complete else event.targets
    if not targets:
        return MigrationScanned.caused_by(event, job_id=event.job_id, lines=lines)
    return MigrationChunkDue.caused_by(
        event,
        **event.model_dump(include={"job_id", "taxonomy_id", "taxonomy_version", "rolls_back"}),
        number=event.number + 1,
        targets=targets,
        after="" if event.complete else event.found[-1],
        line=lines,
    )


def _again(event: LabelMigrationDue) -> LabelMigrationDue:
    values = event.model_dump(include={*LabelMigrationDue.model_fields} - {*Event.model_fields, "body", "fields"})
    return LabelMigrationDue.caused_by(event, **(values | {"tries": event.tries + 1}))


def _settled(label: SampleLabel | None, event: LabelMigrationDue, outcome: str, faults: list[Fault]) -> list[Event]:
    """Tell the job, where the label was found by it."""
    if event.line is None:
        return []
    settled = LabelMigrated.caused_by(
        event,
        job_id=event.migration,
        line=event.line,
        outcome=outcome,
        sample_id=event.sample_id,
        external_id="" if label is None else label.external_id,
        faults=faults,
    )
    return [settled]
