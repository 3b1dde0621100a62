"""What a line of an import says: a sample, or why it is none. The gateway reads lines so, and ingest those of files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.catalog import ProjectVersion
from shared.events import Event
from shared.events.imports import ImportLineFinished
from shared.events.samples import AssetSource, OnConflict, SampleSubmitted
from shared.ids import derived_id, sample_id_of
from shared.labels.facts import Clock
from shared.labels.faults import Fault
from shared.labels.json_values import check_json
from shared.labels.pii.model import PiiFinding
from shared.labels.pii.screening import hide, screen_sample
from shared.labels.sample import check_sample, clock_faults, schema_violations
from shared.labels.sample_metadata import metadata_faults
from shared.lines import Line, parse_line

EARLIEST_DUE: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_DUE: Final = datetime(2200, 1, 1, tzinfo=UTC)
DueDate = Annotated[AwareDatetime, Field(ge=EARLIEST_DUE, le=LATEST_DUE)]
"""A moment with its zone; one outside of these years is a slip of the pen or of a unit."""


class SampleBody(BaseModel):
    """A sample as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field(min_length=1, max_length=300, description="The sample's name in your own system.")
    assets: dict[str, AssetSource] = Field(description="By slot: {upload}, {uri}, {text} or {record}.")
    metadata: dict[str, Any] = Field(default_factory=dict)
    clocks: dict[str, Clock] = Field(
        default_factory=dict, description="By slot: where the asset's time stands on the common clock."
    )
    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", description="BCP 47.")
    predictions: dict[str, Any] | None = Field(None, description="Fields to suggest to annotators; checked as labels.")
    due_at: DueDate | None = Field(
        None,
        description="Until when the sample should have its label of record; else as its import or the project says.",
        examples=["2026-12-01T18:00:00+01:00"],
    )


class CheckedSample(NamedTuple):
    """A sample as it may go on, what was found in it, and all that is wrong with it."""

    body: SampleBody
    pii: tuple[PiiFinding, ...]
    faults: list[Fault]


def line_event(
    version: ProjectVersion,
    line: Line,
    envelope: Mapping[str, Any],
    job_id: str,
    *,
    on_conflict: OnConflict,
    max_line_bytes: int,
    due_at: datetime | None = None,
) -> Event:
    """Return what a line says: a sample, or why it is none.

    Args:
        version: The project version that the import is checked against.
        line: The line.
        envelope: Tenant, time, request and trace; the id follows from job and line, so that the same line read twice
            tells the same fact.
        job_id: The import.
        on_conflict: What becomes of samples that are known with other content.
        max_line_bytes: Longer lines are refused.
        due_at: The due date of a sample whose line gives none.
    """
    body = parse_line(line, SampleBody, max_line_bytes)
    checked = body if isinstance(body, list) else check_body(version, body)
    known = {**envelope, "event_id": derived_id(envelope["tenant_id"], "import-line", job_id, str(line.number))}
    if isinstance(checked, CheckedSample) and not checked.faults:
        if checked.body.due_at is None and due_at is not None:
            checked = checked._replace(body=checked.body.model_copy(update={"due_at": due_at}))
        return sample_submitted(version, checked, known, on_conflict=on_conflict, job_id=job_id, line=line.number)
    external_id = _name_that_may_be_told(checked) if isinstance(checked, CheckedSample) else None
    return ImportLineFinished(
        **known,
        job_id=job_id,
        line=line.number,
        outcome="rejected",
        external_id=external_id,
        sample_id=None if external_id is None else sample_id_of(envelope["tenant_id"], version.project_id, external_id),
        faults=checked.faults if isinstance(checked, CheckedSample) else checked,
        source=hide(version.spec, line.source(max_line_bytes)),
    )


def _name_that_may_be_told(checked: CheckedSample) -> str | None:
    """Return the name of a sample that is refused, unless it is refused for its name: its id would help to guess that."""
    is_personal = any(fault.pointer == "/external_id" and fault.code == "pii-found" for fault in checked.faults)
    return None if is_personal else checked.body.external_id


def check_body(version: ProjectVersion, body: SampleBody) -> CheckedSample:
    """Find all that is wrong with a sample before its uploads are looked at, and mask what the project wants masked.

    What is refused for personal data is not looked at any further, for faults quote what they are about.
    """
    if not version.spec.searches_pii:
        return CheckedSample(body, (), _faults(version, body, body))
    assets = {slot: source.model_dump(exclude_none=True) for slot, source in body.assets.items()}
    screened = screen_sample(version.spec, assets, body.metadata, body.predictions, external_id=body.external_id)
    if screened.faults:
        return CheckedSample(body, screened.findings, screened.faults)
    sources = {slot: AssetSource.model_validate(source) for slot, source in screened.assets.items()}
    sent, body = (
        body,
        body.model_copy(update={"assets": sources, "metadata": screened.metadata, "predictions": screened.predictions}),
    )
    return CheckedSample(body, screened.findings, _faults(version, body, sent))


def _faults(version: ProjectVersion, body: SampleBody, sent: SampleBody) -> list[Fault]:
    """Return all that is wrong with a sample, and, where it is sound, with what its records were when it was sent."""
    assets = {slot: source.model_dump(exclude_none=True) for slot, source in body.assets.items()}
    beside = {"external_id": body.external_id, "metadata": body.metadata, "predictions": body.predictions}
    found = [*check_json(beside).faults, *check_sample(version.spec, assets, body.language)]
    found += [*metadata_faults(version.spec, body.metadata), *clock_faults(version.spec, body.clocks)]
    records = {slot: {"record": source.record} for slot, source in sent.assets.items() if source.record is not None}
    return found or schema_violations(version.spec, records)


def sample_submitted(
    version: ProjectVersion,
    checked: CheckedSample,
    envelope: Mapping[str, Any],
    *,
    on_conflict: OnConflict,
    job_id: str | None = None,
    line: int | None = None,
) -> SampleSubmitted:
    """Return the fact that a sound sample was sent."""
    body = checked.body
    return SampleSubmitted(
        **envelope,
        sample_id=sample_id_of(envelope["tenant_id"], version.project_id, body.external_id),
        project_id=version.project_id,
        project_version=version.number,
        external_id=body.external_id,
        assets=body.assets,
        metadata=body.metadata,
        clocks=body.clocks,
        language=body.language,
        predictions=body.predictions,
        pii=list(checked.pii),
        due_at=body.due_at,
        on_conflict=on_conflict,
        job_id=job_id,
        line=line,
    )
