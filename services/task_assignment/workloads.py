"""What people have done, as it is read for their pay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

from services.task_assignment.domain.working import DayWork, StageWork
from shared.events.tasks import Stage
from shared.mongo import Collection as Documents
from shared.mongo import Database

WORK: Final = "work"


class Period(NamedTuple):
    """Days, both included."""

    first: date
    last: date


class Asked(NamedTuple):
    """Whose work is read."""

    tenant_id: str
    period: Period
    annotator: str | None = None
    projects: Collection[str] = ()
    """Empty: all."""


class Workloads(Protocol):
    """What people did on each day."""

    async def of_people(self, asked: Asked, after: str, people: int) -> list[DayWork]:
        """Return all that is asked of the next few people behind one, in order of person, day and project."""


class MongoWorkloads:
    """Reads the documents that the fold writes."""

    def __init__(self, database: Database) -> None:
        self._work: Documents = database[WORK]

    async def ensure_indexes(self) -> None:
        """Make the index that the query below needs."""
        keys = [("tenant_id", 1), ("state.annotator_id", 1), ("state.day", 1), ("state.project_id", 1)]
        await self._work.create_index(keys, name="person_and_day")

    async def of_people(self, asked: Asked, after: str, people: int) -> list[DayWork]:
        """Return all that is asked of the next few people behind one, in order of person, day and project."""
        query: dict[str, Any] = {
            "tenant_id": asked.tenant_id,
            "state.annotator_id": {"$gt": after} if asked.annotator is None else asked.annotator,
            "state.day": {"$gte": asked.period.first.isoformat(), "$lte": asked.period.last.isoformat()},
        }
        if asked.projects:
            query["state.project_id"] = {"$in": sorted(asked.projects)}
        in_order = [("state.annotator_id", 1), ("state.day", 1), ("state.project_id", 1)]
        found: list[DayWork] = []
        seen: set[str] = set()
        async for each in self._work.find(query, {"state": 1}, sort=in_order):
            work = DayWork.model_validate(each["state"])
            seen.add(work.annotator_id)
            if len(seen) > people:
                break
            found.append(work)
        return found


class Row(NamedTuple):
    """What somebody did in a period, in one stage of a project."""

    annotator_id: str
    period: Period
    project_id: str
    stage: Stage
    work: StageWork


def rows(days: Sequence[DayWork], whole: Period | None) -> list[Row]:
    """Return a row for each person, day, project and stage; or for each person, project and stage of a whole period.

    Args:
        days: In order of person and day.
        whole: The period over which days are summed; None: each for itself.
    """
    found: dict[tuple[str, Period, str, Stage], StageWork] = {}
    for each in days:
        day = date.fromisoformat(each.day)
        for stage, work in sorted(each.stages.items()):
            key = each.annotator_id, whole or Period(day, day), each.project_id, stage
            found[key] = found.get(key, StageWork()).plus(work)
    return [Row(*key, work) for key, work in found.items()]


def cells(row: Row) -> Mapping[str, Any]:
    """Return a row as it is shown: names, then counts."""
    work = row.work
    return {
        "annotator_id": row.annotator_id,
        "from": row.period.first.isoformat(),
        "to": row.period.last.isoformat(),
        "project": row.project_id,
        "stage": row.stage,
        "submitted": work.counted + work.surplus,
        "counted": work.counted,
        "surplus": work.surplus,
        "revised": work.revised,
        "skipped": work.skipped,
        "seconds_spent": round(work.seconds_spent, 3),
        "reviewed": work.reviewed,
        "rejected": work.rejected,
        "voided": work.voided,
    }
