"""What the gateway may ask about migrations: what one left, what one would concern."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_migrations_router``.

from collections.abc import Awaitable, Callable
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.annotation_store.migrating import LabelQueries, lookups_of
from services.annotation_store.migration_jobs import MigrationJobs
from shared.security import MANAGERS, Principal

CallerOf = Callable[[Request], Awaitable[Principal]]
MAX_COUNTED_ALONE = 200
"""Labels that are counted one by one."""


class ImpactBody(BaseModel):
    """Which labels of record are to be counted."""

    model_config = ConfigDict(extra="forbid")

    projects: list[str] = Field(max_length=10_000)
    groups: dict[str, list[str]] = Field({}, description="Label ids of the taxonomy, by what happens to them.")
    migration: str | None = Field(None, description="Count the labels that this migration has written.")


class Impact(BaseModel):
    """How many labels of record of a project a change concerns."""

    groups: dict[str, int] = Field(description="Samples by what happens to them.")
    labels: dict[str, int] = Field(description="Samples by label, where these are not too many.")
    migrated: int | None = Field(description="Samples that the migration has written a revision of.")
    newest: int | None = Field(description="Those of them whose newest revision is still the migration's.")


class Impacts(BaseModel):
    """Impacts by project."""

    projects: dict[str, Impact]


def create_migrations_router(caller_of: CallerOf, queries: LabelQueries, jobs: MigrationJobs) -> APIRouter:
    """Return the routes about migrations."""
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/jobs/{job_id}/errors")
    async def get_job_errors(job_id: str, caller: Caller) -> Response:
        """Return the labels that a migration left as they are, as NDJSON, each with the reason."""
        lines = [orjson.dumps(error.model_dump(mode="json")) for error in await jobs.left(caller, job_id)]
        return Response(b"".join(line + b"\n" for line in lines), media_type="application/x-ndjson")

    @router.post("/taxonomies/{taxonomy_id}/impact")
    async def count_impact(taxonomy_id: str, body: ImpactBody, caller: Caller) -> Impacts:
        """Count the labels of record that a change of a taxonomy concerns, project by project."""
        caller.require(MANAGERS)

        async def impact_of(project: str) -> Impact:
            async def count(lookups: list[str]) -> int:
                return await queries.count(caller.tenant_id, project, lookups) if lookups else 0

            alone = [label for labels in body.groups.values() for label in labels]
            migration = body.migration
            return Impact(
                groups={name: await count(lookups_of(taxonomy_id, ids)) for name, ids in body.groups.items()},
                labels={label: await count(lookups_of(taxonomy_id, [label])) for label in alone}
                if len(alone) <= MAX_COUNTED_ALONE
                else {},
                migrated=None if migration is None else await count([f"migrated:{migration}"]),
                newest=None if migration is None else await count([f"newest:{migration}"]),
            )

        return Impacts(projects={project: await impact_of(project) for project in body.projects})

    return router
