"""Jobs of many lines, counted exactly: a line counts once, however often its outcome is told.

A job is a head (its total) and parts of a thousand lines each, so that no document grows with the job and a batch of
outcomes costs one write per part. A part keeps one letter for each of its lines; what is wrong with a line that failed
lies beside it, as a document of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

import orjson
from pydantic import BaseModel, ConfigDict

from shared.clock import from_ms, to_ms
from shared.errors import NotFoundError
from shared.events.feedback import PredictionsReceived
from shared.events.imports import (
    ImportCancelled,
    ImportCursor,
    ImportReceived,
    ImportRequested,
    ImportRested,
    ImportSource,
)
from shared.events.migrations import MigrationScanned
from shared.events.samples import OnConflict
from shared.job_errors import ERRORS_AT_ONCE, JobErrors, LineError, LineFinished, error_id, error_of
from shared.labels.faults import Fault
from shared.ledger import Ledger, Step

LINES_PER_PART: Final = 1000
PARTS_AT_ONCE: Final = 100
REMEMBERED_EVENTS: Final = 1
"""A part knows its lines itself, so it need not remember the events that told of them."""

_OPEN: Final = "."
_LETTERS: Final[Mapping[str, str]] = {
    "created": "c",
    "unchanged": "u",
    "replaced": "r",
    "linked": "l",
    "conflict": "x",
    "rejected": "f",
    "erased": "e",
    "cancelled": "-",
    "migrated": "m",
    "restored": "b",
    "left": "p",
}
_OUTCOMES: Final[Mapping[str, str]] = {letter: outcome for outcome, letter in _LETTERS.items()}
FAILED: Final[frozenset[str]] = frozenset({"rejected", "conflict", "erased", "left"})
"""Outcomes of lines that can be corrected and sent again, so they are kept."""

Received = ImportReceived | PredictionsReceived | MigrationScanned


class Follow(BaseModel):
    """What is needed to list a prefix again."""

    model_config = ConfigDict(frozen=True)

    source: ImportSource
    on_conflict: OnConflict
    due_at: datetime | None = None
    cursor: ImportCursor
    listed_ms: int
    """When its last listing came to the end, in milliseconds since 1970."""
    due_ms: int
    """When it is to be listed again."""


class JobPart(BaseModel):
    """The head of a job, or the outcomes of up to a thousand of its lines."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    project_id: str = ""
    total: int | None = None
    """Of a head: how many lines there are; None while they are being read."""
    last: int = 0
    """Of a head: the number of the last line."""
    started: datetime
    updated: datetime
    fault: Fault | None = None
    """Of a head: why reading ended before the end."""
    is_cancelled: bool = False
    follow: Follow | None = None
    """Of a head: its import follows a prefix, and is through with it for now."""
    lines: str = ""
    """Of a part: a letter for each line that its outcome is known of, a dot for one that it is not."""
    outcomes: dict[str, int] = {}


class JobView(BaseModel):
    """A job as ``GET /v1/jobs/{id}`` shows it."""

    job_id: str
    project_id: str = ""
    state: Literal["running", "following", "done", "failed", "cancelled"]
    done: int
    total: int | None = None
    failed: int = 0
    started: datetime
    eta: datetime | None = None
    outcomes: dict[str, int] = {}
    result: dict[str, Any] | None = None


class JobEvent(Protocol):
    """What all of a job's events have."""

    @property
    def job_id(self) -> str:
        """The job."""

    @property
    def tenant_id(self) -> str:
        """Whose it is."""


def head_key(event: JobEvent) -> str:
    """Return the id of the job's head."""
    return f"{event.tenant_id}/{event.job_id}"


def part_key(event: LineFinished) -> str:
    """Return the id of the part that the line belongs to."""
    return f"{event.tenant_id}/{event.job_id}#{_part_of(event.line)}"


def on_requested(part: JobPart | None, event: ImportRequested) -> Step[JobPart]:
    """Let the job be known before its first line is read."""
    return Step(part or new_part(event, event.project_id))


