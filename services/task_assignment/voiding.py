"""Drops all labels and verdicts that somebody has given: a job over the samples that they had, which may run twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.hand import without_work_of
from services.task_assignment.domain.tasks import EndedLease, SampleTasks, Task
from services.task_assignment.store import Store, StoredSample
from shared.clock import Clock
from shared.events import Event
from shared.events.tasks import REVIEW_STAGES, AnnotationVoided, AnnotatorVoided, ReviewVoided, TaskReleased
from shared.events.work import AnnotatorWorked
from shared.ids import derived_id
from shared.jobs import JobView
from shared.kafka import Producer
from shared.ledger import Delivery
from shared.routes import Reaction

log = structlog.get_logger()

MAX_TRIES: Final = 20
TOLD_EVERY: Final = 200
"""Samples after which it is written how far the job is."""


class Voiding:
    """Voids answers sample by sample: the document first, then what is told of it.

    A job that is read again finds the samples that it has changed by their contributors, and tells of them again under
    the same ids. So a crash between the two loses nothing.
    """

    def __init__(self, store: Store, board: Board, producer: Producer, clock: Clock) -> None:
        self._store = store
        self._board = board
        self._producer = producer
        self._clock = clock

    def routes(self) -> list[Reaction]:
        """Return what is done with each event."""
        return [Reaction(AnnotatorVoided, self.on_annotator_voided)]

    async def on_annotator_voided(self, deliveries: Sequence[Delivery]) -> None:
        """Void the answers. Again, it changes nothing and tells the same."""
        for delivery in deliveries:
            if isinstance(delivery.event, AnnotatorVoided):
                await self._void(delivery.event)

    async def _void(self, asked: AnnotatorVoided) -> None:
        job = JobView(job_id=asked.job_id, state="running", done=0, started=asked.occurred_at)
        await self._store.put_job(asked.tenant_id, job)
        samples, labels, verdicts = 0, 0, 0
        found = self._store.of_contributor(asked.tenant_id, asked.annotator_id, asked.only_project)
        async for stored in found:
            told = _told(await self._change(stored, asked.annotator_id), asked)
            if told:
                await self._producer.publish(told)
                samples += 1
                labels += sum(isinstance(each, AnnotationVoided) for each in told)
                verdicts += sum(isinstance(each, ReviewVoided) for each in told)
            if samples % TOLD_EVERY == 1:
                await self._store.put_job(asked.tenant_id, job.model_copy(update={"done": samples}))
        outcomes = {"samples": samples, "labels": labels, "verdicts": verdicts}
        finished = {"state": "done", "done": samples, "total": samples, "outcomes": outcomes, "result": outcomes}
        await self._store.put_job(asked.tenant_id, job.model_copy(update=finished))
        log.info("annotator_voided", annotator=asked.annotator_id, reason=asked.reason, **outcomes)

    async def _change(self, stored: StoredSample, annotator_id: str) -> SampleTasks:
        id_ = f"{stored.sample.tenant_id}/{stored.sample.sample_id}"
        for _ in range(MAX_TRIES):
            changed = without_work_of(stored.sample, annotator_id)
            if changed == stored.sample:
                return changed
            if await self._store.change(stored, changed):
                self._board.put(changed, stored.revision + 1)
                return changed
            stored = (await self._store.samples([id_]))[id_]
        raise RuntimeError(f"Sample {stored.sample.sample_id} was written by others in each of {MAX_TRIES} rounds.")


def _told(sample: SampleTasks, asked: AnnotatorVoided) -> list[Event]:
    """Return what has to be told of somebody's work on a sample, whenever it was voided."""
    told: list[Event] = []
    for task in sample.tasks.values():
        told += [_voided(asked, sample, task, each) for each in _ended(task, asked.annotator_id, "voided")]
        told += [_unpaid(asked, sample, task, each) for each in _ended(task, asked.annotator_id, "voided")]
        told += [
            _released(asked, sample, task, each)
            for how in ("voided", "forced")
            for each in _ended(task, asked.annotator_id, how)
        ]
    return told


def _ended(task: Task, annotator_id: str, how: str) -> Iterable[EndedLease]:
    return (each for each in task.ended if each.annotator_id == annotator_id and each.how == how)


def _voided(
    asked: AnnotatorVoided, sample: SampleTasks, task: Task, ended: EndedLease
) -> AnnotationVoided | ReviewVoided:
    common: dict[str, Any] = {
        "sample_id": sample.sample_id,
        "project_id": sample.project_id,
        "project_version": sample.project_version,
        "task_id": task.task_id,
        "stage": task.stage,
        "annotator_id": ended.annotator_id,
    }
    if task.stage in REVIEW_STAGES:
        review = ReviewVoided.caused_by(asked, **common, review_id=ended.annotation_id)
        return review.model_copy(update={"event_id": derived_id("review-voided", ended.lease_id)})
    voided = AnnotationVoided.caused_by(asked, **common, annotation_id=ended.annotation_id)
    return voided.model_copy(update={"event_id": derived_id("annotation-voided", ended.lease_id)})


def _unpaid(asked: AnnotatorVoided, sample: SampleTasks, task: Task, ended: EndedLease) -> AnnotatorWorked:
    work = AnnotatorWorked.caused_by(
        asked,
        annotator_id=ended.annotator_id,
        project_id=sample.project_id,
        stage=task.stage,
        what="voided",
    )
    return work.model_copy(update={"event_id": derived_id("annotator-voided-work", ended.lease_id)})


def _released(asked: AnnotatorVoided, sample: SampleTasks, task: Task, ended: EndedLease) -> TaskReleased:
    released = TaskReleased.caused_by(
        asked,
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        task_id=task.task_id,
        stage=task.stage,
        lease_id=ended.lease_id,
        annotator_id=ended.annotator_id,
        reason=ended.how,
    )
    return released.model_copy(update={"event_id": derived_id("task-released", ended.lease_id)})
