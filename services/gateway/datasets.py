"""Dataset versions: frozen, tagged, exported, downloaded."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.context import Context, refuse
from services.gateway.idempotency import cause_of
from services.gateway.inner import Answer
from services.gateway.projects import ProjectId
from shared.events.datasets import DatasetRequested, DatasetTagRequested, ExportRequested
from shared.ids import derived_id, new_id
from shared.labels.faults import Fault
from shared.security import MANAGERS, READERS, Principal

TagName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class FreezeBody(BaseModel):
    """What to freeze."""

    model_config = ConfigDict(extra="forbid")

    tag: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", examples=["v1"])
    filter: dict[str, Any] = Field({}, description="languages, decided_by, min_confidence; empty: every label.")
    note: str = Field("", max_length=2000)


class ExportBody(BaseModel):
    """As what to export."""

    model_config = ConfigDict(extra="forbid")

    format: str
    options: dict[str, Any] = {}


class Job(BaseModel):
    """The work is in the log; the job tells how far it is."""

    job_id: str


def create_router(context: Context) -> APIRouter:
    """Return the routes that make datasets and exports."""
    router = APIRouter(prefix="/v1", tags=["datasets"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    async def ask(caller: Principal, request: Request, path: str) -> Answer:
        return await context.inner.ask("versioning", "GET", path, caller, request)

    @router.post("/projects/{project}/datasets", status_code=202)
    async def freeze(project: ProjectId, body: FreezeBody, caller: Caller, request: Request) -> Job:
        """Freeze the project's labels of record, as of now, into a dataset version."""
        caller.require(MANAGERS, project)
        await context.catalog.newest(caller.tenant_id, project)
        job_id = _job_id(caller, request)
        event = DatasetRequested(
            **context.envelope(caller, request, "dataset", job_id),
            job_id=job_id,
            project_id=project,
            tag=body.tag,
            filter=body.filter,
            note=body.note,
            requested_by=caller.subject,
        )
        await context.write(event)
        return Job(job_id=job_id)

    @router.put("/datasets/{dataset}/tags/{tag}", status_code=202)
    async def tag(dataset: str, tag: TagName, caller: Caller, request: Request) -> Response:
        """Let a tag point to a dataset."""
        caller.require(MANAGERS)
        found = await ask(caller, request, f"/v1/datasets/{dataset}")
        if not found.ok:
            return found.response()
        known = found.json()
        event = DatasetTagRequested(
            **context.envelope(caller, request),
            tag=tag,
            dataset_id=known["dataset_id"],
            project_id=known["project_id"],
            requested_by=caller.subject,
        )
        await context.write(event)
        return Response(status_code=202)

    @router.post("/datasets/{dataset}/exports", status_code=202)
    async def export(dataset: str, body: ExportBody, caller: Caller, request: Request) -> Any:
        """Write a dataset as files of a format."""
        caller.require(MANAGERS | {"integration"})
        found = await ask(caller, request, f"/v1/datasets/{dataset}")
        if not found.ok:
            return found.response()
        formats = [each["name"] for each in (await ask(caller, request, "/v1/exports/formats")).json()["items"]]
        if body.format not in formats:
            message = f"{body.format!r} is no format; these are: {', '.join(formats)}."
            refuse([Fault(pointer="/format", code="unknown-format", message=message)], "The export")
        job_id = _job_id(caller, request)
        event = ExportRequested(
            **context.envelope(caller, request, "export", job_id),
            job_id=job_id,
            dataset_id=found.json()["dataset_id"],
            format=body.format,
            options=body.options,
            requested_by=caller.subject,
        )
        await context.write(event)
        return Job(job_id=job_id)

    @router.get("/exports/{export_id}/download", status_code=302)
    async def download(export_id: str, caller: Caller, request: Request) -> Response:
        """Go to the export's file."""
        caller.require(READERS | {"integration"})
        found = await ask(caller, request, f"/v1/exports/{export_id}/download")
        return RedirectResponse(found.json()["url"], 302) if found.ok else found.response()

    return router


def _job_id(caller: Principal, request: Request) -> str:
    cause = cause_of(request)
    return f"versioning-{derived_id(caller.tenant_id, *cause) if cause else new_id()}"
