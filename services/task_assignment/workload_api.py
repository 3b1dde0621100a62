"""What people have done, as managers read it for their pay."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from services.task_assignment.domain.working import StageWork
from services.task_assignment.manager_api import CallerOf
from services.task_assignment.workloads import Asked, Period, Row, Workloads, cells, rows
from shared.clock import Clock
from shared.errors import InvalidBodyError
from shared.events.tasks import Stage
from shared.http import OrjsonResponse
from shared.security import MANAGERS, Principal

MOST_DAYS: Final = 366
USUAL_DAYS: Final = 31
COLUMNS: Final = tuple(cells(Row("", Period(date.min, date.min), "", "first_pass", StageWork())))


def create_workload_router(caller_of: CallerOf, workloads: Workloads, clock: Clock) -> APIRouter:
    """Return the route.

    Args:
        caller_of: Tells who calls.
        workloads: What people did.
        clock: The time.
    """
    router = APIRouter(prefix="/v1")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/workload")
    async def workload(
        caller: Caller,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="to")] = None,
        by: Literal["day", "period"] = "day",
        project: str | None = None,
        annotator: str | None = None,
        stage: Stage | None = None,
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
        cursor: Annotated[str, Query(max_length=300)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        """Return what people did, person by person; `limit` is how many people."""
        caller.require(MANAGERS, project)
        period = _period(first, last, clock().date())
        projects = caller.projects if project is None else {project}
        days = await workloads.of_people(Asked(caller.tenant_id, period, annotator, projects), cursor, limit)
        found = rows(days, period if by == "period" else None)
        people = {day.annotator_id for day in days}
        behind = days[-1].annotator_id if annotator is None and len(people) == limit else None
        shown = [cells(row) for row in found if stage is None or row.stage == stage]
        if form == "json":
            return OrjsonResponse({"items": shown, "next": behind})
        asked = {"from": period.first, "to": period.last, "by": by, "project": project, "stage": stage, "limit": limit}
        return _csv(shown, {**asked, "format": "csv"}, behind)

    return router


def _period(first: date | None, last: date | None, today: date) -> Period:
    """Return the days that are asked for; the last month where none are.

    Raises:
        InvalidBodyError: They are none, or too many.
    """
    last = last or max(today, first or today)
    first = first or last - timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise InvalidBodyError(f"The period ends on {last}, before it begins on {first}; turn `from` and `to` round.")
    if (last - first).days >= MOST_DAYS:
        raise InvalidBodyError(f"The period has more than {MOST_DAYS} days; ask for it in parts.")
    return Period(first, last)


def _csv(shown: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], behind: str | None) -> Response:
    """Return rows as CSV (RFC 4180); where the next page begins is told by a link (RFC 8288)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(shown)
    link = {}
    if behind is not None:
        query = urlencode({name: value for name, value in asked.items() if value is not None} | {"cursor": behind})
        link = {"link": f'</v1/workload?{query}>; rel="next"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8; header=present", headers=link)
