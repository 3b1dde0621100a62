"""What feedback answers over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import ModelTally
from shared.clock import from_ms

TOP_CONFUSIONS = 10


class ConfusionView(BaseModel):
    """A confusion of a choice field."""

    label: str
    prediction: str
    count: int


class FieldErrorsView(BaseModel):
    """How a model version does in one field."""

    field: str
    error_rate: float = Field(description="Mean error, 0 to 1; of a choice the share of wrong predictions.")
    n: int = Field(description="Judged samples.")
    erring: int = Field(description="Samples with an error of at least 0.2.")
    confusions: list[ConfusionView] = Field(description="The most frequent ones, at most ten.")
    open_findings: list[str]


class ModelErrorsView(BaseModel):
    """How a model version does."""

    model: str
    model_version: str
    judged: int = Field(description="Samples whose prediction was compared with the label of record.")
    full: bool = Field(description="Whether samples were left out, because no more judgements fit.")
    fields: list[FieldErrorsView]


class ModelErrorsPage(BaseModel):
    """Model versions, and where the next page begins."""

    items: list[ModelErrorsView]
    next: str | None


class FindingView(BaseModel):
    """A finding and how far it is worked off."""

    finding_id: str
    project_id: str
    model: str
    model_version: str
    field: str
    slice: str = Field(description="`<label> -> <prediction>`, or `whole field`.")
    error_rate: float = Field(description="Of the field when the finding was opened.")
    judged: int = Field(description="Samples behind the error rate.")
    state: str = Field(description="open, worked_off or dismissed")
    samples: list[str] = Field(description="The samples that were sent back, the worst first.")
    changed: int = Field(description="Samples whose label was changed since.")
    confirmed: int = Field(description="Samples whose label was looked at and kept.")
    waiting: int = Field(description="Samples that nobody has looked at yet.")
    opened_at: datetime
    closed_at: datetime | None
    dismissed_by: str | None
    reason: str | None = Field(description="Why it was dismissed.")


class FindingPage(BaseModel):
    """Findings, the newest first, and where the next page begins."""

    items: list[FindingView]
    next: str | None


def model_errors_view(tally: ModelTally) -> ModelErrorsView:
    """Return what is shown of a model version."""
    fields = []
    for name, of_field in sorted(tally.fields.items()):
        frequent = sorted(tally.confusions.get(name, ()), key=lambda each: (-each.count, each.label, each.prediction))
        fields.append(
            FieldErrorsView(
                field=name,
                error_rate=round(of_field.error_rate, 6),
                n=of_field.judged,
                erring=of_field.erring,
                confusions=[
                    ConfusionView(label=each.label, prediction=each.prediction, count=each.count)
                    for each in frequent[:TOP_CONFUSIONS]
                    if each.count
                ],
                open_findings=[each.finding_id for each in tally.open if each.field == name],
            )
        )
    return ModelErrorsView(
        model=tally.model, model_version=tally.model_version, judged=tally.samples, full=tally.full, fields=fields
    )


def finding_view(finding: Finding) -> FindingView:
    """Return what is shown of a finding."""
    changed = sum(finding.progress.values())
    shown = {"finding_id", "project_id", "model", "model_version", "field", "slice", "error_rate", "judged"}
    return FindingView(
        **finding.model_dump(include=shown),
        state=finding.outcome or "open",
        samples=list(finding.samples),
        changed=changed,
        confirmed=len(finding.progress) - changed,
        waiting=len(finding.samples) - len(finding.progress),
        opened_at=from_ms(finding.opened_ms),
        closed_at=None if finding.closed_ms is None else from_ms(finding.closed_ms),
        dismissed_by=finding.dismissed_by or None,
        reason=finding.reason or None,
    )
