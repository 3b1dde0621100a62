"""The manager's hand: leases ended and given to others, labels voided; and an answer taken up again by its author."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.access import AnnotatorId
from services.gateway.context import Context
from services.gateway.idempotency import cause_of
from shared.errors import ForbiddenError
from shared.events.tasks import AnnotatorVoided
from shared.ids import derived_id, new_id
from shared.security import MANAGERS, WORKERS, Principal


class VoidBody(BaseModel):
    """Why somebody's labels and verdicts are dropped, and which."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000, examples=["answers without looking"])
    project: str | None = Field(None, description="Only those of this project.")


class VoidAccepted(BaseModel):
    """The job that drops them."""

    job_id: str


def create_router(context: Context) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/v1", tags=["manager"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/tasks/{task_id}/force-release")
    async def force_release(task_id: str, caller: Caller, request: Request) -> Response:
        """End the leases of a task; `annotator_id` in the body: only that person's."""
        caller.require(MANAGERS)
        return await context.inner.forward("task_assignment", caller, request)

    @router.post("/tasks/{task_id}/reassign")
    async def reassign(task_id: str, caller: Caller, request: Request) -> Response:
        """Give a task to somebody (`to`): a free slot, or that of its `holder`."""
        caller.require(MANAGERS)
        return await context.inner.forward("task_assignment", caller, request)

    @router.post("/annotators/{annotator_id}/void", status_code=202)
    async def void(annotator_id: AnnotatorId, body: VoidBody, caller: Caller, request: Request) -> VoidAccepted:
        """Drop the labels and verdicts that somebody has given until now, and have that work done anew: a job."""
        caller.require(MANAGERS, body.project)
        if body.project is not None:
            await context.catalog.newest(caller.tenant_id, body.project)
        elif caller.projects:
            raise ForbiddenError("Your key is for some projects only; name one of them as `project`.")
        cause = cause_of(request)
        job_id = f"task_assignment-{derived_id(caller.tenant_id, *cause) if cause else new_id()}"
        event = AnnotatorVoided(
            **context.envelope(caller, request, *cause),
            annotator_id=annotator_id,
            only_project=body.project,
            reason=body.reason,
            job_id=job_id,
        )
        await context.write(event)
        return VoidAccepted(job_id=job_id)

    @router.post("/annotations/{annotation_id}/reopen")
    async def reopen(annotation_id: str, caller: Caller, request: Request) -> Response:
        """Take an own answer up again until it is judged: a fresh token, under which it is submitted once more."""
        caller.require(WORKERS)
        found = await context.inner.ask("annotation_store", "GET", f"/v1/annotations/{annotation_id}", caller, request)
        if not found.ok:
            return found.response()
        path = f"/v1/tasks/{found.json()['task_id']}/reopen"
        body = ReopenAsked(annotation_id=annotation_id).model_dump_json().encode()
        is_json = {"content-type": "application/json"}  # the client's own request has no body, and so no type
        answer = await context.inner.ask(
            "task_assignment", "POST", path, caller, request, body=body, extra_headers=is_json
        )
        return answer.response()

    return router


class ReopenAsked(BaseModel):
    """What task assignment is asked."""

    annotation_id: str
