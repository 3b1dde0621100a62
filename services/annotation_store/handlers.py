"""What the annotation store does with each event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.annotation_store.checking import Checker
from services.annotation_store.domain import migration
from services.annotation_store.domain.annotation import (
    Annotation,
    Review,
    on_annotation_counted,
    on_annotation_voided,
    on_review_counted,
    on_review_voided,
)
from services.annotation_store.domain.label import (
    SampleLabel,
    on_label_check_requested,
    on_label_finalized,
    on_sample_ingested,
)
from services.annotation_store.domain.migration import MigrationChunk, MigrationJob, on_label_migration_due
from services.annotation_store.domain.recheck import (
    Recheck,
    on_label_rechecked,
    on_project_versioned,
    on_recheck_continued,
)
from services.annotation_store.domain.surplus import Surplus, on_annotation_surplus
from services.annotation_store.domain.vocabulary import Vocabulary
from services.annotation_store.migrating import MigrationScan
from services.annotation_store.store import Cut, Cuts, Drafts, draft_key
from shared.catalog import Catalog
from shared.erasure import erased_key, tombstone
from shared.events import Event
from shared.events.annotations import LabelBarrier, LabelCheckRequested, LabelRecheckContinued, LabelRechecked
from shared.events.datasets import DatasetCut
from shared.events.erasure import SampleErased
from shared.events.migrations import (
    LabelMigrated,
    LabelMigrationDue,
    MigrationChunkDue,
    MigrationRequested,
    MigrationScanned,
    ProjectRebound,
)
from shared.events.projects import ProjectVersioned
from shared.events.quality import LabelFinalized
from shared.events.samples import SampleIngested
from shared.events.tasks import AnnotationCounted, AnnotationSurplus, AnnotationVoided, ReviewCounted, ReviewVoided
from shared.ids import recheck_job_of
from shared.jobs import JobPart, head_key, on_line_finished, on_received, part_key
from shared.ledger import Delivery, Ledger, Step
from shared.routes import Reaction, Route

E = TypeVar("E", bound=Event)


def annotation_key(event: AnnotationCounted | AnnotationVoided) -> str:
    """Return the id of the annotation's document."""
    return f"{event.tenant_id}/{event.annotation_id}"


def review_key(event: ReviewCounted | ReviewVoided) -> str:
    """Return the id of the review's document."""
    return f"{event.tenant_id}/{event.review_id}"


def sample_key(event: SampleIngested | LabelFinalized | LabelMigrationDue | LabelCheckRequested) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def version_key(event: ProjectVersioned) -> str:
    """Return the id of the document of the job that a project's version may begin."""
    return f"{event.tenant_id}/{recheck_job_of(event.tenant_id, event.project_id, event.version)}"


def job_key(event: LabelRecheckContinued | LabelRechecked) -> str:
    """Return the id of the job's document."""
    return f"{event.tenant_id}/{event.job_id}"


def surplus_key(event: AnnotationCounted | AnnotationSurplus) -> str:
    """Return the id of what one annotator left at one task."""
    return draft_key(event.tenant_id, event.task_id, event.annotator_id)


def chunk_key(event: MigrationChunkDue) -> str:
    """Return the id of the chunk's document."""
    return f"{event.tenant_id}/{event.job_id}/{event.number}"


def create_routes(
    annotations: Ledger[Annotation],
    reviews: Ledger[Review],
    labels: Ledger[SampleLabel],
    surplus: Ledger[Surplus],
    drafts: Drafts,
    barriers: Barriers,
    known: Vocabulary,
    scan: MigrationScan,
) -> list[Route | Reaction]:
    """Return the routes, in the order in which a batch passes them: labels before the marks behind them."""

    async def forget_drafts(deliveries: Sequence[Delivery]) -> None:
        """A draft is kept until it is submitted; one that was saved later stays. Again, it finds nothing."""
        counted = [each.event for each in deliveries if isinstance(each.event, AnnotationCounted)]
        await drafts.forget({surplus_key(event): event.occurred_at for event in counted})

    def record_label(label: SampleLabel | None, event: LabelFinalized) -> Step[SampleLabel]:
        """Record what was decided; again, it is recorded already. The rules are asked apart, for that takes time."""
        return on_label_finalized(label, event, known)

    def migrate_label(label: SampleLabel | None, event: LabelMigrationDue) -> Step[SampleLabel]:
        """Let a migration write a revision; again, it finds its own."""
        return on_label_migration_due(label, event, known)

    async def without_erased(events: Sequence[E]) -> Sequence[E]:
        """Pass over what is said of erased samples; the documents it would go to have other keys than the sample."""
        erased = await labels.erased(list({f"{event.tenant_id}/{event.key}" for event in events}))
        if not erased:
            return events
        return [event.model_copy(update={"void": f"{event.tenant_id}/{event.key}" in erased}) for event in events]

    return [
        Route(SampleErased, labels, tombstone, erased_key),
        Route(AnnotationCounted, annotations, on_annotation_counted, annotation_key, enrich=without_erased),
        Route(AnnotationVoided, annotations, on_annotation_voided, annotation_key, enrich=without_erased),
        Reaction(AnnotationCounted, forget_drafts),
        Route(ReviewCounted, reviews, on_review_counted, review_key, enrich=without_erased),
        Route(ReviewVoided, reviews, on_review_voided, review_key, enrich=without_erased),
        Route(AnnotationSurplus, surplus, on_annotation_surplus, surplus_key, enrich=without_erased),
        Route(SampleIngested, labels, on_sample_ingested, sample_key, begins=True),
        Route(LabelFinalized, labels, record_label, sample_key),
        Route(LabelMigrationDue, labels, migrate_label, sample_key, enrich=scan.read_fields),
        Reaction(SampleIngested, barriers.on_sample_ingested),
        Reaction(DatasetCut, barriers.on_dataset_cut, is_mark=True),
    ]


