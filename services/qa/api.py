"""What the gateway may ask of QA."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_router``.

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.report import FieldAgreement, agreement_on
from services.qa.domain.sample import JudgedSample
from services.qa.store import COUNTED, QaQueries
from shared.catalog import Catalog, ProjectVersion
from shared.ledger import Document
from shared.security import READERS, Principal

CallerOf = Callable[[Request], Awaitable[Principal]]


class AgreementView(BaseModel):
    """How far annotators agree on one field."""

    field: str
    kind: str
    alpha: float | None = Field(description="Krippendorff's alpha, at most 1; null where it is not defined.")
    low: float | None = Field(description="Lower end of alpha's 95 % bootstrap interval.")
    high: float | None = Field(description="Upper end of alpha's 95 % bootstrap interval.")
    undefined: str | None = Field(description="Why there is no alpha.")
    pairwise: float | None = Field(description="Mean pairwise agreement, 0 to 1, not corrected for chance.")
    units: int = Field(description="n: samples whose field at least two annotators filled.")
    answers: int = Field(description="Values in these samples.")


class CountsView(BaseModel):
    """How many samples of the project are where."""

    judged: int = Field(description="Samples whose first pass was complete and judged.")
    finalized: int = Field(description="Samples that have a final label.")
    decided_by: dict[str, int] = Field(description="Of these: by consensus, review or adjudication.")
    decisions: dict[str, int] = Field(description="What the labels said when they were judged last.")
    open_work: dict[str, int] = Field(description="Work that QA asked for and waits for, by stage.")
    reviews: dict[str, int] = Field(description="Samples by the verdicts that they were given at least once.")
    counted_up_to: int = Field(description="At most so many samples are counted.")


class AgreementReport(BaseModel):
    """Agreement per field over the samples that something happened to last."""

    project_id: str
    project_version: int
    samples: int = Field(description="Samples that the figures are from.")
    newest: int = Field(description="At most so many samples are looked at, the newest first.")
    fields: list[AgreementView]
    counts: CountsView


class AccuracyView(BaseModel):
    """A share with its 95 % interval (Wilson)."""

    accuracy: float
    low: float
    high: float
    n: float = Field(description="Answers behind it.")


class AnnotatorView(BaseModel):
    """How one annotator's answers compared with what became final."""

    annotator_id: str
    assessed: int = Field(description="Samples of which an answer was compared with the final label.")
    accuracy: float = Field(description="Mean over the fields, 0 to 1.")
    fields: dict[str, AccuracyView]


class AnnotatorPage(BaseModel):
    """Annotators, and where the next page begins."""

    items: list[AnnotatorView]
    next: str | None


def create_router(caller_of: CallerOf, queries: QaQueries, catalog: Catalog, report_samples: int) -> APIRouter:
    """Return QA's routes.

    Args:
        caller_of: Tells who calls.
        queries: Reads what is kept.
        catalog: The projects.
        report_samples: How many of the newest samples a figure is computed from at most.
    """
    router = APIRouter(prefix="/v1/projects/{project_id}")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service
    one_at_a_time = asyncio.Lock()  # a report takes seconds of a core; the fold needs the other one

    @router.get("/agreement")
    async def get_agreement(project_id: str, caller: Caller) -> AgreementReport:
        """Return Krippendorff's alpha and the plain agreement of each field, and how many samples are where."""
        version = await version_of(catalog, caller, project_id)
        async with one_at_a_time:
            found = await queries.newest(caller.tenant_id, project_id, report_samples)
            fields = await asyncio.to_thread(_agreement, version, found)
        counts = await queries.counts(caller.tenant_id, project_id)
        return AgreementReport(
            project_id=project_id,
            project_version=version.number,
            samples=len(found),
            newest=report_samples,
            fields=[AgreementView.model_validate(each, from_attributes=True) for each in fields],
            counts=CountsView(**counts._asdict(), counted_up_to=COUNTED),
        )

    @router.get("/annotators")
    async def list_annotators(
        project_id: str,
        caller: Caller,
        cursor: Annotated[str, Query(max_length=200, description="The `next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=200, description="How many items a page holds at most.")] = 50,
    ) -> AnnotatorPage:
        """Return how the project's annotators do, field by field."""
        await version_of(catalog, caller, project_id)
        found = await queries.annotators(caller.tenant_id, project_id, after=cursor, limit=limit + 1)
        last = found[limit - 1].annotator_id if len(found) > limit else None
        return AnnotatorPage(items=[_annotator_view(each) for each in found[:limit]], next=last)

    return router


async def version_of(catalog: Catalog, caller: Principal, project_id: str) -> ProjectVersion:
    """Return the project's newest version, to those who may read its figures."""
    version = await catalog.newest(caller.tenant_id, project_id)
    caller.require(READERS, project_id)
    return version


def _agreement(version: ProjectVersion, found: Sequence[Document]) -> list[FieldAgreement]:
    samples = [JudgedSample.model_validate(state) for state in found]
    return [agreement_on(name, version.spec.fields, version.number, samples) for name in version.spec.fields]


def _annotator_view(annotator: AssessedAnnotator) -> AnnotatorView:
    skill = annotator.skill
    accuracies = {name: skill.accuracy(name) for name in sorted(annotator.tallies)}
    return AnnotatorView(
        annotator_id=annotator.annotator_id,
        assessed=annotator.assessed,
        accuracy=annotator.mean_accuracy,
        fields={
            name: AccuracyView(accuracy=each.estimate, low=each.low, high=each.high, n=each.answers)
            for name, each in accuracies.items()
        },
    )
