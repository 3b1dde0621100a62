"""The fold on the fake store, under every accident that its properties name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from shared.events import Event
from shared.events.tasks import TaskCreated
from shared.ledger import MANY_BEGUN, REMEMBERED, Body, Ledger, Step
from shared.packing import Document
from tests.builders import a_sample_ingested, an_annotation_submitted
from tests.fakes import FaultyStore, RecordingPublisher, deliver
from tests.ledger_properties import LedgerProperties
from tests.ledger_world import Counted, InMemory, KeptStore, begins, count, key


class Watched(InMemory):
    """Remembers what was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
        self.loaded.extend(ids)
        return await super().load(ids)


class TestLedgerInMemory(LedgerProperties):
    @pytest.fixture
    def new_store(self) -> Callable[[], KeptStore]:
        return InMemory


async def test_a_fold_that_always_loses_gives_up_so_that_the_consumer_can_back_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.ledger.MAX_ROUNDS", 3)
    store, ingested = InMemory(), a_sample_ingested()
    await Ledger(store, RecordingPublisher(), Counted).fold(deliver([ingested]), count, key)

    async def always_first() -> None:
        found = (await store.load([key(ingested)]))[key(ingested)]
        await store.replace([found | {"revision": found["revision"] + 1}])

    ledger = Ledger(FaultyStore(store, between=always_first), RecordingPublisher(), Counted)

    with pytest.raises(RuntimeError, match="in each of 3 rounds"):
        await ledger.fold(deliver([an_annotation_submitted()]), count, key)


@pytest.mark.parametrize(("is_large", "reads"), [(None, 1), (lambda state: state.ingested, 2)])
async def test_a_large_document_is_read_again_and_not_kept_in_memory(
    is_large: Callable[[Counted], bool] | None, reads: int
) -> None:
    store = Watched()
    ledger = Ledger(store, RecordingPublisher(), Counted, is_large=is_large)
    answer = an_annotation_submitted()

    await ledger.fold(deliver([a_sample_ingested()]), count, key)
    await ledger.fold(deliver([answer]), count, key)

    assert store.loaded == [key(answer)] * reads


async def test_an_import_does_not_drive_out_what_is_worked_on() -> None:
    store = Watched()
    ledger = Ledger(store, RecordingPublisher(), Counted)
    answer = an_annotation_submitted()
    await ledger.fold(deliver([a_sample_ingested()]), count, key)
    imported = [a_sample_ingested(sample_id=f"imported-{number}") for number in range(2 * REMEMBERED)]

    for first in range(0, len(imported), MANY_BEGUN):
        batch = deliver(imported[first : first + MANY_BEGUN], start_offset=1 + first)
        await ledger.fold(batch, count, key, begins=begins)
    store.loaded.clear()
    await ledger.fold(deliver([answer]), count, key)

    assert store.loaded == []


async def test_what_an_event_begins_is_not_looked_for() -> None:
    store, publisher = Watched(), RecordingPublisher()

    await Ledger(store, publisher, Counted).fold(deliver([a_sample_ingested()]), count, key, begins=begins)

    assert store.loaded == []
    assert [document["state"]["ingested"] for document in store.documents.values()] == [True]
    assert len(publisher.of(TaskCreated)) == 1


async def test_what_was_there_after_all_is_read_and_nothing_of_it_is_lost() -> None:
    store, publisher = Watched(), RecordingPublisher()
    answer, ingested = an_annotation_submitted(), a_sample_ingested()
    await Ledger(store, publisher, Counted).fold(deliver([answer]), count, key)

    await Ledger(store, publisher, Counted).fold(deliver([ingested]), count, key, begins=begins)

    [document] = store.documents.values()
    assert document["state"] == {"ingested": True, "answers": [answer.event_id]}
    assert document["pending"] == []


async def test_where_most_was_there_the_next_is_looked_for_first() -> None:
    store, publisher = Watched(), RecordingPublisher()
    known = deliver([a_sample_ingested(external_id=name) for name in ("north", "south")])
    await Ledger(store, publisher, Counted).fold(known, count, key)
    written: list[set[str]] = []

    class Counting(FaultyStore):
        async def replace(self, documents: Sequence[Document]) -> set[str]:
            written.append({document["_id"] for document in documents})
            return await super().replace(documents)

    ledger = Ledger(Counting(store), publisher, Counted)
    for delivery in known:
        await ledger.fold([delivery], count, key, begins=begins)

    assert written == [{key(known[0].event)}]


async def test_a_large_value_is_not_written_for_what_is_only_taken_for_new() -> None:
    store = Watched()
    answer = an_annotation_submitted()
    await Ledger(store, RecordingPublisher(), Counted).fold(
        deliver([a_sample_ingested()]), lambda state, event: Step(None, erases=True), key
    )

    def with_body(_state: Counted | None, event: Event) -> Step[Counted]:
        return Step(Counted(), bodies=[Body("answers", event.event_id, {"fields": {}})])

    await Ledger(store, RecordingPublisher(), Counted).fold(deliver([answer]), with_body, key, begins=lambda _: True)

    assert store.bodies == {}
