"""Every query that QA makes beside the fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, get_args

from services.qa.domain.annotator import AssessedAnnotator
from shared.events.tasks import Verdict
from shared.ledger import Document
from shared.mongo import Database

SAMPLES: Final = "samples"
ANNOTATORS: Final = "annotators"
CONSISTENCY: Final = "consistency"

_WHERE: Final = ("decision", "final.decided_by", "open_work")
REMEMBERED_ASSESSMENTS: Final = 2_000
"""Event ids that a document about an annotator remembers: all that a load test gets done between two commits."""
REMEMBERED_MEASUREMENTS: Final = 2_000
"""The same of a document that counts how samples keep the rules."""
COUNTED: Final = 100_000
"""Samples that are counted at most, so that a figure never costs more than a bounded scan of an index."""


class Counts(NamedTuple):
    """How many samples of a project are where, of at most ``COUNTED``."""

    judged: int
    finalized: int
    decided_by: dict[str, int]
    decisions: dict[str, int]
    open_work: dict[str, int]
    reviews: dict[str, int]
    """Samples by the verdicts that they were given at least once."""


async def ensure_indexes(database: Database) -> None:
    """Make the indexes that the queries below need."""
    samples, annotators = database[SAMPLES], database[ANNOTATORS]
    project = [("tenant_id", 1), ("state.project_id", 1)]
    await samples.create_index([*project, ("state.updated_ms", -1)], name="newest")
    where = [(f"state.{name}", 1) for name in _WHERE]
    await samples.create_index([*project, *where], name="where")  # covers the counts, which so read no document
    await samples.create_index([*project, ("state.reviews.verdict", 1)], name="reviews")
    await samples.create_index([*project, ("state.consistency", 1), ("_id", 1)], name="consistency")
    await annotators.create_index([*project, ("_id", 1)], name="project")


class QaQueries(Protocol):
    """Reads of samples and annotators of one project."""

    async def newest(self, tenant_id: str, project_id: str, limit: int) -> list[Document]:
        """Return the states of the samples that something happened to last, as they are stored."""

    async def annotators(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[AssessedAnnotator]:
        """Return the project's annotators in order of their ids, at most ``limit``, from behind the id ``after``."""

    async def least_consistent(self, tenant_id: str, project_id: str, limit: int) -> list[tuple[str, float]]:
        """Return the ids and scores of the samples that keep the rules least, without those that keep them all."""

    async def counts(self, tenant_id: str, project_id: str) -> Counts:
        """Count a project's samples by what was decided."""


class MongoQaQueries:
    """Reads of samples and annotators of one project."""

    def __init__(self, database: Database) -> None:
        self._samples = database[SAMPLES]
        self._annotators = database[ANNOTATORS]

    async def newest(self, tenant_id: str, project_id: str, limit: int) -> list[Document]:
        """Return the states of the samples that something happened to last, as they are stored."""
        query = {"tenant_id": tenant_id, "state.project_id": project_id}
        found = self._samples.find(query, {"state": 1}, sort=[("state.updated_ms", -1)], limit=limit)
        return [document["state"] async for document in found]

    async def annotators(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[AssessedAnnotator]:
        """Return the project's annotators in order of their ids, at most ``limit``, from behind the id ``after``."""
        behind = f"{tenant_id}/{after}/{project_id}" if after else ""
        query = {"tenant_id": tenant_id, "state.project_id": project_id, "_id": {"$gt": behind}}
        found = self._annotators.find(query, sort=[("_id", 1)], limit=limit)
        return [AssessedAnnotator.model_validate(document["state"]) async for document in found]

    async def least_consistent(self, tenant_id: str, project_id: str, limit: int) -> list[tuple[str, float]]:
        """Return the ids and scores of the samples that keep the rules least, without those that keep them all."""
        query = {"tenant_id": tenant_id, "state.project_id": project_id, "state.consistency": {"$lt": 1.0}}
        shown = {"state.sample_id": 1, "state.consistency": 1}
        found = self._samples.find(query, shown, sort=[("state.consistency", 1), ("_id", 1)], limit=limit)
        return [(each["state"]["sample_id"], each["state"]["consistency"]) async for each in found]

    async def counts(self, tenant_id: str, project_id: str) -> Counts:
        """Count a project's samples by what was decided."""
        where: Document = {name.replace(".", "_"): f"$state.{name}" for name in _WHERE}
        project = {"tenant_id": tenant_id, "state.project_id": project_id}
        pipeline: list[Document] = [
            {"$match": project},
            {"$project": {"_id": 0} | where},
            {"$limit": COUNTED},
            {"$group": {"_id": {name: f"${name}" for name in where}, "n": {"$sum": 1}}},
        ]
        groups = [(each["_id"], each["n"]) async for each in await self._samples.aggregate(pipeline)]
        decided_by, decisions = _sums(groups, "final_decided_by"), _sums(groups, "decision")
        reviews = {
            verdict: await self._samples.count_documents({**project, "state.reviews.verdict": verdict}, limit=COUNTED)
            for verdict in get_args(Verdict)
        }
        return Counts(
            judged=sum(decisions.values()),
            finalized=sum(decided_by.values()),
            decided_by=decided_by,
            decisions=decisions,
            open_work=_sums(groups, "open_work"),
            reviews={verdict: count for verdict, count in reviews.items() if count},
        )


def _sums(groups: Sequence[tuple[Mapping[str, str | None], int]], name: str) -> dict[str, int]:
    """Add groups up by one of the things they are grouped by; what has none of it is left out."""
    sums: Counter[str] = Counter()
    for by, count in groups:
        if (value := by.get(name)) is not None:
            sums[value] += count
    return dict(sorted(sums.items()))
