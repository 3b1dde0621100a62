"""Datasets: the job that makes one, the record of one, and the tags that point to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.events.annotations import LabelBarrier
from shared.events.datasets import (
    DatasetCut,
    DatasetFilter,
    DatasetFrozen,
    DatasetReady,
    DatasetRequested,
    DatasetSummary,
    DatasetTagged,
    DatasetTagRequested,
)
from shared.events.erasure import DatasetAffected
from shared.labels.faults import explain
from shared.ledger import Step, wait

KEPT_TAG_MOVES = 200


class DatasetJob(BaseModel):
    """A dataset on its way."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    project_id: str
    requested_at: datetime
    tag: str | None = None
    filter: dict[str, Any] = {}
    note: str = ""
    requested_by: str
    partitions: int
    barriers: dict[str, int] = {}
    """Offset of the barrier per partition of ``label.recorded`` that it has passed."""
    dataset_id: str | None = None
    finished_ms: int | None = None
    """When it had its dataset, or failed; ms since 1970."""
    samples: int | None = None
    failure: str = ""


class Dataset(BaseModel):
    """A dataset version, immutable but for the jobs that came to the same content."""

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    project_id: str
    frozen_ms: int
    """When, in ms since 1970."""
    requested_by: str
    note: str = ""
    filter: dict[str, Any] = {}
    barriers: dict[str, int]
    jobs: tuple[str, ...]
    summary: DatasetSummary
    erased: tuple[str, ...] = ()
    """Samples that it holds and that were erased since."""


class TagMove(BaseModel):
    """When a tag was put where."""

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    at_ms: int
    by: str


class Tag(BaseModel):
    """A name for a dataset, and where it pointed before."""

    model_config = ConfigDict(frozen=True)

    tag: str
    project_id: str
    dataset_id: str
    history: tuple[TagMove, ...]
    """The newest last; the last 200 moves."""


def request(job: DatasetJob | None, event: DatasetRequested, partitions: int) -> Step[DatasetJob]:
    """Cut through every partition of the final labels. The same request again changes nothing."""
    if job is not None:
        return Step(job)
    job = DatasetJob(
        job_id=event.job_id,
        project_id=event.project_id,
        requested_at=event.occurred_at,
        tag=event.tag,
        filter=event.filter,
        note=event.note,
        requested_by=event.requested_by,
        partitions=partitions,
    )
    try:
        DatasetFilter.model_validate(event.filter)
    except ValidationError as error:
        known = list(DatasetFilter.model_fields)
        sentences = [explain(detail, known)[1] for detail in error.errors(include_url=False)]
        failure = f"The filter cannot be used. {' '.join(sentences)}"
        return Step(job.model_copy(update={"failure": failure, "finished_ms": event.appended_at_ms}))
    cuts = [
        DatasetCut.caused_by(event, part=str(partition), job_id=event.job_id, partition=partition)
        for partition in range(partitions)
    ]
    return Step(job, cuts)


def pass_barrier(job: DatasetJob | None, event: LabelBarrier) -> Step[DatasetJob]:
    """Note how far the cut reaches in one partition; the first barrier of a partition stands."""
    if job is None or str(event.partition) in job.barriers:
        return Step(job)
    barriers = job.barriers | {str(event.partition): event.log_offset}
    job = job.model_copy(update={"barriers": barriers})
    if len(barriers) < job.partitions:
        return Step(job)
    ready = DatasetReady.caused_by(
        event,
        job_id=job.job_id,
        project_id=job.project_id,
        barriers={int(partition): offset for partition, offset in barriers.items()},
        tag=job.tag,
        filter=job.filter,
        note=job.note,
        requested_by=job.requested_by,
    )
    return Step(job, [ready])


def finish(job: DatasetJob | None, event: DatasetReady) -> Step[DatasetJob]:
    """Take in what was frozen, or why nothing was. A job that has its dataset keeps it."""
    if job is None or job.finished_ms is not None:
        return Step(job)
    job = job.model_copy(update={"finished_ms": event.appended_at_ms, "failure": event.failure})
    frozen = event.frozen
    if frozen is None:
        return Step(job)
    job = job.model_copy(update={"dataset_id": frozen.dataset_id, "samples": frozen.samples})
    told = DatasetFrozen.caused_by(
        event,
        dataset_id=frozen.dataset_id,
        project_id=event.project_id,
        job_id=event.job_id,
        samples=frozen.samples,
        manifest=frozen.manifest,
        tag=event.tag,
        filter=event.filter,
        note=event.note,
        requested_by=event.requested_by,
        barriers=event.barriers,
        summary=frozen,
    )
    return Step(job, [told])


def keep(dataset: Dataset | None, event: DatasetFrozen) -> Step[Dataset]:
    """Put the dataset on record; the same content frozen again is the same dataset, with one more job."""
    tagging = []
    if event.tag is not None:
        wish = DatasetTagRequested.caused_by(
            event,
            tag=event.tag,
            dataset_id=event.dataset_id,
            project_id=event.project_id,
            requested_by=event.requested_by,
        )
        tagging.append(wish)
    if dataset is not None:
        jobs = dataset.jobs if event.job_id in dataset.jobs else (*dataset.jobs, event.job_id)
        return Step(dataset.model_copy(update={"jobs": jobs}), tagging)
    dataset = Dataset(
        dataset_id=event.dataset_id,
        project_id=event.project_id,
        frozen_ms=event.appended_at_ms,
        requested_by=event.requested_by,
        note=event.note,
        filter=event.filter,
        barriers={str(partition): offset for partition, offset in event.barriers.items()},
        jobs=(event.job_id,),
        summary=event.summary,
    )
    return Step(dataset, tagging)


def affect(dataset: Dataset | None, event: DatasetAffected) -> Step[Dataset]:
    """Note that the dataset holds a sample that was erased. Noted already, it stays noted."""
    if dataset is None:
        return wait(dataset)
    if event.sample_id in dataset.erased:
        return Step(dataset)
    return Step(dataset.model_copy(update={"erased": (*dataset.erased, event.sample_id)}))


def point(tag: Tag | None, event: DatasetTagRequested) -> Step[Tag]:
    """Point the tag to the dataset; where it pointed before is kept."""
    move = TagMove(dataset_id=event.dataset_id, at_ms=event.appended_at_ms, by=event.requested_by)
    moves = () if tag is None else tag.history
    if tag is None or tag.dataset_id != event.dataset_id:
        moves = (*moves, move)[-KEPT_TAG_MOVES:]
    tag = Tag(tag=event.tag, project_id=event.project_id, dataset_id=event.dataset_id, history=moves)
    tagged = DatasetTagged.caused_by(event, tag=event.tag, dataset_id=event.dataset_id, project_id=event.project_id)
    return Step(tag, [tagged])
