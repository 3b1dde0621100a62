"""What is kept, as far as the caller may see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from services.annotation_store.domain.annotation import Annotation, AnnotationRevision
from services.annotation_store.domain.held_against import LabelTally, tally, together
from services.annotation_store.domain.label import LabelRevision, SampleLabel
from services.annotation_store.domain.recheck import Recheck
from services.annotation_store.domain.surplus import Surplus, SurplusWork
from services.annotation_store.migration_jobs import MigrationJobs
from services.annotation_store.store import AnnotationQueries, draft_key
from shared.catalog import Catalog
from shared.errors import ForbiddenError, NotFoundError
from shared.events.annotations import LabelProvenance, RulesSaid
from shared.events.origin import Origin
from shared.events.tasks import Stage, SurplusReason
from shared.jobs import JobView
from shared.labels.kinds import FieldOptions
from shared.labels.verdicts import RuleVerdict
from shared.ledger import Ledger
from shared.security import READERS, Principal

SEE_ALL = READERS | {"integration"}
"""Roles for which nothing is blind."""
MAX_HELD = 20_000
HELD_AT_ONCE = 200
HOLDING_SECONDS = 3.0
MAX_OF_ONE = 200
"""Annotations by one person of one sample that are looked at."""


class AnnotationView(BaseModel):
    """One revision of an annotation."""

    annotation_id: str
    sample_id: str
    project_id: str
    project_version: int
    task_id: str
    stage: Stage
    annotator_id: str
    revision: int = Field(description="Counted from 1; work that does not count has 0.")
    fields: dict[str, Any]
    content_hash: str
    submitted_at: datetime
    seconds_spent: float | None
    confidence: float | None
    verdicts: list[RuleVerdict]
    origin: Origin | None = Field(None, description="How it came to be; null of what is older than this was noted.")
    surplus: SurplusReason | None = Field(None, description="Why it does not count; null for what does.")
    voided: bool = Field(False, description="Whether a manager dropped it; then it counts for nothing.")


class AnnotationPage(BaseModel):
    """Annotations, and where the next page begins."""

    items: list[AnnotationView]
    next: str | None


class LabelView(BaseModel):
    """One revision of a sample's label of record."""

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    language: str | None
    revision: int
    fields: dict[str, Any]
    content_hash: str
    provenance: LabelProvenance
    finalized_at: datetime
    rules: RulesSaid | None = Field(
        None, description="What the newest rules say of this revision; null until they are asked, and of older ones."
    )


class LabelPage(BaseModel):
    """Revisions of a label, the newest first, and where the next page begins."""

    items: list[LabelView]
    next: str | None


class DraftView(BaseModel):
    """A draft, or work that came too late to count and is kept as one."""

    task_id: str
    fields: dict[str, Any]
    revision: int = Field(description="As in the ETag; 0 for work that came too late.")
    saved_at: datetime
    surplus: SurplusReason | None = Field(None, description="Why the work did not count, where it was submitted.")


