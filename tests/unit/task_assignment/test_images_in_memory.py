"""The fake in which unit tests keep images keeps the rules of the real store."""

from __future__ import annotations

import pytest

from services.task_assignment.images import Images
from tests.image_store_rules import ImageStoreRules
from tests.memory_tasks import MemoryImages


class TestImagesInMemory(ImageStoreRules):
    @pytest.fixture
    def images(self) -> Images:
        return MemoryImages()
