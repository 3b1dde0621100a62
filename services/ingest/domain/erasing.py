"""Erasure as ingest sees it: the sample goes, its uploads with it, and a job tells which services have forgotten it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from services.ingest.domain.resemblance import left
from services.ingest.domain.sample import Sample
from shared.events import Event
from shared.events.duplicates import ContentCompared, ContentReleased
from shared.events.erasure import ERASING, DatasetAffected, SampleErased, SampleForgotten
from shared.events.imports import ImportLineFinished
from shared.events.samples import SampleSubmitted
from shared.events.uploads import UploadArrived, UploadRefused
from shared.jobs import JobView
from shared.labels.faults import Fault
from shared.ledger import Step

JOB_PREFIX: Final = "ingest-erase-"
LOG_KEEPS: Final = timedelta(days=14)
"""How long topics keep what they were told; see ``shared.kafka.topics``."""


class Erasure(BaseModel):
    """How far the services are in forgetting a sample."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    project_id: str
    sample_id: str
    started: datetime
    services: dict[str, datetime] = {}
    """When each service had forgotten it, by its name."""
    datasets: tuple[str, ...] = ()
    """Frozen datasets that hold the sample."""


def erase(sample: Sample | None, event: SampleErased) -> Step[Sample]:
    """Forget the sample. Its uploads go unless another sample needs them, and lines that wait for it wait no longer."""
    if sample is None:
        return Step(None, erases=True)
    with_others = [each for each in (sample, sample.previous, sample.proposed) if each is not None]
    return Step(None, [told for each in with_others for told in _forgotten(each, event)], erases=True)


def _forgotten(sample: Sample, event: SampleErased) -> list[Event]:
    """Return what is told of a sample that is erased, or of what it was to replace or to be replaced by."""
    refused = [
        _refused(event, event.sample_id, slot, source.upload, sample.attempt)
        for slot, source in sample.sources.items()
        if source.upload is not None
    ]
    released = [] if sample.content_id is None else [_released(event, event.sample_id, sample.content_id)]
    images = [
        each
        for slot, facts in (sample.assets if sample.state == "ingested" else {}).items()
        for each in left(event, event.sample_id, sample.project_id, slot, facts)
    ]
    lines = [_line(event, event.sample_id, line.job_id, line.line) for line in sample.lines]
    return [*refused, *released, *images, *lines]


def after_erasure(event: Event) -> Sequence[Event]:
    """Tell lines that name an erased sample so, and let an upload go that has come for it since."""
    if isinstance(event, SampleSubmitted) and event.job_id is not None and event.line is not None:
        return [_line(event, event.sample_id, event.job_id, event.line, event.external_id)]
    if isinstance(event, UploadArrived):
        return [_refused(event, event.sample_id, event.slot, event.upload_id, "")]
    if isinstance(event, ContentCompared):
        return [_released(event, event.sample_id, event.content_id)]
    return ()


def on_sample_erased(erasure: Erasure | None, event: SampleErased) -> Step[Erasure]:
    """Open the job. Asked for again, it is the same job."""
    return Step(erasure or _fresh(event))


def on_sample_forgotten(erasure: Erasure | None, event: SampleForgotten) -> Step[Erasure]:
    """Tick a service off; it stays ticked off from when it said so first."""
    erasure = erasure or _fresh(event)
    return Step(erasure.model_copy(update={"services": {event.service: event.occurred_at} | erasure.services}))


def on_dataset_affected(erasure: Erasure | None, event: DatasetAffected) -> Step[Erasure]:
    """Note a dataset that holds the sample."""
    erasure = erasure or _fresh(event)
    return Step(erasure.model_copy(update={"datasets": tuple(sorted({*erasure.datasets, event.dataset_id}))}))


def view(erasure: Erasure) -> JobView:
    """Return how far an erasure is: a line is a service."""
    done = len(erasure.services)
    return JobView(
        job_id=erasure.job_id,
        project_id=erasure.project_id,
        state="done" if done >= len(ERASING) else "running",
        done=done,
        total=len(ERASING),
        started=erasure.started,
        result={
            "sample_id": erasure.sample_id,
            "services": {name: name in erasure.services for name in sorted(ERASING)},
            "affected_datasets": list(erasure.datasets),
            "log_forgets_at": (erasure.started + LOG_KEEPS).isoformat(),
        },
    )


def _fresh(event: SampleErased | SampleForgotten | DatasetAffected) -> Erasure:
    return Erasure(
        job_id=event.job_id, project_id=event.project_id, sample_id=event.sample_id, started=event.occurred_at
    )


def _released(cause: Event, sample_id: str, content_id: str) -> ContentReleased:
    return ContentReleased.caused_by(cause, part=sample_id, content_id=content_id, sample_id=sample_id)


def _refused(cause: Event, sample_id: str, slot: str, upload_id: str, attempt: str) -> UploadRefused:
    return UploadRefused.caused_by(
        cause,
        part=f"{sample_id}/{slot}",
        upload_id=upload_id,
        sample_id=sample_id,
        slot=slot,
        attempt=attempt,
        erases=True,
    )


def _line(cause: Event, sample_id: str, job_id: str, line: int, external_id: str | None = None) -> ImportLineFinished:
    """Return what an import is told of an erased sample: without its content, which nobody keeps."""
    message = "A sample of this name was erased; send the content under another external_id, if it may be kept."
    return ImportLineFinished.caused_by(
        cause,
        part=str(line),
        job_id=job_id,
        line=line,
        outcome="erased",
        external_id=external_id,
        sample_id=sample_id,
        faults=[Fault(pointer="/external_id", code="erased", message=message)],
    )
