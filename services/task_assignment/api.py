"""What the gateway may ask of task assignment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.task_assignment.claims import ClaimRequest
from services.task_assignment.desk import Desk
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.guidelines import what_to_read
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.skips import returns_ms
from services.task_assignment.domain.tasks import EndedHow, SampleTasks, key_of_task
from services.task_assignment.hand import Hand, Workload
from services.task_assignment.leases import Granted, prolonged_until, released, skipped
from services.task_assignment.progress_view import Progress, progress_of
from services.task_assignment.store import Store
from shared.clock import Clock, from_ms, to_ms
from shared.direct import DirectRoute
from shared.errors import LeaseLostError, NotFoundError
from shared.events import Event
from shared.events.tasks import Stage
from shared.http import ANSWERED_LEASES, OrjsonResponse
from shared.ids import sample_of_task
from shared.labels.taxonomy.migrating import bindings_of
from shared.languages import preferred_languages
from shared.security import MANAGERS, READERS, WORKERS, Lease, Principal, read_lease, sign_lease
from shared.service import Service

log = structlog.get_logger()


class ClaimBody(BaseModel):
    """What somebody asks for."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(1, ge=1, le=20, description="How many tasks at most, those already held included.")
    project: str | None = Field(None, description="Only this project.")
    stages: list[Stage] = Field([], description="Only these stages; empty: all that your roles allow.")
    languages: list[str] = Field([], description="Only samples in these languages; empty: all that you speak.")


class AnnotatorView(Annotator):
    """An annotator, and how much they have done: what a person's pay may follow from."""

    workload: dict[str, Workload] = Field(description="By project.")


class SkipBody(BaseModel):
    """Why somebody skips a task."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=1000)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    service: Service
    store: Store
    board: Board
    desk: Desk
    hand: Hand
    lease_secret: str
    clock: Clock

    async def sample_of(self, principal: Principal, task_id: str) -> SampleTasks:
        """Return the sample that a task is about.

        Raises:
            NotFoundError: The tenant has no such task.
        """
        id_ = f"{principal.tenant_id}/{sample_of_task(task_id)}"
        found = (await self.store.samples([id_])).get(id_)
        if found is None or found.sample.find(task_id) is None:
            raise NotFoundError(f"There is no task {task_id!r}; claim one.")
        principal.require(principal.roles, found.sample.project_id)
        return found.sample

    async def known_sample(self, principal: Principal, sample_id: str) -> SampleTasks:
        """Return a sample that has been ingested.

        Raises:
            NotFoundError: The tenant has no such sample, or it has been rejected.
        """
        id_ = f"{principal.tenant_id}/{sample_id}"
        found = (await self.store.samples([id_])).get(id_)
        if found is None or found.sample.rejected:
            raise NotFoundError(f"There is no sample {sample_id!r} to label; it may not be ingested yet.")
        principal.require(principal.roles, found.sample.project_id)
        return found.sample

    async def give_back(self, principal: Principal, token: str, task_id: str, how: EndedHow) -> None:
        """Free the slot that a token is for. Asked again, it tells the same again and changes nothing.

        Raises:
            LeaseLostError: The lease has ended otherwise, or was never the caller's.
        """
        lease = read_lease(self.lease_secret, token, principal, task_id)
        spec = self.service.catalog.version(lease.tenant_id, lease.project_id, lease.project_version).spec
        returns = returns_ms(spec.assignment.skip, to_ms(self.clock()))
        if not await self.store.give_back(lease, how, returns) and not await self._ended_so(lease, how):
            raise LeaseLostError(f"You do not hold task {task_id} any more; there is nothing to give back.")
        await self.look_again(lease)
        told: list[Event] = [released(lease, how, self.clock())]
        await self.service.producer.publish([*told, skipped(lease, self.clock())] if how == "skipped" else told)
        if how == "skipped":
            await self.hand.after_skip(lease)

    async def _ended_so(self, lease: Lease, how: EndedHow) -> bool:
        """Return whether a lease was given back in this very way already."""
        id_ = f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"
        found = (await self.store.samples([id_])).get(id_)
        task = None if found is None else found.sample.tasks.get(key_of_task(lease.task_id))
        ended = None if task is None else task.end_of(lease.lease_id)
        return ended is not None and ended.how == how

    async def look_again(self, lease: Lease) -> None:
        """Bring the board in step with a document that was changed here."""
        for stored in (await self.store.samples([f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"])).values():
            self.board.put(stored.sample, stored.revision)


def create_router(parts: Parts) -> APIRouter:
    """Return task assignment's routes."""
    router = APIRouter(prefix="/v1")
    _add_claims(router, parts)
    _add_leases(router, parts)
    _add_reads(router, parts)
    return router


