"""What QA knows of one sample: its labels, how far its judging is, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from services.qa.domain.judging import Decision
from shared.events.annotations import AnnotationStored, Contribution
from shared.events.origin import Origin
from shared.events.tasks import Stage, Verdict
from shared.labels.verdicts import RuleVerdict

DecidedBy = Literal["consensus", "review", "adjudication"]


def _read_json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value


def _write_json(value: Any) -> str:
    return orjson.dumps(value).decode()


Fields = Annotated[Mapping[str, Any], BeforeValidator(_read_json), PlainSerializer(_write_json)]
"""Values by field name. Kept as JSON text: names within a record may hold what a document's keys may not."""


class GivenLabel(BaseModel):
    """The newest answer of one annotator."""

    model_config = ConfigDict(frozen=True)

    annotation_id: str
    annotator_id: str
    task_id: str
    revision: int
    project_version: int
    fields: Fields
    weights: dict[str, float] = Field(default_factory=dict)
    """By field: how much the answer counts, by what was known of the annotator when it came."""
    verdicts: tuple[RuleVerdict, ...] = ()
    given_at: datetime
    seconds_spent: float | None = None
    confidence: float | None = None
    origin: Origin | None = None

    def contribution(self, stage: Stage) -> Contribution:
        """Return what the answer gives to a label."""
        return Contribution(
            **_known(self.origin),
            annotator_id=self.annotator_id,
            stage=stage,
            source_id=self.annotation_id,
            revision=self.revision,
            project_version=self.project_version,
            submitted_at=self.given_at,
            seconds_spent=self.seconds_spent,
            confidence=self.confidence,
        )

    def replaces(self, older: GivenLabel) -> bool:
        """Return whether this answer is newer than another one of the same annotator."""
        if self.annotation_id == older.annotation_id:
            return self.revision > older.revision
        return (self.given_at, self.annotation_id) > (older.given_at, older.annotation_id)


class CompletedTask(BaseModel):
    """A task of the first pass of which every slot has its answer."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    annotators: tuple[str, ...]


class FinalLabel(BaseModel):
    """What was decided to be true."""

    model_config = ConfigDict(frozen=True)

    fields: Fields
    decided_by: DecidedBy
    project_version: int
    source_id: str = ""
    """The review or the adjudicator's annotation that decided it; empty where labels did."""


class GivenReview(BaseModel):
    """One verdict on the label that stood."""

    model_config = ConfigDict(frozen=True)

    review_id: str
    reviewer_id: str
    stage: Stage
    revision: int
    verdict: Verdict
    issues: int
    project_version: int = 0
    given_at: datetime | None = None
    seconds_spent: float | None = None
    origin: Origin | None = None
    before: FinalLabel | None = None
    """What had been decided before it."""
    asked_adjudicator: bool = False
    """Whether its rejection led to an adjudication."""

    def contribution(self) -> Contribution | None:
        """Return what the review gives to a label; None of one that is older than its time was noted."""
        if self.given_at is None:
            return None
        return Contribution(
            **_known(self.origin),
            annotator_id=self.reviewer_id,
            stage=self.stage,
            source_id=self.review_id,
            revision=self.revision,
            project_version=self.project_version,
            submitted_at=self.given_at,
            seconds_spent=self.seconds_spent,
        )


class Assessment(BaseModel):
    """How one annotator's answer compared with the final label, by field."""

    model_config = ConfigDict(frozen=True)

    annotator_id: str
    scores: dict[str, float]


