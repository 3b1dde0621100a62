"""What the gateway may ask of the annotation store."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_router``.

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.annotation_store.domain.held_against import LabelTally
from services.annotation_store.reading import AnnotationPage, AnnotationView, DraftView, LabelPage, LabelView, Reader
from services.annotation_store.store import Draft, Drafts, draft_key
from shared.clock import Clock, utc_now
from shared.errors import BodyTooLargeError, NotFoundError, PreconditionFailedError
from shared.ids import sample_of_task
from shared.jobs import JobView
from shared.labels.kinds import FieldSpec
from shared.security import MANAGERS, READERS, Principal

PAGE = Query(50, ge=1, le=200, description="How many items a page holds at most.")
CURSOR = Query("", max_length=200, description="The `next` of the page before.")
CallerOf = Callable[[Request], Awaitable[Principal]]


class DraftBody(BaseModel):
    """What an annotator has so far; nothing is checked before it is submitted."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, Any] = Field(description="Values by field name.", examples=[{"intent": "refund"}])


class FieldsBody(BaseModel):
    """Fields that a new version of a project would have."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, FieldSpec | None] = Field(description="By name; null for a field that would be gone.")


def create_router(
    caller_of: CallerOf, reader: Reader, drafts: Drafts, draft_bytes: int, clock: Clock = utc_now
) -> APIRouter:
    """Return the annotation store's routes.

    Args:
        caller_of: Tells who calls.
        reader: Reads what is kept.
        drafts: Where unfinished work is.
        draft_bytes: The largest draft, as JSON.
        clock: The time.
    """
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    _add_counts(router, caller_of, reader)

    @router.get("/annotations/{annotation_id}")
    async def get_annotation(annotation_id: str, caller: Caller, response: Response) -> AnnotationView:
        """Return the revision of an annotation that counts."""
        annotation = await reader.annotation(caller, annotation_id)
        response.headers["etag"] = _etag(annotation.latest.revision)
        return (await reader.annotation_views(annotation, [annotation.latest]))[0]

    @router.get("/annotations/{annotation_id}/revisions")
    async def list_revisions(
        annotation_id: str, caller: Caller, cursor: str = CURSOR, limit: int = PAGE
    ) -> AnnotationPage:
        """Return all that an annotator sent for one annotation, the oldest first."""
        annotation = await reader.annotation(caller, annotation_id)
        start = int(cursor) if cursor.isdecimal() else 0
        revisions = annotation.revisions[start : start + limit]
        more = start + limit < len(annotation.revisions)
        return AnnotationPage(
            items=await reader.annotation_views(annotation, revisions), next=str(start + limit) if more else None
        )

    @router.get("/samples/{sample_id}/annotations")
    async def list_annotations(
        sample_id: str, caller: Caller, cursor: str = CURSOR, limit: int = PAGE
    ) -> AnnotationPage:
        """Return a sample's annotations; where the project is blind, annotators see their own."""
        return await reader.sample_page(caller, sample_id, cursor, limit)

    @router.get("/samples/{sample_id}/label")
    async def get_label(sample_id: str, caller: Caller, response: Response) -> LabelView:
        """Return a sample's label of record."""
        label = await reader.label(caller, sample_id)
        response.headers["etag"] = _etag(label.revisions[-1].revision)
        return (await reader.label_views(label, label.revisions[-1:]))[0]

    @router.get("/samples/{sample_id}/label/history")
    async def get_history(sample_id: str, caller: Caller, cursor: str = CURSOR, limit: int = PAGE) -> LabelPage:
        """Return every label that the sample ever had, the newest first."""
        label = await reader.label(caller, sample_id)
        newest_first = label.revisions[::-1]
        start = int(cursor) if cursor.isdecimal() else 0
        items = await reader.label_views(label, newest_first[start : start + limit])
        return LabelPage(items=items, next=str(start + limit) if start + limit < len(newest_first) else None)

    _add_drafts(router, caller_of, reader, drafts, draft_bytes, clock)
    _add_jobs(router, caller_of, reader)
    return router


