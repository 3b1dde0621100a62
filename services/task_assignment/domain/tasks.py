"""All tasks of one sample in one document, so that rules between stages are part of the same compare-and-set.

Invariants, always: at most as many slots are taken as the task has; one annotator has at most one slot of a task;
nobody reviews work of their own; a lease has one holder.
"""

from __future__ import annotations

from datetime import date
from itertools import chain
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from services.task_assignment.domain.due import due_of
from shared.clock import to_ms
from shared.events import Event
from shared.events.feedback import TaskPriorityChanged
from shared.events.quality import QaWorkRequested
from shared.events.samples import SampleIngested, SampleRejected
from shared.events.tasks import (
    REVIEW_STAGES,
    Stage,
    TaskCreated,
    judges_others,
)
from shared.ids import derived_id, task_id_of
from shared.labels.facts import AssetFacts
from shared.labels.project import ProjectSpec
from shared.ledger import Step, wait

SlotState = Literal["free", "leased", "done"]


class Slot(BaseModel):
    """Room for one annotator's answer."""

    model_config = ConfigDict(frozen=True)

    state: SlotState = "free"
    lease_id: str | None = None
    annotator_id: str | None = None
    expires_ms: int = 0
    since_ms: int = 0
    """When it was claimed; 0 where that was not noted."""
    group: str | None = None
    """The team or region of whoever has it, where the project wants labels from several."""

    def answer_id(self, kind: Literal["annotation", "review"]) -> str:
        """Return the id of the answer that is in it; one that came without a lease stands in the lease's place."""
        lease_id = self.lease_id or ""
        return derived_id(kind, lease_id) if self.expires_ms else lease_id


FREE: Final = Slot()
"""A slot that nobody has; one for all, for slots are never changed in place."""


EndedHow = Literal["released", "skipped", "expired", "forced", "reassigned", "voided"]
KEPT_ENDS = 50
"""How many leases without an answer a task remembers: enough to tell a request that is sent again from a lost one."""


class EndedLease(BaseModel):
    """A lease that ended without an answer that counts."""

    model_config = ConfigDict(frozen=True)

    lease_id: str
    annotator_id: str
    how: EndedHow
    annotation_id: str = ""
    """Of the label that was voided, or of the verdict."""
    by: str = ""
    """The id of the event by which all work of its holder was dropped, if that ended it."""
    told: bool = True
    """Whether that has been told."""


class Judged(BaseModel):
    """What a verdict was counted as in the workload of those whose label it is about."""

    model_config = ConfigDict(frozen=True)

    stage: Stage
    """In which they made the label."""
    annotators: list[str]
    rejected: bool
    day: date
    """In UTC."""


class Returning(BaseModel):
    """Somebody who skipped a task, and may have it again."""

    model_config = ConfigDict(frozen=True)

    annotator_id: str
    at_ms: int
    """When, in ms since 1970."""


