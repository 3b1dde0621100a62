"""Lines of jobs that failed: each is kept, as it was sent, so that it can be corrected and sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
from pydantic import BaseModel, ConfigDict

from shared.erasure import Erased
from shared.events.feedback import PredictionLineFinished
from shared.events.imports import ImportLineFinished
from shared.events.migrations import LabelMigrated
from shared.labels.faults import Fault
from shared.labels.json_values import read_json
from shared.ledger import Body
from shared.mongo import Database

ERRORS: Final = "job_errors"
ERRORS_AT_ONCE: Final = 200

LineFinished = ImportLineFinished | PredictionLineFinished | LabelMigrated


class LineError(BaseModel):
    """A line that failed: correct ``source`` and send it again, as it is here."""

    model_config = ConfigDict(frozen=True)

    line: int
    outcome: str
    external_id: str | None = None
    sample_id: str | None = None
    faults: list[Fault] = []
    source: Any = None
    """The line as it was sent: the JSON object that it is, or its text where it is none."""


class JobErrors(Protocol):
    """Where the lines that failed are kept."""

    async def read(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return what is kept under these ids."""


class MongoJobErrors:
    """The lines that failed, found by ``_id`` alone."""

    def __init__(self, database: Database) -> None:
        self._errors = database[ERRORS]

    async def ensure_indexes(self) -> None:
        """Make the index by which the lines of an erased sample are found."""
        await self._errors.create_index([("tenant_id", 1), ("sample_id", 1)], name="sample")

    async def remove(self, erased: Erased) -> None:
        """Remove what was kept of the lines that were about an erased sample."""
        await self._errors.delete_many({"tenant_id": erased.tenant_id, "sample_id": erased.sample_id})

    async def read(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return what is kept under these ids."""
        return {found["_id"]: found async for found in self._errors.find({"_id": {"$in": list(ids)}})}


def error_id(tenant_id: str, job_id: str, line: int) -> str:
    """Return the id under which a line that failed is kept."""
    return f"{tenant_id}/{job_id}#{line}"


def error_of(event: LineFinished) -> Body:
    """Return what is kept of a line that failed; as text, for a client's numbers and keys may be none of BSON's."""
    known = event.model_dump(mode="json", include=set(LineError.model_fields) - {"source"})
    content = {
        "tenant_id": event.tenant_id,
        "sample_id": event.sample_id,
        "error": orjson.dumps(known | {"source": _read(getattr(event, "source", None))}).decode(),
    }
    return Body(ERRORS, error_id(event.tenant_id, event.job_id, event.line), content)


def _read(source: str | None) -> Any:
    """Return the line as the object that it is, so that it can be corrected in place; else as its text.

    A line with integers that would be rounded stays text, for sent again it has to be refused again.
    """
    try:
        found = None if source is None else read_json(source)
        orjson.dumps(found)
    except (orjson.JSONDecodeError, TypeError):
        return source
    return found if isinstance(found, dict) else source
