"""What task assignment relies on in its store: the same rules for the one in memory and the one on MongoDB."""

from __future__ import annotations

import asyncio
from typing import Any

from services.task_assignment.domain.board import ON_THE_BOARD
from services.task_assignment.domain.picks import DueLease, DueReturn, Pick
from services.task_assignment.domain.tasks import (
    KEPT_ENDS,
    Returning,
    SampleTasks,
    Slot,
    due_place,
    ingest,
    key_of_task,
)
from services.task_assignment.holdings import Held, Holdings
from services.task_assignment.store import Store
from shared.ids import task_id_of
from shared.ledger import Document, LedgerStore
from shared.security import Lease
from tests.builders import TENANT, a_parsed_spec, a_sample_ingested

ENDS = 1_000_000


class KeptTasks:
    """A store of tasks, and a way to put samples into it as the fold does."""

    def __init__(self, store: Store, documents: LedgerStore) -> None:
        self.store = store
        self._documents = documents

    async def put(self, *samples: SampleTasks, revision: int = 1) -> None:
        """Write samples under the fold's guard."""
        lost = await self._documents.replace([_document(sample, revision) for sample in samples])
        assert not lost

    async def put_without(self, sample: SampleTasks, *fields: str) -> None:
        """Write a sample as an older version did, which did not know some fields."""
        document = _document(sample, revision=1)
        document["state"] = {name: value for name, value in document["state"].items() if name not in fields}
        assert not await self._documents.replace([document])

    async def sample(self, sample: SampleTasks) -> SampleTasks:
        """Return a sample as it stands now."""
        return (await self.store.samples([id_of(sample)]))[id_of(sample)].sample

    async def revision(self, sample: SampleTasks) -> int:
        """Return the revision of a sample's document."""
        return (await self.store.samples([id_of(sample)]))[id_of(sample)].revision

    async def slots(self, sample: SampleTasks, key: str = "first_pass-1") -> dict[str, str | None]:
        """Return the lease of each slot of a task."""
        return {name: slot.lease_id for name, slot in (await self.sample(sample)).tasks[key].slots.items()}


def id_of(sample: SampleTasks) -> str:
    return f"{sample.tenant_id}/{sample.sample_id}"


def _document(sample: SampleTasks, revision: int) -> Document:
    beside: dict[str, Any] = {"tenant_id": TENANT, "lanes": {}, "seen": [], "outbox": [], "pending": []}
    return {"_id": id_of(sample), "revision": revision, "state": sample.model_dump(mode="json"), **beside}


def a_sample(name: str = "s1", overlap: int = 2, partition: int = 3) -> SampleTasks:
    spec = a_parsed_spec(quality={"overlap": overlap, "max_overlap": 5})
    sample = ingest(None, a_sample_ingested(sample_id=name), spec, partition).state
    assert sample is not None
    return sample


def a_review(sample: SampleTasks) -> SampleTasks:
    task = sample.tasks["first_pass-1"]
    review = task.model_copy(
        update={
            "task_id": task_id_of(sample.sample_id, "peer_review", 1),
            "stage": "peer_review",
            "slots": {"0": Slot()},
        }
    )
    return sample.with_task("peer_review-1", review)


def attempt(sample: SampleTasks, who: str, lease_id: str, slot: str = "0", key: str = "first_pass-1") -> Any:
    """Return a pick and its lease, as the desk makes them."""
    task = sample.tasks[key]
    lease = Lease(
        lease_id=lease_id,
        tenant_id=TENANT,
        task_id=task.task_id,
        stage=task.stage,
        slot=slot,
        annotator_id=who,
        project_id=sample.project_id,
        project_version=1,
        expires_ms=ENDS,
    )
    return Pick(id_of(sample), key, task.task_id, slot, task.stage), lease


def due(lease: Lease, **changes: Any) -> DueLease:
    document = f"{lease.tenant_id}/{lease.task_id.split('.', maxsplit=1)[0]}"
    key = key_of_task(lease.task_id)
    return DueLease(lease.expires_ms, document, key, lease.slot, lease.lease_id)._replace(**changes)


def leases(sample: SampleTasks) -> list[str | None]:
    """Return the lease of each slot of the first pass."""
    return [slot.lease_id for slot in sample.tasks["first_pass-1"].slots.values()]