class Task(BaseModel):
    """One (sample, stage, number)."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    stage: Stage
    slots: dict[str, Slot]
    annotators: list[str] = Field(default_factory=list)
    """Who holds or has filled a slot; nobody is here twice."""
    skipped: list[str] = Field(default_factory=list)
    """Who skipped the task; it is not served to them, or not yet again."""
    returning: list[Returning] = Field(default_factory=list)
    """Those of them who may have it again, each once."""
    returned: list[str] = Field(default_factory=list)
    """Who skipped it, and has been let in again since."""
    expired: int = 0
    """How many leases ended by themselves and were taken back."""
    ended: list[EndedLease] = Field(default_factory=list)
    """The last leases that ended without an answer that counts, in order."""
    judged: dict[str, Judged] = Field(default_factory=dict)
    """What verdicts were counted as, by the leases that they were given under."""
    open: bool = True
    asked_ms: int = 0
    """When slots were last added, in ms since 1970: a label that was finalized before does not close them."""
    reason: str = ""
    proposal: dict[str, Any] | None = None
    finding_id: str | None = None

    @property
    def free(self) -> list[str]:
        """Names of the slots that can be claimed, in order."""
        return [name for name, slot in self.slots.items() if slot.state == "free"] if self.open else []

    @property
    def skippers(self) -> list[str]:
        """Everybody who has skipped the task."""
        return [*self.returned, *(who for who in self.skipped if who not in self.returned)]

    def end_of(self, lease_id: str) -> EndedLease | None:
        """Return how a lease ended, if it did without an answer and not too long ago."""
        return next((each for each in self.ended if each.lease_id == lease_id), None)

    @property
    def settled(self) -> bool:
        """Whether every slot has its answer."""
        return all(slot.state == "done" for slot in self.slots.values())


class SampleTasks(BaseModel):
    """A sample as far as work on it goes; complete enough to answer a claim from it alone."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    tenant_id: str
    project_id: str
    project_version: int
    external_id: str
    partition: int
    """Of the sample-keyed topics; whose owner serves this sample."""
    rejected: bool = False
    erased: bool = False
    """It is a tombstone: nothing is left but what names it."""
    finalized: int = 0
    """How often a label was finalized."""
    priority: int = 0
    created_ms: int
    due_ms: int = 0
    """Until when it should have its label of record, in ms since 1970; 0: at no certain time."""
    late: bool = False
    """Its first label of record came after it was due."""
    language: str | None = None
    assets: dict[str, AssetFacts] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    predictions: dict[str, Any] | None = None
    tasks: dict[str, Task] = Field(default_factory=dict)
    """By ``<stage>-<number>``: the task's id in a form that MongoDB takes as a key."""
    resting: list[str] = Field(default_factory=list)
    """Tasks that are closed until the sample has other assets, by their keys."""
    contributors: list[str] = Field(default_factory=list)
    """Everybody who has or had a slot of any of the tasks; they do not judge the sample."""
    reviewers: list[str] = Field(default_factory=list)
    """Everybody who has or had a slot of a task in which others' work is judged; they make no label beside it."""

    @property
    def state(self) -> str:
        """``erased``, ``rejected``, ``open`` (somebody has to work on it), ``final`` or ``judging``."""
        if self.erased:
            return "erased"
        if self.rejected:
            return "rejected"
        if self.resting or any(task.open for task in self.tasks.values()):
            return "open"
        return "final" if self.finalized else "judging"

    @property
    def until_ms(self) -> int:
        """When its first label of record is due; 0 where it has one, or is due at no certain time."""
        return 0 if self.finalized else self.due_ms

    @computed_field  # type: ignore[prop-decorator] # pydantic's way to keep it in the document
    @property
    def waits_as(self) -> str | None:
        """Its place among the samples of its project that have a due date and no label; None where it has none."""
        return due_place(self.tenant_id, self.project_id, self.until_ms, self.sample_id) if self.until_ms else None

    @property
    def shown_to_judge(self) -> set[str]:
        """Everybody who has judged the sample, or was about to.

        A document from before ``reviewers`` tells only of those who are still in its tasks.
        """
        judging = (task.annotators for task in self.tasks.values() if judges_others(task.stage))
        return {*self.reviewers, *chain.from_iterable(judging)}

    def find(self, task_id: str) -> tuple[str, Task] | None:
        """Return a task and its key."""
        return next(((key, task) for key, task in self.tasks.items() if task.task_id == task_id), None)

    def with_task(self, key: str, task: Task) -> SampleTasks:
        """Return this sample with one task put in or replaced."""
        return self.model_copy(update={"tasks": self.tasks | {key: task}})


def due_place(tenant_id: str, project_id: str, due_ms: int, sample_id: str = "") -> str:
    """Return what sorts a project's samples by due date, and by id where they are due at the same time."""
    return f"{tenant_id}/{project_id}/{due_ms:015}/{sample_id}"


def task_key(stage: str, number: int) -> str:
    """Return the key of a task within its sample's document."""
    return f"{stage}-{number}"


def key_of_task(task_id: str) -> str:
    """Return the key, within its sample's document, of the task with this id."""
    _, stage, number = task_id.rsplit(".", 2)
    return task_key(stage, int(number))


