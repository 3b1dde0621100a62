"""Bodies of many lines (NDJSON), read as they come: of any length, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from fastapi import Request

from services.gateway.context import Context
from shared.events import Event
from shared.lines import Line

LINES_AT_ONCE: Final = 500
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
"""Of lines that are long, fewer are held together: each is there several times until the log has it."""


async def read_lines(request: Request, max_line_bytes: int) -> AsyncIterator[list[Line]]:
    """Yield the body's lines that are not blank, up to 500 at a time, and no more once they are 2 MiB.

    A line longer than ``max_line_bytes`` is yielded cut off at one byte more, so that its reader can refuse it.
    """
    rest = b""
    number = 0
    batch: list[Line] = []
    held = 0
    async for chunk in request.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[: max_line_bytes + 1]
        for text in whole:
            number += 1
            if text.strip():
                batch.append(Line(number, text[: max_line_bytes + 1]))
                held += len(text)
            if len(batch) >= LINES_AT_ONCE or held >= BYTES_AT_ONCE:
                yield batch
                batch, held = [], 0
    if rest.strip():
        batch.append(Line(number + 1, rest))
    if batch:
        yield batch


async def write_lines(
    context: Context, lines: AsyncIterator[list[Line]], make_event: Callable[[Line], Event], *, is_slow: bool = False
) -> tuple[int, int]:
    """Put what each line of a body says into the log, as the lines come.

    Args:
        context: Knows the log.
        lines: As they come, some at a time.
        make_event: What a line says.
        is_slow: Lines are read in a thread, for to look at many of them takes long.

    Returns:
        How many lines there were that were not blank, and the number of the last of them.

    Raises:
        UnavailableError: The log does not answer. What was written before counts; the same request goes on from there.
    """
    total = last = 0
    async for some in lines:
        events = await asyncio.to_thread(_events, make_event, some) if is_slow else _events(make_event, some)
        await context.write(*events)
        total, last = total + len(some), some[-1].number
    return total, last


def _events(make_event: Callable[[Line], Event], lines: Sequence[Line]) -> list[Event]:
    return [make_event(line) for line in lines]