class TaskStoreRules:
    """Tests; a subclass has a fixture ``kept``."""

    async def test_of_two_who_try_for_a_slot_one_has_it_and_both_can_tell(self, kept: KeptTasks) -> None:
        sample = a_sample()
        await kept.put(sample)

        await asyncio.gather(
            kept.store.take([attempt(sample, "ana", "l1"), attempt(sample, "chi", "l3", slot="1")]),
            kept.store.take([attempt(sample, "bo", "l2")]),
        )

        slots = await kept.slots(sample)
        after = await kept.sample(sample)
        assert slots["0"] in {"l1", "l2"}
        assert slots["1"] == "l3"
        assert set(after.tasks["first_pass-1"].annotators) == {"ana" if slots["0"] == "l1" else "bo", "chi"}
        assert await kept.revision(sample) == 3

    async def test_whoever_tries_is_told_how_the_samples_stand_after_it(self, kept: KeptTasks) -> None:
        one, other = a_sample(), a_sample("other")
        for each in (one, other):
            await kept.put(each)

        won = await kept.store.take([attempt(one, "ana", "l1")])
        lost = await kept.store.take([attempt(one, "bo", "l2")])
        both = await kept.store.take([attempt(one, "bo", "l3", slot="1"), attempt(other, "bo", "l4")])

        assert {id_: (each.revision, leases(each.sample)) for id_, each in won.items()} == {
            id_of(one): (2, ["l1", None])
        }
        assert lost == won
        assert {id_: leases(each.sample) for id_, each in both.items()} == {
            id_of(one): ["l1", "l3"],
            id_of(other): ["l4", None],
        }

    async def test_nobody_gets_two_slots_of_a_task(self, kept: KeptTasks) -> None:
        sample = a_sample()
        await kept.put(sample)

        await kept.store.take([attempt(sample, "ana", "l1"), attempt(sample, "ana", "l2", slot="1")])
        await kept.store.take([attempt(sample, "ana", "l3", slot="1")])

        assert list((await kept.slots(sample)).values()).count(None) == 1

    async def test_a_closed_task_and_one_that_is_not_there_are_not_taken(self, kept: KeptTasks) -> None:
        sample = a_sample()
        closed = sample.with_task("first_pass-1", sample.tasks["first_pass-1"].model_copy(update={"open": False}))
        await kept.put(closed)

        await kept.store.take([attempt(sample, "ana", "l1"), attempt(a_sample("nowhere"), "ana", "l2")])
        await kept.store.take([])

        assert await kept.slots(sample) == {"0": None, "1": None}
        assert await kept.revision(sample) == 1

    async def test_a_lease_given_back_is_free_for_all_and_one_that_is_not_held_is_not(self, kept: KeptTasks) -> None:
        sample = a_sample()
        await kept.put(sample)
        _, lease = attempt(sample, "ana", "l1")
        await kept.store.take([attempt(sample, "ana", "l1")])

        given = [
            await kept.store.give_back(lease.model_copy(update={"lease_id": "another"}), "released"),
            await kept.store.give_back(lease, "released"),
            await kept.store.give_back(lease, "released"),
        ]
        await kept.store.take([attempt(sample, "ana", "l2")])

        ended = (await kept.sample(sample)).tasks["first_pass-1"].end_of("l1")
        assert given == [False, True, False]
        assert ended is not None and (ended.annotator_id, ended.how) == ("ana", "released")
        assert await kept.slots(sample) == {"0": "l2", "1": None}

    async def test_who_skips_a_task_is_remembered_and_does_not_get_it_again(self, kept: KeptTasks) -> None:
        sample = a_sample()
        await kept.put(sample)
        _, lease = attempt(sample, "ana", "l1")
        await kept.store.take([attempt(sample, "ana", "l1")])

        await kept.store.give_back(lease, "skipped")
        await kept.store.take([attempt(sample, "ana", "l2"), attempt(sample, "bo", "l3", slot="1")])

        task = (await kept.sample(sample)).tasks["first_pass-1"]
        assert (task.skipped, task.annotators) == (["ana"], ["bo"])
        assert await kept.slots(sample) == {"0": None, "1": "l3"}

    async def test_who_may_have_a_skipped_task_again_is_let_in_once(self, kept: KeptTasks) -> None:
        sample, who = a_sample(), "ana.b@example.org"
        await kept.put(sample)
        pick, lease = attempt(sample, who, "l1")
        await kept.store.take([(pick, lease)])
        due_now = DueReturn(ENDS, id_of(sample), pick.task_key, who)

        await kept.store.give_back(lease, "skipped", ENDS)
        await kept.store.take([attempt(sample, who, "l2")])
        waits = (await kept.sample(sample)).tasks["first_pass-1"]
        let_in = [
            await kept.store.let_return(due_now._replace(at_ms=ENDS + 1)),
            await kept.store.let_return(due_now._replace(annotator_id="bo")),
            await kept.store.let_return(due_now),
            await kept.store.let_return(due_now),
        ]
        revision = await kept.revision(sample)
        await kept.store.take([attempt(sample, who, "l3")])

        back = (await kept.sample(sample)).tasks["first_pass-1"]
        assert (waits.skipped, waits.returning) == ([who], [Returning(annotator_id=who, at_ms=ENDS)])
        assert let_in == [False, False, True, False]
        assert (back.skipped, back.returning, back.returned, back.skippers) == ([], [], [who], [who])
        assert revision == 4, "a fold that had read the sample loses its guard"
        assert await kept.slots(sample) == {"0": "l3", "1": None}

    async def test_a_task_remembers_its_last_leases_that_ended_without_an_answer(self, kept: KeptTasks) -> None:
        sample = a_sample(overlap=1)
        await kept.put(sample)

        for number in range(KEPT_ENDS + 3):
            pick, lease = attempt(sample, "ana", f"l{number}")
            await kept.store.take([(pick, lease)])
            await kept.store.give_back(lease, "released")

        ended = (await kept.sample(sample)).tasks["first_pass-1"].ended
        assert [each.lease_id for each in ended] == [f"l{number}" for number in range(3, KEPT_ENDS + 3)]

    async def test_only_a_live_lease_is_prolonged(self, kept: KeptTasks) -> None:
        sample = a_sample()
        await kept.put(sample)
        _, lease = attempt(sample, "ana", "l1")
        await kept.store.take([attempt(sample, "ana", "l1")])

        prolonged = [
            await kept.store.extend(lease, ENDS + 1, ENDS + 100),
            await kept.store.extend(lease.model_copy(update={"lease_id": "l2"}), ENDS, ENDS + 100),
            await kept.store.extend(lease, ENDS, ENDS + 100),
            await kept.store.extend(lease, ENDS + 100, ENDS + 200),
        ]

        assert prolonged == [False, False, True, True]
        assert (await kept.sample(sample)).tasks["first_pass-1"].slots["0"].expires_ms == ENDS + 200

    async def test_a_lease_that_was_prolonged_answered_or_given_back_is_not_taken_back(self, kept: KeptTasks) -> None:
        sample = a_sample(overlap=3)
        leases = [attempt(sample, who, f"l{slot}", str(slot)) for slot, who in enumerate(("ana", "bo", "chi"))]
        await kept.put(sample)
        await kept.store.take(leases)
        prolonged, answered, ended = (lease for _, lease in leases)
        await kept.store.extend(prolonged, ENDS, ENDS + 100)
        await kept.put(_answered(await kept.sample(sample), answered), revision=await kept.revision(sample) + 1)

        taken = [await kept.store.take_back(due(lease), lease.annotator_id) for lease in (prolonged, answered, ended)]
        again = await kept.store.take_back(due(ended), "chi")

        after = (await kept.sample(sample)).tasks["first_pass-1"]
        assert (taken, again) == ([False, False, True], False)
        assert (after.expired, after.annotators) == (1, ["ana", "bo"])
        assert [slot.state for slot in after.slots.values()] == ["leased", "done", "free"]

    async def test_whatever_changes_a_sample_makes_a_fold_that_had_read_it_lose_its_guard(
        self, kept: KeptTasks
    ) -> None:
        sample = a_sample()
        await kept.put(sample)
        _, lease = attempt(sample, "ana", "l1")

        revisions = []
        await kept.store.take([attempt(sample, "ana", "l1")])
        revisions.append(await kept.revision(sample))
        await kept.store.extend(lease, ENDS, ENDS + 1)
        revisions.append(await kept.revision(sample))
        await kept.store.give_back(lease, "released")
        revisions.append(await kept.revision(sample))
        await kept.store.take([attempt(sample, "ana", "l2")])
        await kept.store.take_back(due(lease, lease_id="l2"), "ana")
        revisions.append(await kept.revision(sample))

        assert revisions == [2, 3, 4, 6]

    async def test_who_worked_on_a_sample_does_not_review_it(self, kept: KeptTasks) -> None:
        sample = a_review(a_sample())
        await kept.put(sample)

        await kept.store.take([attempt(sample, "ana", "l1")])
        await kept.store.take([attempt(sample, "ana", "l2", key="peer_review-1")])
        before = await kept.slots(sample, "peer_review-1")
        await kept.store.take([attempt(sample, "rita", "l3", key="peer_review-1")])

        assert before == {"0": None}
        assert await kept.slots(sample, "peer_review-1") == {"0": "l3"}

    async def test_who_has_seen_a_review_of_a_sample_makes_no_label_of_it_any_more(self, kept: KeptTasks) -> None:
        sample = a_review(a_sample())
        await kept.put(sample)
        _, review = attempt(sample, "rita", "l1", key="peer_review-1")

        await kept.store.take([attempt(sample, "rita", "l1", key="peer_review-1")])
        await kept.store.take([attempt(sample, "rita", "l2")])
        await kept.store.give_back(review, "released")
        await kept.store.take([attempt(sample, "rita", "l3"), attempt(sample, "ana", "l4", slot="1")])

        assert await kept.slots(sample) == {"0": None, "1": "l4"}
        assert (await kept.sample(sample)).reviewers == ["rita"]

    async def test_a_document_from_before_the_list_of_reviewers_is_taken_like_any_other(self, kept: KeptTasks) -> None:
        sample = a_review(a_sample())
        await kept.put_without(sample, "reviewers")

        await kept.store.take([attempt(sample, "ana", "l1"), attempt(sample, "rita", "l2", key="peer_review-1")])

        after = await kept.sample(sample)
        assert (after.contributors, after.reviewers) == (["ana", "rita"], ["rita"])

    async def test_of_two_who_write_somebodys_leases_the_second_knows_that_it_has_lost(self, kept: KeptTasks) -> None:
        leases = (Held("l1", "s1.first_pass.1", ENDS, 3, 2),)
        ana, bo = Holdings("acme/ana", 0, leases, {"support": 2}), Holdings("acme/bo", 0, ())

        lost = [
            await kept.store.write_holdings([ana, bo]),
            await kept.store.write_holdings([ana, bo._replace(revision=1)]),
        ]
        known = await kept.store.holdings(["acme/ana", "acme/bo", "acme/chi"])

        assert lost == [set(), {"acme/ana"}]
        assert known["acme/ana"] == Holdings("acme/ana", 1, leases, {"support": 2})
        assert [known[id_].revision for id_ in ("acme/bo", "acme/chi")] == [2, 0]
        assert await kept.store.write_holdings([]) == set()

    async def test_samples_are_found_by_id_and_by_partition(self, kept: KeptTasks) -> None:
        first, second, elsewhere = a_sample("s1"), a_sample("s2"), a_sample("s3", partition=4)
        await kept.put(first, second, elsewhere)

        found = [each async for part in kept.store.of_partitions([3]) for each in part]
        revisions = [each async for each in kept.store.revisions([3, 4, 5])]

        assert sorted(each["_id"] for each in found) == [id_of(first), id_of(second)]
        assert {each["revision"] for each in found} == {1}
        on_the_board = first.model_dump(mode="json", include=set(ON_THE_BOARD))
        assert next(each["state"] for each in found if each["_id"] == id_of(first)) == on_the_board
        assert {id_: n for each in revisions for id_, n in each.items()} == dict.fromkeys(
            (id_of(first), id_of(second), id_of(elsewhere)), 1
        )
        assert await kept.store.samples(["acme/nowhere"]) == {}

    async def test_what_is_due_and_has_no_label_is_found_by_its_due_date_in_order(self, kept: KeptTasks) -> None:
        late, later, undated = a_sample("late"), a_sample("later"), a_sample("undated")
        due = [(late, {"due_ms": 2_000}), (later, {"due_ms": 10_000}), (undated, {"due_ms": 0})]
        await kept.put(*(sample.model_copy(update=changes) for sample, changes in due))
        labeled = a_sample("labeled").model_copy(update={"due_ms": 2_000, "finalized": 1})
        await kept.put(labeled, late.model_copy(update={"sample_id": "theirs", "project_id": "x", "due_ms": 2_000}))

        def place(due_ms: int) -> str:
            return due_place(TENANT, late.project_id, due_ms)

        all_of_it = await kept.store.waiting(place(0), place(99_000), 10)
        first = await kept.store.waiting(place(0), place(99_000), 1)
        rest = await kept.store.waiting(first[0].waits_as or "", place(99_000), 10)

        assert [each.sample_id for each in all_of_it] == ["late", "later"]
        assert [each.sample_id for each in first] == ["late"] and [each.sample_id for each in rest] == ["later"]
        assert await kept.store.waiting(place(2_001), place(10_000), 10) == []


def _answered(sample: SampleTasks, lease: Lease) -> SampleTasks:
    task = sample.tasks["first_pass-1"]
    done = task.slots[lease.slot].model_copy(update={"state": "done"})
    return sample.with_task("first_pass-1", task.model_copy(update={"slots": task.slots | {lease.slot: done}}))
