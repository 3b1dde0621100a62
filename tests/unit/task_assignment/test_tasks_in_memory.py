"""The store in memory on which the desk is tested keeps the rules of the real one."""

from __future__ import annotations

import pytest

from tests.memory_tasks import MemoryTasks
from tests.task_figures_rules import TaskFiguresRules
from tests.task_store_rules import KeptTasks, TaskStoreRules


class TestTasksInMemory(TaskStoreRules, TaskFiguresRules):
    @pytest.fixture
    def kept(self) -> KeptTasks:
        store = MemoryTasks()
        return KeptTasks(store, store.sample_documents)
