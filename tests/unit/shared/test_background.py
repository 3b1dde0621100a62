"""Work that goes on beside all else: one piece at a time, until it is done or stopped."""

from __future__ import annotations

import asyncio

from shared.background import Background


async def test_what_goes_on_is_not_begun_twice_and_what_is_done_or_has_failed_may_be_begun_again():
    begun: list[int] = []

    async def fail() -> None:
        begun.append(len(begun))
        await asyncio.sleep(0)
        raise ValueError

    work = Background("work")
    work.begin(fail)
    work.begin(fail)
    await work.ended()
    work.begin(fail)
    await work.ended()

    assert begun == [0, 1]


async def test_what_is_stopped_has_cleaned_up_when_stopping_is_over():
    told: list[str] = []

    async def go_on() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            told.append("cleaned up")

    work = Background("work")
    work.begin(go_on)
    await asyncio.sleep(0)
    await work.stop()

    assert told == ["cleaned up"]


async def test_what_never_began_has_ended():
    work = Background("work")

    await asyncio.wait_for(work.ended(), 1)
    await asyncio.wait_for(work.stop(), 1)
