"""What the gateway may ask of task assignment."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.tasks import SampleTasks
from services.task_assignment.hand import Workload
from services.task_assignment.leases import prolonged_until
from services.task_assignment.parts import Parts
from services.task_assignment.progress_view import Progress, progress_of
from services.task_assignment.task_views import lease_view, links, task_views
from shared.clock import to_ms
from shared.errors import LeaseLostError, NotFoundError
from shared.http import OrjsonResponse
from shared.security import MANAGERS, READERS, WORKERS, Principal, read_lease

log = structlog.get_logger()


class AnnotatorView(Annotator):
    """An annotator, and how much they have done: what a person's pay may follow from."""

    workload: dict[str, Workload] = Field(description="By project.")


class SkipBody(BaseModel):
    """Why somebody skips a task."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=1000)


def create_router(parts: Parts) -> APIRouter:
    """Return task assignment's routes."""
    router = APIRouter(prefix="/v1")
    _add_held(router, parts)
    _add_leases(router, parts)
    _add_reads(router, parts)
    return router


def _add_held(router: APIRouter, parts: Parts) -> None:
    Caller = Annotated[Principal, Depends(parts.service.caller)]  # noqa: N806 - a type that needs the service

    @router.get("/tasks")
    async def mine(caller: Caller, request: Request) -> Response:
        """Return the tasks that the caller holds."""
        caller.require(WORKERS)
        granted = await parts.desk.held(caller)
        return OrjsonResponse(
            {
                "items": await task_views(granted, parts, caller, request.headers.get("accept-language", "")),
                "next": None,
            }
        )


def _add_leases(router: APIRouter, parts: Parts) -> None:
    Caller = Annotated[Principal, Depends(parts.service.caller)]  # noqa: N806 - a type that needs the service
    LeaseToken = Annotated[str, Header(alias="Lease-Token")]  # noqa: N806 - as above

    @router.post("/tasks/{task_id}/heartbeat")
    async def heartbeat(task_id: str, token: LeaseToken, caller: Caller) -> Response:
        """Prolong a live lease: the new token replaces the old one."""
        lease = read_lease(parts.lease_secret, token, caller, task_id)
        sample = await parts.sample_of(caller, task_id)
        spec = parts.service.catalog.version(sample.tenant_id, sample.project_id, sample.project_version).spec
        now_ms = to_ms(parts.clock())
        prolonged = lease.model_copy(update={"expires_ms": prolonged_until(lease, spec.workflow, now_ms)})
        if not await parts.store.extend(lease, now_ms, prolonged.expires_ms):
            raise LeaseLostError(f"You do not hold task {task_id} any more; claim again.")
        await parts.look_again(lease)
        return OrjsonResponse(lease_view(prolonged, parts) | {"assets": links(sample, parts)})

    @router.post("/tasks/{task_id}/release", status_code=204)
    async def release(task_id: str, token: LeaseToken, caller: Caller) -> None:
        """Give a task back; it is served to others at once."""
        await parts.give_back(caller, token, task_id, "released")

    @router.post("/tasks/{task_id}/skip", status_code=204)
    async def skip(task_id: str, token: LeaseToken, caller: Caller, body: SkipBody) -> None:
        """Give a task back, and do not get it again, or not soon: as the project's policy has it."""
        log.info("task_skipped", task=task_id, annotator=caller.subject, reason=body.reason)
        await parts.give_back(caller, token, task_id, "skipped")


def _add_reads(router: APIRouter, parts: Parts) -> None:
    Caller = Annotated[Principal, Depends(parts.service.caller)]  # noqa: N806 - a type that needs the service

    @router.get("/samples/{sample_id}/facts")
    async def sample_facts(sample_id: str, caller: Caller) -> Response:
        """Return what an answer to the sample is checked against, for who has no task of it."""
        return _facts(await parts.known_sample(caller, sample_id))

    @router.get("/tasks/{task_id}/facts")
    async def facts(task_id: str, caller: Caller) -> Response:
        """Return what an answer to the task is checked against."""
        return _facts(await parts.sample_of(caller, task_id))

    @router.get("/projects/{project}/progress")
    async def progress(project: str, caller: Caller) -> Progress:
        """Return how far a project is, and what is to be expected of it."""
        caller.require(READERS | WORKERS, project)
        await parts.service.catalog.newest(caller.tenant_id, project)
        scopes = (Scope(caller.tenant_id, project, each) for each in range(parts.service.settings.partitions))
        figures = Figures.sum_of((await parts.store.figures(scopes)).values())
        id_ = f"{caller.tenant_id}/{project}"
        alarms, _ = (await parts.store.alarms([id_]))[id_]
        return progress_of(project, figures, alarms, to_ms(parts.clock()))

    @router.get("/annotators/{annotator_id}")
    async def annotator(annotator_id: str, caller: Caller) -> AnnotatorView:
        """Return an annotator's profile, measured skill and workload."""
        if annotator_id != caller.subject:
            caller.require(MANAGERS | {"auditor"})
        id_ = f"{caller.tenant_id}/{annotator_id}"
        found = (await parts.store.annotators([id_])).get(id_)
        if found is None:
            raise NotFoundError(f"Nobody has declared an annotator {annotator_id!r}; PUT the profile first.")
        workload = await parts.hand.workload(caller.tenant_id, annotator_id)
        return AnnotatorView(**dict(found), workload=workload)


def _facts(sample: SampleTasks) -> Response:
    assets = {slot: facts.model_dump(mode="json") for slot, facts in sample.assets.items()}
    version = {"project": sample.project_id, "project_version": sample.project_version, "language": sample.language}
    return OrjsonResponse({**version, "assets": assets, "metadata": sample.metadata})
