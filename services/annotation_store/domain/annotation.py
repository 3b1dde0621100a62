"""An annotation with all its revisions, and a review with its own; nothing is ever overwritten."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.annotation_store.domain.content import body_of
from shared.events.annotations import AnnotationStored, ReviewStored
from shared.events.origin import Origin
from shared.events.tasks import (
    AnnotationCounted,
    AnnotationVoided,
    ReviewCounted,
    ReviewIssue,
    ReviewVoided,
    Stage,
    Verdict,
)
from shared.labels.canonical import content_hash
from shared.labels.verdicts import RuleVerdict
from shared.ledger import Step, wait


class AnnotationRevision(BaseModel):
    """What an annotator sent at one time."""

    model_config = ConfigDict(frozen=True)

    revision: int
    project_version: int
    content_hash: str
    """Of the fields alone."""
    body: str
    """The id of the document that holds the fields."""
    lease_id: str
    submitted_at: datetime
    seconds_spent: float | None = None
    confidence: float | None = None
    verdicts: tuple[RuleVerdict, ...] = ()
    origin: Origin | None = None


class Annotation(BaseModel):
    """One annotator's answer to one task; the last revision counts."""

    model_config = ConfigDict(frozen=True)

    annotation_id: str
    sample_id: str
    project_id: str
    task_id: str
    stage: Stage
    annotator_id: str
    revisions: tuple[AnnotationRevision, ...]
    voided: bool = False
    """A manager wants it no more; it is kept, and counts for nothing."""

    @property
    def latest(self) -> AnnotationRevision:
        """The revision that counts."""
        return self.revisions[-1]


class ReviewRevision(BaseModel):
    """What a reviewer said at one time."""

    model_config = ConfigDict(frozen=True)

    revision: int
    project_version: int
    content_hash: str
    """Of verdict, fields and issues together."""
    verdict: Verdict
    body: str | None
    """The id of the document that holds the corrected fields, where there are any."""
    issues: tuple[ReviewIssue, ...]
    lease_id: str
    submitted_at: datetime
    seconds_spent: float | None = None
    origin: Origin | None = None


class Review(BaseModel):
    """One reviewer's verdict on the label that stood; the last revision counts."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    sample_id: str
    project_id: str
    task_id: str
    stage: Stage
    annotator_id: str
    revisions: tuple[ReviewRevision, ...]
    voided: bool = False
    """A manager wants it no more; it is kept, and counts for nothing."""


def on_annotation_counted(annotation: Annotation | None, event: AnnotationCounted) -> Step[Annotation]:
    """Append a revision. The content that is there already stays one revision, however often it is sent."""
    digest = content_hash(event.fields)
    if annotation is not None and annotation.latest.content_hash == digest:
        return Step(annotation, [_stored(event, annotation.latest.revision)])  # whoever waits for it gets an answer
    earlier = () if annotation is None else annotation.revisions
    body = body_of(event.tenant_id, event.annotation_id, event.fields)
    revision = AnnotationRevision(
        revision=len(earlier) + 1,
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
    changed = Annotation(
        annotation_id=event.annotation_id,
        sample_id=event.sample_id,
        project_id=event.project_id,
        task_id=event.task_id,
        stage=event.stage,
        annotator_id=event.annotator_id,
        revisions=(*earlier, revision),
    )
    return Step(changed, [_stored(event, revision.revision)], [body])


def on_annotation_voided(annotation: Annotation | None, event: AnnotationVoided) -> Step[Annotation]:
    """Mark an annotation as one that counts no more; twice is as once."""
    if annotation is None:
        return wait(annotation)
    return Step(annotation.model_copy(update={"voided": True}))


def on_review_voided(review: Review | None, event: ReviewVoided) -> Step[Review]:
    """Mark a review as one that counts no more; twice is as once."""
    if review is None:
        return wait(review)
    return Step(review.model_copy(update={"voided": True}))


def on_review_counted(review: Review | None, event: ReviewCounted) -> Step[Review]:
    """Append a revision. The same verdict on the same grounds stays one revision, however often it is sent."""
    issues = [issue.model_dump(mode="json") for issue in event.issues]
    digest = content_hash({"verdict": event.verdict, "fields": event.fields, "issues": issues})
    if review is not None and review.revisions[-1].content_hash == digest:
        return Step(review)
    earlier = () if review is None else review.revisions
    body = None if event.fields is None else body_of(event.tenant_id, event.review_id, event.fields)
    revision = ReviewRevision(
        revision=len(earlier) + 1,
        project_version=event.project_version,
        content_hash=digest,
        verdict=event.verdict,
        body=None if body is None else body.id,
        issues=tuple(event.issues),
        lease_id=event.lease_id,
        submitted_at=event.occurred_at,
        seconds_spent=event.seconds_spent,
        origin=event.origin,
    )
    changed = Review(
        review_id=event.review_id,
        sample_id=event.sample_id,
        project_id=event.project_id,
        task_id=event.task_id,
        stage=event.stage,
        annotator_id=event.annotator_id,
        revisions=(*earlier, revision),
        voided=review is not None and review.voided,
    )
    stored = ReviewStored.caused_by(
        event,
        sample_id=event.sample_id,
        project_id=event.project_id,
        project_version=event.project_version,
        task_id=event.task_id,
        stage=event.stage,
        review_id=event.review_id,
        annotator_id=event.annotator_id,
        revision=revision.revision,
        verdict=event.verdict,
        fields=event.fields,
        issues=event.issues,
        seconds_spent=event.seconds_spent,
        origin=event.origin,
    )
    return Step(changed, [stored], [] if body is None else [body])


def _stored(event: AnnotationCounted, revision: int) -> AnnotationStored:
    return AnnotationStored.caused_by(
        event,
        sample_id=event.sample_id,
        project_id=event.project_id,
        project_version=event.project_version,
        task_id=event.task_id,
        stage=event.stage,
        annotation_id=event.annotation_id,
        annotator_id=event.annotator_id,
        revision=revision,
        fields=event.fields,
        verdicts=event.verdicts,
        seconds_spent=event.seconds_spent,
        confidence=event.confidence,
        origin=event.origin,
    )
