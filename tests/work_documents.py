"""What is counted of people's work, in memory, as the queries on MongoDB find it."""

from __future__ import annotations

from services.task_assignment.domain.working import DayWork
from services.task_assignment.workloads import Asked
from tests.fakes import MemoryLedgerStore


class MemoryWorkloads:
    """Reads the documents that a fold in memory has written."""

    def __init__(self, documents: MemoryLedgerStore) -> None:
        self._documents = documents

    async def of_people(self, asked: Asked, after: str, people: int) -> list[DayWork]:
        found = [
            work
            for document in self._documents.documents.values()
            if document["tenant_id"] == asked.tenant_id
            if (work := DayWork.model_validate(document["state"])).annotator_id > after or asked.annotator
            if asked.annotator in {None, work.annotator_id}
            if asked.period.first.isoformat() <= work.day <= asked.period.last.isoformat()
            if not asked.projects or work.project_id in asked.projects
        ]
        chosen = sorted({work.annotator_id for work in found})[:people]
        in_order = sorted(found, key=lambda work: (work.annotator_id, work.day, work.project_id))
        return [work for work in in_order if work.annotator_id in chosen]
