"""Task assignment over fakes: a log that the broker stamps, replicas that share a store, and time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, cast

from aiokafka import TopicPartition

from services.task_assignment.claims import ClaimAnswer, ClaimRequest
from services.task_assignment.desk import Desk
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.tasks import EndedHow, SampleTasks
from services.task_assignment.domain.working import DayWork, StageWork
from services.task_assignment.door_caps import DoorCaps
from services.task_assignment.escalation import Escalation
from services.task_assignment.hand import Hand
from services.task_assignment.handlers import create_annotator_routes, create_sample_routes, create_work_routes
from services.task_assignment.imaging import Imager
from services.task_assignment.keeper import Keeper
from services.task_assignment.parts import Parts
from services.task_assignment.pausing import create_pausing_routes
from services.task_assignment.store import StoredSample
from services.task_assignment.voiding import Voiding
from shared.catalog import Catalog
from shared.clock import to_ms
from shared.events import SAMPLE_TOPICS, Event
from shared.events.tasks import AnnotationCounted, AnnotationSurplus, ReviewCounted, Submission
from shared.events.work import AnnotatorWorked
from shared.ids import sample_of_task
from shared.kafka import Producer, Receipt
from shared.ledger import Ledger
from shared.security import Lease, Principal, Role, in_time, read_internal, sign_lease
from shared.service import Service
from tests.builders import (
    TENANT,
    a_catalog,
    a_project_spec,
    a_project_versioned,
    a_review_submitted,
    an_annotation_submitted,
    an_annotator_declared,
    an_annotator_profile,
)
from tests.fakes import FakeClock, MemoryLedgerStore, RecordingPublisher
from tests.memory_tasks import MemoryImages, MemoryTasks
from tests.receiving import Receiver
from tests.work_documents import MemoryWorkloads

INTERNAL_SECRET = "an internal secret that is long enough for HS256"
SECRET = "a lease secret that is long enough for HS256"
PARTITION = 0
LEASE_SECONDS = 60
ALL_ROLES: frozenset[Role] = frozenset({"annotator", "reviewer", "adjudicator"})
ALL_STAGES = ["first_pass", "peer_review", "senior_qa", "audit", "adjudication"]


def a_principal(who: str = "ana", *roles: Role, projects: Sequence[str] = (), tenant: str = TENANT) -> Principal:
    return Principal(
        tenant_id=tenant, subject=who, roles=frozenset(roles or ("annotator",)), projects=frozenset(projects)
    )


class BrokersLog(Producer):
    """What is produced, stamped by the broker's clock, and folded when the test says so."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.skew_ms = 0
        self.waiting: dict[str, list[Event]] = defaultdict(list)
        self.announced: list[Event] = []
        self.is_away = False

    def append(self, event: Event, topic: str | None = None) -> Any:
        """Put an event into the log and return it with the broker's stamp."""
        stamped = event.model_copy(update={"appended_at_ms": to_ms(self._clock()) + self.skew_ms})
        self.waiting[topic or event.topic].append(stamped)
        return stamped

    async def publish(self, events: Sequence[Event]) -> list[Receipt]:
        if self.is_away:
            raise TimeoutError
        self.announced += events
        return [Receipt(0, 0, 0) for _ in events]

    async def publish_to(self, event: Event, topic: str, partition: int) -> Receipt:
        assert partition == PARTITION
        return Receipt(partition, 0, self.append(event, topic).appended_at_ms)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.announced if type(event) is kind]


class FakeService:
    """What the routes ask of the process that they run in."""

    def __init__(self, catalog: Catalog, producer: Producer, settings: Any = None) -> None:
        self.catalog = catalog
        self.settings = settings
        self.media = self
        self.producer = producer

    def holder(self, token: str) -> tuple[Principal, str]:
        return read_internal(INTERNAL_SECRET, token)

    def link(self, object_name: str) -> str:
        return f"https://media.example.org/{object_name}?signed"


