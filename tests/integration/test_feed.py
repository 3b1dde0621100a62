"""The live feed on a real broker: it tells from the moment that somebody may listen, and reads for nobody else."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway import feed as feed_module
from services.gateway.feed import Feed
from shared.errors import UnavailableError
from shared.events import Event
from shared.ids import new_id
from shared.kafka import Producer
from shared.security import Principal
from shared.settings import SharedSettings
from tests.builders import a_label_recorded
from tests.integration.conftest import Away

TENANT = f"tenant-{new_id()}"


def an_auditor(tenant: str = TENANT) -> Principal:
    return Principal(tenant_id=tenant, subject="ada", roles=frozenset({"auditor"}))


def an_event(tenant: str = TENANT) -> Event:
    return a_label_recorded(event_id=new_id(), tenant_id=tenant)


async def heard(feed: Feed, producer: Producer, *events: Event) -> str:
    """Listen, announce the events once listening is promised to miss nothing, and return the first message."""
    await feed.ready()
    listening = feed.listen(an_auditor())
    first = asyncio.ensure_future(anext(listening))
    await producer.publish(events)
    message = await asyncio.wait_for(first, 10)
    await listening.aclose()  # type: ignore[attr-defined]  # an async generator
    return message.decode()


async def test_who_listens_hears_of_their_tenant_what_comes_after(settings: SharedSettings, producer: Producer):
    feed = Feed(settings)
    mine = an_event()
    await producer.publish([an_event()])

    message = await heard(feed, producer, an_event(f"another-{TENANT}"), mine)

    await feed.stop()
    assert "event: LabelRecorded\n" in message
    assert mine.event_id in message


async def test_it_reads_nothing_once_nobody_listens_and_again_for_the_next(
    settings: SharedSettings, producer: Producer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed_module, "LINGER_SECONDS", 0.1)
    feed = Feed(settings)
    await heard(feed, producer, an_event())

    await asyncio.wait_for(feed.ended(), 10)
    mine = an_event()
    message = await heard(feed, producer, mine)

    await feed.stop()
    assert mine.event_id in message


async def test_a_broker_that_is_away_is_said_at_once_and_not_by_silence(
    settings: SharedSettings, away: Away, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed_module, "READY_SECONDS", 0.5)
    feed = Feed(settings)
    async with away("kafka"):
        with pytest.raises(UnavailableError, match="ask for the feed again"):
            await feed.ready()
    await feed.stop()
