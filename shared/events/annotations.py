"""Annotations, reviews and labels of record, as the annotation store keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from shared.events.base import Event
from shared.events.origin import Origin
from shared.events.tasks import ReviewIssue, Stage, Verdict
from shared.labels.facts import AssetFacts
from shared.labels.verdicts import RuleVerdict


class AnnotationStored(Event):
    """A revision of an annotation is on record."""

    topic: ClassVar[str] = "annotation.stored.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"qa", "gateway"})

    sample_id: str
    project_id: str
    project_version: int
    task_id: str
    stage: Stage
    annotation_id: str
    annotator_id: str
    revision: int
    fields: dict[str, Any]
    verdicts: list[RuleVerdict] = Field(default_factory=list)
    seconds_spent: float | None = None
    confidence: float | None = None
    origin: Origin | None = None


class ReviewStored(Event):
    """A reviewer's verdict is on record."""

    topic: ClassVar[str] = "review.stored.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"qa"})

    sample_id: str
    project_id: str
    project_version: int
    task_id: str
    stage: Stage
    review_id: str
    annotator_id: str
    revision: int
    verdict: Verdict
    fields: dict[str, Any] | None = None
    issues: list[ReviewIssue] = Field(default_factory=list)
    seconds_spent: float | None = None
    origin: Origin | None = None


class Contribution(Origin):
    """What one person gave to a label: an answer or a review, with all that is known of how it came to be."""

    annotator_id: str
    stage: Stage
    source_id: str
    """The id of the annotation or the review."""
    revision: int
    project_version: int
    """The schema that it was made under."""
    submitted_at: datetime
    seconds_spent: float | None = None
    confidence: float | None = None
    """As the annotator stated it, 0 to 1."""


class MigrationStamp(BaseModel):
    """A migration wrote the revision; whoever decided what it says had decided the revision before."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The migration, or the rollback, which is also the id of its job."""
    taxonomy: str
    version: int
    """The taxonomy's version by which labels were replaced."""
    revision: int
    """The revision that this one was made of."""
    rolls_back: str | None = None
    """The migration that was taken back."""


class LabelProvenance(BaseModel):
    """How a label came to be."""

    model_config = ConfigDict(frozen=True)

    decided_by: Literal["consensus", "review", "adjudication"]
    annotators: list[str]
    reviewers: list[str] = Field(default_factory=list)
    agreement: dict[str, float] = Field(default_factory=dict)
    """Mean pairwise agreement per field, 0 to 1."""
    confidence: dict[str, float] = Field(default_factory=dict)
    """Support of the value per field, 0 to 1."""
    migration: MigrationStamp | None = None
    """The migration that is the author of the revision; None where people and QA are."""
    contributions: list[Contribution] = Field(default_factory=list)
    """The answers and reviews that it came from, in the order of the stages' work."""


class SampleDescribed(Event):
    """What a sample is that has a label of record; where its facts are long, one that may come to have one."""

    topic: ClassVar[str] = "sample.described.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    leaves_out_none: ClassVar[bool] = True

    sample_id: str
    project_id: str
    external_id: str
    language: str | None = None
    assets: dict[str, AssetFacts]


class LabelRecorded(Event):
    """The sample's label of record has a new revision."""

    topic: ClassVar[str] = "label.recorded.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning", "feedback", "gateway"})

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    language: str | None = None
    revision: int
    fields: dict[str, Any]
    content_hash: str
    provenance: LabelProvenance


class LabelBarrier(Event):
    """All labels finalized before a dataset's cut are recorded, on this partition of ``label.recorded``."""

    topic: ClassVar[str] = "label.recorded.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "dataset_job_id"

    dataset_job_id: str
    partition: int

    @property
    @override
    def target_partition(self) -> int:
        return self.partition


class LabelRecheckContinued(Event):
    """A project's rules have changed: its labels behind ``after`` are still to be held against them."""

    topic: ClassVar[str] = "label.recheck_continued.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    """The version whose rules are asked."""
    after: str = ""
    """The id of the last sample that was reached; empty at the beginning."""
    page: list[str] = Field([], exclude=True)
    """The samples that come next; looked up as the event is read, never on the wire."""


class RulesSaid(BaseModel):
    """What the rules of a project version say of one revision of a label."""

    model_config = ConfigDict(frozen=True)

    revision: int
    project_version: int
    verdicts: tuple[RuleVerdict, ...] = ()


class LabelCheckRequested(Event):
    """A label of record is to be held against the rules: it is new, or the rules have changed."""

    topic: ClassVar[str] = "label.check_requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})

    sample_id: str
    project_id: str
    project_version: int
    """A newer version's rules are asked where there is one."""
    job_id: str | None = None
    """The job that goes through the labels of a project."""
    said: RulesSaid | None = Field(None, exclude=True)
    """What the rules said; asked as the event is read, never on the wire."""


class LabelChecked(Event):
    """What the rules say of a label of record is on record."""

    topic: ClassVar[str] = "label.checked.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"qa"})

    sample_id: str
    project_id: str
    project_version: int
    """The version whose rules were asked; the label may have been made under an older one."""
    revision: int
    """Of the label."""
    verdicts: list[RuleVerdict] = Field(default_factory=list)


class LabelRechecked(Event):
    """A job has reached one label: it said the same before, or something else."""

    topic: ClassVar[str] = "label.rechecked.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    sample_id: str
    outcome: Literal["checked", "unchanged", "skipped"]
    """``unchanged``: the rules of that version had been asked of this label before; ``skipped``: there is no label."""
