"""Taxonomies: published, read."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.gateway.context import Context, read_body, refuse
from services.gateway.preconditions import based_on, changed
from shared.errors import InvalidBodyError, MalformedBodyError, NotFoundError, PreconditionFailedError, UnavailableError
from shared.events.taxonomies import TaxonomyPublished, TaxonomyRefused, TaxonomyVersioned
from shared.http import OrjsonResponse
from shared.labels.canonical import content_hash
from shared.labels.project import SpecSyntaxError, parse_spec_text
from shared.labels.taxonomy import Taxonomy, check_replacement, check_taxonomy, with_retired
from shared.labels.taxonomy.serving import labels_in
from shared.labels.values import TAXONOMY_ID_PATTERN
from shared.security import MANAGERS, READERS, WORKERS, Principal
from shared.taxonomies import TaxonomyVersion

TaxonomyName = Annotated[str, Path(pattern=TAXONOMY_ID_PATTERN, description="Lower case, digits and hyphens.")]
Language = Annotated[
    str | None, Query(max_length=200, description="BCP 47, several by comma: labels in the first that they have.")
]


class TaxonomyView(BaseModel):
    """One version of a taxonomy."""

    taxonomy: str
    version: int
    published_by: str
    published_at: str
    note: str
    migration: str | None = Field(description="The migration that made this version; null where it was published.")
    rolls_back: str | None = Field(description="The migration that this version takes back.")
    content: dict[str, Any] = Field(description="As it can be published again.")
    labels: list[dict[str, Any]] | None = Field(None, description="The labels in the language asked for.")


def create_router(context: Context) -> APIRouter:
    """Return the routes about taxonomies."""
    router = APIRouter(prefix="/v1/taxonomies", tags=["taxonomies"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.put("/{taxonomy}", status_code=201, response_model=TaxonomyView)
    async def publish(taxonomy: TaxonomyName, caller: Caller, request: Request) -> Response:
        """Publish a taxonomy (YAML or JSON), or a new version of it; 200 when nothing changed.

        Labels may be added, renamed and moved. What takes labels out of use is a migration.
        """
        caller.require(MANAGERS)
        return await _publish(context, taxonomy, await _read_taxonomy(context, request), caller, request)

    @router.get("")
    async def list_taxonomies(caller: Caller) -> dict[str, Any]:
        """Return the newest version of each of the tenant's taxonomies."""
        caller.require(READERS | WORKERS)
        found = context.catalog.taxonomies
        names = found.names(caller.tenant_id)
        return {"items": [_summary(found.latest(caller.tenant_id, name)) for name in names], "next": None}

    @router.get("/{taxonomy}", response_model=TaxonomyView)
    async def read(taxonomy: TaxonomyName, caller: Caller, language: Language = None) -> Response:
        """Return a taxonomy's newest version."""
        caller.require(READERS | WORKERS)
        return _shown(context.catalog.taxonomies.latest(caller.tenant_id, taxonomy), language)

    @router.get("/{taxonomy}/versions")
    async def versions(taxonomy: TaxonomyName, caller: Caller) -> dict[str, Any]:
        """Return a taxonomy's versions, the newest first."""
        caller.require(READERS | WORKERS)
        context.catalog.taxonomies.latest(caller.tenant_id, taxonomy)
        found = context.catalog.taxonomies.versions(caller.tenant_id, taxonomy)
        return {"items": [_summary(each) for each in reversed(found)], "next": None}

    @router.get("/{taxonomy}/versions/{number}", response_model=TaxonomyView)
    async def version(taxonomy: TaxonomyName, number: int, caller: Caller, language: Language = None) -> Response:
        """Return one version of a taxonomy; it never changes."""
        caller.require(READERS | WORKERS)
        context.catalog.taxonomies.latest(caller.tenant_id, taxonomy)
        if not context.catalog.taxonomies.knows(caller.tenant_id, taxonomy, number):
            raise NotFoundError(f"Taxonomy {taxonomy!r} has no version {number}; GET …/versions lists them.")
        return _shown(context.catalog.taxonomies.version(caller.tenant_id, taxonomy, number), language)

    return router


