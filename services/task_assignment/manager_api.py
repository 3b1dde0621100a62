"""What the gateway may ask of task assignment on behalf of managers, and of those who want an answer back."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_manager_router``.

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.task_assignment.hand import Hand
from services.task_assignment.store import Store
from shared.clock import from_ms
from shared.errors import NotFoundError
from shared.jobs import JobView
from shared.security import MANAGERS, WORKERS, Lease, Principal, sign_lease

CallerOf = Callable[[Request], Awaitable[Principal]]


class ForceReleaseBody(BaseModel):
    """Whose lease ends."""

    model_config = ConfigDict(extra="forbid")

    annotator_id: str | None = Field(None, description="Only this person's lease; by default everybody's.")
    reason: str = Field("", max_length=1000)


class ReassignBody(BaseModel):
    """Who gets a task, and from whom."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(description="Who gets it; they find it at their next claim.", examples=["ana"])
    holder: str | None = Field(None, description="From whom; by default a free slot, or the only one that is held.")


class ReopenBody(BaseModel):
    """Which answer of a task is opened again."""

    model_config = ConfigDict(extra="forbid")

    annotation_id: str


class LeaseView(BaseModel):
    """A lease as managers see it: without its token."""

    lease_id: str
    task: str
    stage: str
    project: str
    sample_id: str
    annotator_id: str
    expires_at: str


class LeasePage(BaseModel):
    """Live leases, and where the next page begins."""

    items: list[LeaseView]
    next: str | None = None


class Released(BaseModel):
    """The leases that were ended."""

    released: list[LeaseView]


class Reopened(BaseModel):
    """An answer that may be given once more, under a fresh token."""

    task: str
    annotation_id: str
    lease: dict[str, Any]


def create_manager_router(caller_of: CallerOf, hand: Hand, store: Store, lease_secret: str) -> APIRouter:
    """Return the routes.

    Args:
        caller_of: Tells who calls.
        hand: Does what is asked.
        store: Where jobs are.
        lease_secret: Signs tokens.
    """
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/leases")
    async def leases(
        caller: Caller,
        annotator: str | None = None,
        cursor: Annotated[str, Query(max_length=300)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> LeasePage:
        """Return the live leases, person by person; `limit` is how many people."""
        caller.require(MANAGERS | {"auditor"})
        found, behind = await hand.leases(caller, annotator, cursor, limit)
        return LeasePage(items=[_view(each) for each in found], next=behind or None)

    @router.post("/tasks/{task_id}/force-release")
    async def force_release(task_id: str, body: ForceReleaseBody, caller: Caller) -> Released:
        """End the leases of a task; what was sent before and not read yet is kept as surplus."""
        caller.require(MANAGERS)
        ended = await hand.force_release(caller, task_id, body.annotator_id)
        return Released(released=[_view(each) for each in ended])

    @router.post("/tasks/{task_id}/reassign")
    async def reassign(task_id: str, body: ReassignBody, caller: Caller) -> LeaseView:
        """Give a task to somebody."""
        caller.require(MANAGERS)
        return _view(await hand.reassign(caller, task_id, body.holder, body.to))

    @router.post("/tasks/{task_id}/reopen")
    async def reopen(task_id: str, body: ReopenBody, caller: Caller) -> Reopened:
        """Return a token under which the caller may change their answer."""
        caller.require(WORKERS)
        lease, _ = await hand.reopen(caller, task_id, body.annotation_id)
        token = {"token": sign_lease(lease_secret, lease), "expires_at": from_ms(lease.expires_ms).isoformat()}
        return Reopened(task=task_id, annotation_id=body.annotation_id, lease=token)

    @router.get("/jobs/{job_id}")
    async def job(job_id: str, caller: Caller) -> JobView:
        """Return how far the voiding of somebody's labels is."""
        caller.require(MANAGERS | {"auditor"})
        found = await store.job(caller.tenant_id, job_id)
        if found is None:
            raise NotFoundError(f"There is no job {job_id!r}; one can be read a moment after it was asked for.")
        return found

    return router


def _view(lease: Lease) -> LeaseView:
    return LeaseView(
        lease_id=lease.lease_id,
        task=lease.task_id,
        stage=lease.stage,
        project=lease.project_id,
        sample_id=lease.task_id.partition(".")[0],
        annotator_id=lease.annotator_id,
        expires_at=from_ms(lease.expires_ms).isoformat(),
    )
