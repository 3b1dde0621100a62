"""Projects: published, checked, read, paused."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.gateway.context import Context, read_body, refuse
from services.gateway.idempotency import cause_of
from services.gateway.preconditions import based_on, changed
from services.gateway.project_changes import Changes, LabelsHeld, changes_by
from shared.catalog import ProjectVersion
from shared.errors import ConflictError, InvalidBodyError, MalformedBodyError, NotFoundError, UnavailableError
from shared.events.projects import (
    ProjectPaused,
    ProjectPublished,
    ProjectRefused,
    ProjectState,
    ProjectStateRequested,
    ProjectVersioned,
)
from shared.http import OrjsonResponse
from shared.labels.canonical import content_hash
from shared.labels.faults import Fault
from shared.labels.project import ProjectSpec, SpecCheck, SpecSyntaxError, parse_spec_text
from shared.labels.schema import answer_schema
from shared.labels.spec_changes import Difference
from shared.labels.taxonomy.binding import check_bound_spec
from shared.security import MANAGERS, READERS, WORKERS, Principal

ProjectId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Lower case, digits and hyphens.")]


class ProjectView(BaseModel):
    """One version of a project."""

    project: str
    version: int
    state: ProjectState
    published_by: str
    published_at: str
    guideline_version: int = Field(description="Grows when the guidelines say something else.")
    spec: dict[str, Any]
    answer_schema: dict[str, Any] | None = Field(None, description="JSON Schema of an answer's fields.")


class Findings(BaseModel):
    """What a check of a spec found."""

    valid: bool
    faults: list[Fault]
    warnings: list[Fault]
    changes: Literal["new-project", "no-change", "new-version"] | None = Field(description="What publishing would do.")
    next_version: int | None
    differences: list[Difference] = Field([], description="What a new version would change, by place.")
    labels: LabelsHeld | None = Field(None, description="The labels of record that the counts are from.")


def create_router(context: Context) -> APIRouter:
    """Return the routes about projects."""
    router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.put("/{project}", status_code=201, response_model=ProjectView)
    async def publish(project: ProjectId, caller: Caller, request: Request) -> Response:
        """Publish a project spec (YAML or JSON): a new version when the project exists, 200 when nothing changed."""
        caller.require(MANAGERS, project)
        _refuse_taken(context, caller, project)
        spec = await _read_spec(context, caller, request)
        return await _publish(context, project, spec, caller, request)

    @router.post("/{project}/check")
    async def check(project: ProjectId, caller: Caller, request: Request) -> Findings:
        """Check a spec and change nothing: all faults, and what a new version would do to labels that exist."""
        caller.require(MANAGERS | READERS, project)
        _refuse_taken(context, caller, project)
        found = await _check_body(context, caller, request)
        latest = _latest(context, caller, project)
        if found.spec is None:
            return _findings(found.faults, found.warnings)
        same = latest is not None and latest.spec == found.spec
        changes = "new-project" if latest is None else "no-change" if same else "new-version"
        number = 1 if latest is None else latest.number + (not same)
        told = Changes()
        if latest is not None and not same:
            told = await changes_by(context, caller, request, latest, found.spec)
        return Findings(
            valid=True,
            faults=[],
            warnings=list(found.warnings),
            changes=changes,
            next_version=number,
            differences=told.differences,
            labels=told.labels,
        )

    @router.get("")
    async def list_projects(caller: Caller) -> dict[str, Any]:
        """Return the newest version of each of the tenant's projects."""
        caller.require(READERS | WORKERS)
        names = context.catalog.projects(caller.tenant_id)
        visible = [name for name in names if not caller.projects or name in caller.projects]
        return {
            "items": [_view(context, context.catalog.latest(caller.tenant_id, name), full=False) for name in visible],
            "next": None,
        }

    @router.get("/{project}", response_model=ProjectView)
    async def read(project: ProjectId, caller: Caller) -> Response:
        """Return a project's newest version."""
        caller.require(READERS | WORKERS, project)
        return _shown(context, await context.catalog.newest(caller.tenant_id, project))

    @router.get("/{project}/versions")
    async def versions(project: ProjectId, caller: Caller) -> dict[str, Any]:
        """Return a project's versions, the newest first."""
        caller.require(READERS | WORKERS, project)
        await context.catalog.newest(caller.tenant_id, project)
        found = context.catalog.versions(caller.tenant_id, project)
        return {"items": [_view(context, each, full=False) for each in reversed(found)], "next": None}

    @router.get("/{project}/versions/{number}", response_model=ProjectView)
    async def version(project: ProjectId, number: int, caller: Caller) -> Response:
        """Return one version of a project."""
        caller.require(READERS | WORKERS, project)
        await context.catalog.newest(caller.tenant_id, project)
        if not context.catalog.knows(caller.tenant_id, project, number):
            raise NotFoundError(f"Project {project!r} has no version {number}; GET …/versions lists them.")
        return _shown(context, context.catalog.version(caller.tenant_id, project, number))

    _add_states(router, context)
    return router


