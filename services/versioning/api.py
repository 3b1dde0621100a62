"""What the gateway may ask of versioning."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_router``.

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Request

from services.versioning.datasets import Datasets
from services.versioning.domain.dataset import Dataset, DatasetJob
from services.versioning.domain.diff import DatasetDiff
from services.versioning.domain.export import Export
from services.versioning.domain.exports import FORMATS
from services.versioning.store import DatasetCursor, VersioningStore
from services.versioning.views import (
    AuditPage,
    DatasetPage,
    DatasetView,
    ExportView,
    FormatList,
    Link,
    dataset_job_view,
    dataset_view,
    export_job_view,
    export_view,
    format_view,
)
from shared.errors import ConflictError, InvalidBodyError, NotFoundError
from shared.jobs import JobView
from shared.labels.faults import Fault
from shared.ledger import Ledger
from shared.security import READERS, Principal

CallerOf = Callable[[Request], Awaitable[Principal]]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]


class Links(Protocol):
    """Signs addresses of objects."""

    def link(self, object_name: str) -> str:
        """Return a signed address for GET of ``bucket/key``."""


def create_router(
    caller: CallerOf,
    media: Links,
    store: VersioningStore,
    datasets: Datasets,
    jobs: Ledger[DatasetJob],
    exports: Ledger[Export],
) -> APIRouter:
    """Return versioning's routes."""
    router = APIRouter(prefix="/v1")
    router.include_router(_dataset_routes(caller, media, store, datasets))
    router.include_router(_job_routes(caller, media, datasets, jobs, exports))
    return router


def _dataset_routes(caller: CallerOf, media: Links, store: VersioningStore, datasets: Datasets) -> APIRouter:
    router = APIRouter()
    Caller = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type, local because it needs the service

    async def readable(principal: Principal, name: str) -> Dataset:
        found = await datasets.find(principal.tenant_id, name)
        principal.require(READERS, found.project_id)
        return found

    def view(dataset: Dataset, tags: Mapping[str, list[str]]) -> DatasetView:
        summary = dataset.summary
        links = media.link(summary.manifest), media.link(summary.rows)
        return dataset_view(dataset, tags[dataset.dataset_id], *links)

    @router.get("/projects/{project_id}/audit")
    async def get_audit(project_id: str, caller: Caller, limit: Limit = 100, cursor: Cursor = None) -> AuditPage:
        """Return who changed the project, when, and which parts of its spec."""
        caller.model_copy(update={"deleted": frozenset()}).require(READERS, project_id)  # what led to it stays known
        before = None if cursor is None else _number(cursor)
        items = await store.audit(caller.tenant_id, project_id, before, limit)
        if not items and cursor is None:
            raise NotFoundError(f"There is no project {project_id!r}; PUT /v1/projects/{project_id} publishes one.")
        return AuditPage(items=items, next=str(items[-1].number) if len(items) == limit else None)

    @router.get("/projects/{project_id}/datasets")
    async def list_datasets(project_id: str, caller: Caller, limit: Limit = 50, cursor: Cursor = None) -> DatasetPage:
        """List the project's datasets."""
        caller.require(READERS, project_id)
        after = None if cursor is None else _dataset_cursor(cursor)
        found = await store.datasets(caller.tenant_id, project_id, after, limit)
        tags = await store.tags_of(caller.tenant_id, [each.dataset_id for each in found])
        following = f"{found[-1].frozen_ms}.{found[-1].dataset_id}" if len(found) == limit else None
        return DatasetPage(items=[view(each, tags) for each in found], next=following)

    @router.get("/datasets/{name}")
    async def get_dataset(name: str, caller: Caller) -> DatasetView:
        """Return a dataset by its id or a tag."""
        dataset = await readable(caller, name)
        return view(dataset, await store.tags_of(caller.tenant_id, [dataset.dataset_id]))

    @router.get("/datasets/{before}/diff/{after}")
    async def get_diff(
        before: str, after: str, caller: Caller, limit: Limit = 100, cursor: Cursor = None
    ) -> DatasetDiff:
        """Compare two datasets of one project, by sample and field."""
        old, new = await readable(caller, before), await readable(caller, after)
        return await datasets.diff(old, new, beyond=cursor or "", limit=limit)

    return router


def _job_routes(
    caller: CallerOf, media: Links, datasets: Datasets, jobs: Ledger[DatasetJob], exports: Ledger[Export]
) -> APIRouter:
    router = APIRouter()
    Caller = Annotated[Principal, Depends(caller)]  # noqa: N806 - as above

    async def export_of(principal: Principal, export_id: str) -> Export:
        key = f"{principal.tenant_id}/{export_id}"
        found = (await exports.read([key])).get(key)
        if found is None:
            raise NotFoundError(f"There is no export {export_id!r}; POST /v1/datasets/<id>/exports makes one.")
        dataset = await _found(datasets, principal, found.dataset_id)
        principal.require(READERS, None if dataset is None else dataset.project_id)
        return found

    @router.get("/exports/formats")
    async def get_formats(caller: Caller) -> FormatList:
        """List the formats that datasets can be exported in."""
        return FormatList(items=[format_view(each) for each in FORMATS.values()])

    @router.get("/exports/{export_id}")
    async def get_export(export_id: str, caller: Caller) -> ExportView:
        """Return an export."""
        return export_view(await export_of(caller, export_id))

    @router.get("/exports/{export_id}/download")
    async def get_download(export_id: str, caller: Caller) -> Link:
        """Return a link to an export's file, signed now."""
        export = await export_of(caller, export_id)
        if export.written is None:
            reason = export.failure or "it is still being written"
            raise ConflictError(f"Export {export_id} has no file: {reason}. GET /v1/jobs/{export_id} follows it.")
        return Link(url=media.link(export.written.object))

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: str, caller: Caller) -> JobView:
        """Return how far a freeze or an export is."""
        key = f"{caller.tenant_id}/{job_id}"
        if (export := (await exports.read([key])).get(key)) is not None:
            return export_job_view(export)
        if (job := (await jobs.read([key])).get(key)) is None:
            raise NotFoundError(f"There is no job {job_id!r}; a job can be read a moment after it was accepted.")
        caller.require(caller.roles, job.project_id)
        dataset = None if job.dataset_id is None else await _found(datasets, caller, job.dataset_id)
        tag = None if job.tag is None else await datasets.tag(caller.tenant_id, job.tag)
        return dataset_job_view(job, dataset, tag)

    return router


async def _found(datasets: Datasets, caller: Principal, dataset_id: str) -> Dataset | None:
    try:
        return await datasets.find(caller.tenant_id, dataset_id)
    except NotFoundError:
        return None


def _number(cursor: str) -> int:
    if not cursor.isdecimal():
        raise _bad_cursor(cursor)
    return int(cursor)


def _dataset_cursor(cursor: str) -> DatasetCursor:
    stamp, _, dataset_id = cursor.partition(".")
    if not stamp.isdecimal():
        raise _bad_cursor(cursor)
    return DatasetCursor(int(stamp), dataset_id)


def _bad_cursor(cursor: str) -> InvalidBodyError:
    fault = Fault(pointer="/cursor", code="malformed", message=f"{cursor[:60]!r} is no cursor; send `next` unchanged.")
    return InvalidBodyError("The cursor is not one that a page gave.", faults=[fault])
