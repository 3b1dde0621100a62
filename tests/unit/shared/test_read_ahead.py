"""The next part is on its way while one is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.read_ahead import read_ahead


class Parts:
    """Numbers, each of which takes a turn of the loop to come."""

    def __init__(self, count: int, breaks_at: int | None = None) -> None:
        self.count = count
        self.breaks_at = breaks_at
        self.asked: list[int] = []
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for number in range(self.count):
                self.asked.append(number)
                await asyncio.sleep(0)
                if number == self.breaks_at:
                    raise ConnectionError(number)
                yield number
        finally:
            self.closed = True


async def test_the_next_part_is_asked_for_before_one_is_worked_on_and_no_more():
    parts = Parts(4)

    asked_by_then = [(part, list(parts.asked)) async for part in read_ahead(aiter(parts))]

    assert asked_by_then == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2, 3]), (3, [0, 1, 2, 3])]
    assert parts.closed


async def test_of_nothing_comes_nothing():
    assert [part async for part in read_ahead(aiter(Parts(0)))] == []


async def test_a_fault_is_told_after_the_parts_before_it():
    ahead = read_ahead(aiter(Parts(4, breaks_at=2)))

    assert [await anext(ahead), await anext(ahead)] == [0, 1]
    with pytest.raises(ConnectionError):
        await anext(ahead)


async def test_who_stops_early_leaves_nothing_running():
    parts = Parts(4)
    ahead = read_ahead(aiter(parts))

    assert await anext(ahead) == 0
    await ahead.aclose()

    assert parts.closed
    assert parts.asked == [0, 1]
