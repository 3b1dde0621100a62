"""Tasks that people skip, and leases that are kept for as long as a project allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.task_assignment.leases import prolonged_until
from shared.events.tasks import AnnotationCounted, TaskContested
from shared.labels.policies import Workflow
from shared.security import Lease
from tests.builders import a_sample_ingested
from tests.fakes import CrashError, Fuse
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog


@asynccontextmanager
async def work(**skip: Any) -> AsyncIterator[WorkUnderTest]:
    under_test = WorkUnderTest(await a_work_catalog(overlap=2, assignment={"skip": skip}))
    under_test.log.append(a_sample_ingested())
    await under_test.start()
    await under_test.fold()
    try:
        yield under_test
    finally:
        await under_test.stop()


async def lease_of(under_test: WorkUnderTest, who: str) -> Lease:
    [granted] = (await under_test.claim(who)).granted
    return granted.lease


async def test_what_enough_people_have_skipped_is_given_to_nobody_more_and_whoever_holds_it_may_finish():
    async with work(remove_after=2) as under_test:
        holder = await lease_of(under_test, "ana")
        for who in ("bo", "cy"):
            assert under_test.log.of(TaskContested) == []
            await under_test.give_back(await lease_of(under_test, who), "skipped")

        nobody = await under_test.claim("di")
        under_test.submit(holder)
        await under_test.fold()

        [contested] = under_test.log.of(TaskContested)
        [sample] = under_test.samples().values()
        assert contested.skipped == ["bo", "cy"]
        assert nobody.granted == []
        assert len(under_test.counted.of(AnnotationCounted)) == 1
        assert not sample.tasks["first_pass-1"].open


async def test_a_skip_that_is_sent_again_is_one_skip():
    async with work(remove_after=2) as under_test:
        lease = await lease_of(under_test, "bo")

        await under_test.give_back(lease, "skipped")
        await under_test.give_back(lease, "skipped")

        assert under_test.log.of(TaskContested) == []


async def test_who_skipped_a_task_gets_it_again_after_the_pause_and_others_meanwhile():
    async with work(then="return_later", return_after_seconds=100) as under_test:
        for who in ("ana", "bo"):
            await under_test.give_back(await lease_of(under_test, who), "skipped")
        under_test.clock.advance(99)
        await under_test.replicas[0].keeper.let_return()
        too_early = await under_test.claim("ana")
        other = await lease_of(under_test, "cy")
        under_test.clock.advance(2)
        await under_test.replicas[0].keeper.let_return()
        again = await lease_of(under_test, "ana")

        assert (too_early.granted, too_early.reason) == ([], "all-done-by-you")
        assert again.task_id == other.task_id
        assert (await under_test.claim("bo")).granted == [], "both slots are taken"


async def test_what_was_skipped_comes_back_though_the_replica_died_meanwhile():
    async with work(then="return_later", return_after_seconds=100) as under_test:
        await under_test.give_back(await lease_of(under_test, "ana"), "skipped")
        await under_test.restart()
        await under_test.replicas[0].keeper.let_return()
        too_early = await under_test.claim("ana")
        under_test.clock.advance(101)
        await under_test.restart()
        await under_test.replicas[0].keeper.let_return()

        assert too_early.granted == []
        assert len((await under_test.claim("ana")).granted) == 1


async def test_skips_count_by_people_also_of_those_who_came_back():
    async with work(then="return_later", return_after_seconds=1, remove_after=2) as under_test:
        for who in ("ana", "ana", "bo"):
            assert under_test.log.of(TaskContested) == []
            await under_test.give_back(await lease_of(under_test, who), "skipped")
            under_test.clock.advance(2)
            await under_test.replicas[0].keeper.let_return()

        [contested] = under_test.log.of(TaskContested)
        assert contested.skipped == ["ana", "bo"]


async def test_what_could_not_be_done_is_due_again():
    async with work(then="return_later", return_after_seconds=1) as under_test:
        for who in ("ana", "bo"):
            await under_test.give_back(await lease_of(under_test, who), "skipped")
        under_test.clock.advance(2)
        under_test.store.fuse = Fuse(0)
        with pytest.raises(CrashError):
            await under_test.replicas[0].keeper.let_return()
        under_test.store.fuse = Fuse()

        await under_test.replicas[0].keeper.let_return()

        assert {len((await under_test.claim(who)).granted) for who in ("ana", "bo")} == {1}


async def test_without_the_policy_a_task_is_given_to_others_however_many_skip_it():
    async with work() as under_test:
        for who in ("ana", "bo", "cy"):
            await under_test.give_back(await lease_of(under_test, who), "skipped")

        assert under_test.log.of(TaskContested) == []
        assert len((await under_test.claim("di")).granted) == 1


async def test_heartbeats_keep_a_lease_for_as_long_as_the_project_allows_and_never_shorten_it():
    async with work() as under_test:
        lease = await lease_of(under_test, "ana")
    limited = Workflow(lease_seconds=60, max_lease_seconds=90)
    claimed = lease.since_ms

    assert prolonged_until(lease, Workflow(lease_seconds=60), claimed + 50_000) == claimed + 110_000
    assert prolonged_until(lease, limited, claimed + 20_000) == claimed + 80_000
    assert prolonged_until(lease, limited, claimed + 50_000) == claimed + 90_000
    assert prolonged_until(lease, Workflow(lease_seconds=5), claimed + 1_000) == lease.expires_ms
    assert prolonged_until(lease.model_copy(update={"since_ms": 0}), limited, claimed + 50_000) == claimed + 110_000
