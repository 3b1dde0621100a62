"""Due dates watched by replicas that share a store: warned of before they are missed, told once, whoever dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from services.task_assignment.domain.alarms import CALM_MS
from services.task_assignment.metrics import SLA_BURN
from services.task_assignment.watching import Watch
from shared.catalog import Catalog
from shared.events.sla import SlaAtRisk, SlaBreached, SlaEvent, SlaRecovered
from tests.builders import PROJECT, TENANT, a_catalog, a_project_spec, a_project_versioned, a_sample_ingested
from tests.fakes import CrashError, Fuse
from tests.unit.task_assignment.work_under_test import Replica, WorkUnderTest

PEOPLE = ("ana", "bo", "chi")


class Watched:
    """Work under test, and a watch in each replica."""

    def __init__(self, work: WorkUnderTest) -> None:
        self.work = work
        self.watches: list[Watch] = []
        self.watch_anew()

    def watch_anew(self) -> None:
        """Let the watches forget everything, as after a restart."""
        self.watches = [self._watch(replica) for replica in self.work.replicas]

    def _watch(self, replica: Replica) -> Watch:
        work, escalation = self.work, replica.escalation
        return Watch(work.store, replica.board, work.catalog, work.log, work.clock, escalation=escalation, partitions=1)

    async def ingest(self, number: int, due_in: float) -> None:
        due_at = self.work.clock() + timedelta(seconds=due_in)
        self.work.log.append(a_sample_ingested(external_id=f"s{number}", sample_id=f"s{number}", due_at=due_at))
        await self.work.fold()

    async def look(self, after: float = 0.0) -> None:
        self.work.clock.advance(after)
        for replica in self.work.replicas:
            await replica.keeper.write_progress()
        for watch in self.watches:
            await watch.look()

    async def answer_all(self, who: str) -> int:
        """Claim and answer whatever one person gets."""
        answered = 0
        while (claimed := await self.work.claim(who)).granted:
            self.work.submit(claimed.granted[0].lease)
            await self.work.fold()
            answered += 1
        return answered

    def told(self) -> list[tuple[type[SlaEvent], str]]:
        return [(type(event), event.cause) for event in self.work.log.announced if isinstance(event, SlaEvent)]


@asynccontextmanager
async def watched(replicas: int = 1, **sla: Any) -> AsyncIterator[Watched]:
    spec = a_project_spec(quality={"overlap": 2, "max_overlap": 5}, workflow={"lease_seconds": 60}, sla=sla)
    catalog: Catalog = await a_catalog(a_project_versioned(spec=spec))
    work = WorkUnderTest(catalog, replicas)
    await work.start()
    try:
        yield Watched(work)
    finally:
        await work.stop()


async def test_a_warning_comes_before_the_breach_and_the_end_when_the_work_is_done():
    async with watched(warn_hours=0.5) as seen:
        await seen.ingest(1, due_in=3600)
        await seen.look()
        assert seen.told() == []

        await seen.look(after=1801)
        assert seen.told() == [(SlaAtRisk, "remaining")]
        await seen.look(after=1802)
        await seen.look(after=5)
        assert seen.told() == [(SlaAtRisk, "remaining"), (SlaBreached, "due")]

        for who in PEOPLE[:2]:
            await seen.answer_all(who)
        await seen.look()
        await seen.look(after=CALM_MS / 1000)
        await seen.look(after=1)
        assert set(seen.told()[2:]) == {(SlaRecovered, "remaining"), (SlaRecovered, "due")} and len(seen.told()) == 4


async def test_a_forecast_warns_while_there_is_time():
    async with watched() as seen:
        for number in range(30):
            await seen.ingest(number, due_in=2000)
        await seen.look()
        for _ in range(6):  # one answer a minute, and 60 are needed in half an hour
            [granted] = (await seen.work.claim("ana")).granted
            seen.work.submit(granted.lease)
            await seen.work.fold()
            await seen.look(after=60)

        assert seen.told() == [(SlaAtRisk, "forecast")]
        [warned] = [event for event in seen.work.log.announced if isinstance(event, SlaAtRisk)]
        assert warned.finish_at > warned.next_due_at > warned.occurred_at
        assert 0 < warned.projected <= warned.due == 30
        assert SLA_BURN.labels(TENANT, PROJECT, "first_pass")._value.get() > 0.5


@pytest.mark.parametrize("replicas", [1, 2])
async def test_replicas_that_look_at_the_same_again_and_again_tell_it_once(replicas: int):
    async with watched(replicas) as seen:
        await seen.ingest(1, due_in=10)
        await seen.look(after=13)
        await seen.work.redeliver()
        seen.watch_anew()
        for _ in range(3):
            await seen.look(after=4)

        assert seen.told() == [(SlaBreached, "due")]


@pytest.mark.parametrize("blows_at", range(10))
async def test_who_dies_anywhere_leaves_it_to_the_next_who_tells_the_same_event(blows_at: int):
    async with watched() as seen:
        await seen.ingest(1, due_in=10)
        await seen.look()
        seen.work.store.fuse = Fuse(blows_at)
        for _ in range(4):
            try:
                await seen.look(after=5)
            except CrashError:
                seen.work.store.fuse = Fuse()
                seen.watch_anew()

        events = [event for event in seen.work.log.announced if isinstance(event, SlaEvent)]
        assert {(type(event), event.episode) for event in events} == {(SlaBreached, 1)}
        assert len({event.event_id for event in events}) == 1
        assert len({event.model_dump_json() for event in events}) == 1


async def test_an_event_that_could_not_be_sent_is_sent_later():
    async with watched() as seen:
        await seen.ingest(1, due_in=10)
        seen.work.log.is_away = True
        with pytest.raises(TimeoutError):
            await seen.look(after=13)
        seen.work.log.is_away = False
        seen.watch_anew()

        await seen.look(after=1)
        await seen.look(after=1)

        assert seen.told() == [(SlaBreached, "due")]


async def test_an_alarm_from_before_a_restart_ends_though_nothing_is_due_any_more():
    async with watched() as seen:
        await seen.ingest(1, due_in=10)
        await seen.look(after=13)
        for who in PEOPLE[:2]:
            await seen.answer_all(who)
        await seen.work.restart()
        seen.watch_anew()

        await seen.look()
        await seen.look(after=CALM_MS / 1000)

        assert seen.told() == [(SlaBreached, "due"), (SlaRecovered, "due")]


async def test_a_first_pass_that_is_late_is_open_to_whom_the_policy_names():
    async with watched(open_to=["reviewer"]) as seen:
        await seen.ingest(1, due_in=10)
        await seen.look()
        before = await seen.work.claim("rea", roles=["reviewer"])
        await seen.look(after=13)
        reviewer = await seen.work.claim("rea", roles=["reviewer"])
        again = await seen.work.claim("rea", roles=["reviewer"])
        adjudicator = await seen.work.claim("ada", roles=["adjudicator"])

    assert (before.granted, before.reason) == ([], "stages")
    assert [granted.lease.stage for granted in reviewer.granted] == ["first_pass"]
    assert [granted.lease.lease_id for granted in again.granted] == [reviewer.granted[0].lease.lease_id]
    assert adjudicator.granted == []


async def test_answers_are_counted_once_though_their_partition_gets_a_new_owner():
    async with watched() as seen:
        for number in range(5):
            await seen.ingest(number, due_in=100_000)
        await seen.look()
        assert await seen.answer_all("ana") == 5
        await seen.look(after=1)
        await seen.work.restart()
        await seen.look(after=1)
        assert await seen.answer_all("bo") == 5
        await seen.look(after=1)

        [figures] = (await seen.work.store.figures([(TENANT, PROJECT, 0)])).values()
        assert [sum(counts.values()) for counts in figures.paces["first_pass"].counts] == [10, 10, 10]
        assert figures.counts["slots.first_pass.done"] == 10


async def test_figures_of_a_partition_that_is_not_all_read_are_not_written():
    async with watched() as seen:
        await seen.ingest(1, due_in=100_000)
        seen.work.replicas[0].board._whole.discard(0)  # some of its samples are still to be read

        await seen.work.replicas[0].keeper.write_progress()

        assert await seen.work.store.figures([(TENANT, PROJECT, 0)]) == {}
