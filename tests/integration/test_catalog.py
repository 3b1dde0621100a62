"""The catalog on a real broker: every replica knows every version before it is ready, and notices when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.catalog import Catalog, CatalogReader
from shared.errors import UnknownVersionError
from shared.events.projects import ProjectVersioned
from shared.health import Health
from shared.ids import new_id
from shared.kafka import CLAIM_CHECK_BYTES, Producer
from shared.settings import SharedSettings
from shared.telemetry import CATALOG_AGE
from tests.builders import PROJECT, a_project_paused, a_project_spec, a_project_versioned, a_sample_submitted
from tests.integration.conftest import Away


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


@asynccontextmanager
async def reading(settings: SharedSettings) -> AsyncIterator[tuple[Catalog, CatalogReader, Health]]:
    """A replica's catalog, from its first record on."""
    catalog, health = Catalog(), Health()
    reader = CatalogReader(settings, catalog, health)
    await asyncio.wait_for(reader.start(), 20)
    try:
        yield catalog, reader, health
    finally:
        await reader.stop()


async def test_a_replica_knows_all_that_was_published_before_it_is_ready(
    settings: SharedSettings, producer: Producer, tenant: str
) -> None:
    versions = [a_project_versioned(tenant_id=tenant, version=number) for number in (1, 2)]
    await producer.publish([*versions, a_project_paused(tenant_id=tenant)])

    async with reading(settings) as (catalog, _, health):
        assert [version.number for version in catalog.versions(tenant, PROJECT)] == [1, 2]
        assert catalog.state(tenant, PROJECT) == "paused"
        assert health.faults == {}


async def test_a_version_that_an_event_names_is_waited_for(
    settings: SharedSettings, producer: Producer, tenant: str
) -> None:
    async with reading(settings) as (catalog, reader, _):
        await producer.publish([a_project_versioned(tenant_id=tenant)])
        await asyncio.wait_for(reader.ensure([a_sample_submitted(tenant_id=tenant)]), 10)

        assert catalog.version(tenant, PROJECT, 1).number == 1


async def test_a_version_that_was_never_published_is_refused_once_all_is_read(
    settings: SharedSettings, tenant: str
) -> None:
    async with reading(settings) as (catalog, reader, _):
        await asyncio.wait_for(reader.ensure([a_sample_submitted(tenant_id=tenant)]), 10)

        with pytest.raises(UnknownVersionError):
            catalog.version(tenant, PROJECT, 1)


async def test_what_became_of_a_wish_is_told_to_whoever_waits_for_it(
    settings: SharedSettings, producer: Producer, tenant: str
) -> None:
    versioned = a_project_versioned(tenant_id=tenant, cause_id=new_id())
    async with reading(settings) as (catalog, _, _):
        asked = asyncio.create_task(catalog.outcome(versioned.cause_id, timeout=10))
        await producer.publish([versioned])

        told = await asked
        assert told is not None and told.event_id == versioned.event_id
        assert await catalog.outcome(new_id(), timeout=0.1) is None


async def test_a_large_version_is_read_through_its_claim_check(
    settings: SharedSettings, producer: Producer, tenant: str
) -> None:
    guidelines = {f"guide_{number}": "x" * 90_000 for number in range(1 + CLAIM_CHECK_BYTES // 90_000)}
    spec = a_project_spec(guidelines=guidelines)
    spec["fields"] |= {name: {"kind": "text", "asset": "chat"} for name in guidelines}
    await producer.publish([a_project_versioned(tenant_id=tenant, spec=spec)])

    async with reading(settings) as (catalog, _, _):
        assert len(catalog.version(tenant, PROJECT, 1).spec.guidelines) == len(guidelines)


async def test_a_record_that_nobody_can_read_keeps_no_other_from_being_read(
    settings: SharedSettings, producer: Producer, tenant: str
) -> None:
    topic, header = ProjectVersioned.topic, [("ce_type", b"ProjectVersioned")]
    await producer.raw(topic, b"{", b"broken", header)
    await producer.publish([a_project_versioned(tenant_id=tenant, project_id="no-spec", spec={"title": "nothing"})])
    await producer.publish([a_project_versioned(tenant_id=tenant)])

    async with reading(settings) as (catalog, _, health):
        assert catalog.projects(tenant) == [PROJECT]
        assert health.faults == {}


async def test_the_catalogs_age_grows_while_the_broker_is_away(settings: SharedSettings, away: Away) -> None:
    def age() -> float:
        [sample] = [each for metric in CATALOG_AGE.collect() for each in metric.samples]
        return float(sample.value)

    async with reading(settings) as (_, reader, _):
        await asyncio.sleep(1.5)
        fresh = age()
        async with away("kafka"):
            await asyncio.sleep(5)
            old = age()
        await asyncio.wait_for(reader.sync(), 60)

        assert fresh < 2.5 < old
        assert age() < 2.5
