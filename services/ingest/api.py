"""What the gateway may ask of ingest."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from services.ingest.domain.erasing import JOB_PREFIX, Erasure, view
from services.ingest.domain.sample import Sample
from services.ingest.domain.upload import Upload
from shared.catalog import Catalog
from shared.errors import GoneError, NotFoundError
from shared.events.resemblance import NearDuplicate
from shared.job_errors import JobErrors
from shared.job_routes import add_job_routes
from shared.jobs import JobPart, JobView
from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault
from shared.labels.pii.model import PiiFinding
from shared.ledger import Ledger
from shared.media import Media
from shared.security import MANAGERS, Principal, Role

OWNERS: Final[frozenset[Role]] = frozenset({"owner"})
log = structlog.get_logger()


class SampleView(BaseModel):
    """A sample as ingest knows it."""

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    state: str = Field(description="waiting (for uploads), ingested, linked or rejected")
    duplicate_of: str | None = Field(description="Of a linked sample: the one that had its content first.")
    near_duplicates: list[NearDuplicate] = Field(
        description="Images of earlier samples of the project that look like this one's, the nearest first."
    )
    assets: dict[str, AssetFacts] = Field(description="What was found, by slot.")
    missing: dict[str, str] = Field(description="Uploads that have not arrived, by slot.")
    pii: list[PiiFinding] = Field(description="Where personal data stands, or stood before it was masked.")
    metadata: dict[str, Any]
    language: str | None
    due_at: datetime | None = Field(description="Until when it should have its label of record, if its sender said so.")
    faults: list[Fault] = Field(description="Why it was rejected.")


class AssetLink(BaseModel):
    """Where an asset can be fetched for the next two hours."""

    url: str


def create_router(
    caller_of: Callable[[Request], Awaitable[Principal]],
    samples: Ledger[Sample],
    uploads: Ledger[Upload],
    jobs: Ledger[JobPart],
    errors: JobErrors,
    erasures: Ledger[Erasure],
    media: Media,
    catalog: Catalog,
) -> APIRouter:
    """Return ingest's routes."""
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    async def sample_of(caller: Principal, sample_id: str) -> Sample:
        found = (await samples.read([f"{caller.tenant_id}/{sample_id}"])).get(f"{caller.tenant_id}/{sample_id}")
        if found is None and await samples.erased([f"{caller.tenant_id}/{sample_id}"]):
            raise GoneError(f"Sample {sample_id} was erased; nothing of it is kept.")
        if found is None:
            raise NotFoundError(f"There is no sample {sample_id!r}; the answer to its submission tells its id.")
        caller.require(caller.roles, found.project_id)
        return found

    @router.get("/samples/{sample_id}")
    async def get_sample(sample_id: str, caller: Caller) -> SampleView:
        """Return a sample with the facts of its assets."""
        sample = await sample_of(caller, sample_id)
        return SampleView(**sample.model_dump(), missing=sample.missing)

    @router.get("/samples/{sample_id}/assets/{slot}")
    async def get_asset(
        sample_id: str,
        slot: str,
        caller: Caller,
        preview: str | None = None,
        quarantined: bool = False,
        original: bool = False,
    ) -> AssetLink:
        """Return a link to a sample's media or a preview of it; to an original that is not served where it is asked for."""
        sample = await sample_of(caller, sample_id)
        if quarantined:
            return AssetLink(url=await quarantined_link(caller, sample, slot))
        facts = sample.assets.get(slot)
        if facts is None or facts.object is None:
            raise NotFoundError(f"Sample {sample_id} has no media in slot {slot!r}; GET the sample lists its slots.")
        if original:
            caller.require(MANAGERS, sample.project_id)
            return AssetLink(url=_original_link(media, facts))
        return AssetLink(url=media.asset_link(facts) if preview is None else _preview_link(media, facts, preview))

    async def quarantined_link(caller: Principal, sample: Sample, slot: str) -> str:
        spec = catalog.version(caller.tenant_id, sample.project_id, sample.project_version).spec
        caller.require(OWNERS if spec.hides_pii_of(slot) else MANAGERS, sample.project_id)
        source = sample.sources.get(slot)
        upload = None
        if sample.state == "rejected" and source is not None and source.upload is not None:
            key = f"{caller.tenant_id}/{source.upload}"
            upload = (await uploads.read([key])).get(key)
        if upload is None or upload.object is None or upload.lapsed:
            raise NotFoundError(
                f"There is no rejected original in slot {slot!r} of sample {sample.sample_id}, or its quarantine is over."
            )
        log.info(
            "quarantined_original_opened",
            tenant=caller.tenant_id,
            sample=sample.sample_id,
            slot=slot,
            by=caller.subject,
            personal=spec.hides_pii_of(slot),
        )
        return media.link(upload.object, upload.version)

    _add_erasures(router, caller_of, erasures)
    add_job_routes(router, caller_of, jobs, errors)
    return router


def _original_link(media: Media, facts: AssetFacts) -> str:
    """Return the link to the file as it came."""
    if facts.original is None:
        return media.asset_link(facts)
    if facts.original.object is None:
        raise NotFoundError("The original was removed, as the project says; the copy without metadata is there.")
    return media.link(facts.original.object, facts.original.version)


def _preview_link(media: Media, facts: AssetFacts, name: str) -> str:
    """Return the link to a preview; an image that needs no thumbnail is its own."""
    previews = facts.previews or {}
    if name in previews:
        return media.link(previews[name])
    if name == "thumbnail" and facts.modality == "image":
        return media.asset_link(facts)
    known = ", ".join(sorted(previews)) or "none"
    raise NotFoundError(f"There is no preview {name!r} of this {facts.modality} asset; it has: {known}.")


def _add_erasures(
    router: APIRouter, caller_of: Callable[[Request], Awaitable[Principal]], erasures: Ledger[Erasure]
) -> None:
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get(f"/jobs/{JOB_PREFIX}{{erasure}}")
    async def get_erasure(erasure: str, caller: Caller) -> JobView:
        """Return which services have forgotten an erased sample."""
        key = f"{caller.tenant_id}/{JOB_PREFIX}{erasure}"
        found = (await erasures.read([key])).get(key)
        if found is None:
            raise NotFoundError(f"There is no erasure {erasure!r} (yet); the answer to the DELETE tells the job's id.")
        return view(found)