async def outcome_of(context: Context, taxonomy: str, caller: Principal, event_id: str) -> TaxonomyVersion:
    """Wait for what became of a wish, and return the version that it led to.

    Raises:
        PreconditionFailedError: It was based on a version that is not the newest any more.
        InvalidBodyError: The newest version does not allow it.
        UnavailableError: The outcome is not known in time.
    """
    outcome = await context.catalog.outcome(event_id, context.settings.outcome_seconds)
    if isinstance(outcome, TaxonomyRefused):
        if outcome.faults:
            raise InvalidBodyError(outcome.reason, faults=outcome.faults)
        raise PreconditionFailedError(outcome.reason, current_version=outcome.current_version)
    if not isinstance(outcome, TaxonomyVersioned):
        raise UnavailableError("The wish is in the log, but has no outcome yet; GET the taxonomy in a moment.")
    return context.catalog.taxonomies.version(caller.tenant_id, taxonomy, outcome.taxonomy_version)


def newest(context: Context, caller: Principal, taxonomy: str) -> TaxonomyVersion | None:
    """Return the newest version, None where there is no such taxonomy."""
    found = context.catalog.taxonomies.versions(caller.tenant_id, taxonomy)
    return found[-1] if found else None


async def read_document(context: Context, request: Request, what: str) -> object:
    """Return the values of a body in YAML or JSON.

    Raises:
        MalformedBodyError: It is neither.
    """
    body = await read_body(request, context.settings.max_body_bytes)
    try:
        return await asyncio.to_thread(parse_spec_text, body.decode())
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"The {what} is no UTF-8 text: {error}.") from error
    except SpecSyntaxError as error:
        raise MalformedBodyError(str(error), faults=[error.fault]) from error


async def _read_taxonomy(context: Context, request: Request) -> Taxonomy:
    found = await asyncio.to_thread(check_taxonomy, await read_document(context, request, "taxonomy"))
    refuse(found.faults, "The taxonomy")
    if found.taxonomy is None:
        raise InvalidBodyError("The taxonomy cannot be used.")
    return found.taxonomy


async def _publish(context: Context, taxonomy: str, wish: Taxonomy, caller: Principal, request: Request) -> Response:
    latest = newest(context, caller, taxonomy)
    if latest is not None:
        wish = with_retired(latest.content, wish)
    content = wish.to_json()
    event = TaxonomyPublished(
        **context.envelope(caller, request),
        taxonomy_id=taxonomy,
        content=content,
        content_hash=content_hash(content),
        published_by=caller.subject,
        based_on=based_on(request),
    )
    if latest is not None and event.based_on is not None and event.based_on != latest.number:
        raise changed(f"Taxonomy {taxonomy!r}", latest.number)
    if latest is not None and latest.content_hash == event.content_hash:
        return _shown(latest, None, 200)
    refuse(check_replacement(None if latest is None else latest.content, wish), "The taxonomy")
    await context.write(event)
    return _shown(await outcome_of(context, taxonomy, caller, event.event_id), None, 201)


def _summary(version: TaxonomyVersion) -> dict[str, Any]:
    return {
        "taxonomy": version.taxonomy_id,
        "version": version.number,
        "title": version.raw["title"],
        "labels": len(version.content.live),
        "published_by": version.published_by,
        "published_at": version.published_at.isoformat(),
        "note": version.note,
        "migration": version.migration,
        "rolls_back": version.rolls_back,
    }


def _shown(version: TaxonomyVersion, language: str | None, status: int = 200) -> Response:
    wanted = None if language is None else [tag.strip() for tag in language.split(",")]
    view = TaxonomyView(
        taxonomy=version.taxonomy_id,
        version=version.number,
        published_by=version.published_by,
        published_at=version.published_at.isoformat(),
        note=version.note,
        migration=version.migration,
        rolls_back=version.rolls_back,
        content=version.raw,
        labels=None if wanted is None else labels_in(version.content, wanted),
    )
    return OrjsonResponse(view.model_dump(mode="json"), status, {"etag": f'"{version.number}"'})