def on_received(part: JobPart | None, event: Received) -> Step[JobPart]:
    """Note how many lines the job has. What is told first stays."""
    head = part or new_part(event, event.project_id)
    if head.total is not None and head.follow is None:
        return Step(head)
    changes = {
        "follow": None,
        "project_id": event.project_id,
        "total": event.lines,
        "last": getattr(event, "last_line", 0) or event.lines,
        "fault": getattr(event, "fault", None),
        "started": min(head.started, event.occurred_at),
    }
    return Step(head.model_copy(update=changes))


def on_rested(part: JobPart | None, event: ImportRested) -> Step[JobPart]:
    """Note how many lines there are by now, and when the prefix is listed again. What is told late changes nothing."""
    head = part or new_part(event, event.project_id)
    known = head.follow
    if known is not None and known.cursor.chunk >= event.cursor.chunk:
        return Step(head)
    listed_ms = event.appended_at_ms or to_ms(event.occurred_at)
    due_ms = listed_ms + 1000 * (event.source.follow_seconds or 0)
    if known is not None and known.cursor.listing == event.cursor.listing:  # some objects were looked at, not the whole
        listed_ms, due_ms = known.listed_ms, known.due_ms
    follow = Follow(
        source=event.source,
        on_conflict=event.on_conflict,
        due_at=event.due_at,
        cursor=event.cursor,
        listed_ms=listed_ms,
        due_ms=due_ms,
    )
    changes = {"project_id": event.project_id, "total": event.cursor.total, "last": event.cursor.line, "follow": follow}
    return Step(head.model_copy(update=changes))


def on_cancelled(part: JobPart | None, event: ImportCancelled) -> Step[JobPart]:
    """Note that nobody wants the rest; what was read before stays."""
    head = part or new_part(event, event.project_id)
    return Step(head.model_copy(update={"is_cancelled": True}))


def on_line_finished(part: JobPart | None, event: LineFinished) -> Step[JobPart]:
    """Count the line's outcome, once."""
    part = part or new_part(event)
    counted = with_lines(part, [(event.line, event.outcome)], event.occurred_at)
    is_news = counted is not part
    return Step(counted, bodies=[error_of(event)] if is_news and event.outcome in FAILED else [])


def with_lines(part: JobPart, lines: Iterable[tuple[int, str]], at: datetime) -> JobPart:
    """Return a part with the outcomes of some lines; the very part where each of them had one before.

    Args:
        part: The part that they belong to.
        lines: Their numbers, each with its outcome.
        at: When they were finished.
    """
    letters, outcomes = list(part.lines), dict(part.outcomes)
    for number, outcome in lines:
        place = number % LINES_PER_PART
        letters += _OPEN * (place + 1 - len(letters))
        if letters[place] == _OPEN:
            letters[place] = _LETTERS[outcome]
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    if outcomes == part.outcomes:
        return part
    changes = {
        "lines": "".join(letters),
        "outcomes": outcomes,
        "started": min(part.started, at),
        "updated": max(part.updated, at),
    }
    return part.model_copy(update=changes)


async def read_job(ledger: Ledger[JobPart], tenant_id: str, job_id: str, now: datetime) -> JobView:
    """Sum a job up.

    Raises:
        NotFoundError: There is no such job (yet).
    """
    head = await read_head(ledger, tenant_id, job_id)
    outcomes: dict[str, int] = {}
    started = [] if head is None else [head.started]
    async for _, part in read_parts(ledger, tenant_id, job_id, head):
        started.append(part.started)
        for outcome, count in part.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    if not started:
        raise NotFoundError(f"There is no job {job_id!r}; a job can be read as soon as its first line is.")
    return _view(job_id, head, outcomes, min(started), now)


async def read_head(ledger: Ledger[JobPart], tenant_id: str, job_id: str) -> JobPart | None:
    """Return a job's head, None where nothing is known of its total yet."""
    name = f"{tenant_id}/{job_id}"
    return (await ledger.read([name])).get(name)


