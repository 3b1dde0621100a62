"""The figures of projects are written where they have changed, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from services.task_assignment.bookkeeping import LONGEST_MS, Bookkeeper
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.kept import Scope
from tests.builders import PROJECT, TENANT, a_catalog, a_project_versioned, a_sample_ingested
from tests.unit.task_assignment.work_under_test import WorkUnderTest

OURS = Scope(TENANT, PROJECT, 0)
THEIRS = Scope("globex", PROJECT, 0)


class Books:
    """The books of a replica that keeps samples of two tenants, and what is written of them."""

    def __init__(self, work: WorkUnderTest) -> None:
        self.work = work
        self.written: list[set[Scope]] = []
        self.is_away = False
        self._write = work.store.write_figures
        work.store.write_figures = self._noted  # type: ignore[method-assign]
        self._keeper = Bookkeeper(work.store, work.replicas[0].board, work.clock)

    async def _noted(self, figures: Mapping[Scope, Figures]) -> None:
        if self.is_away:
            raise ConnectionError("no store")
        self.written.append(set(figures))
        await self._write(figures)

    async def ingest(self, tenant: str, number: int, due_in: timedelta | None = None) -> None:
        due_at = None if due_in is None else self.work.clock() + due_in
        self.work.log.append(a_sample_ingested(tenant_id=tenant, sample_id=f"{tenant}-{number}", due_at=due_at))
        await self.work.fold()

    async def write(self) -> set[Scope]:
        await self._keeper.write()
        return self.written[-1]


@asynccontextmanager
async def books() -> AsyncIterator[Books]:
    catalog = await a_catalog(a_project_versioned(), a_project_versioned(tenant_id="globex"))
    work = WorkUnderTest(catalog)
    await work.start()
    kept = Books(work)
    for tenant in (TENANT, "globex"):
        await kept.ingest(tenant, 0)
    await kept.write()
    yield kept
    await work.stop()


async def test_what_has_changed_is_written_once_and_the_rest_is_left_alone():
    async with books() as kept:
        await kept.ingest("globex", 1)

        assert await kept.write() == {THEIRS}
        assert await kept.write() == set()
        assert (await kept.work.store.figures([THEIRS]))[THEIRS].counts["samples.open"] == 2


async def test_what_could_not_be_written_is_written_later():
    async with books() as kept:
        await kept.ingest(TENANT, 1)
        kept.is_away = True
        with pytest.raises(ConnectionError):
            await kept.write()

        kept.is_away = False

        assert await kept.write() == {OURS}


async def test_what_changes_while_it_is_written_is_written_again():
    async with books() as kept:
        write = kept._write

        async def slow(figures: Mapping[Scope, Figures]) -> None:
            await kept.ingest(TENANT, 2)
            await write(figures)

        await kept.ingest(TENANT, 1)
        kept._write = slow
        assert await kept.write() == {OURS}
        kept._write = write

        assert await kept.write() == {OURS}
        assert (await kept.work.store.figures([OURS]))[OURS].counts["samples.open"] == 3


async def test_due_dates_are_told_anew_after_a_while_though_nothing_was_done():
    async with books() as kept:
        await kept.ingest("globex", 1, timedelta(days=1))
        await kept.write()

        kept.work.clock.advance(LONGEST_MS / 1000 - 1)
        assert await kept.write() == set()
        kept.work.clock.advance(1)
        assert await kept.write() == {THEIRS}
