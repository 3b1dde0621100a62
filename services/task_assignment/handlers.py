"""What task assignment does with each event."""

from __future__ import annotations

from collections.abc import Sequence

from services.task_assignment.domain.annotator import (
    Annotator,
    on_annotator_declared,
    on_annotator_scored,
    on_offer_counted,
)
from services.task_assignment.domain.answering import on_annotation_submitted, on_review_submitted
from services.task_assignment.domain.erasing import erase
from services.task_assignment.domain.finalizing import on_label_finalized
from services.task_assignment.domain.offers import on_annotation_offered
from services.task_assignment.domain.replacing import on_replacement_proposed
from services.task_assignment.domain.tasks import (
    SampleTasks,
    ingest,
    on_qa_work_requested,
    on_task_priority_changed,
    reject,
)
from services.task_assignment.domain.working import DayWork, day_of, on_annotator_worked
from services.task_assignment.door_caps import DoorCaps
from services.task_assignment.metrics import SURPLUS
from shared.catalog import Catalog
from shared.erasure import erased_key
from shared.events.erasure import SampleErased
from shared.events.feedback import TaskPriorityChanged
from shared.events.quality import AnnotatorScored, LabelFinalized, QaWorkRequested
from shared.events.replacements import ReplacementProposed
from shared.events.samples import SampleIngested, SampleRejected
from shared.events.tasks import (
    AnnotationOffered,
    AnnotationSubmitted,
    AnnotationSurplus,
    AnnotatorDeclared,
    ReviewSubmitted,
    Ticked,
)
from shared.events.work import AnnotatorWorked
from shared.kafka import partition_of
from shared.ledger import Delivery, Ledger, Step
from shared.routes import Reaction, Route


def sample_key(event: SampleIngested | ReplacementProposed | AnnotationSubmitted | AnnotationOffered) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def annotator_key(event: AnnotatorDeclared | AnnotatorScored | AnnotatorWorked) -> str:
    """Return the id of the annotator's document."""
    return f"{event.tenant_id}/{event.annotator_id}"


def work_key(event: AnnotatorWorked) -> str:
    """Return the id of the document that somebody's work of a project and a day is counted in."""
    return f"{event.tenant_id}/{event.annotator_id}/{event.project_id}/{day_of(event)}"


def create_sample_routes(
    samples: Ledger[SampleTasks], catalog: Catalog, partitions: int, caps: DoorCaps
) -> list[Route | Reaction]:
    """Return the routes of everything that concerns a sample; its topics land together on one replica."""

    def on_sample_ingested(sample: SampleTasks | None, event: SampleIngested) -> Step[SampleTasks]:
        """Open the sample's first pass; a sample that has its tasks keeps them."""
        spec = catalog.version(event.tenant_id, event.project_id, event.project_version).spec
        return ingest(sample, event, spec, partition_of(event.sample_id, partitions))

    def on_sample_rejected(sample: SampleTasks | None, event: SampleRejected) -> Step[SampleTasks]:
        """Count the rejection, once."""
        return reject(sample, event, partition_of(event.sample_id, partitions))

    def on_submitted(sample: SampleTasks | None, event: AnnotationSubmitted) -> Step[SampleTasks]:
        """Decide whether an annotation counts; of one that does not, the reason is measured."""
        return measured(on_annotation_submitted(sample, event))

    def on_offered(sample: SampleTasks | None, event: AnnotationOffered) -> Step[SampleTasks]:
        """Decide whether an answer without a lease counts; of one that does not, the reason is measured."""
        return measured(on_annotation_offered(sample, event))

    def on_sample_erased(sample: SampleTasks | None, event: SampleErased) -> Step[SampleTasks]:
        """Forget the sample and end its leases. Erased again, it is a tombstone already."""
        return erase(sample, event, partition_of(event.sample_id, partitions))

    return [
        Route(SampleErased, samples, on_sample_erased, erased_key),
        Route(SampleIngested, samples, on_sample_ingested, sample_key, begins=True),
        Route(SampleRejected, samples, on_sample_rejected, sample_key),
        Route(ReplacementProposed, samples, on_replacement_proposed, sample_key),
        Route(AnnotationSubmitted, samples, on_submitted, sample_key),
        Route(AnnotationOffered, samples, on_offered, sample_key, caps.look),
        Route(ReviewSubmitted, samples, on_review_submitted, sample_key),
        Route(QaWorkRequested, samples, on_qa_work_requested, sample_key),
        Route(LabelFinalized, samples, on_label_finalized, sample_key),
        Route(TaskPriorityChanged, samples, on_task_priority_changed, sample_key),
        Reaction(Ticked, on_ticked),
    ]


def measured(step: Step[SampleTasks]) -> Step[SampleTasks]:
    """Return a step, having measured what does not count; one that loses its guard is done, and measured, again."""
    for told in step.emitted:
        if isinstance(told, AnnotationSurplus):
            SURPLUS.labels(told.reason).inc()
    return step


def create_annotator_routes(annotators: Ledger[Annotator]) -> list[Route]:
    """Return the routes of everything that concerns an annotator."""
    return [
        Route(AnnotatorDeclared, annotators, on_annotator_declared, annotator_key),
        Route(AnnotatorScored, annotators, on_annotator_scored, annotator_key),
    ]


def create_work_routes(work: Ledger[DayWork], annotators: Ledger[Annotator]) -> list[Route]:
    """Return the routes of what people have done: each piece for their pay, and what tools bring for their caps."""
    return [
        Route(AnnotatorWorked, work, on_annotator_worked, work_key),
        Route(AnnotatorWorked, annotators, on_offer_counted, annotator_key, enrich=without_leased),
    ]


async def without_leased(works: Sequence[AnnotatorWorked]) -> Sequence[AnnotatorWorked]:
    """Void all but answers that count and came without a lease; those under leases are on their holders' lists."""
    return [each.model_copy(update={"void": each.is_leased or each.what != "counted"}) for each in works]


async def on_ticked(_ticks: Sequence[Delivery]) -> None:
    """Do nothing: a tick tells the broker's time by having been read."""