def ingest(sample: SampleTasks | None, event: SampleIngested, spec: ProjectSpec, partition: int) -> Step[SampleTasks]:
    """Open the first pass: a slot for each annotator that the project's overlap asks for.

    A sample that has its tasks keeps them, and takes over what describes it.
    """
    if sample is not None and not sample.rejected:
        described = {name: getattr(event, name) for name in ("language", "metadata", "predictions", "assets")}
        awake = {key: sample.tasks[key].model_copy(update={"open": True}) for key in sample.resting}
        told = described | {"due_ms": due_of(event, spec.sla, sample.created_ms)}
        return Step(sample.model_copy(update=told | {"tasks": sample.tasks | awake, "resting": []}))
    created_ms = to_ms(event.occurred_at)
    fresh = SampleTasks(
        sample_id=event.sample_id,
        tenant_id=event.tenant_id,
        project_id=event.project_id,
        project_version=event.project_version,
        external_id=event.external_id,
        partition=partition,
        created_ms=created_ms,
        due_ms=due_of(event, spec.sla, created_ms),
        language=event.language,
        assets=event.assets,
        metadata=event.metadata,
        predictions=event.predictions,
    )
    return _open_task(fresh, event, "first_pass", spec.quality.overlap, "ingested")


def reject(sample: SampleTasks | None, event: SampleRejected, partition: int) -> Step[SampleTasks]:
    """Count the sample as rejected; a rejected sample has no tasks."""
    if sample is not None:
        return Step(sample)
    return Step(
        SampleTasks(
            sample_id=event.sample_id,
            tenant_id=event.tenant_id,
            project_id=event.project_id,
            project_version=event.project_version,
            external_id=event.external_id,
            partition=partition,
            rejected=True,
            created_ms=to_ms(event.occurred_at),
        )
    )


def on_qa_work_requested(sample: SampleTasks | None, event: QaWorkRequested) -> Step[SampleTasks]:
    """Open work: more slots in the first pass, where everybody answers the same question; else a task of its own.

    A task of the stage that is still open takes the request in, so that a sample is not reviewed twice at a time.
    """
    if sample is None:
        return wait(sample)
    latest = _latest(sample, event.stage)
    if latest is None or not (latest[1].open or event.stage == "first_pass"):
        return _open_task(sample, event, event.stage, event.slots, event.reason, event)
    key, task = latest
    if task.open and event.stage in REVIEW_STAGES:
        return Step(sample)
    first = 1 + max((int(name) for name in task.slots), default=-1)
    slots = task.slots | {str(number): FREE for number in range(first, first + event.slots)}
    changed = {"slots": slots, "open": True, "asked_ms": to_ms(event.occurred_at)}
    return Step(sample.with_task(key, task.model_copy(update=changed)))


def on_task_priority_changed(sample: SampleTasks | None, event: TaskPriorityChanged) -> Step[SampleTasks]:
    """Serve the sample earlier or later from now on."""
    if sample is None:
        return wait(sample)
    return Step(sample.model_copy(update={"priority": event.priority}))


def _open_task(
    sample: SampleTasks, cause: Event, stage: Stage, slots: int, reason: str, request: QaWorkRequested | None = None
) -> Step[SampleTasks]:
    number = 1 + sum(task.stage == stage for task in sample.tasks.values())
    task = Task(
        task_id=task_id_of(sample.sample_id, stage, number),
        stage=stage,
        slots={str(slot): FREE for slot in range(slots)},
        asked_ms=0 if request is None else to_ms(request.occurred_at),
        reason=reason,
        proposal=None if request is None else request.proposal,
        finding_id=None if request is None else request.finding_id,
    )
    created = TaskCreated.caused_by(
        cause,
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        task_id=task.task_id,
        stage=stage,
        overlap=slots,
    )
    return Step(sample.with_task(task_key(stage, number), task), [created])


def _latest(sample: SampleTasks, stage: str) -> tuple[str, Task] | None:
    of_stage = [(key, task) for key, task in sample.tasks.items() if task.stage == stage]
    return of_stage[-1] if of_stage else None
