"""Work that came too late to count: kept for its author, with the reason, and never lost."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.annotation_store.domain.content import body_of
from shared.events.origin import Origin
from shared.events.tasks import AnnotationSurplus, Stage, SurplusReason
from shared.labels.canonical import content_hash
from shared.labels.verdicts import RuleVerdict
from shared.ledger import Step


class SurplusWork(BaseModel):
    """One submission that did not count."""

    model_config = ConfigDict(frozen=True)

    annotation_id: str
    reason: SurplusReason
    project_version: int
    content_hash: str
    body: str
    """The id of the document that holds the fields."""
    lease_id: str
    submitted_at: datetime
    seconds_spent: float | None = None
    confidence: float | None = None
    verdicts: tuple[RuleVerdict, ...] = ()
    origin: Origin | None = None


class Surplus(BaseModel):
    """All that one annotator sent for one task and that did not count, in order of arrival."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    task_id: str
    stage: Stage
    annotator_id: str
    works: tuple[SurplusWork, ...]


def on_annotation_surplus(surplus: Surplus | None, event: AnnotationSurplus) -> Step[Surplus]:
    """Keep the work. The same content under the same lease is kept once."""
    digest = content_hash(event.fields)
    works = () if surplus is None else surplus.works
    if any((work.lease_id, work.content_hash) == (event.lease_id, digest) for work in works):
        return Step(surplus)
    body = body_of(event.tenant_id, event.annotation_id, event.fields)
    work = SurplusWork(
        annotation_id=event.annotation_id,
        reason=event.reason,
        project_version=event.project_version,
        content_hash=digest,
        body=body.id,
        lease_id=event.lease_id,
        submitted_at=event.occurred_at,
        seconds_spent=event.seconds_spent,
        confidence=event.confidence,
        verdicts=tuple(event.verdicts),
        origin=event.origin,
    )
    changed = Surplus(
        sample_id=event.sample_id,
        project_id=event.project_id,
        task_id=event.task_id,
        stage=event.stage,
        annotator_id=event.annotator_id,
        works=(*works, work),
    )
    return Step(changed, bodies=[body])