class JudgedSample(BaseModel):
    """A sample on its way from labels to a label of record."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    labels: tuple[GivenLabel, ...] = ()
    """One of each annotator of the first pass, by annotator."""
    completed: tuple[CompletedTask, ...] = ()
    decision: Decision | None = None
    """What the labels said when they were judged last; None before the first pass was complete."""
    agreement: dict[str, float] = Field(default_factory=dict)
    confidence: dict[str, float] = Field(default_factory=dict)
    open_work: Literal["first_pass", "peer_review", "adjudication"] | None = None
    """The work that QA asked for and waits for."""
    extra_slots: int = 0
    """How many answers QA asked for beyond the first task."""
    consensus: Fields | None = None
    """What the labels said together when they were judged last."""
    reviews: tuple[GivenReview, ...] = ()
    rejections: int = 0
    """How often a reviewer's rejection led to an adjudication."""
    deciders: tuple[str, ...] = ()
    """Who looked at the label after the first pass, in order; somebody twice who looked twice."""
    adjudication: GivenLabel | None = None
    """The newest answer of an adjudicator."""
    final: FinalLabel | None = None
    assessments: tuple[Assessment, ...] = ()
    label_verdicts: tuple[RuleVerdict, ...] = ()
    """What the rules say of the label of record."""
    checked_revision: int = 0
    """Of the label, when they said so."""
    checked_version: int = 0
    """Of the project whose rules they are."""
    told: dict[str, dict[str, int]] = Field(default_factory=dict)
    """What ``ConsistencyMeasured`` has told of this sample, all told."""
    consistency: float | None = None
    """Share of the rules that apply which the label, or else its answers, meet; None where none applies."""
    voided: tuple[str, ...] = ()
    """Annotations and reviews that a manager dropped, also those that are only on their way here."""
    updated_ms: int = 0
    """When the last of its events occurred, in ms since 1970."""

    @property
    def answers(self) -> list[GivenLabel]:
        """All answers that are counted: of the first pass and of an adjudicator."""
        return [*self.labels, *([] if self.adjudication is None else [self.adjudication])]

    @property
    def is_complete(self) -> bool:
        """Whether a task of the first pass is complete and all of its labels are here."""
        given = {label.annotator_id for label in self.labels}
        return bool(self.completed) and all(given.issuperset(task.annotators) for task in self.completed)

    @property
    def is_with_people(self) -> bool:
        """Whether a person decides, or has decided: what labels say does not overrule them."""
        decided = self.final is not None and self.final.decided_by != "consensus"
        return decided or self.open_work in {"peer_review", "adjudication"}

    @property
    def project_version(self) -> int:
        """The newest version that a label was made under; 0 without labels."""
        return max((label.project_version for label in self.labels), default=0)

    def with_label(self, label: GivenLabel) -> JudgedSample:
        """Return the sample with an answer, which takes the place of the annotator's older one."""
        others = [each for each in self.labels if each.annotator_id != label.annotator_id]
        return self.model_copy(update={"labels": tuple(sorted([*others, label], key=lambda each: each.annotator_id))})

    def with_completed(self, task: CompletedTask) -> JudgedSample:
        """Return the sample with a complete task; slots that were added to it are filled."""
        others = [each for each in self.completed if each.task_id != task.task_id]
        open_work = None if self.open_work == "first_pass" else self.open_work
        return self.model_copy(update={"completed": (*others, task), "open_work": open_work})

    def without(self, annotation_id: str, task_id: str) -> JudgedSample:
        """Return the sample without an annotation, and without what was decided by labels of which it was one."""
        labels = tuple(label for label in self.labels if label.annotation_id != annotation_id)
        of_adjudicator = self.adjudication is not None and self.adjudication.annotation_id == annotation_id
        gone = "adjudication" if of_adjudicator else "consensus"

        def standing(final: FinalLabel | None) -> FinalLabel | None:
            return None if final is not None and final.decided_by == gone else final

        return self.model_copy(
            update={
                "labels": labels,
                "completed": tuple(task for task in self.completed if task.task_id != task_id),
                "adjudication": None if of_adjudicator else self.adjudication,
                "final": standing(self.final),
                "reviews": tuple(each.model_copy(update={"before": standing(each.before)}) for each in self.reviews),
                "voided": (*self.voided, annotation_id),
            }
        )

    def without_review(self, review_id: str) -> JudgedSample:
        """Return the sample without a verdict; where it has decided, what had been decided before stands again."""
        gone = [each for each in self.reviews if each.review_id == review_id]
        before = gone[0].before if gone else None

        def standing(final: FinalLabel | None) -> FinalLabel | None:
            return before if final is not None and final.source_id == review_id else final

        kept = (each for each in self.reviews if each.review_id != review_id)
        reviewers = {each.reviewer_id for each in gone}
        return self.model_copy(
            update={
                "reviews": tuple(each.model_copy(update={"before": standing(each.before)}) for each in kept),
                "rejections": self.rejections - sum(each.asked_adjudicator for each in gone),
                "deciders": tuple(each for each in self.deciders if each not in reviewers),
                "final": standing(self.final),
                "voided": (*self.voided, review_id),
            }
        )

    def contributions(self) -> list[Contribution]:
        """Return all that the label came from: answers by annotator, then reviews in order, then an adjudication."""
        newest = {review.review_id: review for review in self.reviews}  # a later revision stands behind an earlier one
        reviews = [found for review in newest.values() if (found := review.contribution()) is not None]
        decided = [] if self.adjudication is None else [self.adjudication.contribution("adjudication")]
        return [*(label.contribution("first_pass") for label in self.labels), *reviews, *decided]

    def label_of(self, annotator_id: str) -> GivenLabel | None:
        """Return an annotator's answer."""
        return next((label for label in self.labels if label.annotator_id == annotator_id), None)

    def scores_of(self, annotator_id: str) -> dict[str, float]:
        """Return how an annotator's answer compared with the final label before; empty when it never did."""
        found = (each.scores for each in self.assessments if each.annotator_id == annotator_id)
        return next(found, {})


def label_from(event: AnnotationStored, weights: Mapping[str, float]) -> GivenLabel:
    """Return the answer that an event tells of."""
    return GivenLabel(
        annotation_id=event.annotation_id,
        annotator_id=event.annotator_id,
        task_id=event.task_id,
        revision=event.revision,
        project_version=event.project_version,
        fields=event.fields,
        weights=dict(weights),
        verdicts=tuple(event.verdicts),
        given_at=event.occurred_at,
        seconds_spent=event.seconds_spent,
        confidence=event.confidence,
        origin=event.origin,
    )


def _known(origin: Origin | None) -> dict[str, Any]:
    return {} if origin is None else dict(origin)
