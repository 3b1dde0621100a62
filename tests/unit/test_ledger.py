"""The fold on the fake store, under every accident that its properties name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from shared.ledger import Ledger
from shared.packing import Document
from tests.builders import a_sample_ingested, an_annotation_submitted
from tests.fakes import FaultyStore, RecordingPublisher, deliver
from tests.ledger_properties import LedgerProperties
from tests.ledger_world import Counted, InMemory, KeptStore, count, key


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
    loaded: list[str] = []

    class Watched(InMemory):
        async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
            loaded.extend(ids)
            return await super().load(ids)

    ledger = Ledger(Watched(), RecordingPublisher(), Counted, is_large=is_large)
    answer = an_annotation_submitted()

    await ledger.fold(deliver([a_sample_ingested()]), count, key)
    await ledger.fold(deliver([answer]), count, key)

    assert loaded == [key(answer)] * reads
