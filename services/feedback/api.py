"""What the gateway may ask of feedback."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_router``.

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request

from services.feedback.domain.finding import Finding
from services.feedback.store import FeedbackStore, FindingCursor
from services.feedback.views import (
    FindingPage,
    FindingView,
    ModelErrorsPage,
    finding_view,
    model_errors_view,
)
from shared.errors import InvalidBodyError, NotFoundError
from shared.job_errors import JobErrors
from shared.job_routes import add_job_routes
from shared.jobs import JobPart
from shared.labels.faults import Fault
from shared.ledger import Ledger
from shared.security import READERS, Principal

CallerOf = Callable[[Request], Awaitable[Principal]]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]


def create_router(
    caller: CallerOf, store: FeedbackStore, findings: Ledger[Finding], jobs: Ledger[JobPart], errors: JobErrors
) -> APIRouter:
    """Return feedback's routes."""
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/projects/{project_id}/errors")
    async def get_errors(
        project_id: str, caller: Caller, model: str | None = None, limit: Limit = 50, cursor: Cursor = None
    ) -> ModelErrorsPage:
        """Return how models do, per version and field."""
        caller.require(READERS, project_id)
        beginning = f"{caller.tenant_id}/{project_id}/"
        found = await store.models(caller.tenant_id, project_id, model, beginning + (cursor or ""), limit)
        following = found[-1].model_key.removeprefix(beginning) if len(found) == limit else None
        return ModelErrorsPage(items=[model_errors_view(each) for each in found], next=following)

    @router.get("/projects/{project_id}/findings")
    async def list_findings(
        project_id: str,
        caller: Caller,
        model: str | None = None,
        state: Literal["open", "closed"] | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> FindingPage:
        """List what models err in."""
        caller.require(READERS, project_id)
        found = await store.findings(
            caller.tenant_id,
            project_id,
            model=model,
            is_open=None if state is None else state == "open",
            after=None if cursor is None else _cursor(cursor),
            limit=limit,
        )
        following = f"{found[-1].opened_ms}.{found[-1].finding_id}" if len(found) == limit else None
        return FindingPage(items=[finding_view(each) for each in found], next=following)

    @router.get("/projects/{project_id}/findings/{finding_id}")
    async def get_finding(project_id: str, finding_id: str, caller: Caller) -> FindingView:
        """Return a finding."""
        caller.require(READERS, project_id)
        key = f"{caller.tenant_id}/{finding_id}"
        found = (await findings.read([key])).get(key)
        if found is None or found.project_id != project_id:
            raise NotFoundError(f"Project {project_id} has no finding {finding_id!r}; GET …/findings lists them.")
        return finding_view(found)

    add_job_routes(router, caller, jobs, errors)
    return router


def _cursor(cursor: str) -> FindingCursor:
    stamp, _, finding_id = cursor.partition(".")
    if not stamp.isdecimal():
        fault = Fault(pointer="/cursor", code="malformed", message="This is no cursor; send `next` unchanged.")
        raise InvalidBodyError("The cursor is not one that a page gave.", faults=[fault])
    return FindingCursor(int(stamp), finding_id)
