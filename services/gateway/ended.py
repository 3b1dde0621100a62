"""Leases that ended before their time, and people who get no work: what a token by itself does not show.

A lease's token is good until its end. That its holder gave it back, or a manager took it away, stands in the log; the
gateway reads it there, so that it does not promise that an answer under such a token counts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from services.gateway.settings import GatewaySettings
from shared.background import Background
from shared.clock import Clock, to_ms
from shared.errors import ForbiddenError, LabelmeshError, LeaseLostError
from shared.events import Event, decode
from shared.events.tasks import AnnotatorUpdated, TaskReleased
from shared.security import Lease

log = structlog.get_logger()

KEPT: Final = 200_000
READ_BACK: Final = timedelta(hours=1)
"""How far back a gateway that starts reads; a token that is older is near its end, or was prolonged since."""
_TYPES: Final[dict[str, type[Event]]] = {event.name(): event for event in (TaskReleased, AnnotatorUpdated)}


@dataclass(slots=True)
class EndedLeases:
    """What is known of them here; a moment behind the log."""

    _ended: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _idle: set[tuple[str, str]] = field(default_factory=set)

    def note(self, lease_id: str) -> None:
        """Remember that a lease has ended before its time."""
        self._ended[lease_id] = None
        while len(self._ended) > KEPT:
            self._ended.popitem(last=False)

    def learn(self, event: Event) -> None:
        """Take in what the log tells. Leases that ended by themselves are of no interest: the broker's clock decides."""
        if isinstance(event, TaskReleased) and event.reason != "expired":
            self.note(event.lease_id)
        elif isinstance(event, AnnotatorUpdated):
            who = (event.tenant_id, event.annotator_id)
            if event.profile.paused or event.profile.banned:
                self._idle.add(who)
            else:
                self._idle.discard(who)

    def refuse_idle(self, lease: Lease) -> None:
        """Raise when the holder gets no work at the moment.

        Raises:
            ForbiddenError: They are paused or banned.
        """
        if (lease.tenant_id, lease.annotator_id) in self._idle and lease.lease_id not in self._ended:
            raise ForbiddenError("You are paused, so nothing of yours is taken at the moment; ask a manager.")

    def refuse_ended(self, lease: Lease, kept: str) -> None:
        """Raise when a lease has ended before its time.

        Raises:
            LeaseLostError: It has.
        """
        if lease.lease_id in self._ended:
            raise LeaseLostError(f"Task {lease.task_id} was given back, or a manager took it.{kept} Claim again.")


class EndedReader:
    """Reads the log for ``EndedLeases``: releases from an hour ago on, profiles from the beginning."""

    def __init__(self, settings: GatewaySettings, ended: EndedLeases, clock: Clock) -> None:
        self._settings = settings
        self._ended = ended
        self._clock = clock
        self._background = Background("ended leases")

    async def start(self) -> None:
        """Begin to read."""
        self._background.begin(self._run)

    async def stop(self) -> None:
        """End reading."""
        await self._background.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except KafkaError as error:
                log.warning("ended_leases_interrupted", error=repr(error))
                await asyncio.sleep(1)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            *sorted({event.topic for event in _TYPES.values()}),
            bootstrap_servers=self._settings.kafka_bootstrap.split(","),
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            releases = [place for place in consumer.assignment() if place.topic == TaskReleased.topic]
            since = to_ms(self._clock() - READ_BACK)
            found = await consumer.offsets_for_times(dict.fromkeys(releases, since))
            ends = await consumer.end_offsets(releases)
            for place in releases:
                consumer.seek(place, ends[place] if found[place] is None else found[place].offset)
            async for record in consumer:
                self._learn(record)
        finally:
            await consumer.stop()

    def _learn(self, record: Any) -> None:
        try:
            event = decode(_TYPES, record.value, list(record.headers), record.timestamp)
        except LabelmeshError as error:
            log.error("record_skipped", topic=record.topic, offset=record.offset, error=str(error))
            return
        if event is not None:
            self._ended.learn(event)
