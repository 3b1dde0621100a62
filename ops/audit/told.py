"""What was told of each submission, against what has to be told: on disk, so that memory is bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from ops.audit.rules import Due, Wrong, is_review
from shared.events.tasks import AnnotationCounted, AnnotationSurplus, ReviewCounted, Submission

_SCHEMA = """
CREATE TABLE submissions (
    event_id TEXT PRIMARY KEY, counted_id TEXT UNIQUE, surplus_id TEXT UNIQUE, due TEXT, place TEXT,
    counted INTEGER DEFAULT 0, kept INTEGER DEFAULT 0
) WITHOUT ROWID
"""
_RULES = (
    ("accepted-uncounted", "due = 'counted' AND NOT counted", "in time and in its slot, but never told as counted"),
    (
        "work-lost",
        "due = 'kept' AND NOT counted AND NOT kept",
        "given back, and told neither as counted nor as surplus",
    ),
    (
        "late-counted",
        "due IN ('surplus', 'nothing') AND counted",
        "too late by the broker's clock, but told as counted",
    ),
    ("work-lost", "due = 'surplus' AND NOT kept", "too late by the broker's clock, and not told as surplus"),
)


class Told:
    """One partition's submissions, and what followed from them."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")  # a temporary file that goes with the connection
        self._rows.execute(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._rows.close()

    def expect(self, submission: Submission, due: Due, place: str) -> None:
        """Note a submission; of one that stands in the log twice, the first record decided."""
        counted = (ReviewCounted if is_review(submission) else AnnotationCounted).id_from(
            submission.event_id, submission.sample_id
        )
        surplus = (
            None if is_review(submission) else AnnotationSurplus.id_from(submission.event_id, submission.sample_id)
        )
        self._rows.execute(
            "INSERT OR IGNORE INTO submissions (event_id, counted_id, surplus_id, due, place) VALUES (?, ?, ?, ?, ?)",
            (submission.event_id, counted, surplus, due, place),
        )

    def knows(self, submission: Submission) -> bool:
        """Return whether a submission was noted already: it stands in the log more than once."""
        found = self._rows.execute("SELECT 1 FROM submissions WHERE event_id = ?", (submission.event_id,))
        return found.fetchone() is not None

    def told(self, event_ids: Iterable[str]) -> None:
        """Note the ids of events that say what became of submissions."""
        ids = [(event_id,) for event_id in event_ids]
        self._rows.executemany("UPDATE submissions SET counted = 1 WHERE counted_id = ?", ids)
        self._rows.executemany("UPDATE submissions SET kept = 1 WHERE surplus_id = ?", ids)

    def counts(self) -> dict[str, int]:
        """Return how many submissions count, and how many were kept as surplus."""
        row = self._rows.execute("SELECT total(counted), total(kept) FROM submissions").fetchone()
        return {"submissions told as counted": int(row[0]), "submissions kept as surplus": int(row[1])}

    def wrong(self) -> Iterator[Wrong]:
        """Yield each submission of which something else was told than has to be."""
        for rule, condition, what in _RULES:
            query = f"SELECT place FROM submissions WHERE {condition} ORDER BY place"  # noqa: S608 - conditions of ours
            for (place,) in self._rows.execute(query):
                yield Wrong(rule, place, what)
