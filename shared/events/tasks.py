"""Tasks, leases and what annotators and reviewers send; task_assignment alone decides what counts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shared.events.base import Event
from shared.events.origin import Origin
from shared.labels.policies import WorkingHours
from shared.labels.verdicts import RuleVerdict

GroupName = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
SkillName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Level = Annotated[int, Field(ge=1, le=10)]
Stage = Literal["first_pass", "peer_review", "senior_qa", "audit", "adjudication"]
REVIEW_STAGES: frozenset[str] = frozenset({"peer_review", "senior_qa", "audit"})
"""Stages whose work is a verdict on the label that is there; in the others a label is made."""
Verdict = Literal["accept", "fix", "reject"]
SurplusReason = Literal[
    "lease-expired",
    "lease-lost",
    "task-closed",
    "no-slot",
    "already-assigned",
    "cap-reached",
    "skills-missing",
    "annotator-paused",
]
"""Why work does not count. The last five are of work without a lease: all slots are taken, or its author has one, has
reached a cap, lacks a skill that the project asks for, or gets no work."""


def judges_others(stage: str) -> bool:
    """Return whether the work of a stage is to judge what others have answered: reviews, and adjudication."""
    return stage in REVIEW_STAGES or stage == "adjudication"


class Submission(Event):
    """What a submission carries, whatever becomes of it. Shared by the events that pass it on."""

    sample_id: str
    project_id: str
    project_version: int
    task_id: str
    stage: Stage
    annotator_id: str
    lease_id: str
    lease_expires_ms: int
    """The expiry that the token promised, in ms since 1970; the broker's stamp is compared with it."""
    seconds_spent: float | None = None
    origin: Origin | None = None
    """How it came to be; None of what was sent before this was noted."""


class AnnotationSubmitted(Submission):
    """An annotator labeled a task while holding its lease."""

    topic: ClassVar[str] = "annotation.submitted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    broker_stamped: ClassVar[bool] = True

    annotation_id: str
    fields: dict[str, Any]
    confidence: float | None = None
    verdicts: list[RuleVerdict] = Field(default_factory=list)


class AnnotationOffered(Event):
    """A labeling tool has an annotator's answer to a sample, without a lease; it counts if there is a slot for it."""

    topic: ClassVar[str] = "annotation.offered.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    project_id: str
    project_version: int
    annotator_id: str
    annotation_id: str
    """Follows from sample and annotator: what a tool sends again is a revision of the same annotation."""
    fields: dict[str, Any]
    confidence: float | None = None
    seconds_spent: float | None = None
    origin: Origin | None = None
    verdicts: list[RuleVerdict] = Field(default_factory=list)
    barred: SurplusReason | None = Field(None, exclude=True)
    """Why its author gets no slot, as its reader has found: a cap is reached, a skill is missing, or they are paused."""


class AnnotationCounted(AnnotationSubmitted):
    """The submission came in time and takes its slot; the body is passed on."""

    topic: ClassVar[str] = "annotation.counted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    broker_stamped: ClassVar[bool] = False


class AnnotationSurplus(AnnotationSubmitted):
    """The submission does not count; the work is kept as a draft, never lost."""

    topic: ClassVar[str] = "annotation.surplus.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    broker_stamped: ClassVar[bool] = False

    reason: SurplusReason


class ReviewIssue(BaseModel):
    """What a reviewer found wrong, and where."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(description="JSON pointer into the reviewed fields.", examples=["/fields/intent"])
    tag: str = Field(max_length=64)
    comment: str = Field("", max_length=4000)


class ReviewSubmitted(Submission):
    """A reviewer gave a verdict on the label that stands, while holding the review's lease."""

    topic: ClassVar[str] = "review.submitted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    broker_stamped: ClassVar[bool] = True

    review_id: str
    verdict: Verdict
    fields: dict[str, Any] | None = None
    """The corrected fields, where the verdict is ``fix``."""
    issues: list[ReviewIssue] = Field(default_factory=list)


class ReviewCounted(ReviewSubmitted):
    """The review came in time and takes its slot."""

    topic: ClassVar[str] = "review.counted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    broker_stamped: ClassVar[bool] = False


class Ticked(Event):
    """Nothing but the broker's time, put on a submission partition that is too quiet to tell it."""

    topic: ClassVar[str] = "annotation.submitted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    key_field: ClassVar[str] = "event_id"
    broker_stamped: ClassVar[bool] = True


class TaskEvent(Event):
    """What every event about a task says."""

    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    project_id: str
    task_id: str
    stage: Stage


