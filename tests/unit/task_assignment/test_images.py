"""A replica begins from the image that another has left, and knows what it would have known by reading everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from aiokafka import TopicPartition

from services.task_assignment import imaging
from services.task_assignment.claims import ClaimRequest
from services.task_assignment.domain.board import Board
from services.task_assignment.images import ALWAYS_REPLAYED, Manifest, document_of, manifest_of
from services.task_assignment.imaging import Imager
from shared.events.tasks import AssignmentMemberAnnounced
from shared.ids import sample_id_of
from tests.builders import PROJECT, TENANT, a_sample_erased, a_sample_ingested
from tests.fakes import CrashError, Fuse
from tests.memory_tasks import MemoryImages, MemoryTasks
from tests.unit.task_assignment.tallied import counts_on
from tests.unit.task_assignment.work_under_test import PARTITION, Replica, WorkUnderTest, a_principal, a_work_catalog

SAMPLES = 6


@pytest.fixture(autouse=True)
def _packs_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging, "PACK_FROM", 1)


async def some_work(external: Iterable[str] = ()) -> WorkUnderTest:
    """Return a replica that has samples, and an image of them."""
    work = WorkUnderTest(await a_work_catalog(overlap=2))
    await work.start()
    for number in range(SAMPLES):
        work.log.append(a_sample_ingested(external_id=f"s{number}"))
    for name in external:
        work.log.append(a_sample_ingested(external_id=name, sample_id=name))
    await work.fold()
    await work.replicas[0].imager.keep()
    return work


def figures(board: Board) -> tuple[object, ...]:
    return counts_on(board), board.waiting(), board.earliest_end(PARTITION)


async def read_everything(work: WorkUnderTest) -> Board:
    """Return the board of a replica that has no image to begin from."""
    replica = Replica(work.store, MemoryImages(), work.catalog, work.log, work.clock)
    await replica.start()
    await replica.stop()
    return replica.board


async def is_as_if_all_had_been_read(work: WorkUnderTest) -> bool:
    return figures(work.replicas[0].board) == figures(await read_everything(work))


async def test_a_restart_reads_no_sample_that_nobody_works_on():
    work = await some_work()
    [granted] = (await work.claim("ana")).granted
    await work.replicas[0].imager.keep()
    work.store.fuse = Fuse()

    await work.restart()

    assert work.store.fuse.passed.count("documents") == 1
    assert "of_partitions" not in work.store.fuse.passed
    assert work.replicas[0].board.sample(f"{TENANT}/{granted.sample.sample_id}").tasks
    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_what_was_ingested_claimed_and_answered_after_the_image_is_known_once_the_log_is_read_again():
    work = await some_work()
    [granted] = (await work.claim("ana")).granted
    work.log.append(a_sample_ingested(external_id="later"))
    work.submit(granted.lease)
    await work.fold()

    await work.restart()

    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_what_was_claimed_after_the_image_and_not_answered_is_found_by_comparing_with_the_store():
    work = await some_work()
    claimed = (await work.claim("ana", 2)).granted

    await work.restart()
    before = await is_as_if_all_had_been_read(work)
    await work.replicas[0].keeper.repair_after_images()

    assert len(claimed) == 2
    assert not before
    assert await is_as_if_all_had_been_read(work)
    assert not work.replicas[0].board.unsure
    await work.stop()


async def test_figures_are_not_written_from_an_image_and_no_answer_is_counted_twice_for_the_pace():
    work = await some_work()
    keeper = work.replicas[0].keeper
    [granted] = (await work.claim("ana")).granted
    work.submit(granted.lease)
    await work.fold()
    await keeper.write_progress()
    before = dict(work.store.documents_of_figures)

    await work.restart()
    work.clock.advance(1)
    await work.replicas[0].keeper.write_progress()
    from_image = dict(work.store.documents_of_figures)
    await work.replicas[0].keeper.repair_after_images()
    await work.replicas[0].keeper.write_progress()

    assert from_image == before
    [(was, now)] = zip(before.values(), work.store.documents_of_figures.values(), strict=True)
    assert now["counts"] == was["counts"]
    assert now["paces"]["first_pass"] == was["paces"]["first_pass"]
    assert [answers for _, answers in now["paces"]["first_pass"]["counts"][0]] == [1]
    await work.stop()


async def test_a_claim_of_a_slot_that_the_image_has_as_free_gets_another():
    work = await some_work()
    await work.claim("ana", 2)

    await work.restart()
    answers = [await work.claim(who, 2, roles=["annotator"]) for who in ("bo", "chi", "dee", "eve")]

    held = [(each.lease.task_id, each.lease.slot) for answer in answers for each in answer.granted]
    assert len(held) == len(set(held)) == 8
    await work.stop()


async def test_samples_whose_ids_are_no_uuids_are_listed_and_read():
    work = await some_work(["no-uuid", "6F0D5D5E-6F6B-5A0E-9D4C-0C6C61626D73"])
    work.store.fuse = Fuse()

    await work.restart()

    assert "of_partitions" not in work.store.fuse.passed
    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_a_sample_that_was_erased_after_the_image_is_not_given_out():
    work = await some_work()
    ids = [sample_id_of(TENANT, PROJECT, f"s{number}") for number in range(SAMPLES)]
    for id_ in ids[1:]:
        work.log.append(a_sample_erased(sample_id=id_))
    await work.fold()

    await work.restart()
    answer = await work.claim("ana", SAMPLES)

    assert [each.sample.sample_id for each in answer.granted] == ids[:1]
    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_the_first_image_is_written_after_everything_was_read_and_the_next_when_something_changes():
    work = await some_work()
    first = work.images.of[PARTITION]
    keep = work.replicas[0].imager.keep

    await keep()
    unchanged = work.images.of[PARTITION]
    work.log.append(a_sample_ingested(external_id="later"))
    await work.fold()
    await keep()

    work.replicas[0].keeper.on_folded("sample.ingested.v1", PARTITION, 0, SAMPLES + 7)
    await keep()

    assert unchanged is first
    assert work.images.of[PARTITION].offsets["sample.ingested.v1"] == SAMPLES + 7
    assert (first.samples, work.images.of[PARTITION].samples) == (SAMPLES, SAMPLES + 1)
    assert first.offsets["sample.ingested.v1"] == SAMPLES
    assert list(work.images.data) == [(PARTITION, work.images.of[PARTITION].generation)]
    await work.stop()


@pytest.mark.parametrize(
    "unusable",
    [
        {"format": "0"},
        {"partitions": 2},
        {"offsets": {"sample.ingested.v1": 0}},
        {"digest": "of other bytes"},
        {"generation": "gone"},
    ],
    ids=str,
)
async def test_an_image_that_cannot_be_used_is_not(unusable: Mapping[str, object]):
    work = await some_work()
    work.images.of[PARTITION] = replace(work.images.of[PARTITION], **unusable)
    work.store.fuse = Fuse()

    await work.restart()

    assert "of_partitions" in work.store.fuse.passed
    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_images_that_cannot_be_asked_for_are_done_without():
    work = await some_work()
    work.images.manifests = lambda _partitions: _no_answer()  # type: ignore[method-assign]

    await work.restart()

    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def _no_answer() -> dict[int, Manifest]:
    raise TimeoutError


@pytest.mark.parametrize(
    ("folded_since", "samples", "is_usable"),
    [
        (ALWAYS_REPLAYED, 0, True),
        (ALWAYS_REPLAYED + 1, 0, False),
        (10_000, 20_000, True),
        (10_001, 20_000, False),
    ],
)
def test_an_image_is_not_used_where_folding_again_takes_longer_than_reading_everything(
    folded_since: int, samples: int, is_usable: bool
):
    manifest = Manifest(0, 1, "g", 12, {"a": 100, "b": 100}, samples, 1, "")

    assert manifest.is_usable({"a": 100 + folded_since, "b": 50}, 12) == is_usable
    assert not manifest.is_usable({"a": 100, "b": None}, 12)


@pytest.mark.parametrize("dies_at", range(4))
async def test_a_replica_that_dies_while_it_writes_an_image_leaves_one_to_begin_from(dies_at: int):
    work = await some_work()
    await work.claim("ana", 2)
    work.log.append(a_sample_ingested(external_id="later"))
    await work.fold()
    work.images.fuse = Fuse(dies_at)
    with suppress(CrashError):
        await work.replicas[0].imager.keep()
    work.images.fuse, work.store.fuse = Fuse(), Fuse()

    await work.restart()
    await work.replicas[0].keeper.repair_after_images()

    assert "of_partitions" not in work.store.fuse.passed
    assert await is_as_if_all_had_been_read(work)
    await work.stop()


async def test_of_two_replicas_that_both_believe_to_own_a_partition_the_late_one_writes_no_image():
    work = await some_work()
    stalled = work.replicas[0]
    following = Replica(work.store, work.images, work.catalog, work.log, work.clock)
    await following.start(work._samples.lengths)
    await work.claim("ana")
    await following.keeper.repair_after_images()
    await following.imager.keep()
    theirs = work.images.of[PARTITION]

    await stalled.imager.keep()
    kept = work.images.of[PARTITION]
    await work.claim("bo")
    await stalled.imager.keep()

    assert kept is theirs
    assert work.images.of[PARTITION].revision == theirs.revision + 1, "it has looked up the other's, and goes on"
    await following.stop()
    await work.stop()


async def test_no_image_is_written_while_it_is_unknown_how_far_it_goes():
    work = WorkUnderTest(await a_work_catalog())
    replica = work.replicas[0]
    positions = dict.fromkeys(["sample.ingested.v1", "annotation.submitted.v1"])
    await replica.imager.begin({PARTITION: positions})
    replica.board.own({PARTITION})
    replica.board.complete(PARTITION)

    await replica.imager.keep()
    before = dict(work.images.of)
    for topic in positions:
        replica.imager.on_folded(topic, PARTITION, 7)
    await replica.imager.keep()

    assert not before
    assert work.images.of[PARTITION].offsets == dict.fromkeys(positions, 7)


async def test_what_came_after_the_image_is_read_again_also_where_nobody_could_be_told_who_serves_it():
    work = await some_work()
    work.log.append(a_sample_ingested(external_id="later"))
    await work.fold()
    work.log.is_away = True

    await work.restart()

    assert await is_as_if_all_had_been_read(work)
    await work.stop()


class ComparedTasks(MemoryTasks):
    """A store that has all revisions ready in many parts, and stops before the last until it is let go on."""

    PARTS = 20

    def __init__(self, documents: MemoryTasks) -> None:
        super().__init__()
        self.sample_documents = documents.sample_documents
        self.goes_on = asyncio.Event()

    async def revisions(self, partitions: Sequence[int]) -> AsyncIterator[dict[str, int]]:
        for _ in range(self.PARTS):
            yield {id_: each.revision for id_, each in self.kept.items() if each.sample.partition in partitions}
        await self.goes_on.wait()


async def test_others_have_their_turn_between_the_parts_of_a_comparison():
    work = await some_work()
    store = ComparedTasks(work.store)
    store.goes_on.set()
    replica = Replica(store, work.images, work.catalog, work.log, work.clock)
    await replica.start()

    comparing = asyncio.create_task(replica.keeper.repair_after_images())
    turns = 0
    while not comparing.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > ComparedTasks.PARTS
    await replica.stop()
    await work.stop()


async def test_a_partition_that_goes_and_comes_back_while_it_is_compared_is_compared_from_its_beginning():
    work = await some_work()
    store = ComparedTasks(work.store)
    replica = Replica(store, work.images, work.catalog, work.log, work.clock)
    positions = await replica.start()
    comparing = asyncio.create_task(replica.keeper.repair_after_images())
    await asyncio.sleep(0.01)

    partitions = {TopicPartition(topic, PARTITION): offset for topic, offset in positions.items()}
    await replica.keeper.on_revoked(list(partitions))
    await replica.keeper.on_assigned(list(partitions), partitions)
    await replica.keeper.finished()
    store.goes_on.set()
    await comparing
    early = replica.board.unsure
    await replica.keeper.repair_after_images()

    assert early == {PARTITION}
    assert not replica.board.unsure
    await replica.stop()
    await work.stop()


async def test_a_store_that_takes_no_image_is_not_asked_again_at_once():
    work = await some_work()
    board = work.replicas[0].board
    imager = Imager(work.images, board, partitions=1, every=timedelta(0), rest=1e9)
    await imager.begin({PARTITION: dict(work.images.of[PARTITION].offsets)})
    work.images.fuse = Fuse(0)
    await imager.keep()
    asked = len(work.images.fuse.passed)

    await imager.keep()

    assert len(work.images.fuse.passed) == asked
    await work.stop()


class ChoosyImages(MemoryImages):
    """A store that takes no image of one partition."""

    async def write(self, manifest: Manifest, data: bytes) -> bool:
        if manifest.partition == 0:
            raise ConnectionError("not this one")
        return await super().write(manifest, data)


async def test_a_partition_whose_image_is_not_taken_keeps_no_other_from_having_one():
    images, board = ChoosyImages(), Board()
    imager = Imager(images, board, partitions=2)
    await imager.begin({0: {"topic": 0}, 1: {"topic": 0}})
    board.own([0, 1])
    board.complete(0)
    board.complete(1)

    await imager.keep()

    assert set(images.of) == {1}


async def test_gateways_are_told_who_serves_a_partition_once_the_broker_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.task_assignment.keeper.ANNOUNCE_AGAIN_SECONDS", 0.001)
    work = WorkUnderTest(await a_work_catalog())
    work.log.is_away = True
    await work.start()
    assert not work.log.of(AssignmentMemberAnnounced)

    work.log.is_away = False
    async with asyncio.timeout(5):
        await work.replicas[0].keeper._announcing.ended()

    told = work.log.of(AssignmentMemberAnnounced)
    assert [(each.address, each.partitions) for each in told] == [("http://replica", [PARTITION])]
    await work.stop()


async def test_what_the_store_has_forgotten_is_open_again_though_an_image_has_it_as_done():
    work = await some_work()
    before = work.store.sample_documents.documents
    for who in ("ana", "bo"):
        [granted] = (await work.claim(who, roles=["annotator"])).granted
        work.submit(granted.lease)
    await work.fold()
    await work.replicas[0].imager.keep()
    work.store.sample_documents.put_back(before)

    replica = Replica(work.store, work.images, work.catalog, work.log, work.clock)
    await replica.start(work._samples.lengths)
    await replica.keeper.repair_after_images()

    as_stored = await read_everything(work)
    assert counts_on(replica.board) == counts_on(as_stored)
    assert replica.board.waiting() == as_stored.waiting()
    answers = [
        await replica.desk.claim(ClaimRequest(a_principal(who), SAMPLES)) for who in ("chi", "dee", "eve", "fay")
    ]
    assert sum(len(answer.granted) for answer in answers) == 2 * SAMPLES
    await replica.stop()
    await work.stop()


async def test_an_image_of_a_later_release_keeps_nobody_from_taking_over():
    work = await some_work()
    manifest = work.images.of[PARTITION]
    later = document_of(manifest) | {"format": "2", "colour": "blue"}

    assert manifest_of(document_of(manifest)) == manifest
    assert not manifest_of(later).is_usable(manifest.offsets, 1)
    assert manifest_of(later).revision == manifest.revision
    await work.stop()


async def test_the_list_of_an_image_is_read_again_when_the_store_did_not_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.task_assignment.loading.AGAIN_SECONDS", 0)
    work = await some_work()
    await work.claim("ana")
    await work.replicas[0].imager.keep()
    asked = MemoryTasks.documents

    def fails_once(store: MemoryTasks, ids: list[str]) -> object:
        monkeypatch.setattr(MemoryTasks, "documents", asked)
        raise ConnectionError

    monkeypatch.setattr(MemoryTasks, "documents", fails_once)

    await work.restart()

    assert await is_as_if_all_had_been_read(work)
    await work.stop()