def create_check_routes(
    labels: Ledger[SampleLabel], rechecks: Ledger[Recheck], checker: Checker, catalog: Catalog
) -> list[Route | Reaction]:
    """Return the routes by which labels are held against rules, when they are new and when the rules have changed."""

    def on_versioned(job: Recheck | None, event: ProjectVersioned) -> Step[Recheck]:
        """Begin a job where the rules are not those of the version before; with none before there are no labels."""
        versions = {version.number: version.spec for version in catalog.versions(event.tenant_id, event.project_id)}
        before, spec = versions.get(event.version - 1), versions.get(event.version)
        alike = before is not None and spec is not None and spec.judges_like(before)
        return on_project_versioned(job, event, judges_alike=alike or event.version == 1)

    return [
        Route(LabelCheckRequested, labels, on_label_check_requested, sample_key, enrich=checker.ask_rules),
        Route(ProjectVersioned, rechecks, on_versioned, version_key),
        Route(LabelRecheckContinued, rechecks, on_recheck_continued, job_key, enrich=checker.next_pages),
        Route(LabelRechecked, rechecks, on_label_rechecked, job_key),
    ]


def create_migration_routes(migrations: Ledger[MigrationJob], jobs: Ledger[JobPart]) -> list[Route | Reaction]:
    """Return the routes of migrations that are quickly done."""
    return [
        Route(MigrationRequested, migrations, migration.request, head_key),
        Route(ProjectRebound, migrations, migration.rebind, head_key),
        Route(MigrationScanned, jobs, on_received, head_key),
        Route(LabelMigrated, jobs, on_line_finished, part_key),
    ]


def create_scan_routes(chunks: Ledger[MigrationChunk], scan: MigrationScan) -> list[Route | Reaction]:
    """Return the routes of the search for labels; in a group of its own, so that it keeps nobody waiting."""
    return [Route(MigrationChunkDue, chunks, migration.take_chunk, chunk_key, enrich=scan.find_labels)]


class Barriers:
    """Tells versioning, partition by partition, that everything before a dataset's cut is recorded.

    A cut splits the batch it stands in, so the labels before it are recorded and announced when it is met, and no
    label after it is. What may be missing is a label that waits for its sample, whose topic is read side by side: then
    the cut waits too, in the store, until that sample has come.
    """

    def __init__(self, cuts: Cuts, publish: Callable[[Sequence[Event]], Awaitable[object]]) -> None:
        self._cuts = cuts
        self._publish = publish

    async def on_dataset_cut(self, deliveries: Sequence[Delivery]) -> None:
        """Set the barrier, or keep the cut. A second barrier of the same job says what the first one said."""
        for delivery in deliveries:
            if isinstance(delivery.event, DatasetCut):
                await self._pass(delivery.event, delivery.position.partition, delivery.position.offset)

    async def on_sample_ingested(self, deliveries: Sequence[Delivery]) -> None:
        """Set the barriers that had to wait for one of these samples."""
        partitions = sorted({delivery.position.partition for delivery in deliveries})
        for cut in await self._cuts.due(partitions):
            if await self._pass(DatasetCut.model_validate_json(cut.event), cut.partition, cut.offset):
                await self._cuts.drop(cut)

    async def _pass(self, cut: DatasetCut, partition: int, offset: int) -> bool:
        if await self._cuts.label_waits(partition, offset):
            kept = Cut(job_id=cut.job_id, partition=partition, offset=offset, event=cut.model_dump_json())
            await self._cuts.keep(kept)
            return False
        barrier = LabelBarrier.caused_by(cut, part=str(partition), dataset_job_id=cut.job_id, partition=partition)
        await self._publish([barrier])
        return True