class TaskCreated(TaskEvent):
    """A task is open: work for ``overlap`` annotators."""

    topic: ClassVar[str] = "task.created.v1"

    overlap: int


class TaskLeased(TaskEvent):
    """An annotator holds a slot of the task until the lease ends."""

    topic: ClassVar[str] = "task.leased.v1"

    lease_id: str
    annotator_id: str
    expires_ms: int


class TaskReleased(TaskEvent):
    """A slot is free again: given back, skipped, or taken back after its lease ended."""

    topic: ClassVar[str] = "task.released.v1"

    lease_id: str
    annotator_id: str
    reason: str


class TaskContested(TaskEvent):
    """So many annotators have skipped the task that it is not given out any more; whoever judges has to look."""

    topic: ClassVar[str] = "task.contested.v1"
    consumers: ClassVar[frozenset[str]] = frozenset({"qa", "gateway"})

    project_version: int
    skipped: list[str]
    """Who skipped it."""


class TaskCompleted(TaskEvent):
    """Every slot of the task has its answer."""

    topic: ClassVar[str] = "task.completed.v1"
    consumers: ClassVar[frozenset[str]] = frozenset({"qa", "gateway"})

    annotators: list[str]


class AnnotatorProfile(BaseModel):
    """Who an annotator is, as far as work is given out by it. Whatever is left out limits nothing."""

    model_config = ConfigDict(frozen=True)

    name: str = Field("", max_length=200)
    languages: list[str] = Field([], description="BCP 47 tags; empty: all languages.", examples=[["en", "de"]])
    stages: list[Stage] = Field(["first_pass"], description="The stages this person may work in.")
    projects: list[str] = Field([], description="The projects this person works on; empty: all.")
    max_leases: int = Field(5, ge=1, le=100, description="How many leases may be held at once.")
    paused: bool = Field(False, description="Gets no work; their live leases end, and what they submit is refused.")
    banned: bool = Field(False, description="As paused, and meant to stay.")
    skills: dict[SkillName, Level] = Field(
        {}, description="Skills with their levels, 1 to 10; a project may ask for some.", examples=[{"radiology": 4}]
    )
    team: GroupName | None = Field(None, description="For projects that want labels of a sample from several teams.")
    region: GroupName | None = Field(None, description="The same for regions.")
    max_per_day: int | None = Field(
        None, ge=1, description="Answers in a day (UTC), in all projects; may be overshot by what is held."
    )
    working_hours: WorkingHours | None = Field(None, description="When they get work; always, by default.")
    attributes: dict[str, str] = Field({}, description="Declared and consented attributes, for fairness audits.")

    @field_validator("working_hours")
    @classmethod
    def _are_hours(cls, hours: WorkingHours | None) -> WorkingHours | None:
        faults = [] if hours is None else hours.faults()
        if faults:
            raise ValueError(" ".join(fault.message for fault in faults))
        return hours


class AnnotatorDeclared(Event):
    """A manager said who an annotator is."""

    topic: ClassVar[str] = "annotator.declared.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    profile: AnnotatorProfile


class AnnotatorVoided(Event):
    """A manager wants none of the labels and verdicts that somebody has given until now."""

    topic: ClassVar[str] = "annotator.voided.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    only_project: str | None = None
    """Only those of this project; None: of all."""
    reason: str
    job_id: str


class AnswerVoided(Event):
    """What is told of an answer that a manager dropped. Shared by labels and verdicts."""

    sample_id: str
    project_id: str
    project_version: int
    task_id: str
    stage: Stage
    annotator_id: str


class AnnotationVoided(AnswerVoided):
    """A label does not count any more, and its slot is gone; whoever judges asks for work in its place."""

    topic: ClassVar[str] = "annotation.voided.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store", "qa", "gateway"})

    annotation_id: str


class ReviewVoided(AnswerVoided):
    """A verdict does not count any more, and its slot is gone; whoever judges asks for another in its place."""

    topic: ClassVar[str] = "review.voided.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store", "qa", "gateway"})

    review_id: str


class AnnotatorUpdated(Event):
    """The profile by which work is given out has changed."""

    topic: ClassVar[str] = "annotator.updated.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    profile: AnnotatorProfile


class AssignmentMemberAnnounced(Event):
    """A replica of task_assignment says where it answers and which partitions it owns."""

    topic: ClassVar[str] = "assignment.members.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "member_id"
    compacted: ClassVar[bool] = True

    member_id: str
    address: str
    partitions: list[int]
    """Empty when the replica has stopped."""
