"""Images of the board on MongoDB (or its stand-in)."""

from __future__ import annotations

import pytest

from services.task_assignment.images import Images
from shared.mongo import Database
from tests.image_store_rules import ImageStoreRules


class TestImagesOnServer(ImageStoreRules):
    @pytest.fixture
    def images(self, database: Database) -> Images:
        return Images(database)
