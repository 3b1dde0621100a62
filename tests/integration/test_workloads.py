"""What people have done, counted and read on MongoDB (or its stand-in)."""

from __future__ import annotations

from datetime import date, timedelta

from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.working import DayWork
from services.task_assignment.handlers import create_work_routes
from services.task_assignment.workloads import WORK, Asked, MongoWorkloads, Period
from shared.ledger import Ledger
from shared.mongo import Database, MongoLedgerStore
from tests.builders import MORNING, TENANT, an_annotator_worked
from tests.fakes import MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver
from tests.work_documents import MemoryWorkloads


async def test_work_is_found_as_it_is_in_memory(database: Database):
    kept = MongoWorkloads(database)
    await kept.ensure_indexes()
    stores = MongoLedgerStore(database, WORK), MemoryLedgerStore()
    people = ["ana", "bo@example.org", "chi", "é"]
    pieces = [
        an_annotator_worked(annotator_id=who, project_id=project, tenant_id=tenant, occurred_at=MORNING + day)
        for who in people
        for project in ("p1", "p2")
        for tenant in (TENANT, "another")
        for day in (timedelta(0), timedelta(days=1), timedelta(days=9))
    ]
    for store in stores:
        work = Ledger(store, RecordingPublisher(), DayWork)
        annotators = Ledger(MemoryLedgerStore(), RecordingPublisher(), Annotator)
        receiver = Receiver(create_work_routes(work, annotators))
        await receiver.receive(*pieces)
        await receiver.receive_all_again()
    memory = MemoryWorkloads(stores[1])
    first = MORNING.date()

    for asked in (
        Asked(TENANT, Period(first, first + timedelta(days=1))),
        Asked(TENANT, Period(first, first + timedelta(days=20)), "bo@example.org"),
        Asked(TENANT, Period(first, first), None, {"p2"}),
        Asked("nobody", Period(date(2020, 1, 1), date(2030, 1, 1))),
    ):
        pages = [await kept.of_people(asked, after, 2) for after in ("", "bo@example.org", "é")]
        assert pages == [await memory.of_people(asked, after, 2) for after in ("", "bo@example.org", "é")]

    assert len(await kept.of_people(Asked(TENANT, Period(first, first)), "", 2)) == 4