class Replica:
    """One process of task assignment."""

    def __init__(
        self, store: MemoryTasks, images: MemoryImages, catalog: Catalog, log: BrokersLog, clock: FakeClock
    ) -> None:
        self.board = Board()
        self.imager = Imager(images, self.board, partitions=1, every=timedelta(0), rest=0)
        self.keeper = Keeper(store, self.board, self.imager, log, clock, address="http://replica")
        self.escalation = Escalation(catalog)
        self.desk = Desk(store, self.board, catalog, log, clock, escalation=self.escalation)
        service = cast(Service, FakeService(catalog, log))
        self.hand = Hand(store, self.board, catalog, log, clock)
        self.voiding = Receiver(Voiding(store, self.board, log, clock).routes())
        self.parts = Parts(service, store, self.board, self.desk, self.hand, SECRET, clock)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, committed: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
        """Take over, and return from where on each topic is read."""
        self._serving = asyncio.create_task(self.desk.run())
        positions = {TopicPartition(topic, PARTITION): committed.get(topic, 0) for topic in SAMPLE_TOPICS}
        begins = await self.keeper.on_assigned(list(positions), positions)
        await self.keeper.finished()
        return {each.topic: min(at, begins.get(each, at)) for each, at in positions.items()}

    async def stop(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)


