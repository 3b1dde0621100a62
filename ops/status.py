"""How the installation is doing: readiness, lag, age of what replicas know, dead letters."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from ops import dead_letters
from shared.settings import SharedSettings

SERVICES = ("gateway", "ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback")
PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What one service says of itself."""

    name: str
    url: str
    ready: bool
    faults: Mapping[str, str]
    unread: Mapping[str, int] = field(default_factory=dict)
    """Per consumer group: records that this replica has not read yet."""
    catalog_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How far a consumer group is, by what the brokers know of it."""

    name: str
    uncommitted: int
    """Records behind the committed offsets: what a restart would read (again)."""
    topics: Mapping[str, int]
    """The same per topic, where there are any."""


@dataclass(frozen=True, slots=True)
class Status:
    """How everything is doing."""

    services: tuple[ServiceStatus, ...]
    groups: tuple[GroupStatus, ...]
    dead: Mapping[str, int]
    """Dead letters that were not replayed, by the group that set them aside."""

    @property
    def ready(self) -> bool:
        """Whether every service is."""
        return all(service.ready for service in self.services)


def service_urls() -> dict[str, str]:
    """Return the services' addresses, from ``LABELMESH_<SERVICE>_URL``."""
    found = {name: os.environ.get(f"LABELMESH_{name.upper()}_URL") for name in SERVICES}
    return {name: url for name, url in found.items() if url}


async def look(settings: SharedSettings, urls: Mapping[str, str]) -> Status:
    """Ask services and brokers how they are.

    Raises:
        KafkaError: The brokers do not answer.
    """
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        services = await asyncio.gather(*(look_at(client, name, url) for name, url in urls.items()))
    dead = Counter(each.header("dead_group") for each in await dead_letters.read(settings) if not each.replays)
    return Status(tuple(services), tuple(await look_at_groups(settings)), dead)


async def look_at(client: httpx2.AsyncClient, name: str, url: str) -> ServiceStatus:
    """Ask a service how it is; one that does not answer is not ready."""
    try:
        readiness = (await client.get(f"{url}/readyz")).json()
        metrics = (await client.get(f"{url}/metrics")).text
    except (httpx2.HTTPError, ValueError) as error:
        return ServiceStatus(name, url, False, {"http": f"no answer at {url}: {type(error).__name__}"})
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    unread: Counter[str] = Counter()
    for sample in samples:
        if sample.name == "labelmesh_consumer_lag_records":
            unread[sample.labels["group"]] += int(sample.value)
    ages = [sample.value for sample in samples if sample.name == "labelmesh_catalog_age_seconds"]
    return ServiceStatus(name, url, readiness["ready"], readiness["faults"], unread, max(ages, default=None))


async def look_at_groups(settings: SharedSettings) -> list[GroupStatus]:
    """Compare the committed offsets of the services' groups with the ends of their partitions."""
    brokers = settings.kafka_bootstrap.split(",")
    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=brokers), AIOKafkaConsumer(bootstrap_servers=brokers)
    try:
        await admin.start()
        await consumer.start()
        names = sorted(name for name, *_ in await admin.list_consumer_groups() if name.partition("-")[0] in SERVICES)
        return [_group(name, *await _offsets(admin, consumer, name)) for name in names]
    finally:
        await consumer.stop()
        await admin.close()


Offsets = Mapping[TopicPartition, int]


async def _offsets(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str) -> tuple[Offsets, Offsets]:
    committed = {place: found.offset for place, found in (await admin.list_consumer_group_offsets(group)).items()}
    return committed, await consumer.end_offsets(list(committed)) if committed else {}


def _group(name: str, committed: Offsets, ends: Offsets) -> GroupStatus:
    behind: Counter[str] = Counter()
    for place, end in ends.items():
        behind[place.topic] += max(0, end - committed[place])
    return GroupStatus(name, behind.total(), {topic: records for topic, records in behind.items() if records})
