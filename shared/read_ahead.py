"""Work on one part of something long while the next is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(parts: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield all parts in order; each is asked for before the one ahead of it is worked on.

    Args:
        parts: What takes another process's time, such as a query; at most one of its parts lies ready.

    Raises:
        Exception: Whatever ``parts`` raises, once the parts that came before are worked on.
    """
    coming = asyncio.ensure_future(anext(parts))
    try:
        with suppress(StopAsyncIteration):
            while True:
                part = await coming
                coming = asyncio.ensure_future(anext(parts))
                await asyncio.sleep(0)  # so that the request is sent before the caller keeps the loop busy
                yield part
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
