"""The fold on MongoDB (or its stand-in): the properties that the fake store shows, on the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from shared.ids import new_id
from shared.ledger import Body
from shared.mongo import Database, MongoLedgerStore
from shared.packing import Document
from tests.ledger_properties import LedgerProperties
from tests.ledger_world import KeptStore


class OnServer(MongoLedgerStore):
    """The real store, as a KeptStore."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "samples")
        self._kept_in = database

    async def kept(self) -> tuple[dict[str, Document], dict[str, Document]]:
        return await self._all("samples"), await self._all("answers")

    async def kept_apart(self) -> set[str]:
        return set(await self._all("samples_apart"))

    async def _all(self, collection: str) -> dict[str, Document]:
        return {found["_id"]: found async for found in self._kept_in[collection].find()}


@pytest.fixture
async def new_store(database: Database) -> AsyncIterator[Callable[[], KeptStore]]:
    names: list[str] = []

    def make() -> KeptStore:
        names.append(f"test_{new_id().replace('-', '')}")  # no name begins with another: the stand-in drops by prefix
        return OnServer(database.client[names[-1]])

    yield make
    for name in names:
        await database.client.drop_database(name)


class TestLedgerOnServer(LedgerProperties):
    """Everything that the fake passes."""


async def test_a_bulk_names_exactly_its_losers(database: Database) -> None:
    store = OnServer(database)
    known = [{"_id": f"document-{number}", "revision": 1} for number in range(5)]
    assert await store.replace(known) == set()

    stale, fresh = [known[1], known[3]], [{**known[0], "revision": 2}, {"_id": "new", "revision": 1}]
    gap = {**known[2], "revision": 3}
    lost = await store.replace([stale[0], fresh[0], stale[1], fresh[1], gap])

    assert lost == {"document-1", "document-3", "document-2"}
    documents, _ = await store.kept()
    assert {id_: found["revision"] for id_, found in documents.items()} == {
        **{f"document-{number}": 1 for number in range(1, 5)},
        "document-0": 2,
        "new": 1,
    }


async def test_bodies_that_are_there_already_do_not_keep_the_new_ones_out(database: Database) -> None:
    store = OnServer(database)
    await store.put_bodies([Body("answers", "old", {"fields": {"intent": "refund"}})])

    await store.put_bodies([Body("answers", id_, {"fields": {"intent": "other"}}) for id_ in ("old", "new", "new")])

    _, bodies = await store.kept()
    assert {id_: body["fields"]["intent"] for id_, body in bodies.items()} == {"old": "refund", "new": "other"}


async def test_names_that_a_client_chose_are_kept_as_they_are(database: Database) -> None:
    store = OnServer(database)
    names = {"a.b": 1, "$set": {"$c": [1, 2.5, None]}, "": "ünï", "💡": {"x.y.z": "$$"}}

    await store.replace([{"_id": "document", "revision": 1, "state": names}])

    documents, _ = await store.kept()
    assert documents["document"]["state"] == names


async def test_tombstones_are_told_from_what_is_there_and_what_is_not(database: Database) -> None:
    store = OnServer(database)
    await store.replace(
        [{"_id": "erased", "revision": 1, "erased": True}, {"_id": "kept", "revision": 1, "state": {"erased": True}}]
    )

    assert await store.tombstones(["erased", "kept", "never seen"]) == {"erased"}
    assert await store.tombstones([]) == set()