def _add_drafts(
    router: APIRouter, caller_of: CallerOf, reader: Reader, drafts: Drafts, draft_bytes: int, clock: Clock
) -> None:
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/tasks/{task_id}/draft")
    async def get_draft(task_id: str, caller: Caller, response: Response) -> DraftView:
        """Return what the caller left at a task; work that came too late is there too, with the reason."""
        kept = await drafts.read(draft_key(caller.tenant_id, task_id, caller.subject))
        late = await reader.late_work(caller, task_id)
        if kept is not None and kept.fields is not None and (late is None or late.saved_at <= kept.saved_at):
            late = DraftView(task_id=task_id, fields=kept.fields, revision=kept.revision, saved_at=kept.saved_at)
        revision = 0 if kept is None else kept.revision
        if late is None and kept is not None:
            what = f"was submitted; to keep one anew, PUT it with If-Match: {_etag(revision)}."
            raise NotFoundError(f"Your draft for task {task_id} {what}", revision=revision)
        if late is None:
            raise NotFoundError(f"You have no draft for task {task_id}; PUT one to keep unfinished work.")
        response.headers["etag"] = _etag(revision)
        return late

    @router.put("/tasks/{task_id}/draft")
    async def put_draft(
        task_id: str,
        body: DraftBody,
        caller: Caller,
        response: Response,
        if_match: Annotated[str | None, Header(description="The ETag of the draft that this one replaces.")] = None,
    ) -> DraftView:
        """Keep unfinished work until it is submitted.

        Revisions go on when the draft is submitted, so that a save that was on its way then is refused.
        """
        size = len(orjson.dumps(body.fields))
        if size > draft_bytes:
            raise BodyTooLargeError(f"The draft is {size} bytes as JSON; at most {draft_bytes} are kept.")
        await reader.sample(caller, sample_of_task(task_id))
        key = draft_key(caller.tenant_id, task_id, caller.subject)
        kept = await drafts.read(key)
        revision = 0 if kept is None else kept.revision
        draft = Draft(
            tenant_id=caller.tenant_id,
            task_id=task_id,
            annotator_id=caller.subject,
            revision=revision + 1,
            fields=body.fields,
            saved_at=clock(),
        )
        if not _matches(if_match, kept) or not await drafts.write(draft):
            now = await drafts.read(key)
            submitted = now is not None and now.fields is None
            what = "was submitted; to keep one anew" if submitted else "has changed since you read it; GET it and"
            revision = 0 if now is None else now.revision
            detail = f"The draft {what} send If-Match: {_etag(revision)}."
            raise PreconditionFailedError(detail, revision=revision)
        response.headers["etag"] = _etag(draft.revision)
        return DraftView(task_id=task_id, fields=body.fields, revision=draft.revision, saved_at=draft.saved_at)


def _add_jobs(router: APIRouter, caller_of: CallerOf, reader: Reader) -> None:
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/jobs/{job_id}")
    async def get_job(job_id: str, caller: Caller) -> JobView:
        """Return how far labels have been held against rules that changed, or brought along by a migration."""
        return await reader.job(caller, job_id)


def _add_counts(router: APIRouter, caller_of: CallerOf, reader: Reader) -> None:
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - as above

    @router.post("/projects/{project_id}/labels/held-against")
    async def hold_against(project_id: str, body: FieldsBody, caller: Caller) -> LabelTally:
        """Count how the project's labels of record stand to fields that it would have."""
        caller.require(MANAGERS | READERS, project_id)
        return await reader.held_against(caller, project_id, body.fields)


def _etag(revision: int) -> str:
    return f'"{revision}"'


def _matches(if_match: str | None, kept: Draft | None) -> bool:
    """Return whether a write may replace what is kept; the first write needs no condition."""
    if if_match is None:
        return kept is None
    tags = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    is_there = kept is not None and kept.fields is not None
    return _etag(0 if kept is None else kept.revision) in tags or ("*" in tags and is_there)
