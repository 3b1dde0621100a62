"""Jobs: how far they are, what failed in them, and an end to those that nobody wants any more."""

# The annotations of routes are evaluated here, for they name a type that is local to its function.

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from services.gateway.context import Context
from services.gateway.idempotency import cause_of
from services.gateway.inner import Answer
from services.gateway.samples import SENDERS
from shared.errors import ConflictError, NotFoundError
from shared.events.imports import ImportCancelled
from shared.http import NEXT_LINE
from shared.security import Principal

JOB_OWNERS: Final = frozenset({"annotation_store", "ingest", "task_assignment", "versioning", "feedback"})
NDJSON: Final = "application/x-ndjson"


def create_router(context: Context) -> APIRouter:
    """Return the routes of jobs; the first part of a job's id is the service that does it."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context
    After = Annotated[int, Query(ge=0, description="Only lines after this one.")]  # noqa: N806 - as above

    @router.get("/{job_id}")
    async def job(job_id: str, request: Request, caller: Caller) -> Response:
        """How far a job is, and what came of it."""
        return await context.inner.forward(_owner(job_id), caller, request)

    @router.get("/{job_id}/errors")
    async def job_errors(job_id: str, request: Request, caller: Caller, after: After = 0) -> Response:
        """The lines that failed, as NDJSON, each as it was sent and with its faults.

        Correct `source` of each and send the list as an import.
        """
        return await _pages(context, caller, request, job_id, "errors", after)

    @router.get("/{job_id}/lines")
    async def job_lines(job_id: str, request: Request, caller: Caller, after: After = 0) -> Response:
        """What became of each line, as NDJSON: `{line, outcome}`."""
        return await _pages(context, caller, request, job_id, "lines", after)

    @router.post("/{job_id}/cancel", status_code=202)
    async def cancel(job_id: str, request: Request, caller: Caller) -> Response:
        """Stop an import: what it has brought stays, the rest is left out."""
        owner = _owner(job_id)
        found = await context.inner.ask(owner, "GET", f"/v1/jobs/{job_id}", caller, request)
        if not found.ok:
            return found.response()
        known = found.json()
        if owner != "ingest" or known["state"] not in {"running", "following"}:
            raise ConflictError(f"Job {job_id} is {known['state']}; only an import that goes on can be cancelled.")
        caller.require(SENDERS, known["project_id"])
        cancelled = ImportCancelled(
            **context.envelope(caller, request, *(cause_of(request) or ("cancel", job_id))),
            job_id=job_id,
            project_id=known["project_id"],
            cancelled_by=caller.subject,
        )
        await context.write(cancelled)
        return Response(status_code=202)

    return router


def _owner(job_id: str) -> str:
    owner = job_id.partition("-")[0]
    if owner not in JOB_OWNERS:
        raise NotFoundError(f"There is no job {job_id!r}; the answer that began it tells its id.")
    return owner


async def _pages(context: Context, caller: Principal, request: Request, job_id: str, what: str, after: int) -> Response:
    """Answer with one page after the other, so that a list of any length passes through in bounded memory."""
    owner = _owner(job_id)

    async def page(from_line: str) -> Answer:
        return await context.inner.ask(owner, "GET", f"/v1/jobs/{job_id}/{what}?after={from_line}", caller, request)

    first = await page(str(after))
    if not first.ok:
        return first.response()

    async def pages() -> AsyncIterator[bytes]:
        shown = first
        yield shown.body
        while (following := shown.headers.get(NEXT_LINE)) is not None:
            shown = await page(following)
            if not shown.ok:  # the head is sent already, so the reader learns of it by a body that breaks off
                raise ConnectionError(f"{owner} does not go on with the list of {job_id}")
            yield shown.body

    return StreamingResponse(pages(), media_type=NDJSON)
