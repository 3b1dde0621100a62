"""The model's word: predictions sent in, findings dismissed."""

from dataclasses import replace
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.gateway.context import Context
from services.gateway.idempotency import cause_of
from services.gateway.imports import JobAccepted
from services.gateway.lines import read_lines, write_lines
from services.gateway.projects import ProjectId
from services.gateway.samples import SENDERS
from shared.catalog import ProjectVersion
from shared.events import Event
from shared.events.feedback import (
    FindingDismissed,
    PredictionLineFinished,
    PredictionsReceived,
    PredictionSubmitted,
)
from shared.ids import derived_id, new_id, sample_id_of
from shared.labels.answer import check_answer
from shared.labels.pii.screening import ScreenedPrediction, hide, screen_prediction
from shared.lines import Line, parse_line
from shared.security import MANAGERS, Principal


class PredictionBody(BaseModel):
    """What a model says of one sample."""

    model_config = ConfigDict(extra="forbid")

    sample_id: str | None = None
    external_id: str | None = None
    model: str = Field(min_length=1, max_length=200)
    version: str = Field(min_length=1, max_length=200)
    fields: dict[str, Any]
    score: float | None = Field(None, ge=0, le=1)
    prompt: str | None = Field(None, max_length=100_000)

    @model_validator(mode="after")
    def _names_its_sample(self) -> Self:
        if (self.sample_id is None) == (self.external_id is None):
            raise ValueError("name the sample by either sample_id or external_id")
        return self


class DismissBody(BaseModel):
    """Why a finding needs no work."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000)


def create_router(context: Context) -> APIRouter:
    """Return the routes by which models are heard."""
    router = APIRouter(prefix="/v1/projects", tags=["feedback"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/{project}/predictions", status_code=202)
    async def predict(project: ProjectId, caller: Caller, request: Request) -> JobAccepted:
        """Send a model's predictions, one JSON object a line; lines with faults are refused one by one."""
        caller.require(SENDERS, project)
        version = await context.catalog.newest(caller.tenant_id, project)
        cause = cause_of(request)
        job_id = f"feedback-{derived_id(caller.tenant_id, *cause) if cause else new_id()}"
        total, last = await write_lines(
            context,
            read_lines(request, context.settings.max_line_bytes),
            lambda line: _line_event(context, caller, request, version, line, job_id),
            is_slow=version.spec.intake.pii is not None,
        )
        received = PredictionsReceived(
            **context.envelope(caller, request, "predictions", job_id),
            job_id=job_id,
            project_id=project,
            lines=total,
            last_line=last,
        )
        await context.write(received)
        return JobAccepted(job_id=job_id, lines=last)

    @router.post("/{project}/findings/{finding_id}/dismiss", status_code=202)
    async def dismiss(
        project: ProjectId, finding_id: str, body: DismissBody, caller: Caller, request: Request
    ) -> Response:
        """Close a finding that needs no work."""
        caller.require(MANAGERS, project)
        path = f"/v1/projects/{project}/findings/{finding_id}"
        found = await context.inner.ask("feedback", "GET", path, caller, request)
        if not found.ok:
            return found.response()
        event = FindingDismissed(
            **context.envelope(caller, request, *cause_of(request)),
            finding_id=finding_id,
            reason=body.reason,
            dismissed_by=caller.subject,
        )
        await context.write(event)
        return Response(status_code=202)

    return router


def _line_event(
    context: Context, caller: Principal, request: Request, version: ProjectVersion, line: Line, job_id: str
) -> Event:
    """Return what a line says: a prediction, or why it is none."""
    body = parse_line(line, PredictionBody, context.settings.max_line_bytes)
    envelope = context.envelope(caller, request, "prediction-line", job_id, str(line.number))
    checked = body if isinstance(body, list) else check_prediction(version, body)
    if isinstance(body, list) or isinstance(checked, list) or checked.faults:
        return PredictionLineFinished(
            **envelope,
            job_id=job_id,
            line=line.number,
            outcome="rejected",
            faults=checked if isinstance(checked, list) else checked.faults,
            source=hide(version.spec, line.source(context.settings.max_line_bytes)),
        )
    sample_id = body.sample_id or sample_id_of(caller.tenant_id, version.project_id, body.external_id or "")
    return PredictionSubmitted(
        **envelope,
        sample_id=sample_id,
        project_id=version.project_id,
        project_version=version.number,
        model=body.model,
        model_version=body.version,
        fields=checked.fields,
        score=body.score,
        prompt=checked.prompt,
        pii=list(checked.findings),
        job_id=job_id,
        line=line.number,
    )


def check_prediction(version: ProjectVersion, body: PredictionBody) -> ScreenedPrediction:
    """Search a prediction for personal data, and check its shape.

    What it leaves out is no fault, and its sample's facts are not asked for. What is refused for personal data is not
    looked at any further, for faults quote what they are about.
    """
    screened = screen_prediction(version.spec, body.fields, body.prompt)
    if screened.faults:
        return screened
    found = check_answer(version.spec, {}, screened.fields).faults
    return replace(screened, faults=[fault for fault in found if fault.code != "missing-field"])