def _add_claims(router: APIRouter, parts: Parts) -> None:
    Caller = Annotated[Principal, Depends(parts.service.caller)]  # noqa: N806 - a type that needs the service
    Answered = Annotated[str, Header(alias=ANSWERED_LEASES)]  # noqa: N806 - as above

    @router.post("/tasks/claim")
    async def claim(body: ClaimBody, caller: Caller, request: Request, answered: Answered = "") -> Response:
        """Return the caller's live leases, then new ones."""
        return await _claim(parts, caller, body, request, answered)

    @router.get("/tasks")
    async def mine(caller: Caller, request: Request) -> Response:
        """Return the tasks that the caller holds."""
        caller.require(WORKERS)
        granted = await parts.desk.held(caller)
        return OrjsonResponse({"items": await _task_views(granted, parts, caller, request), "next": None})


def create_direct_routes(parts: Parts) -> list[DirectRoute]:
    """Return the claim as it is answered beside the framework; see ``DirectRoutes``."""

    async def claim(request: Request, body: bytes, _: Mapping[str, str]) -> Response | None:
        try:
            asked = ClaimBody.model_validate_json(body)
        except ValidationError:
            return None
        caller = await parts.service.caller(request)
        return await _claim(parts, caller, asked, request, request.headers.get(ANSWERED_LEASES, ""))

    return [DirectRoute("/v1/tasks/claim", claim)]


async def _claim(parts: Parts, caller: Principal, body: ClaimBody, request: Request, answered: str) -> Response:
    caller.require(WORKERS, body.project)
    answer = await parts.desk.claim(
        ClaimRequest(
            principal=caller,
            count=body.count,
            project=body.project,
            stages=frozenset(body.stages),
            languages=frozenset(body.languages),
            request_id=request.state.request_id,
            answered=frozenset(answered.split(",")),
        )
    )
    tasks = await _task_views(answer.granted, parts, caller, request)
    wait = max(1, round(answer.retry_after.total_seconds()))
    empty = {} if tasks else {"reason": answer.reason or "no-open-tasks", "retry_after": wait}
    return OrjsonResponse({"tasks": tasks, **empty})


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
        return OrjsonResponse(_lease_view(prolonged, parts) | {"assets": _links(sample, parts)})

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
        parts.service.catalog.latest(caller.tenant_id, project)
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


async def _task_views(
    granted: Sequence[Granted], parts: Parts, caller: Principal, request: Request
) -> list[dict[str, Any]]:
    """Show tasks, and where their fields take labels from a taxonomy, what these mean in the caller's language."""
    views = [_task_view(each, parts) for each in granted]
    catalog = parts.service.catalog
    specs = [catalog.version(caller.tenant_id, view["project"], view["project_version"]).spec for view in views]
    if not any(bindings_of(spec) for spec in specs):
        return views
    languages = preferred_languages(request.headers.get("accept-language", ""))
    if not languages:
        id_ = f"{caller.tenant_id}/{caller.subject}"
        known = (await parts.store.annotators([id_])).get(id_)
        languages = [] if known is None or known.profile is None else list(known.profile.languages)
    for view, spec in zip(views, specs, strict=True):
        view["taxonomies"] = catalog.taxonomies.served(caller.tenant_id, spec, languages)
    return views


def _task_view(granted: Granted, parts: Parts) -> dict[str, Any]:
    lease, sample = granted.lease, granted.sample
    version = parts.service.catalog.version(sample.tenant_id, sample.project_id, sample.project_version)
    task = sample.tasks[key_of_task(lease.task_id)]
    assets = {slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in sample.assets.items()}
    for slot, link in _links(sample, parts).items():
        assets[slot] |= link
    return {
        "task": lease.task_id,
        "stage": lease.stage,
        "project": sample.project_id,
        "project_version": sample.project_version,
        "sample": {
            "sample_id": sample.sample_id,
            "external_id": sample.external_id,
            "language": sample.language,
            "metadata": sample.metadata,
            "due_at": from_ms(sample.until_ms).isoformat() if sample.until_ms else None,
        },
        "assets": assets,
        "fields": version.raw["fields"],
        "guidelines": what_to_read(version.spec.guidelines, version.guideline_version, granted.seen),
        "predictions": sample.predictions,
        "proposal": task.proposal,
        "reason": task.reason,
        "lease": _lease_view(lease, parts),
    }


def _facts(sample: SampleTasks) -> Response:
    assets = {slot: facts.model_dump(mode="json") for slot, facts in sample.assets.items()}
    version = {"project": sample.project_id, "project_version": sample.project_version, "language": sample.language}
    return OrjsonResponse({**version, "assets": assets, "metadata": sample.metadata})


def _lease_view(lease: Lease, parts: Parts) -> dict[str, Any]:
    return {"token": sign_lease(parts.lease_secret, lease), "expires_at": from_ms(lease.expires_ms).isoformat()}


def _links(sample: SampleTasks, parts: Parts) -> dict[str, dict[str, str]]:
    return {
        slot: {"url": parts.service.media.asset_link(facts)}
        for slot, facts in sample.assets.items()
        if facts.object is not None
    }
