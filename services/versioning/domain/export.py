"""An export: a dataset written as a file of a given format."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from services.versioning.domain.exports import ExportRefusedError, format_named
from shared.events.datasets import ExportAccepted, ExportFinished, ExportRequested, WrittenExport
from shared.ledger import Step


class Export(BaseModel):
    """An export on its way, finished or failed."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    dataset_id: str
    """As it was asked for: an id or a tag."""
    format: str
    options: dict[str, Any] = {}
    requested_by: str
    requested_at: datetime
    finished_ms: int | None = None
    written: WrittenExport | None = None
    failure: str = ""


def request(export: Export | None, event: ExportRequested) -> Step[Export]:
    """Take the wish in, or refuse it at once. The same wish again changes nothing."""
    if export is not None:
        return Step(export)
    export = Export(
        job_id=event.job_id,
        dataset_id=event.dataset_id,
        format=event.format,
        options=event.options,
        requested_by=event.requested_by,
        requested_at=event.occurred_at,
    )
    try:
        format_named(event.format).check(event.options)
    except ExportRefusedError as error:
        failed = export.model_copy(update={"failure": error.detail, "finished_ms": event.appended_at_ms})
        return Step(failed, [_finished(event, failed)])
    accepted = ExportAccepted.caused_by(
        event, job_id=event.job_id, dataset_id=event.dataset_id, format=event.format, options=event.options
    )
    return Step(export, [accepted])


def finish(export: Export | None, event: ExportAccepted) -> Step[Export]:
    """Take in the file, or why there is none. An export that is finished stays so."""
    if export is None or export.finished_ms is not None:
        return Step(export)
    changes = {"written": event.written, "failure": event.failure, "finished_ms": event.appended_at_ms}
    export = export.model_copy(update=changes)
    return Step(export, [_finished(event, export)])


def _finished(event: ExportRequested | ExportAccepted, export: Export) -> ExportFinished:
    return ExportFinished.caused_by(
        event,
        job_id=export.job_id,
        dataset_id=export.dataset_id,
        format=export.format,
        object=None if export.written is None else export.written.object,
        size=0 if export.written is None else export.written.size,
        failure=export.failure or None,
    )
