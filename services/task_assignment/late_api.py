"""What of a project is late or will be, as managers list it."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_late_router``.

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.late import Lateness, late_of
from services.task_assignment.domain.tasks import SampleTasks, Task, due_place
from services.task_assignment.manager_api import CallerOf
from services.task_assignment.store import Store
from shared.catalog import Catalog
from shared.clock import Clock, from_ms, to_ms
from shared.events.tasks import Stage
from shared.security import MANAGERS, Principal


class LateTask(BaseModel):
    """Work that is open on a late sample."""

    task: str
    stage: Stage
    missing: int = Field(description="Answers that are missing.")
    held_by: list[str] = Field(description="Who has a lease of it.")


class LateSample(BaseModel):
    """A sample without a label of record that is past its due date, or will be."""

    sample_id: str
    external_id: str
    due_at: datetime
    late: Lateness = Field(description="overdue, or forecast: more probably missed than met.")
    language: str | None
    priority: int
    tasks: list[LateTask] = Field(description="Its open tasks; none where its answers are being judged.")


class LatePage(BaseModel):
    """Late samples, those that are due first first, and where the next page begins."""

    items: list[LateSample]
    next: str | None


@dataclass(frozen=True, slots=True)
class LateReader:
    """Finds late samples by their due dates; what a page costs does not grow with the project."""

    store: Store
    clock: Clock
    partitions: int

    async def page(
        self, tenant_id: str, project_id: str, which: Lateness | None, cursor: str, limit: int
    ) -> tuple[list[LateSample], str | None]:
        """Return late samples behind a cursor, and the cursor of the next page; None at the end.

        A page may have fewer than ``limit`` samples, and another behind it: what will be late is looked for by due
        dates, and some samples of these dates are in stages that will be in time.
        """
        now_ms = to_ms(self.clock())
        scopes = (Scope(tenant_id, project_id, each) for each in range(self.partitions))
        late = late_of(Figures.sum_of((await self.store.figures(scopes)).values()), now_ms)
        found: list[SampleTasks] = []
        for span in late.spans(which):
            begin = due_place(tenant_id, project_id, span.after_ms + 1)
            end = due_place(tenant_id, project_id, span.until_ms + 1)
            behind = max(begin, f"{tenant_id}/{project_id}/{cursor}")
            if behind < end:
                found += await self.store.waiting(behind, end, limit + 1 - len(found))
            if len(found) > limit:
                break
        page, more = found[:limit], len(found) > limit
        shown = [_view(each, how) for each in page if (how := late.of(each)) is not None]
        last = (page[-1].waits_as or "") if more else ""
        return shown, last.removeprefix(f"{tenant_id}/{project_id}/") or None


def create_late_router(caller_of: CallerOf, reader: LateReader, catalog: Catalog) -> APIRouter:
    """Return the route.

    Args:
        caller_of: Tells who calls.
        reader: Finds what is late.
        catalog: The projects there are.
    """
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/projects/{project}/late")
    async def late(
        project: str,
        caller: Caller,
        which: Lateness | None = None,
        cursor: Annotated[str, Query(max_length=300)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> LatePage:
        """Return the samples that are late or will be; `which`: only those that are `overdue`, or by `forecast`."""
        caller.require(MANAGERS | {"auditor"}, project)
        await catalog.newest(caller.tenant_id, project)
        items, behind = await reader.page(caller.tenant_id, project, which, cursor, limit)
        return LatePage(items=items, next=behind)

    return router


def _view(sample: SampleTasks, late: Lateness) -> LateSample:
    tasks = [_task(task) for task in sample.tasks.values() if task.open and not task.settled]
    return LateSample(
        sample_id=sample.sample_id,
        external_id=sample.external_id,
        due_at=from_ms(sample.until_ms),
        late=late,
        language=sample.language,
        priority=sample.priority,
        tasks=tasks,
    )


def _task(task: Task) -> LateTask:
    slots = task.slots.values()
    held_by = [slot.annotator_id for slot in slots if slot.state == "leased" and slot.annotator_id is not None]
    missing = sum(slot.state != "done" for slot in slots)
    return LateTask(task=task.task_id, stage=task.stage, missing=missing, held_by=held_by)