class Reader:
    """Reads what is kept, as far as the caller may see it."""

    def __init__(
        self,
        annotations: Ledger[Annotation],
        labels: Ledger[SampleLabel],
        surplus: Ledger[Surplus],
        rechecks: Ledger[Recheck],
        migrations: MigrationJobs,
        queries: AnnotationQueries,
        catalog: Catalog,
    ) -> None:
        self._annotations = annotations
        self._labels = labels
        self._surplus = surplus
        self._rechecks = rechecks
        self._migrations = migrations
        self._queries = queries
        self._catalog = catalog

    async def annotation(self, caller: Principal, annotation_id: str) -> Annotation:
        """Return an annotation that the caller may see.

        Raises:
            NotFoundError: The tenant has none of this id.
            ForbiddenError: It is another annotator's, and the project is blind.
        """
        key = f"{caller.tenant_id}/{annotation_id}"
        found = (await self._annotations.read([key])).get(key)
        if found is None:
            raise NotFoundError(f"There is no annotation {annotation_id!r}; an accepted one is there after a moment.")
        caller.require(caller.roles, found.project_id)
        if found.annotator_id != caller.subject and self.is_blind(caller, found.project_id):
            raise ForbiddenError("This project is blind: you see your own annotations; ask a manager for more.")
        return found

    async def sample(self, caller: Principal, sample_id: str) -> SampleLabel:
        """Return a sample as its label knows it.

        Raises:
            NotFoundError: The tenant has no such sample, or it is not ingested yet.
        """
        key = f"{caller.tenant_id}/{sample_id}"
        found = (await self._labels.read([key])).get(key)
        if found is None:
            raise NotFoundError(
                f"There is no sample {sample_id!r} with all of its media yet; GET the sample says more."
            )
        caller.require(caller.roles, found.project_id)
        return found

    async def label(self, caller: Principal, sample_id: str) -> SampleLabel:
        """Return a sample that has a label of record, which the caller may see.

        Raises:
            NotFoundError: There is no such sample, or no label yet.
            ForbiddenError: The caller labels in this project, which is blind.
        """
        found = await self.sample(caller, sample_id)
        if self.is_blind(caller, found.project_id) and caller.roles <= {"annotator"}:
            raise ForbiddenError("This project is blind: annotators do not see labels of record; ask a manager.")
        if not found.revisions:
            raise NotFoundError(f"Sample {sample_id} has no label of record yet; its answers are still being judged.")
        return found

    def is_blind(self, caller: Principal, project_id: str) -> bool:
        """Return whether the caller sees their own work only."""
        return not (caller.roles & SEE_ALL) and self._catalog.latest(caller.tenant_id, project_id).spec.blind

    async def annotation_views(
        self, annotation: Annotation, revisions: Sequence[AnnotationRevision]
    ) -> list[AnnotationView]:
        """Return some revisions of an annotation with their fields."""
        fields = await self._queries.fields_of([revision.body for revision in revisions])
        return [_annotation_view(annotation, revision, fields[revision.body]) for revision in revisions]

    async def label_views(self, label: SampleLabel, revisions: Sequence[LabelRevision]) -> list[LabelView]:
        """Return some revisions of a label with their fields."""
        fields = await self._queries.fields_of([revision.body for revision in revisions])
        common = label.model_dump(include={"sample_id", "project_id", "external_id", "language"})
        said = label.said
        return [
            LabelView(
                **common,
                **dict(each),
                fields=fields[each.body],
                rules=said if said is not None and said.revision == each.revision else None,
            )
            for each in revisions
        ]

    async def job(self, caller: Principal, job_id: str) -> JobView:
        """Return how far a job is.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        key = f"{caller.tenant_id}/{job_id}"
        found = (await self._rechecks.read([key])).get(key)
        if found is None:
            return await self._migrations.job(caller, job_id)
        caller.require(READERS, found.project_id)
        return found.view()

    async def sample_page(self, caller: Principal, sample_id: str, after: str, limit: int) -> AnnotationPage:
        """Return the newest revision of a sample's annotations; on the last page, also what did not count."""
        sample = await self.sample(caller, sample_id)
        by = caller.subject if self.is_blind(caller, sample.project_id) else None
        found = await self._queries.of_sample(caller.tenant_id, sample_id, by=by, after=after, limit=limit + 1)
        more = len(found) > limit
        late = [] if more else await self._queries.surplus_of_sample(caller.tenant_id, sample_id, by=by)
        shown, works = found[:limit], [(each, work) for each in late for work in each.works]
        fields = await self._queries.fields_of([each.latest.body for each in shown] + [work.body for _, work in works])
        items = [_annotation_view(each, each.latest, fields[each.latest.body]) for each in shown]
        items += [_late_view(each, work, fields[work.body]) for each, work in works]
        return AnnotationPage(items=items, next=shown[-1].annotation_id if more else None)

    async def held_against(
        self, caller: Principal, project_id: str, fields: Mapping[str, FieldOptions | None]
    ) -> LabelTally:
        """Hold a project's labels of record against fields that it would have.

        At most ``MAX_HELD`` labels are looked at, for at most ``HOLDING_SECONDS``. Ids of samples are hashes, so the
        first ones in their order are as good as a random sample.
        """
        ends = time.monotonic() + HOLDING_SECONDS
        found, after = tally(fields, ()), ""
        while found.labels < MAX_HELD and time.monotonic() < ends:
            labels = await self._queries.labels_of(caller.tenant_id, project_id, after, HELD_AT_ONCE)
            contents = await self._queries.fields_of([label.revisions[-1].body for label in labels])
            found = together(found, await asyncio.to_thread(tally, fields, list(contents.values())))
            if len(labels) < HELD_AT_ONCE:
                return found
            after = labels[-1].sample_id
        return found.model_copy(update={"complete": False})

    async def late_work(self, caller: Principal, task_id: str) -> DraftView | None:
        """Return the caller's last work on a task that did not count, unless they submitted after it."""
        key = draft_key(caller.tenant_id, task_id, caller.subject)
        found = (await self._surplus.read([key])).get(key)
        if found is None:
            return None
        work = found.works[-1]
        own = await self._queries.of_sample(
            caller.tenant_id, found.sample_id, by=caller.subject, after="", limit=MAX_OF_ONE
        )
        if any(each.task_id == task_id and each.latest.submitted_at >= work.submitted_at for each in own):
            return None
        fields = await self._queries.fields_of([work.body])
        return DraftView(
            task_id=task_id, fields=fields[work.body], revision=0, saved_at=work.submitted_at, surplus=work.reason
        )


def _annotation_view(annotation: Annotation, revision: AnnotationRevision, fields: dict[str, Any]) -> AnnotationView:
    return AnnotationView(**annotation.model_dump(exclude={"revisions"}), **dict(revision), fields=fields)


def _late_view(surplus: Surplus, work: SurplusWork, fields: dict[str, Any]) -> AnnotationView:
    common = surplus.model_dump(exclude={"works"})
    return AnnotationView(**common, **dict(work), revision=0, fields=fields, surplus=work.reason)