async def read_parts(
    ledger: Ledger[JobPart], tenant_id: str, job_id: str, head: JobPart | None, first_line: int = 0
) -> AsyncIterator[tuple[int, JobPart]]:
    """Yield a job's parts in order of lines, each with the number of its first line.

    Args:
        ledger: Where the parts are.
        tenant_id: Whose job it is.
        job_id: The job.
        head: Its head, as far as it is known; tells where the lines end.
        first_line: Parts that end before this line are left out.
    """
    end = None if head is None or head.total is None else _part_of(head.last) + 1
    number = _part_of(first_line)
    while end is None or number < end:
        until = number + PARTS_AT_ONCE if end is None else min(end, number + PARTS_AT_ONCE)
        ids = {f"{tenant_id}/{job_id}#{each}": each for each in range(number, until)}
        found = await ledger.read(list(ids))
        for id_, each in ids.items():
            if id_ in found:
                yield each * LINES_PER_PART, found[id_]
        if end is None and not found:
            return
        number = until


async def read_errors(
    ledger: Ledger[JobPart], errors: JobErrors, tenant_id: str, job_id: str, after: int = -1
) -> AsyncIterator[LineError]:
    """Yield the lines of a job that failed, in order, from the one after line ``after`` on.

    Raises:
        NotFoundError: There is no such job (yet).
    """
    head = await read_head(ledger, tenant_id, job_id)
    is_known = head is not None
    failed = {_LETTERS[outcome] for outcome in FAILED}
    async for first, part in read_parts(ledger, tenant_id, job_id, head, after + 1):
        is_known = True
        numbers = [first + place for place, letter in enumerate(part.lines) if letter in failed]
        ids_left = [error_id(tenant_id, job_id, number) for number in numbers if number > after]
        while ids_left:
            ids, ids_left = ids_left[:ERRORS_AT_ONCE], ids_left[ERRORS_AT_ONCE:]
            kept = await errors.read(ids)
            for id_ in ids:
                if id_ in kept:
                    yield LineError.model_validate(orjson.loads(kept[id_]["error"]))
    if not is_known:
        raise NotFoundError(f"There is no job {job_id!r}; a job can be read as soon as its first line is.")


async def read_lines(
    ledger: Ledger[JobPart], tenant_id: str, job_id: str, after: int = -1
) -> AsyncIterator[tuple[int, str]]:
    """Yield each line of which the outcome is known, with its outcome, from the one after line ``after`` on."""
    head = await read_head(ledger, tenant_id, job_id)
    async for first, part in read_parts(ledger, tenant_id, job_id, head, after + 1):
        for number, letter in enumerate(part.lines, first):
            if letter != _OPEN and number > after:
                yield number, _OUTCOMES[letter]


def _view(job_id: str, head: JobPart | None, outcomes: dict[str, int], started: datetime, now: datetime) -> JobView:
    done = sum(outcomes.values())
    total = None if head is None else head.total
    eta = None
    if total is not None and 0 < done < total:
        elapsed = max(1e-3, (now - started).total_seconds())
        eta = datetime.fromtimestamp(now.timestamp() + elapsed / done * (total - done), UTC)
    state: Literal["running", "following", "done", "failed", "cancelled"] = "running"
    if head is not None and head.is_cancelled:
        state = "cancelled"
    elif head is not None and head.follow is not None and done >= head.follow.cursor.total:
        state = "following"
    elif total is not None and done >= total:
        state = "failed" if head is not None and head.fault is not None else "done"
    return JobView(
        job_id=job_id,
        project_id="" if head is None else head.project_id,
        state=state,
        done=done,
        total=total,
        failed=sum(count for outcome, count in outcomes.items() if outcome in FAILED),
        started=started,
        eta=eta,
        outcomes=outcomes,
        result=None if head is None else _result(head),
    )


def _result(head: JobPart) -> dict[str, Any] | None:
    if head.fault is not None:
        return {"fault": head.fault.model_dump(mode="json")}
    if head.follow is None or head.is_cancelled:
        return None
    return {
        "listings": head.follow.cursor.listing,
        "listed_at": from_ms(head.follow.listed_ms).isoformat(),
        "next_listing_at": from_ms(head.follow.due_ms).isoformat(),
    }


def new_part(event: Any, project_id: str = "") -> JobPart:
    """Return the head or part that an event is the first of."""
    return JobPart(job_id=event.job_id, project_id=project_id, started=event.occurred_at, updated=event.occurred_at)


def _part_of(line: int) -> int:
    return line // LINES_PER_PART
