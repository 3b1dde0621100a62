"""What somebody gets who claims: what they hold, then more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from services.task_assignment.claims import ClaimAnswer, ClaimRequest
from services.task_assignment.desk import Desk
from services.task_assignment.domain.annotator import Annotator
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.tasks import SampleTasks, Slot
from services.task_assignment.holdings import Held, Holdings
from services.task_assignment.store import Store, StoredSample
from shared.clock import to_ms
from shared.events import Event
from shared.events.tasks import TaskLeased
from shared.kafka import Producer
from shared.security import Lease, Principal
from tests.builders import PROJECT, TENANT, a_catalog, a_project_versioned
from tests.fakes import FakeClock
from tests.unit.task_assignment.test_board import a_board
from tests.unit.task_assignment.test_tasks import a_sample


class MemoryStore:
    """What the desk asks of the store, in memory."""

    def __init__(self, *samples: SampleTasks) -> None:
        self.kept = {f"{each.tenant_id}/{each.sample_id}": StoredSample(each, 1) for each in samples}
        self.lists: dict[str, Holdings] = {}

    async def annotators(self, _ids: Iterable[str]) -> dict[str, Annotator]:
        return {}

    async def holdings(self, ids: Iterable[str]) -> dict[str, Holdings]:
        return {id_: self.lists.get(id_, Holdings(id_, 0, ())) for id_ in ids}

    async def samples(self, ids: Iterable[str]) -> dict[str, StoredSample]:
        return {id_: self.kept[id_] for id_ in ids}

    async def write_holdings(self, holdings: Sequence[Holdings]) -> set[str]:
        self.lists |= {each.id: each._replace(revision=each.revision + 1) for each in holdings}
        return set()

    async def take(self, picks: Sequence[tuple[Pick, Lease]]) -> dict[str, StoredSample]:
        for pick, lease in picks:
            sample, revision = self.kept[pick.document_id]
            task = sample.tasks[pick.task_key]
            held = Slot(
                state="leased",
                lease_id=lease.lease_id,
                annotator_id=lease.annotator_id,
                expires_ms=lease.expires_ms,
                since_ms=lease.since_ms,
            )
            taken = {"slots": task.slots | {pick.slot: held}, "annotators": [*task.annotators, lease.annotator_id]}
            changed = sample.with_task(pick.task_key, task.model_copy(update=taken))
            self.kept[pick.document_id] = StoredSample(changed, revision + 1)
        return {pick.document_id: self.kept[pick.document_id] for pick, _ in picks}


class AnnouncedLeases:
    """A producer that keeps what it was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def answer_for(self, events: Sequence[Event]) -> None:
        self.events += events


@asynccontextmanager
async def a_desk(
    *samples: SampleTasks, clock: FakeClock | None = None, versions: Sequence[Event] = ()
) -> AsyncIterator[tuple[Desk, AnnouncedLeases]]:
    announced = AnnouncedLeases()
    board: Board = a_board(*samples)
    catalog = await a_catalog(*versions or [a_project_versioned()])
    store, producer = cast(Store, MemoryStore(*samples)), cast(Producer, announced)
    desk = Desk(store, board, catalog, producer, clock or FakeClock())
    serving = asyncio.create_task(desk.run())
    try:
        yield desk, announced
    finally:
        serving.cancel()


def a_claim(who: str = "ana", count: int = 1, **changes: Any) -> ClaimRequest:
    principal = Principal(tenant_id=TENANT, subject=who, roles=frozenset({"annotator"}))
    return ClaimRequest(principal, count, project=PROJECT, **changes)


async def test_a_claim_returns_what_its_caller_holds_before_anything_new():
    async with a_desk(a_sample(sample_id="s1"), a_sample(sample_id="s2")) as (desk, announced):
        [first] = (await desk.claim(a_claim())).granted

        [again] = (await desk.claim(a_claim())).granted
        both = (await desk.claim(a_claim(count=2))).granted

    assert again.lease == first.lease
    assert both[0].lease == first.lease
    assert {each.sample.sample_id for each in both} == {"s1", "s2"}
    assert len([each for each in announced.events if isinstance(each, TaskLeased)]) == 2


async def test_who_has_answered_gets_the_next_task_though_the_answer_is_not_folded_yet():
    async with a_desk(a_sample(sample_id="s1"), a_sample(sample_id="s2")) as (desk, _):
        [first] = (await desk.claim(a_claim())).granted

        [then] = (await desk.claim(a_claim(answered=frozenset({first.lease.lease_id})))).granted
        [again] = (await desk.claim(a_claim())).granted

    assert then.sample.sample_id != first.sample.sample_id
    assert again.lease == then.lease, "a lease that was struck off is not held again"


