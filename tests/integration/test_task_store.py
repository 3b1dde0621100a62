"""Task assignment's store on MongoDB (or its stand-in): everything that the one in memory keeps."""

from __future__ import annotations

import pytest

from services.task_assignment.store import SAMPLES, Store
from shared.mongo import Database, MongoLedgerStore
from tests.task_figures_rules import TaskFiguresRules
from tests.task_store_rules import KeptTasks, TaskStoreRules


class TestTasksOnServer(TaskStoreRules, TaskFiguresRules):
    @pytest.fixture
    async def kept(self, database: Database) -> KeptTasks:
        store = Store(database, lambda _document, _state: None)
        await store.ensure_indexes()
        return KeptTasks(store, MongoLedgerStore(database, SAMPLES))
