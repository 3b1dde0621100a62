"""Lines of a job that are told of together: a batch of samples tells its import once, not once for each line.

Each sample keeps what it has to tell of its own line until that is announced, and tells it again after a crash. What is
announced together may then be another selection: a part counts each line once, whoever tells of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.events import Event
from shared.events.imports import ImportLineFinished, ImportLinesFinished, LineOutcome
from shared.ids import derived_id
from shared.jobs import FAILED, LINES_PER_PART, JobPart, new_part, with_lines
from shared.ledger import Step


def told_together(events: Sequence[Event]) -> list[Event]:
    """Return events with one in the place of all that tell of lines of one part of a job, where nothing is wrong."""
    others: list[Event] = []
    parts: dict[tuple[str, str, int], list[ImportLineFinished]] = {}
    for event in events:
        if isinstance(event, ImportLineFinished) and event.outcome not in FAILED:
            place = event.tenant_id, event.job_id, event.line // LINES_PER_PART
            parts.setdefault(place, []).append(event)
        else:
            others.append(event)
    return others + [lines[0] if len(lines) == 1 else _together(lines, part) for (_, _, part), lines in parts.items()]


def _together(events: Sequence[ImportLineFinished], part: int) -> ImportLinesFinished:
    lines: dict[LineOutcome, list[int]] = {}
    for event in events:
        lines.setdefault(event.outcome, []).append(event.line)
    first = events[0]
    return ImportLinesFinished(
        event_id=derived_id("lines", *(event.event_id for event in events)),
        tenant_id=first.tenant_id,
        occurred_at=first.occurred_at,
        request_id=first.request_id,
        traceparent=first.traceparent,
        job_id=first.job_id,
        part=part,
        lines=lines,
    )


def lines_key(event: ImportLinesFinished) -> str:
    """Return the id of the part that the lines belong to."""
    return f"{event.tenant_id}/{event.job_id}#{event.part}"


def on_lines_finished(part: JobPart | None, event: ImportLinesFinished) -> Step[JobPart]:
    """Count the outcome of each line, once."""
    lines = ((number, outcome) for outcome, numbers in event.lines.items() for number in numbers)
    return Step(with_lines(part or new_part(event), lines, event.occurred_at))
