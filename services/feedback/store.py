"""Every query that feedback makes beside the fold."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import ModelTally
from shared.mongo import Database

PREDICTIONS: Final = "predictions"
MODELS: Final = "models"
FINDINGS: Final = "findings"
JOBS: Final = "jobs"


class FindingCursor(NamedTuple):
    """Where a page of findings ended: they are listed by time, the newest first, and then by id."""

    opened_ms: int
    finding_id: str


class FeedbackStore(Protocol):
    """What feedback looks up."""

    async def models(
        self, tenant_id: str, project_id: str, model: str | None, after: str, limit: int
    ) -> list[ModelTally]:
        """Return model versions in order of their keys, from behind the key ``after``, without single judgements."""

    async def findings(
        self,
        tenant_id: str,
        project_id: str,
        *,
        model: str | None,
        is_open: bool | None,
        after: FindingCursor | None,
        limit: int,
    ) -> list[Finding]:
        """Return findings, the newest first, from behind a cursor on."""


async def ensure_indexes(database: Database) -> None:
    """Make the indexes that the queries below need."""
    project = [("tenant_id", 1), ("state.project_id", 1)]
    await database[MODELS].create_index([*project, ("_id", 1)], name="project")
    await database[FINDINGS].create_index([*project, ("state.opened_ms", -1), ("_id", 1)], name="newest")


class MongoFeedbackStore:
    """The queries in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def models(
        self, tenant_id: str, project_id: str, model: str | None, after: str, limit: int
    ) -> list[ModelTally]:
        """Return model versions in order of their keys, from behind the key ``after``, without single judgements."""
        query: dict[str, Any] = {"tenant_id": tenant_id, "state.project_id": project_id, "_id": {"$gt": after}}
        if model is not None:
            query["state.model"] = model
        shown = {f"state.{name}": 1 for name in ModelTally.model_fields if name != "judged"}
        found = self._database[MODELS].find(query, shown).sort("_id", 1).limit(limit)
        return [ModelTally.model_validate(document["state"]) async for document in found]

    async def findings(
        self,
        tenant_id: str,
        project_id: str,
        *,
        model: str | None,
        is_open: bool | None,
        after: FindingCursor | None,
        limit: int,
    ) -> list[Finding]:
        """Return findings, the newest first, from behind a cursor on."""
        query: dict[str, Any] = {"tenant_id": tenant_id, "state.project_id": project_id}
        if model is not None:
            query["state.model"] = model
        if is_open is not None:
            query["state.outcome"] = None if is_open else {"$ne": None}
        if after is not None:
            same_time = {"state.opened_ms": after.opened_ms, "state.finding_id": {"$gt": after.finding_id}}
            query["$or"] = [{"state.opened_ms": {"$lt": after.opened_ms}}, same_time]
        found = self._database[FINDINGS].find(query).sort([("state.opened_ms", -1), ("_id", 1)]).limit(limit)
        return [Finding.model_validate(document["state"]) async for document in found]
