"""Drops all labels and verdicts that somebody has given: a job over the samples that they had, which may run twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.hand import told_by, without_work_of
from services.task_assignment.domain.tasks import EndedLease, SampleTasks, Task
from services.task_assignment.domain.working import unjudged_works
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

    What a job has dropped is marked with it, and marked again once it is told. So a job that is read again after a crash
    tells what it had not, and the last sample's at most once more, under the same ids; another job tells only its own.
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
            told = await self._drop(stored, asked)
            if told:
                samples += 1
                labels += sum(isinstance(each, AnnotationVoided) for each in told)
                verdicts += sum(isinstance(each, ReviewVoided) for each in told)
            if samples % TOLD_EVERY == 1:
                await self._store.put_job(asked.tenant_id, job.model_copy(update={"done": samples}))
        outcomes = {"samples": samples, "labels": labels, "verdicts": verdicts}
        finished = {"state": "done", "done": samples, "total": samples, "outcomes": outcomes, "result": outcomes}
        await self._store.put_job(asked.tenant_id, job.model_copy(update=finished))
        log.info("annotator_voided", annotator=asked.annotator_id, reason=asked.reason, **outcomes)

    async def _drop(self, stored: StoredSample, asked: AnnotatorVoided) -> list[Event]:
        """Drop somebody's work on a sample, and return what was told of it, now or before a crash."""
        by = asked.event_id
        dropped = await self._change(stored, lambda sample: without_work_of(sample, asked.annotator_id, by))
        ended = [(task, each) for task in dropped.sample.tasks.values() for each in task.ended if each.by == by]
        told = [event for task, each in ended for event in _told(asked, dropped.sample, task, each)]
        if not all(each.told for _, each in ended):
            await self._producer.publish(told)
            await self._change(dropped, lambda sample: told_by(sample, by))
        return told

    async def _change(self, stored: StoredSample, change: Callable[[SampleTasks], SampleTasks]) -> StoredSample:
        id_ = f"{stored.sample.tenant_id}/{stored.sample.sample_id}"
        for _ in range(MAX_TRIES):
            changed = change(stored.sample)
            if changed == stored.sample:
                return stored
            if await self._store.change(stored, changed):
                self._board.put(changed, stored.revision + 1)
                return StoredSample(changed, stored.revision + 1)
            stored = (await self._store.samples([id_]))[id_]
        raise RuntimeError(f"Sample {stored.sample.sample_id} was written by others in each of {MAX_TRIES} rounds.")


def _told(asked: AnnotatorVoided, sample: SampleTasks, task: Task, ended: EndedLease) -> list[Event]:
    """Return what has to be told of a lease that was ended, or of the answer under it."""
    released = _released(asked, sample, task, ended)
    if ended.how != "voided":
        return [released]
    about = task.judged.get(ended.lease_id)
    unjudged = [] if about is None else unjudged_works(about, ended.lease_id, sample.project_id, asked)
    return [_voided(asked, sample, task, ended), _unpaid(asked, sample, task, ended), *unjudged, released]


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
