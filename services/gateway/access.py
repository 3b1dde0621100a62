"""Who may do what: API keys and annotators' profiles."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.gateway.context import Context, refuse
from services.gateway.idempotency import cause_of
from services.gateway.keys import KeyBody, KeyView
from shared.events.tasks import AnnotatorDeclared, AnnotatorProfile
from shared.labels.faults import Fault
from shared.security import MANAGERS, Principal

AnnotatorId = Annotated[str, Path(pattern=r"^[\w.@:-]{1,200}$")]


class NewKey(KeyView):
    """A key as it is shown once."""

    key: str


class ProfileBody(AnnotatorProfile):
    """Who an annotator is; what a profile does not have is a fault."""

    model_config = ConfigDict(extra="forbid")


class Declared(BaseModel):
    """The profile is in the log."""

    annotator_id: str
    profile: AnnotatorProfile


def create_router(context: Context) -> APIRouter:
    """Return the routes about access."""
    router = APIRouter(prefix="/v1", tags=["access"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/api-keys", status_code=201)
    async def create_key(body: KeyBody, caller: Caller, request: Request, response: Response) -> NewKey:
        """Make an API key; its secret is shown this once."""
        caller.require(MANAGERS)
        if "owner" in body.roles and "owner" not in caller.roles:
            fault = Fault(pointer="/roles", code="beyond-your-roles", message="Only an owner can make an owner's key.")
            refuse([fault], "The key")
        outside = sorted(set(body.projects) - caller.projects) if caller.projects else []
        if caller.projects and (outside or not body.projects):
            message = f"Your key is for {', '.join(sorted(caller.projects))}; a key that you make is for no more."
            refuse([Fault(pointer="/projects", code="beyond-your-projects", message=message)], "The key")
        key, view = await context.keys.create(caller.tenant_id, body, *cause_of(request))
        response.headers["cache-control"] = "no-store"  # nobody keeps it, nor does the Idempotency-Key's record
        return NewKey(**view.model_dump(), key=str(key))

    @router.get("/api-keys")
    async def list_keys(
        caller: Caller, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 100
    ) -> dict[str, Any]:
        """Return the tenant's keys, without their secrets."""
        caller.require(MANAGERS)
        found = await context.keys.list(caller.tenant_id, cursor, limit + 1)
        page = found[:limit]
        return {
            "items": [each.model_dump(mode="json") for each in page],
            "next": page[-1].id if len(found) > limit else None,
        }

    @router.delete("/api-keys/{key_id}", status_code=204)
    async def delete_key(key_id: str, caller: Caller) -> None:
        """Revoke a key; it stops working within ten seconds."""
        caller.require(MANAGERS)
        await context.keys.delete(caller.tenant_id, key_id)

    @router.put("/annotators/{annotator_id}", status_code=202)
    async def declare(annotator_id: AnnotatorId, body: ProfileBody, caller: Caller, request: Request) -> Declared:
        """Say who an annotator is: languages, stages, projects, how many leases at once, paused or not."""
        caller.require(MANAGERS)
        profile = AnnotatorProfile(**body.model_dump())
        event = AnnotatorDeclared(**context.envelope(caller, request), annotator_id=annotator_id, profile=profile)
        await context.write(event)
        return Declared(annotator_id=annotator_id, profile=profile)

    return router
