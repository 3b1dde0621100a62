"""What was published through one process a moment ago is there for who asks another."""

from __future__ import annotations

import asyncio

import pytest

from shared.catalog import Catalog
from shared.errors import NotFoundError, UnavailableError, UnknownVersionError
from tests.builders import PROJECT, TENANT, a_project_versioned


class Log:
    """What is published, which a catalog reads when it catches up."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.published = [a_project_versioned()]
        self.reads = 0
        catalog.catch_up = self._read

    async def _read(self) -> None:
        self.reads += 1
        for event in self.published:
            await self._catalog.learn(event)


async def test_a_project_that_is_not_known_yet_is_looked_for():
    catalog = Catalog()
    log = Log(catalog)

    assert (await catalog.newest(TENANT, PROJECT)).number == 1
    assert (await catalog.newest(TENANT, PROJECT)).number == 1
    assert log.reads == 1


async def test_so_is_a_version_that_somebody_names():
    catalog = Catalog()
    log = Log(catalog)
    await catalog.newest(TENANT, PROJECT)
    log.published.append(a_project_versioned(version=2))

    assert (await catalog.named(TENANT, PROJECT, 2)).number == 2


async def test_what_was_never_published_is_not_found():
    catalog = Catalog()
    Log(catalog)

    with pytest.raises(NotFoundError):
        await catalog.newest(TENANT, "another")
    with pytest.raises(UnknownVersionError):
        await catalog.named(TENANT, PROJECT, 3)


async def test_where_the_log_cannot_be_read_nobody_is_told_that_there_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.catalog.CATCH_UP_SECONDS", 0.01)
    catalog = Catalog()
    catalog.catch_up = asyncio.Event().wait  # type: ignore[assignment]  # it never is

    with pytest.raises(UnavailableError):
        await catalog.newest(TENANT, PROJECT)
