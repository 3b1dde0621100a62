"""Imports: many samples at once, as a stream of lines or as a file that ingest reads."""

# The annotations of routes are evaluated here, for they name a type that is local to its function.

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.context import Context, refuse
from services.gateway.idempotency import cause_of
from services.gateway.lines import read_lines, write_lines
from services.gateway.projects import ProjectId
from services.gateway.samples import SENDERS
from shared.catalog import ProjectVersion
from shared.errors import BodyTooLargeError
from shared.events.imports import ImportFormat, ImportReceived, ImportRequested, ImportSource
from shared.events.samples import OnConflict
from shared.ids import derived_id, new_id
from shared.labels.faults import Fault
from shared.lines import Line, shape_faults
from shared.media import import_object
from shared.sample_lines import DueDate, line_event
from shared.security import Principal

_FILES: Final[dict[str, ImportFormat]] = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
}
"""Bodies that are put into the object store first: a table's lines depend on its beginning, or on its end."""
_SOURCE_NAMES: Final = frozenset(ImportSource.model_fields) - {"object"}
MAX_SOURCE_BYTES: Final = 64 * 1024


class JobAccepted(BaseModel):
    """The work is in the log; the job tells how far it is."""

    job_id: str
    lines: int | None = Field(None, description="The number of the last line; null for a file, which is read later.")


class Asked(BaseModel):
    """What holds for all samples of an import; the parameters of its request."""

    on_conflict: OnConflict = "refuse"
    due_at: DueDate | None = Field(None, description="The due date of samples whose lines give none of their own.")


class SourceBody(ImportSource):
    """The file, or the prefix of a bucket, that a request names."""

    model_config = ConfigDict(extra="forbid")

    def faults(self) -> list[Fault]:
        """Find what does not go together."""
        if (self.upload is None) == (self.prefix is None):
            message = "An import has one source: upload (a file of lines) or prefix (objects of a bucket)."
            return [Fault(pointer="", code="contradiction", message=message)]
        if self.prefix is None:
            wrong = {"follow_seconds": "only a prefix is followed"} if self.follow_seconds is not None else {}
        else:
            wrong = {"format": "the objects below a prefix are assets, not lines"} if self.format is not None else {}
        faults = [
            Fault(pointer=f"/{name}", code="contradiction", message=f"Leave {name} out: {why}.")
            for name, why in wrong.items()
        ]
        if self.prefix is not None and not re.fullmatch(r"s3://[^/]+/[!-~]*", self.prefix):
            message = "prefix must be like s3://bucket/path/, in printable ASCII; percent-encode other characters."
            faults.append(Fault(pointer="/prefix", code="malformed", message=message))
        return faults


def create_router(context: Context) -> APIRouter:
    """Return the route by which many samples come in."""
    router = APIRouter(prefix="/v1", tags=["samples"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/projects/{project}/imports", status_code=202)
    async def import_samples(
        project: ProjectId, caller: Caller, request: Request, asked: Annotated[Asked, Query()]
    ) -> JobAccepted:
        """Add many samples, one JSON object a line; lines with faults are refused one by one.

        A body of `text/csv` or `application/vnd.apache.parquet` is a table with a sample a row. A body of
        `{"upload": …}` names a file to import, `{"prefix": "s3://…"}` objects of a registered bucket.
        """
        caller.require(SENDERS, project)
        version = await context.active_project(caller, project)
        cause = cause_of(request)
        job_id = f"ingest-{derived_id(caller.tenant_id, *cause) if cause else new_id()}"
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if (file_format := _FILES.get(media_type)) is not None:
            place = import_object(caller.tenant_id, job_id)
            await context.media.put_stream(place, _limited(request, context.settings.max_import_bytes), media_type)
            source: ImportSource | None = ImportSource(object=place, format=file_format)
            lines: AsyncIterator[list[Line]] | None = None
        else:
            lines, source = await _look(read_lines(request, context.settings.max_line_bytes))
        if source is not None:
            return await _request(context, caller, request, version, job_id, source, asked)
        return await _stream(context, caller, request, version, job_id, lines, asked)

    return router


async def _stream(
    context: Context,
    caller: Principal,
    request: Request,
    version: ProjectVersion,
    job_id: str,
    lines: Any,
    asked: Asked,
) -> JobAccepted:
    envelope = context.envelope(caller, request, "import", job_id)
    limit, wanted = context.settings.max_line_bytes, dict(asked)
    total, last = await write_lines(
        context,
        lines,
        lambda line: line_event(version, line, envelope, job_id, max_line_bytes=limit, **wanted),
        is_slow=version.spec.searches_pii,
    )
    received = ImportReceived(**envelope, job_id=job_id, project_id=version.project_id, lines=total, last_line=last)
    await context.write(received)
    return JobAccepted(job_id=job_id, lines=last)


async def _request(
    context: Context,
    caller: Principal,
    request: Request,
    version: ProjectVersion,
    job_id: str,
    source: ImportSource,
    asked: Asked,
) -> JobAccepted:
    requested = ImportRequested(
        **context.envelope(caller, request, "import-requested", job_id),
        job_id=job_id,
        project_id=version.project_id,
        project_version=version.number,
        source=source,
        **dict(asked),
    )
    await context.write(requested)
    return JobAccepted(job_id=job_id)


async def _look(lines: AsyncIterator[list[Line]]) -> tuple[AsyncIterator[list[Line]], ImportSource | None]:
    """Tell a body that names a file from one of lines: it is one object, over however many lines, without a sample."""
    first: list[Line] = await anext(lines, [])
    second = await anext(lines, None)

    async def all_lines() -> AsyncIterator[list[Line]]:
        for some in (first, second):
            if some:
                yield some
        async for some in lines:
            yield some

    whole = b"\n".join(line.text for line in first)
    if second is not None or len(whole) > MAX_SOURCE_BYTES or not re.match(rb"\s*\{", whole):
        return all_lines(), None
    try:
        found = orjson.loads(whole)
    except orjson.JSONDecodeError:
        return all_lines(), None
    if not isinstance(found, dict) or not found.keys() & _SOURCE_NAMES or "assets" in found:
        return all_lines(), None
    return all_lines(), _read_source(found)


def _read_source(found: dict[str, Any]) -> ImportSource:
    try:
        body = SourceBody.model_validate({name: each for name, each in found.items() if name != "object"})
    except ValidationError as error:
        refuse(shape_faults(error), "The import")
        raise
    refuse(body.faults(), "The import")
    return ImportSource(**body.model_dump())


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        if read > limit:
            raise BodyTooLargeError(f"A table may have {limit} bytes; split it, or import it from the object store.")
        yield chunk
