"""Samples, one by one."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from services.gateway.context import Context, refuse
from services.gateway.idempotency import cause_of
from services.gateway.projects import ProjectId
from shared.events.samples import OnConflict
from shared.sample_lines import SampleBody, check_body, sample_submitted
from shared.security import MANAGERS, Principal, Role

SENDERS: Final[frozenset[Role]] = MANAGERS | {"integration"}


class Accepted(BaseModel):
    """The sample is in the log."""

    sample_id: str


def create_router(context: Context) -> APIRouter:
    """Return the routes by which samples come in."""
    router = APIRouter(prefix="/v1", tags=["samples"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/projects/{project}/samples", status_code=202)
    async def submit(
        project: ProjectId, body: SampleBody, caller: Caller, request: Request, on_conflict: OnConflict = "refuse"
    ) -> Accepted:
        """Add one sample; sent twice, it is one sample."""
        caller.require(SENDERS, project)
        version = await context.active_project(caller, project)
        searched = version.spec.searches_pii
        checked = await asyncio.to_thread(check_body, version, body) if searched else check_body(version, body)
        refuse(checked.faults, "The sample")
        envelope = context.envelope(caller, request, *cause_of(request))
        event = sample_submitted(version, checked, envelope, on_conflict=on_conflict)
        await context.write(event)
        return Accepted(sample_id=event.sample_id)

    return router