class WorkUnderTest:
    """Samples, their tasks, and the replicas that give them out; the first one reads the log."""

    def __init__(self, catalog: Catalog, replicas: int = 1) -> None:
        self.clock = FakeClock()
        self.catalog = catalog
        self.store = MemoryTasks()
        self.log = BrokersLog(self.clock)
        self.counted = RecordingPublisher()
        self.images = MemoryImages()
        self.replicas = [self._replica() for _ in range(replicas)]
        samples = Ledger(
            self.store.sample_documents,
            self.counted,
            SampleTasks,
            on_saved=self._on_saved,
            on_unchanged=self._on_saved,
        )
        self.store.learn = samples.learn
        annotators = Ledger(self.store.annotator_documents, self.counted, Annotator)
        self.work_documents = MemoryLedgerStore()
        caps = DoorCaps(self.store, MemoryWorkloads(self.work_documents), catalog, partitions=1)
        self._samples = Receiver(create_sample_routes(samples, catalog, 1, caps), PARTITION)
        self._work = Receiver(
            create_work_routes(Ledger(self.work_documents, RecordingPublisher(), DayWork), annotators)
        )
        pausing = create_pausing_routes(self.store, self.replicas[0].hand)
        self._annotators = Receiver([*create_annotator_routes(annotators), *pausing])
        self._folded: list[tuple[str, int]] = []

    async def start(self) -> None:
        for replica in self.replicas:
            await replica.start()

    async def stop(self) -> None:
        for replica in self.replicas:
            await replica.stop()

    async def restart(self) -> None:
        """Let the first replica die, and another take its place; all that was folded was committed."""
        await self.replicas[0].stop()
        self.replicas[0] = self._replica()
        begins = await self.replicas[0].start(self._samples.lengths)
        await self._samples.receive_again_from(begins)
        self._tell_how_far(self._folded)

    async def fold(self, topic: str | None = None, most: int | None = None) -> None:
        """Fold what waits in the log: all, or the first records of one topic, as one batch."""
        for name in [topic] if topic else list(self.log.waiting):
            records = self.log.waiting[name][:most]
            self.log.waiting[name] = self.log.waiting[name][len(records) :]
            await self._samples.receive(*records)
            folded = [(name, record.appended_at_ms) for record in records]
            self._folded += folded
            self._tell_how_far(folded)

    async def count_work(self) -> None:
        """Let the counts of people's work catch up with what was told of it."""
        await self._work.receive(*self.counted.of(AnnotatorWorked), *self.log.of(AnnotatorWorked))

    async def count_work_again(self) -> None:
        """Let the counts be told all once more: as records that come again, and as new ones under the same ids."""
        await self._work.receive_all_again()
        await self.count_work()

    def worked(self) -> dict[tuple[str, str], StageWork]:
        """Return what each did in each stage, as it is counted, over all days."""
        found: dict[tuple[str, str], StageWork] = {}
        for document in self.work_documents.documents.values():
            work = DayWork.model_validate(document["state"])
            for stage, done in work.stages.items():
                key = work.annotator_id, stage
                found[key] = found.get(key, StageWork()).plus(done)
        return found

    async def redeliver(self) -> None:
        await self._samples.receive_all_again()

    async def declare(self, who: str, **profile: Any) -> None:
        profile = {"languages": [], "stages": ALL_STAGES} | profile
        await self._annotators.receive(
            an_annotator_declared(annotator_id=who, profile=an_annotator_profile(name=who, **profile))
        )

    async def claim(
        self, who: str = "ana", count: int = 1, *, roles: Sequence[Role] = (), replica: int = 0, **more: Any
    ) -> ClaimAnswer:
        principal = a_principal(who, *roles or ALL_ROLES)
        return await self.replicas[replica].desk.claim(ClaimRequest(principal, count, **more))

    async def give_back(self, lease: Lease, how: EndedHow = "released") -> None:
        parts = self.replicas[0].parts
        await parts.give_back(a_principal(lease.annotator_id), sign_lease(SECRET, lease), lease.task_id, how)

    async def heartbeat(self, lease: Lease) -> Lease | None:
        """Prolong a lease as the route does; None where it is lost."""
        now_ms = to_ms(self.clock())
        prolonged = lease.model_copy(update={"expires_ms": now_ms + LEASE_SECONDS * 1000})
        if not await self.store.extend(lease, now_ms, prolonged.expires_ms):
            return None
        await self.replicas[0].parts.look_again(lease)
        return prolonged

    def submit(self, lease: Lease, **fields: Any) -> tuple[Submission, bool]:
        """Write an answer into the log as the gateway does, and return it with what the client is told."""
        held = {
            "sample_id": sample_of_task(lease.task_id),
            "task_id": lease.task_id,
            "stage": lease.stage,
            "annotator_id": lease.annotator_id,
            "lease_id": lease.lease_id,
            "lease_expires_ms": lease.expires_ms,
        }
        is_review = lease.stage in {"peer_review", "senior_qa", "audit"}
        event = a_review_submitted(**held) if is_review else an_annotation_submitted(**held, fields=fields)
        stamped = self.log.append(event)
        return stamped, in_time(stamped.appended_at_ms, lease.expires_ms)

    def counted_causes(self) -> set[str]:
        """Return the ids of what was announced as counted."""
        return {event.event_id for kind in (AnnotationCounted, ReviewCounted) for event in self.counted.of(kind)}

    def surplus(self) -> list[AnnotationSurplus]:
        return self.counted.of(AnnotationSurplus)

    def samples(self) -> dict[str, SampleTasks]:
        """Return every sample as it stands, by its id."""
        return {stored.sample.sample_id: stored.sample for stored in self.store.kept.values()}

    def stored(self, sample_id: str) -> StoredSample:
        return self.store.kept[f"{TENANT}/{sample_id}"]

    def quiet_until(self, seconds: float) -> None:
        """Let time pass without any submission."""
        self.clock.advance(seconds)

    async def take_back(self) -> None:
        await self.replicas[0].keeper.take_back()

    def _replica(self) -> Replica:
        return Replica(self.store, self.images, self.catalog, self.log, self.clock)

    def _on_saved(self, samples: Any) -> None:
        self.replicas[0].board.put_saved(samples)

    def _tell_how_far(self, folded: Sequence[tuple[str, int]]) -> None:
        for topic, stamp in folded:
            self.replicas[0].keeper.on_folded(topic, PARTITION, stamp, self._samples.lengths[topic])


async def a_work_catalog(overlap: int = 2, assignment: Any = None, **workflow: Any) -> Catalog:
    spec = a_project_spec(
        quality={"overlap": overlap, "max_overlap": max(5, overlap)},
        workflow={"lease_seconds": LEASE_SECONDS} | workflow,
        assignment=assignment or {},
    )
    return await a_catalog(a_project_versioned(spec=spec))
