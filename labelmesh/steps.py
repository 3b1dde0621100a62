"""What takes more than one call, written once for both clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2

from labelmesh import api
from labelmesh.api import Ask
from labelmesh.errors import ApiError, JobTimeoutError, NotFoundError
from labelmesh.models import Job, Upload
from labelmesh.requests import Call, Line, at, for_import, stream
from labelmesh.retry import Pause, Steps
from labelmesh.transport import Transfer, answer_of

A = TypeVar("A")

JOB_POLL_SECONDS: Final = 0.2
JOB_APPEARS_SECONDS: Final = 15.0
"""How long after it was accepted a job may still be unknown to the service that counts it."""


def ask(question: Ask[A]) -> Steps[A]:
    """Send a call of ``labelmesh.api`` and return its answer.

    Raises:
        ApiError: The gateway refused; its subclasses tell what.
        UnreachableError: It does not answer.
    """
    response = yield question.call
    return question.read(answer_of(response))


def everything(listing: Callable[..., Ask[dict[str, Any]]], *args: Any, most: int | None = None) -> Steps[list[Any]]:
    """Return the items of all pages of a listing.

    >>> client.everything(api.datasets, "support")

    Args:
        listing: A function of ``labelmesh.api`` or ``labelmesh.workforce`` that takes ``cursor``.
        *args: What else it takes.
        most: Stop at this many items.

    Raises:
        ApiError: The gateway refused.
    """
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = yield from ask(listing(*args, cursor=cursor))
        items += page["items"]
        cursor = page["next"]
        if cursor is None or (most is not None and len(items) >= most):
            return items[:most]


def upload_file(project: str, path: Path, media_type: str | None = None) -> Steps[Upload]:
    """Upload a file to an address that the gateway signs; a sample then names the upload's id.

    Args:
        project: The project whose samples will have it.
        path: The file; it is streamed.
        media_type: Said to the gateway, which looks at the bytes all the same.

    Raises:
        ApiError: The gateway or the object store refused.
    """
    upload = yield from ask(api.create_upload(project, path.name, path.stat().st_size, media_type))
    if upload.url is not None:
        _accepted_by_store((yield Transfer(upload.method, upload.url, path)), f"to store {path}")
        return upload
    for part in upload.parts or ():
        sent = Transfer(upload.method, part.url, path, (part.number - 1) * (upload.part_size or 0), part.size)
        _accepted_by_store((yield sent), f"to store part {part.number} of {path}")
    yield from ask(api.complete_upload(upload.upload_id, upload.token or ""))
    return upload


def import_samples(
    project: str,
    source: Path | Iterable[Line],
    watch: Callable[[int], None] | None = None,
    *,
    due_at: datetime | None = None,
    replace_changed: bool = False,
) -> Steps[str]:
    """Stream samples and return the job's id.

    Args:
        project: The project.
        source: The path of an NDJSON, CSV (``.csv``, ``.tsv``) or Parquet file, or lines: objects, or their text.
        watch: Is told how many bytes were sent so far.
        due_at: Until when samples should have their labels of record whose lines do not say it; with a zone.
        replace_changed: Samples that have changed take the place of those before, as far as those may be replaced.

    Raises:
        ApiError: The gateway refused the whole; single lines are refused in the job.
    """
    call = stream(at("projects", project, "imports"), source, watch)
    return (yield from _job_of(for_import(call, due_at, replace_changed=replace_changed)))


def predict(project: str, source: Path | Iterable[Line], watch: Callable[[int], None] | None = None) -> Steps[str]:
    """Stream a model's predictions as NDJSON and return the job's id; arguments as of ``import_samples``."""
    return (yield from _job_of(stream(at("projects", project, "predictions"), source, watch)))


def wait_for(job_id: str, timeout: float = 60.0, watch: Callable[[Job], None] | None = None) -> Steps[Job]:
    """Return a job once it is not running any more; see its ``state`` and ``failed``.

    Args:
        job_id: The job.
        timeout: Seconds to wait at the most.
        watch: Is shown the job each time it was looked at.

    Raises:
        JobTimeoutError: It is still running after ``timeout`` seconds.
        NotFoundError: There is no such job, and none has appeared for a while.
    """
    started = time.monotonic()
    while True:
        waited = time.monotonic() - started
        try:
            job = yield from ask(api.job(job_id))
        except NotFoundError:
            if waited > min(JOB_APPEARS_SECONDS, timeout):
                raise
        else:
            if watch is not None:
                watch(job)
            if job.state != "running":
                return job
            if waited > timeout:
                raise JobTimeoutError(job_id, timeout)
        yield Pause(JOB_POLL_SECONDS)


def download_export(export_id: str, path: Path) -> Steps[int]:
    """Write an export's file to ``path``, whole or not at all, and return its size in bytes.

    Raises:
        ConflictError: The export is not done.
        ApiError: The gateway or the object store refused.
    """
    response = yield Call("GET", at("exports", export_id, "download"))
    answer_of(response)
    found = yield Transfer("GET", response.headers["location"], path)
    _accepted_by_store(found, f"to give {path.name}")
    return path.stat().st_size


def _job_of(call: Call) -> Steps[str]:
    answer = yield from ask(Ask(call, dict))
    return str(answer["job_id"])


def _accepted_by_store(response: httpx2.Response, what: str) -> None:
    if response.status_code >= 400:
        detail = f"The object store refused {what}: {response.text[:300]}"
        raise ApiError(response.status_code, {"type": "object-store", "title": "Not transferred", "detail": detail})
