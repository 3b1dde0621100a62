"""Reads (and drafts) that one service answers: the gateway passes them on, as the caller."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from services.gateway.context import Context
from shared.security import Principal


class Read(NamedTuple):
    """A path of the API and the service that answers for it."""

    path: str
    service: str
    summary: str
    method: str = "GET"
    even_deleted: bool = False
    """Whether it can be read of a project that was deleted."""


READS = (
    Read("/v1/samples/{sample_id}", "ingest", "A sample with the facts of its assets."),
    Read("/v1/samples/{sample_id}/label", "annotation_store", "A sample's label of record."),
    Read("/v1/samples/{sample_id}/label/history", "annotation_store", "All revisions of that label."),
    Read("/v1/samples/{sample_id}/annotations", "annotation_store", "Annotations; an annotator sees their own."),
    Read("/v1/annotations/{annotation_id}", "annotation_store", "An annotation."),
    Read("/v1/annotations/{annotation_id}/revisions", "annotation_store", "All revisions of an annotation."),
    Read("/v1/tasks", "task_assignment", "The tasks that the caller holds."),
    Read("/v1/tasks/{task_id}/draft", "annotation_store", "The caller's draft."),
    Read("/v1/tasks/{task_id}/draft", "annotation_store", "Keep a draft until it is submitted.", "PUT"),
    Read("/v1/leases", "task_assignment", "Who holds what, person by person."),
    Read("/v1/annotators/{annotator_id}", "task_assignment", "An annotator's profile and measured skill."),
    Read("/v1/workload", "task_assignment", "What people have done in a period, for their pay; JSON or CSV."),
    Read("/v1/projects/{project}/progress", "task_assignment", "How far a project is."),
    Read("/v1/projects/{project}/late", "task_assignment", "Samples that are past their due date, or will be."),
    Read("/v1/projects/{project}/agreement", "qa", "Agreement between annotators, per field."),
    Read("/v1/projects/{project}/annotators", "qa", "Accuracy of annotators, per field."),
    Read("/v1/projects/{project}/consistency", "qa", "What the rules across modalities said."),
    Read("/v1/projects/{project}/audit", "versioning", "Who changed what.", even_deleted=True),
    Read("/v1/projects/{project}/datasets", "versioning", "A project's dataset versions."),
    Read("/v1/datasets/{dataset}", "versioning", "A dataset version: manifest, counts, lineage."),
    Read("/v1/datasets/{dataset}/diff/{other}", "versioning", "What changed between two versions."),
    Read("/v1/exports/formats", "versioning", "The formats of exports."),
    Read("/v1/exports/{export_id}", "versioning", "An export."),
    Read("/v1/projects/{project}/errors", "feedback", "A model's errors, per field."),
    Read("/v1/projects/{project}/findings", "feedback", "What models err in."),
    Read("/v1/projects/{project}/findings/{finding_id}", "feedback", "One finding and how far it is worked off."),
)


def create_router(context: Context) -> APIRouter:
    """Return the routes that are passed on."""
    router = APIRouter()
    for read in READS:
        _add(router, context, read)
    return router


def _add(router: APIRouter, context: Context, read: Read) -> None:
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    async def forward(request: Request, caller: Caller) -> Response:
        project = request.path_params.get("project")
        if project is not None and not (read.even_deleted and project in context.catalog.deleted(caller.tenant_id)):
            # A project that is not there has no empty lists either.
            await context.catalog.newest(caller.tenant_id, project)
        return await context.inner.forward(read.service, caller, request)

    router.add_api_route(
        read.path,
        forward,
        methods=[read.method],
        summary=read.summary,
        tags=[read.service.replace("_", " ")],
        operation_id=f"{read.method.lower()}{read.path.replace('/', '_').replace('{', '').replace('}', '')}",
    )
