"""Migrations: a taxonomy changed by operations, with the projects and labels that use it, and taken back."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.gateway.context import Context, refuse
from services.gateway.idempotency import cause_of
from services.gateway.preconditions import based_on, changed
from services.gateway.taxonomies import TaxonomyName, outcome_of, read_document
from shared.catalog import ProjectVersion
from shared.errors import ConflictError, InvalidBodyError, NotFoundError, UnavailableError
from shared.events.migrations import TaxonomyChangeRequested
from shared.http import OrjsonResponse
from shared.ids import derived_id, new_id
from shared.labels.faults import Fault, quoted, suggestion
from shared.labels.project import check_spec
from shared.labels.taxonomy import Taxonomy, apply_operations, roll_back
from shared.labels.taxonomy.binding import rebind_spec
from shared.security import MANAGERS, READERS, WORKERS, Principal
from shared.taxonomies import TaxonomyVersion

DryRun = Annotated[bool, Query(description="Count what would be changed, and change nothing.")]
MigrationId = Annotated[str, Path(max_length=100)]


class Migration(BaseModel):
    """A migration that has begun: the taxonomy has its new version, and the job brings projects and labels along."""

    job_id: str = Field(description="The id of the migration, and of its job.")
    taxonomy: str
    version: int = Field(description="The taxonomy's new version.")


class ProjectImpact(BaseModel):
    """What a migration would do to one project."""

    version: int = Field(description="The project's newest version.")
    labels: dict[str, int] = Field(
        description="Labels of record by what would become of them: `migrated`, `to_relabel` (split without saying "
        "which part takes their place), `kept` (deprecated); of a rollback `restored` and `left`."
    )
    by_label: dict[str, int] = Field(description="Labels of record by the label that they use.")
    faults: list[Fault] = Field(description="Why the project could not follow; its labels would stay as they are.")


class DryRunReport(BaseModel):
    """What a migration would do."""

    taxonomy: str
    version: int = Field(description="The version that the taxonomy would have.")
    replacements: dict[str, str] = Field(description="What takes the place of each label that goes out of use.")
    projects: dict[str, ProjectImpact]


def create_router(context: Context) -> APIRouter:
    """Return the routes about migrations."""
    router = APIRouter(prefix="/v1/taxonomies/{taxonomy}/migrations", tags=["taxonomies"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("", status_code=202, responses={200: {"model": DryRunReport}}, response_model=Migration)
    async def migrate(taxonomy: TaxonomyName, caller: Caller, request: Request, dry_run: DryRun = False) -> Response:
        """Change a taxonomy by operations; the projects that are bound to it and their labels follow, as a job.

        The body (YAML or JSON): `operations`, a list of `add`, `rename`, `move`, `merge`, `split`, `deprecate`, and a
        `note`. With `dry_run=true` nothing is changed, and the labels that would be are counted by project.
        """
        caller.require(MANAGERS)
        newest = context.catalog.taxonomies.latest(caller.tenant_id, taxonomy)
        body = _body_of(await read_document(context, request, "migration"))
        _check_based_on(request, taxonomy, newest)
        job_id = _job_id(caller, request)
        if (begun := _begun(context, caller, taxonomy, job_id)) is not None:
            return begun
        done = await asyncio.to_thread(
            apply_operations, newest.content, body.get("operations"), version=newest.number + 1, migration=job_id
        )
        refuse(done.faults, "The migration")
        if done.taxonomy is None:
            raise InvalidBodyError("The migration cannot be used.")
        if dry_run:
            groups = _groups(done.taxonomy, job_id)
            return await _report(context, caller, request, newest, done.taxonomy, groups=groups)
        wish = {"operations": body["operations"], "note": body.get("note", "")}
        return await _begin(context, caller, request, newest, job_id, wish)

    @router.get("")
    async def list_migrations(taxonomy: TaxonomyName, caller: Caller) -> dict[str, Any]:
        """Return a taxonomy's migrations and rollbacks, the newest first."""
        caller.require(READERS | WORKERS)
        context.catalog.taxonomies.latest(caller.tenant_id, taxonomy)
        versions = context.catalog.taxonomies.versions(caller.tenant_id, taxonomy)
        items = [_shown(each) for each in reversed(versions) if each.migration is not None]
        return {"items": items, "next": None}

    @router.post(
        "/{migration}/rollback", status_code=202, responses={200: {"model": DryRunReport}}, response_model=Migration
    )
    async def take_back(
        taxonomy: TaxonomyName, migration: MigrationId, caller: Caller, request: Request, dry_run: DryRun = False
    ) -> Response:
        """Take the newest migration back; labels that have changed since are left, and listed as the job's errors."""
        caller.require(MANAGERS)
        newest = context.catalog.taxonomies.latest(caller.tenant_id, taxonomy)
        versions = context.catalog.taxonomies.versions(caller.tenant_id, taxonomy)
        if migration not in {each.migration for each in versions}:
            raise NotFoundError(f"Taxonomy {taxonomy!r} has no migration {migration!r}; GET …/migrations lists them.")
        _check_based_on(request, taxonomy, newest)
        job_id = _job_id(caller, request)
        if (begun := _begun(context, caller, taxonomy, job_id)) is not None:
            return begun
        if newest.migration != migration:
            raise ConflictError(
                f"Version {newest.number} came after the migration, and only the newest change can be rolled back; "
                "change the taxonomy by another migration instead."
            )
        if dry_run:
            back = roll_back(versions[-2].content, newest.content, version=newest.number + 1, migration=job_id)
            return await _report(context, caller, request, newest, back, migration=migration)
        await _refuse_while_it_runs(context, caller, request, migration)
        return await _begin(context, caller, request, newest, job_id, {"rolls_back": migration})

    return router


