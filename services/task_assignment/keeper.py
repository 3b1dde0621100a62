"""Keeps the partitions that this replica owns: takes over, takes back leases that ended, writes the counts."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from aiokafka import TopicPartition

from services.task_assignment.bookkeeping import Bookkeeper
from services.task_assignment.domain.ages import bounded
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.picks import DueLease, DueReturn
from services.task_assignment.domain.taking_back import TAKE_BACK_AFTER_MS, taken_back_before
from services.task_assignment.imaging import Imager
from services.task_assignment.leases import lease_of, released
from services.task_assignment.loading import Loader
from services.task_assignment.metrics import EXPIRED, HELD, LATE, OLDEST, OWNED, READY, WHOLE
from services.task_assignment.store import Store
from shared.background import Background
from shared.clock import Clock, to_ms
from shared.consumer import PartitionWatcher
from shared.events.samples import SampleIngested
from shared.events.tasks import (
    AnnotationSubmitted,
    AssignmentMemberAnnounced,
    ReviewSubmitted,
    Ticked,
)
from shared.ids import new_id
from shared.kafka import Producer

log = structlog.get_logger()

D = TypeVar("D", DueLease, DueReturn)

SUBMISSION_TOPICS: Final = (AnnotationSubmitted.topic, ReviewSubmitted.topic)
SYSTEM_TENANT: Final = "-"
ANNOUNCE_AGAIN_SECONDS: Final = 1.0
REPAIR_EVERY: Final = timedelta(minutes=1)
REPAIR_REST: Final = 20
"""How many times as long as a look at all samples the board goes without one, at least."""


class Keeper(PartitionWatcher):
    """Watches partitions come, go and progress."""

    def __init__(
        self, store: Store, board: Board, imager: Imager, producer: Producer, clock: Clock, *, address: str
    ) -> None:
        self._store = store
        self._board = board
        self._imager = imager
        self._producer = producer
        self._clock = clock
        self._address = address
        self._member_id = new_id()
        self._folded: dict[tuple[str, int], int] = {}
        self._ticked: dict[int, int] = defaultdict(int)
        self._books = Bookkeeper(store, board, clock)
        self._loader = Loader(store, board, self._books, imager)
        self._repairs_after = 0.0
        self._assignments = 0
        self._told_of = 0
        """Of which assignment the gateways have been told."""
        self._announcing = Background("announce the replica")

    async def on_assigned(
        self, partitions: Sequence[TopicPartition], positions: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int]:
        """Say that the partitions that came are served here, and begin to read their samples.

        Returns:
            Where the images end that they begin from: what came after is to be folded again.
        """
        self._assignments += 1
        came = {each.partition for each in partitions if each.topic == SampleIngested.topic}
        topics: dict[int, dict[str, int | None]] = {partition: {} for partition in came}
        for each in partitions:
            topics.setdefault(each.partition, {})[each.topic] = positions.get(each)
        manifests = await self._imager.begin(topics)
        self._board.own(came)
        self._loader.load({partition: manifests.get(partition) for partition in came})
        self._announcing.begin(self._announce_until_known)
        log.info("partitions_taken_over", partitions=len(came), images=len(manifests))
        return {
            TopicPartition(topic, partition): offset
            for partition, manifest in manifests.items()
            for topic, offset in manifest.offsets.items()
        }

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget the partitions that went."""
        went = {each.partition for each in partitions if each.topic == SampleIngested.topic}
        self._loader.forget(went)
        self._imager.forget(went)
        self._board.disown(went)
        self._books.give_up(went)
        for each in partitions:
            self._folded.pop((each.topic, each.partition), None)

    async def finished(self) -> None:
        """Return once the samples of all partitions that came are known."""
        await self._loader.finished()

    def on_folded(self, topic: str, partition: int, timestamp_ms: int, offset: int) -> None:
        """Note how far a partition is folded, and of submissions up to which time of the broker's."""
        self._imager.on_folded(topic, partition, offset)
        if topic in SUBMISSION_TOPICS:
            self._folded[topic, partition] = max(timestamp_ms, self._folded.get((topic, partition), 0))

    async def take_back(self) -> None:
        """Take back the leases that ended, where no submission in time can be on its way any more.

        ``taken_back_before`` has the rule; where no traffic brings the record that it waits for, a tick does.
        """
        now_ms = to_ms(self._clock())
        for partition in sorted(self._board.owned):
            before_ms = taken_back_before(self._folded.get((topic, partition), 0) for topic in SUBMISSION_TOPICS)
            await self._do_each(partition, list(self._board.ended(partition, before_ms)), self._take_back)
            end = self._board.earliest_end(partition)
            if end is not None and now_ms > end + TAKE_BACK_AFTER_MS and now_ms - self._ticked[partition] > 1000:
                self._ticked[partition] = now_ms
                await self._tick(partition)

    async def let_return(self) -> None:
        """Let those have a task again who skipped it long enough ago, where the project's policy has it so."""
        for partition in sorted(self._board.owned):
            due = list(self._board.returning(partition, to_ms(self._clock())))
            await self._do_each(partition, due, self._let_return)

    async def write_progress(self) -> None:
        """Write the figures that changed since they were last written."""
        await self._books.write()
        OWNED.set(len(self._board.owned))
        WHOLE.set(len(self._board.whole))

    async def measure(self) -> None:
        """Show what waits and what is held; what there is nothing of any more is not shown."""
        now_ms = to_ms(self._clock())
        for gauge in (READY, OLDEST, HELD):
            gauge.clear()
        for queue, waiting in bounded(self._board.waiting()).items():
            READY.labels(*queue).set(waiting.slots)
            OLDEST.labels(*queue).set(max(0, now_ms - waiting.oldest_ms) / 1000)
        for labels, slots in self._board.tally.slots_by_stage("leased").items():
            if slots:
                HELD.labels(*labels).set(slots)
        LATE.set(self._board.late(now_ms))

    async def repair(self) -> None:
        """Bring the board in step with the store: a replica that believed to own a partition may have written it.

        It looks at every sample, so after a long look the next one is put off: a twentieth of the time goes into it.
        """
        began = time.monotonic()
        if began < self._repairs_after:
            return
        await self._compare(self._board.whole)
        ended = time.monotonic()
        self._repairs_after = ended + REPAIR_REST * (ended - began) - REPAIR_EVERY.total_seconds()

    async def repair_after_images(self) -> None:
        """Compare partitions that began from images with the store: an image tells of no claim that came after it."""
        assignment = self._assignments
        for partition in sorted(self._board.unsure & self._board.whole):
            await self._compare({partition})
            if partition in self._board.whole:
                await self._books.take_over({partition})
            if assignment != self._assignments:
                return  # it may have come back with another image meanwhile, of which some was not compared
            self._board.confirm(partition)

    async def leave(self) -> None:
        """Say that nothing is served here any more."""
        await self._announcing.stop()
        await self._loader.stop()
        self._board.disown(self._board.owned)
        await self._announce()

    async def _compare(self, partitions: Collection[int]) -> None:
        for partition in sorted(partitions):
            async for revisions in self._store.revisions([partition]):
                known = {id_: self._board.revision(id_, partition) for id_ in revisions}
                differ = [id_ for id_, revision in revisions.items() if revision != known[id_]]
                for id_, stored in (await self._store.samples(differ)).items() if differ else ():
                    # What is known here had been written: where it is not there afterwards, the store has lost it.
                    self._board.put(stored.sample, stored.revision, even_older=stored.revision < known[id_])
                await asyncio.sleep(0)  # the driver may have all of a partition ready, and claims would wait for it

    async def _do_each(self, partition: int, due: Sequence[D], act: Callable[[D], Awaitable[None]]) -> None:
        """Do what is due, one after the other; what cannot be done, and all behind it, is due again."""
        for number, each in enumerate(due):
            try:
                await act(each)
            except Exception:
                for left in due[number:]:
                    self._board.remember(left, partition)
                raise

    async def _let_return(self, due: DueReturn) -> None:
        await self._store.let_return(due)
        for stored in (await self._store.samples([due.document_id])).values():
            self._board.put(stored.sample, stored.revision)

    async def _take_back(self, due: DueLease) -> None:
        known = self._board.sample(due.document_id)
        lease = lease_of(known, due.task_key, due.slot)
        if lease is None:
            return
        taken = await self._store.take_back(due, lease.annotator_id)
        for stored in (await self._store.samples([due.document_id])).values():
            self._board.put(stored.sample, stored.revision)
        if not taken:
            return
        EXPIRED.inc()
        await self._producer.publish([released(lease, "expired", self._clock())])

    async def _tick(self, partition: int) -> None:
        for topic in SUBMISSION_TOPICS:
            tick = Ticked(event_id=new_id(), tenant_id=SYSTEM_TENANT, occurred_at=self._clock())
            await self._producer.publish_to(tick, topic, partition)

    async def _announce_until_known(self) -> None:
        """Say what is served here until the broker has it, beside the rebalance, which must not wait for that."""
        while self._told_of != (assignment := self._assignments):
            try:
                await self._announce()
            except Exception:
                log.exception("member_not_announced")
                await asyncio.sleep(ANNOUNCE_AGAIN_SECONDS)
            else:
                self._told_of = assignment

    async def _announce(self) -> None:
        member = AssignmentMemberAnnounced(
            event_id=new_id(),
            tenant_id=SYSTEM_TENANT,
            occurred_at=self._clock(),
            member_id=self._member_id,
            address=self._address,
            partitions=sorted(self._board.owned),
        )
        await self._producer.publish([member])
