"""Every query that versioning makes beside the fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from services.versioning.domain.dataset import Dataset
from services.versioning.domain.label_row import BODIES, LabelRow, read_body
from services.versioning.domain.project import AUDIT, AuditEntry
from shared.erasure import Erased
from shared.mongo import Database

PROJECTS: Final = "projects"
TAXONOMIES: Final = "taxonomies"
LABEL_ROWS: Final = "label_rows"
DATASET_JOBS: Final = "dataset_jobs"
DATASETS: Final = "datasets"
TAGS: Final = "tags"
EXPORTS: Final = "exports"

MAX_TAGS: Final = 100


class DatasetCursor(NamedTuple):
    """Where a page of datasets ended: they are listed by time, the newest first, and then by id."""

    frozen_ms: int
    dataset_id: str


class VersioningStore(Protocol):
    """What versioning looks up."""

    def rows(self, tenant_id: str, project_id: str, batch: int) -> AsyncIterator[list[LabelRow]]:
        """Yield a project's samples in ascending order of their ids, ``batch`` at a time."""

    async def bodies(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return large values by id."""

    async def previous_dataset(self, tenant_id: str, project_id: str, before_ms: int, but: str) -> str | None:
        """Return the id of the dataset that the project froze last before a time, other than ``but``."""

    async def audit(self, tenant_id: str, project_id: str, before: int | None, limit: int) -> list[AuditEntry]:
        """Return audit entries, the newest first, those with numbers below ``before``."""

    async def datasets(self, tenant_id: str, project_id: str, after: DatasetCursor | None, limit: int) -> list[Dataset]:
        """Return a project's datasets, the newest first, from behind a cursor on."""

    async def tags_of(self, tenant_id: str, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the tags that point to each dataset, sorted; at most 100 in all."""


async def ensure_indexes(database: Database) -> None:
    """Make the indexes that the queries below need."""
    project = [("tenant_id", 1), ("state.project_id", 1)]
    await database[LABEL_ROWS].create_index([*project, ("_id", 1)], name="project")
    await database[DATASET_JOBS].create_index([*project, ("state.finished_ms", -1)], name="finished")
    await database[DATASETS].create_index([*project, ("state.frozen_ms", -1), ("_id", 1)], name="newest")
    await database[TAGS].create_index([("tenant_id", 1), ("state.dataset_id", 1)], name="dataset")
    await database[AUDIT].create_index([("tenant_id", 1), ("project_id", 1), ("number", -1)], name="newest")


class MongoVersioningStore:
    """The queries in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, tenant_id: str, project_id: str, batch: int) -> AsyncIterator[list[LabelRow]]:
        """Yield a project's samples in ascending order of their ids, ``batch`` at a time."""
        query = {"tenant_id": tenant_id, "state.project_id": project_id}
        found = self._database[LABEL_ROWS].find(query, {"state": 1}).sort("_id", 1).batch_size(batch)
        rows: list[LabelRow] = []
        async with found as cursor:
            async for document in cursor:
                rows.append(LabelRow.model_validate(document["state"]))
                if len(rows) == batch:
                    yield rows
                    rows = []
        if rows:
            yield rows

    async def bodies(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return large values by id."""
        if not ids:
            return {}
        found = self._database[BODIES].find({"_id": {"$in": list(ids)}})
        return {document["_id"]: read_body(document) async for document in found}

    async def remove(self, erased: Erased) -> None:
        """Remove the large values of an erased sample: its labels and the facts of its assets."""
        first = f"{erased.tenant_id}/{erased.sample_id}/"
        await self._database[BODIES].delete_many({"_id": {"$gte": first, "$lt": first[:-1] + "0"}})

    async def previous_dataset(self, tenant_id: str, project_id: str, before_ms: int, but: str) -> str | None:
        """Return the id of the dataset that the project froze last before a time, other than ``but``."""
        query = {
            "tenant_id": tenant_id,
            "state.project_id": project_id,
            "state.finished_ms": {"$lt": before_ms},
            "state.dataset_id": {"$nin": [None, but]},
        }
        found = self._database[DATASET_JOBS].find(query, {"state.dataset_id": 1}).sort("state.finished_ms", -1)
        async for document in found.limit(1):
            return str(document["state"]["dataset_id"])
        return None

    async def audit(self, tenant_id: str, project_id: str, before: int | None, limit: int) -> list[AuditEntry]:
        """Return audit entries, the newest first, those with numbers below ``before``."""
        query: dict[str, Any] = {"tenant_id": tenant_id, "project_id": project_id}
        if before is not None:
            query["number"] = {"$lt": before}
        found = self._database[AUDIT].find(query).sort("number", -1).limit(limit)
        return [AuditEntry.model_validate(document) async for document in found]

    async def datasets(self, tenant_id: str, project_id: str, after: DatasetCursor | None, limit: int) -> list[Dataset]:
        """Return a project's datasets, the newest first, from behind a cursor on."""
        query: dict[str, Any] = {"tenant_id": tenant_id, "state.project_id": project_id}
        if after is not None:
            same_time = {"state.frozen_ms": after.frozen_ms, "state.dataset_id": {"$gt": after.dataset_id}}
            query["$or"] = [{"state.frozen_ms": {"$lt": after.frozen_ms}}, same_time]
        found = self._database[DATASETS].find(query).sort([("state.frozen_ms", -1), ("_id", 1)]).limit(limit)
        return [Dataset.model_validate(document["state"]) async for document in found]

    async def tags_of(self, tenant_id: str, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the tags that point to each dataset, sorted; at most 100 in all."""
        query = {"tenant_id": tenant_id, "state.dataset_id": {"$in": list(dataset_ids)}}
        tags: dict[str, list[str]] = {dataset_id: [] for dataset_id in dataset_ids}
        async for document in self._database[TAGS].find(query).sort("_id", 1).limit(MAX_TAGS):
            tags[document["state"]["dataset_id"]].append(document["state"]["tag"])
        return tags
