"""Erasure: a sample that has to be forgotten, wherever it went."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from services.gateway.context import Context
from services.gateway.imports import JobAccepted
from shared.events.erasure import SampleErased
from shared.http import OrjsonResponse
from shared.ids import derived_id
from shared.security import MANAGERS, Principal


def create_router(context: Context) -> APIRouter:
    """Return the route by which samples are erased."""
    router = APIRouter(prefix="/v1", tags=["samples"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.delete("/samples/{sample_id}", status_code=202, response_model=JobAccepted)
    async def erase(sample_id: str, caller: Caller, request: Request) -> Response:
        """Erase a sample everywhere: media, previews, labels, drafts, predictions.

        Asked for again, it is the same job. The job tells which services have forgotten the sample, and which frozen
        datasets hold it.
        """
        found = await context.inner.ask("ingest", "GET", f"/v1/samples/{sample_id}", caller, request)
        job_id = f"ingest-erase-{derived_id(caller.tenant_id, 'erase', sample_id)}"
        if found.ok:
            project_id = found.json()["project_id"]
            caller.require(MANAGERS, project_id)
            erased = SampleErased(
                **context.envelope(caller, request, "erase", sample_id),
                sample_id=sample_id,
                project_id=project_id,
                job_id=job_id,
                erased_by=caller.subject,
            )
            await context.write(erased)
        elif found.status == 410:
            caller.require(MANAGERS)
        else:
            return found.response()
        return OrjsonResponse(JobAccepted(job_id=job_id).model_dump(), 202)

    return router