async def _begin(
    context: Context,
    caller: Principal,
    request: Request,
    newest: TaxonomyVersion,
    job_id: str,
    wish: Mapping[str, Any],
) -> Response:
    event = TaxonomyChangeRequested(
        **context.envelope(caller, request, "migration", job_id),
        taxonomy_id=newest.taxonomy_id,
        job_id=job_id,
        published_by=caller.subject,
        based_on=newest.number,
        **wish,
    )
    await context.write(event)
    return _accepted(await outcome_of(context, newest.taxonomy_id, caller, event.event_id))


def _begun(context: Context, caller: Principal, taxonomy: str, job_id: str) -> Response | None:
    """Return the answer to a request that was written before, and whose sender did not learn what came of it."""
    versions = context.catalog.taxonomies.versions(caller.tenant_id, taxonomy)
    return next((_accepted(version) for version in versions if version.migration == job_id), None)


def _accepted(version: TaxonomyVersion) -> Response:
    begun = Migration(job_id=version.migration or "", taxonomy=version.taxonomy_id, version=version.number)
    return OrjsonResponse(begun.model_dump(mode="json"), 202)


async def _report(
    context: Context,
    caller: Principal,
    request: Request,
    newest: TaxonomyVersion,
    after: Taxonomy,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    migration: str | None = None,
) -> Response:
    """Count what a change would do, project by project."""
    names = context.catalog.ever_bound(caller.tenant_id, newest.taxonomy_id)
    body = OrjsonResponse({"projects": names, "groups": groups or {}, "migration": migration}).body
    path = f"/v1/taxonomies/{newest.taxonomy_id}/impact"
    answer = await context.inner.ask("annotation_store", "POST", path, caller, request, body=bytes(body))
    if not answer.ok:
        raise UnavailableError("The labels cannot be counted at the moment; send the same request again.")
    counted = answer.json()["projects"]
    report = DryRunReport(
        taxonomy=newest.taxonomy_id,
        version=newest.number + 1,
        replacements=dict(after.replacements),
        projects={
            name: _impact(context.catalog.latest(caller.tenant_id, name), newest, after, counted[name])
            for name in names
        },
    )
    return OrjsonResponse(report.model_dump(mode="json"), 200)


def _impact(
    project: ProjectVersion, newest: TaxonomyVersion, after: Taxonomy, counted: Mapping[str, Any]
) -> ProjectImpact:
    raw = rebind_spec(project.raw, newest.taxonomy_id, newest.number + 1, after)
    labels = dict(counted["groups"])
    if counted["migrated"] is not None:
        labels = {"restored": counted["newest"], "left": counted["migrated"] - counted["newest"]}
    by_label = {label: count for label, count in counted["labels"].items() if count}
    faults = [] if raw == project.raw else list(check_spec(raw).faults)
    return ProjectImpact(version=project.number, labels=labels, by_label=by_label, faults=faults)


def _groups(after: Taxonomy, migration: str) -> dict[str, list[str]]:
    """Return the labels that a change takes out of use, by what becomes of the samples that have them."""
    retired = [label for label in after.labels if label.retired is not None and label.retired.migration == migration]
    kept = [label.id for label in retired if label.id not in after.replacements and label.id not in after.undecided]
    undecided = [label.id for label in retired if label.id in after.undecided]
    return {"migrated": sorted(after.replacements), "to_relabel": undecided, "kept": kept}


async def _refuse_while_it_runs(context: Context, caller: Principal, request: Request, migration: str) -> None:
    answer = await context.inner.ask("annotation_store", "GET", f"/v1/jobs/{migration}", caller, request)
    if answer.status != 200 or answer.json()["state"] != "done":
        raise ConflictError(
            f"The migration is still running; wait until GET /v1/jobs/{migration} says that it is done."
        )


def _body_of(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        fault = Fault(pointer="", code="wrong-type", message="A migration is an object with operations and a note.")
        refuse([fault], "The migration")
        raise InvalidBodyError("The migration cannot be used.")
    known = ("operations", "note")
    faults = [
        Fault(
            pointer=f"/{key}", code="unknown-key", message=f"{quoted(key)} is not a key here; {suggestion(key, known)}"
        )
        for key in raw
        if key not in known
    ]
    note = raw.get("note", "")
    if not isinstance(note, str) or len(note) > 2000:
        faults.append(
            Fault(pointer="/note", code="malformed", message="note must be a text of at most 2000 characters.")
        )
    refuse(faults, "The migration")
    return raw


def _check_based_on(request: Request, taxonomy: str, newest: TaxonomyVersion) -> None:
    expected = based_on(request)
    if expected is not None and expected != newest.number:
        raise changed(f"Taxonomy {taxonomy!r}", newest.number)


def _shown(version: TaxonomyVersion) -> dict[str, Any]:
    return {
        "migration": version.migration,
        "version": version.number,
        "rolls_back": version.rolls_back,
        "operations": version.operations,
        "note": version.note,
        "requested_by": version.published_by,
        "requested_at": version.published_at.isoformat(),
    }


def _job_id(caller: Principal, request: Request) -> str:
    cause = cause_of(request)
    return f"annotation_store-{derived_id(caller.tenant_id, *cause) if cause else new_id()}"