async def test_the_sample_of_an_answered_lease_is_not_read_again():
    async with a_desk(a_sample(sample_id="s1"), a_sample(sample_id="s2")) as (desk, _):
        [first] = (await desk.claim(a_claim())).granted
        store = cast(MemoryStore, desk._store)
        del store.kept[f"{TENANT}/{first.sample.sample_id}"]  # who asks for it now fails

        [then] = (await desk.claim(a_claim(answered=frozenset({first.lease.lease_id})))).granted

    assert then.sample.sample_id != first.sample.sample_id
    assert store.lists[f"{TENANT}/ana"].answered[PROJECT].total == 1


async def test_an_answer_gives_room_for_a_lease_at_once():
    many = [a_sample(sample_id=f"s{number}") for number in range(7)]
    async with a_desk(*many) as (desk, _):
        held = (await desk.claim(a_claim(count=20))).granted

        none = await desk.claim(a_claim(count=20, stages=frozenset({"first_pass"})))
        more = await desk.claim(a_claim(count=20, answered=frozenset({held[0].lease.lease_id})))

    assert (len(held), none.reason) == (5, "lease-limit")
    assert len(more.granted) == 5
    assert held[0].lease.lease_id not in {each.lease.lease_id for each in more.granted}


async def test_a_lease_that_has_ended_is_not_returned():
    clock = FakeClock()
    async with a_desk(a_sample(sample_id="s1"), a_sample(sample_id="s2"), clock=clock) as (desk, _):
        [first] = (await desk.claim(a_claim())).granted
        clock.advance((first.lease.expires_ms - to_ms(clock())) / 1000)

        [then] = (await desk.claim(a_claim())).granted

    assert then.sample.sample_id != first.sample.sample_id


async def test_a_claim_tells_which_guidelines_came_with_the_task_before():
    old, new = a_project_versioned(), a_project_versioned(version=2, guideline_version=2)
    samples = [a_sample(sample_id=name, project_version=version) for name, version in (("s1", 1), ("s2", 1), ("s3", 2))]
    async with a_desk(*samples, versions=[old, new]) as (desk, _):
        [first] = (await desk.claim(a_claim())).granted
        [second] = (await desk.claim(a_claim(answered=frozenset({first.lease.lease_id})))).granted
        [third] = (await desk.claim(a_claim(answered=frozenset({second.lease.lease_id})))).granted
        [again] = (await desk.claim(a_claim())).granted

    assert [each.sample.project_version for each in (first, second, third)] == [1, 1, 2]
    assert [each.seen for each in (first, second, third)] == [0, 1, 1]
    assert again == third, "an answer that was lost on its way tells the same when it is asked for again"


async def test_guidelines_of_a_task_that_nobody_was_told_of_are_not_taken_for_read():
    old, new = a_project_versioned(), a_project_versioned(version=2, guideline_version=2)
    async with a_desk(a_sample(sample_id="s1", project_version=2), versions=[old, new]) as (desk, _):
        store = cast(MemoryStore, desk._store)
        never_taken = Held("lost-race", f"{a_sample(sample_id='s1').tasks['first_pass-1'].task_id}", 0, 2, 1)
        store.lists[f"{TENANT}/ana"] = Holdings(f"{TENANT}/ana", 1, (never_taken,), {PROJECT: 1})

        [given] = (await desk.claim(a_claim())).granted

    assert given.seen == 1


async def test_a_claim_that_cannot_be_planned_fails_alone_and_holds_no_slot_back(monkeypatch: pytest.MonkeyPatch):
    async with a_desk(a_sample(sample_id="s1")) as (desk, _):
        lease_of = desk._planner._lease

        def broken(pick: Pick, principal: Principal, now_ms: int) -> Lease:
            if principal.subject == "ana":
                raise KeyError("a bug of ours")
            return lease_of(pick, principal, now_ms)

        monkeypatch.setattr(desk._planner, "_lease", broken)
        failed, served = await asyncio.gather(
            desk.claim(a_claim("ana")), desk.claim(a_claim("bo")), return_exceptions=True
        )
        monkeypatch.undo()
        again = await desk.claim(a_claim("ana"))

    assert isinstance(failed, KeyError)
    assert isinstance(served, ClaimAnswer)
    assert (len(served.granted), len(again.granted)) == (1, 1)
