"""Partitions that came are read beside all other work, whole, whatever happens to them meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from services.task_assignment import imaging, loading
from services.task_assignment.bookkeeping import Bookkeeper
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.kept import Scope
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import Seeker
from services.task_assignment.images import Manifest
from services.task_assignment.imaging import Imager
from services.task_assignment.loading import Loader
from shared.ids import sample_id_of
from shared.ledger import Document
from tests.builders import PROJECT, TENANT, a_sample_ingested
from tests.fakes import FakeClock
from tests.memory_tasks import MemoryImages, MemoryTasks
from tests.unit.task_assignment.tallied import counts_on
from tests.unit.task_assignment.work_under_test import PARTITION, BrokersLog, Replica, WorkUnderTest, a_work_catalog

SAMPLES = 4


class SlowTasks(MemoryTasks):
    """A store that stops before each document but the first, until it is let go on; the first reads fail."""

    def __init__(self, documents: MemoryTasks, failures: int = 0) -> None:
        super().__init__()
        self.sample_documents = documents.sample_documents
        self.failures = failures
        self.reads = 0
        self.goes_on = asyncio.Event()

    async def of_partitions(self, partitions: Sequence[int]) -> AsyncIterator[list[Document]]:
        self.reads += 1
        if self.reads <= self.failures:
            raise ConnectionError
        first = True
        async for documents in super().of_partitions(partitions):
            if not first:
                await self.goes_on.wait()
            first = False
            yield documents


async def some_documents() -> MemoryTasks:
    """Return a store with samples that nobody has touched."""
    under_test = WorkUnderTest(await a_work_catalog())
    for number in range(SAMPLES):
        under_test.log.append(a_sample_ingested(external_id=f"s{number}"))
    await under_test.fold()
    return under_test.store


class Taken:
    """A board whose partition has just come, and what loads it."""

    def __init__(self, store: SlowTasks, images: MemoryImages | None = None) -> None:
        self.store = store
        self.board = Board()
        self.books = Bookkeeper(store, self.board, FakeClock())
        self.loader = Loader(store, self.board, self.books, Imager(images or MemoryImages(), self.board, partitions=1))

    def come(self, manifest: Manifest | None = None) -> None:
        self.board.own({PARTITION})
        self.loader.load({PARTITION: manifest})

    def go(self) -> None:
        self.loader.forget({PARTITION})
        self.board.disown({PARTITION})
        self.books.give_up({PARTITION})

    @property
    def known(self) -> int:
        return counts_on(self.board).get(Scope(TENANT, PROJECT, PARTITION), {}).get("samples.open", 0)

    async def until_known(self, count: int) -> None:
        for _ in range(100):
            if self.known >= count:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{self.known} samples are known, not {count}.")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "AGAIN_SECONDS", 0)


async def test_what_is_known_already_is_there_while_the_rest_is_read():
    taken = Taken(SlowTasks(await some_documents()))

    taken.come()
    await taken.until_known(1)

    assert not taken.board.is_whole
    taken.store.goes_on.set()
    await taken.loader.finished()
    assert taken.board.is_whole
    assert taken.known == SAMPLES


async def test_a_partition_that_goes_and_comes_back_while_it_is_read_is_read_from_its_beginning():
    taken = Taken(SlowTasks(await some_documents()))
    taken.come()
    await taken.until_known(1)

    taken.go()
    taken.come()
    taken.store.goes_on.set()
    await taken.loader.finished()

    assert taken.store.reads == 2
    assert taken.known == SAMPLES


async def test_a_partition_that_comes_back_with_an_image_while_it_is_read_is_counted_and_served_once(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(imaging, "PACK_WHILE_READ", 1)
    store, images = await some_documents(), MemoryImages()
    replica = Replica(store, images, await a_work_catalog(), BrokersLog(FakeClock()), FakeClock())
    await replica.start()
    await replica.imager.keep()
    await replica.stop()
    taken = Taken(SlowTasks(store), images)
    taken.come()
    await taken.until_known(1)

    taken.go()
    taken.come(images.of[PARTITION])
    taken.store.goes_on.set()
    await taken.loader.finished()

    assert taken.known == SAMPLES
    seeker = Seeker("ana", TENANT, frozenset({"first_pass"}), None, frozenset())
    picked = [taken.board.pick(seeker) for _ in range(2 * SAMPLES)]
    assert len({(each.document_id, each.slot) for each in picked if isinstance(each, Pick)}) == 2 * SAMPLES


async def test_figures_are_not_written_before_every_sample_is_counted():
    taken = Taken(SlowTasks(await some_documents()))
    taken.come()
    await taken.until_known(1)

    await taken.books.write()
    early = dict(taken.store.documents_of_figures)
    taken.store.goes_on.set()
    await taken.loader.finished()
    await taken.books.write()

    assert not early
    [written] = taken.store.documents_of_figures.values()
    assert ["samples.open", SAMPLES] in written["counts"]


async def test_a_store_that_does_not_answer_is_asked_again():
    taken = Taken(SlowTasks(await some_documents(), failures=2))
    taken.store.goes_on.set()

    taken.come()
    await taken.loader.finished()

    assert taken.known == SAMPLES


async def test_a_partition_that_went_for_good_leaves_nothing_behind():
    taken = Taken(SlowTasks(await some_documents()))
    taken.come()
    await taken.until_known(1)

    taken.go()
    taken.store.goes_on.set()
    await taken.loader.finished()

    assert taken.known == 0
    assert taken.board.is_whole


async def test_a_claim_that_finds_nothing_yet_is_told_to_come_again_soon():
    under_test = WorkUnderTest(await a_work_catalog())
    await under_test.start()
    under_test.replicas[0].board.own({PARTITION + 1})

    answer = await under_test.claim()

    assert (answer.reason, answer.retry_after.total_seconds()) == ("starting", 2)
    await under_test.stop()


async def test_an_event_that_is_folded_before_its_sample_is_read_is_not_undone_by_reading_it():
    store = await some_documents()
    taken = Taken(SlowTasks(store))
    taken.come()
    await taken.until_known(1)
    id_ = f"{TENANT}/{sample_id_of(TENANT, PROJECT, f's{SAMPLES - 1}')}"
    newest = store.kept[id_]

    taken.board.put(newest.sample.model_copy(update={"finalized": 1, "tasks": {}}), newest.revision + 1)
    taken.store.goes_on.set()
    await taken.loader.finished()

    assert taken.known == SAMPLES - 1
