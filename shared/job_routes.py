"""What the gateway may ask of a service about its jobs of many lines."""

# The annotations of routes are evaluated here, for they name a type that is local to its function.

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from shared.clock import utc_now
from shared.http import NEXT_LINE
from shared.job_errors import JobErrors
from shared.jobs import JobPart, JobView, read_errors, read_job, read_lines
from shared.ledger import Ledger
from shared.security import Principal

NDJSON: Final = "application/x-ndjson"
PAGE_BYTES: Final = 1024 * 1024
PAGE_LINES: Final = 20_000


def add_job_routes(
    router: APIRouter, caller: Callable[[Request], Awaitable[Principal]], jobs: Ledger[JobPart], errors: JobErrors
) -> None:
    """Add the routes by which jobs are read."""
    Caller = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type that needs the service
    After = Annotated[int, Query(ge=0)]  # noqa: N806 - short for a long name

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: str, caller: Caller) -> JobView:
        """Return how far a job is."""
        return await read_job(jobs, caller.tenant_id, job_id, utc_now())

    @router.get("/jobs/{job_id}/errors")
    async def get_job_errors(job_id: str, caller: Caller, after: After = 0) -> Response:
        """Return failed lines as NDJSON; each can be corrected and sent again."""
        page = bytearray()
        async for error in read_errors(jobs, errors, caller.tenant_id, job_id, after):
            page += orjson.dumps(error.model_dump(mode="json")) + b"\n"
            if len(page) >= PAGE_BYTES:
                return Response(bytes(page), media_type=NDJSON, headers={NEXT_LINE: str(error.line)})
        return Response(bytes(page), media_type=NDJSON)

    @router.get("/jobs/{job_id}/lines")
    async def get_job_lines(job_id: str, caller: Caller, after: After = 0) -> Response:
        """Return what became of each line as NDJSON."""
        page, count = bytearray(), 0
        async for line, outcome in read_lines(jobs, caller.tenant_id, job_id, after):
            page += orjson.dumps({"line": line, "outcome": outcome}) + b"\n"
            count += 1
            if count >= PAGE_LINES:
                return Response(bytes(page), media_type=NDJSON, headers={NEXT_LINE: str(line)})
        return Response(bytes(page), media_type=NDJSON)
