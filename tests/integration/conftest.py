"""What integration tests need of the servers: settings, a database of their own, a producer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from deploy.local.stack import Stack
from shared.ids import new_id
from shared.kafka import Producer
from shared.media import Media
from shared.mongo import Database, connect
from shared.settings import SharedSettings
from tests.conftest import settings_of


@pytest.fixture(scope="session")
def settings(servers: Stack) -> SharedSettings:
    """The settings of the test servers."""
    return settings_of(servers)


@pytest.fixture
async def database(settings: SharedSettings) -> AsyncIterator[Database]:
    """A database that is this test's alone."""
    own = settings.model_copy(update={"mongo_prefix": f"test_{new_id().replace('-', '')}"})
    client, database = connect(own, "fold")
    yield database
    await client.drop_database(database.name)
    await client.close()


@pytest.fixture
def object_store(settings: SharedSettings) -> Media:
    return Media(settings)


@pytest.fixture
async def producer(settings: SharedSettings, object_store: Media) -> AsyncIterator[Producer]:
    producer = Producer(settings, "tests", object_store)
    await producer.start()
    yield producer
    await producer.stop()


Away = Callable[[str], AbstractAsyncContextManager[None]]


@pytest.fixture
def away(servers: Stack) -> Away:
    """Freeze a server while a block runs: its connections stay, and nothing answers."""

    @asynccontextmanager
    async def freeze(name: str) -> AsyncIterator[None]:
        servers.pause(name)
        try:
            yield
        finally:
            servers.resume(name)

    return freeze