def _add_states(router: APIRouter, context: Context) -> None:
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    async def change(project: str, state: ProjectState, caller: Principal, request: Request) -> dict[str, str]:
        caller.require(MANAGERS, project)
        await context.catalog.newest(caller.tenant_id, project)
        event = ProjectStateRequested(
            **context.envelope(caller, request, *cause_of(request)),
            project_id=project,
            state=state,
            requested_by=caller.subject,
        )
        await context.write(event)
        outcome = await context.catalog.outcome(event.event_id, context.settings.outcome_seconds)
        if isinstance(outcome, ProjectRefused):
            raise ConflictError(f"Project {project!r} stays as it is. {outcome.reason}")
        if not isinstance(outcome, ProjectPaused):
            raise UnavailableError("The request is in the log, but has no outcome yet; GET the project in a moment.")
        return {"project": project, "state": outcome.state}

    @router.post("/{project}/pause")
    async def pause(project: ProjectId, caller: Caller, request: Request) -> dict[str, str]:
        """Pause a project: it takes no samples and serves no tasks until it is resumed."""
        return await change(project, "paused", caller, request)

    @router.post("/{project}/resume")
    async def resume(project: ProjectId, caller: Caller, request: Request) -> dict[str, str]:
        """Let a paused or archived project take samples and serve tasks again."""
        return await change(project, "active", caller, request)

    @router.post("/{project}/archive")
    async def archive(project: ProjectId, caller: Caller, request: Request) -> dict[str, str]:
        """Put a project away; what was labeled stays readable."""
        return await change(project, "archived", caller, request)

    @router.delete("/{project}")
    async def delete(project: ProjectId, caller: Caller, request: Request) -> dict[str, str]:
        """Delete an archived project, for good: nothing of it is found any more, and its name is not given again."""
        await context.catalog.newest(caller.tenant_id, project)
        state = context.catalog.state(caller.tenant_id, project)
        if state != "archived":
            raise ConflictError(f"Project {project!r} is {state}; POST …/archive first, so that no work is lost.")
        return await change(project, "deleted", caller, request)


async def _read_spec(context: Context, caller: Principal, request: Request) -> ProjectSpec:
    found = await _check_body(context, caller, request)
    refuse(found.faults, "The project spec")
    if found.spec is None:
        raise InvalidBodyError("The project spec cannot be used.")
    return found.spec


def _refuse_taken(context: Context, caller: Principal, project: str) -> None:
    """Refuse a name that was given to a project before.

    Raises:
        ConflictError: It was deleted; ids of samples follow from its name, so new ones would be taken for the old.
    """
    if project in context.catalog.deleted(caller.tenant_id):
        raise ConflictError(f"A project {project!r} was deleted, and its name is not given again; choose another name.")


async def _check_body(context: Context, caller: Principal, request: Request) -> SpecCheck:
    body = await read_body(request, context.settings.max_body_bytes)
    taxonomies = context.catalog.taxonomies.lookup(caller.tenant_id)
    try:
        return await asyncio.to_thread(check_bound_spec, parse_spec_text(body.decode()), taxonomies)
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"The project spec is no UTF-8 text: {error}.") from error
    except SpecSyntaxError as error:
        raise MalformedBodyError(str(error), faults=[error.fault]) from error


async def _publish(context: Context, project: str, spec: ProjectSpec, caller: Principal, request: Request) -> Response:
    raw = spec.to_json()
    spec_hash = content_hash(raw)
    latest = _latest(context, caller, project)
    expected = based_on(request)
    if latest is not None and expected is not None and expected != latest.number:
        raise changed(f"Project {project!r}", latest.number)
    if latest is not None and latest.spec == spec:  # also where defaults were added since, and so the hash differs
        return _shown(context, latest, 200)
    event = ProjectPublished(
        **context.envelope(caller, request),
        project_id=project,
        spec=raw,
        spec_hash=spec_hash,
        published_by=caller.subject,
        based_on=expected,
    )
    await context.write(event)
    outcome = await context.catalog.outcome(event.event_id, context.settings.outcome_seconds)
    if isinstance(outcome, ProjectRefused):
        raise changed(f"Project {project!r}", outcome.current_version)
    if not isinstance(outcome, ProjectVersioned):
        raise UnavailableError("The spec is in the log, but has no version yet; GET the project in a moment.")
    return _shown(context, context.catalog.version(caller.tenant_id, project, outcome.version), 201)


def _latest(context: Context, caller: Principal, project: str) -> ProjectVersion | None:
    found = context.catalog.versions(caller.tenant_id, project)
    return found[-1] if found else None


def _findings(faults: Any, warnings: Any) -> Findings:
    return Findings(valid=False, faults=list(faults), warnings=list(warnings), changes=None, next_version=None)


def _view(context: Context, version: ProjectVersion, *, full: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "project": version.project_id,
        "version": version.number,
        "state": context.catalog.state(version.tenant_id, version.project_id),
        "title": version.spec.title,
        "published_by": version.published_by,
        "published_at": version.published_at.isoformat(),
        "guideline_version": version.guideline_version,
    }
    return view | ({"spec": version.raw, "answer_schema": answer_schema(version.spec)} if full else {})


def _shown(context: Context, version: ProjectVersion, status: int = 200) -> Response:
    return OrjsonResponse(_view(context, version, full=True), status, {"etag": f'"{version.number}"'})
