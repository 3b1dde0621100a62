"""MongoDB: the client as we use it, and the fold's store on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.errors import InvalidDocument
from pymongo import AsyncMongoClient, InsertOne, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    NetworkTimeout,
    PyMongoError,
    WTimeoutError,
)

from shared.errors import LabelmeshError
from shared.ledger import Body
from shared.packing import Document
from shared.settings import SharedSettings

Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]

DUPLICATE_KEY = 11000
TRANSIENT = (AutoReconnect, ConnectionFailure, NetworkTimeout, WTimeoutError)
"""Faults of the connection: the same call may go through later."""


UNSTORABLE = (InvalidDocument, DocumentTooLarge, OverflowError)


class UnstorableError(LabelmeshError):
    """A document is too large, or holds what BSON has no place for."""

    status, title = 422, "It cannot be stored"


def connect(settings: SharedSettings, service: str) -> tuple[AsyncMongoClient[Document], Database]:
    """Return a client and the database of ``service``; it connects at the first call."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        settings.mongo_url.get_secret_value(),
        uuidRepresentation="standard",
        tz_aware=True,
        serverSelectionTimeoutMS=3000,
        connectTimeoutMS=3000,
        socketTimeoutMS=20000,
        appname=f"labelmesh-{service}",
    )
    return client, client[f"{settings.mongo_prefix}_{service}"]


class MongoLedgerStore:
    """The fold's documents in one collection, its large values in others of the same database."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents: Collection = database[collection]
        self._apart: Collection = database[f"{collection}_apart"]

    async def load(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents found, by ``_id``."""
        if not ids:
            return {}
        return {found["_id"]: found async for found in self._documents.find({"_id": {"$in": list(ids)}})}

    async def tombstones(self, ids: Sequence[str]) -> set[str]:
        """Return which of these documents are of erased aggregates; nothing is sent of the others."""
        if not ids:
            return set()
        found = self._documents.find({"_id": {"$in": list(ids)}, "erased": True}, {"_id": 1})
        return {each["_id"] async for each in found}

    async def put_bodies(self, bodies: Sequence[Body]) -> None:
        """Write large values that are not there yet; a body that is there already is the same one."""
        by_collection: dict[str, dict[str, Document]] = {}
        for body in bodies:
            by_collection.setdefault(body.collection, {})[body.id] = {"_id": body.id, **body.content}
        for name, found in by_collection.items():
            await _insert_missing(self._database[name], list(found.values()))

    async def put_apart(self, texts: Mapping[str, str]) -> None:
        """Write large events that are not there yet; an id holds its body's hash."""
        await _insert_missing(self._apart, [{"_id": id_, "body": text} for id_, text in texts.items()])

    async def get_apart(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the large events that are there, by id."""
        return {found["_id"]: found["body"] async for found in self._apart.find({"_id": {"$in": list(ids)}})}

    async def drop_apart(self, ids: Sequence[str]) -> None:
        """Remove large events; it is no error when they are not there."""
        await self._apart.delete_many({"_id": {"$in": list(ids)}})

    async def replace(self, documents: Sequence[Document]) -> set[str]:
        """Write each document under its guard and return the ids of those whose guard failed."""
        return await write_guarded(self._documents, documents)


async def _insert_missing(collection: Collection, documents: Sequence[Document]) -> None:
    try:
        await collection.bulk_write([InsertOne(each) for each in documents], ordered=False)
    except BulkWriteError as error:
        _lost_guards(error)
    except UNSTORABLE as error:
        raise UnstorableError(f"What the event brought cannot be stored: {error}") from error


async def write_guarded(collection: Collection, documents: Sequence[Document]) -> set[str]:
    """Write each document whose stored revision is one below its own (absent counts as 0).

    The guarded upsert makes a lost guard a duplicate key at the write's own index, so that the losers are known. What is
    new is inserted, which says the same and costs server and driver less.

    Returns:
        The ids of the documents whose guard failed; they were not written.

    Raises:
        UnstorableError: One of the documents is more than the database takes; which of the others were written is
            unknown.
    """
    writes: list[InsertOne[Document] | ReplaceOne[Document]] = [
        InsertOne(each)
        if each["revision"] == 1
        else ReplaceOne({"_id": each["_id"], "revision": each["revision"] - 1}, each, upsert=True)
        for each in documents
    ]
    try:
        if writes:
            await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        return {documents[index]["_id"] for index in _lost_guards(error)}
    except UNSTORABLE as error:
        raise UnstorableError(f"What follows from the event cannot be stored: {error}") from error
    return set()


def _lost_guards(error: BulkWriteError) -> list[int]:
    """Return the indexes of duplicate keys; any other write error is raised."""
    details: dict[str, Any] = dict(error.details or {})
    errors = details.get("writeErrors", [])
    if any(each["code"] != DUPLICATE_KEY for each in errors) or details.get("writeConcernErrors"):
        raise error
    return [each["index"] for each in errors]


def is_transient(error: BaseException) -> bool:
    """Return whether the database may answer the same call later."""
    return isinstance(error, TRANSIENT) or (
        isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")
    )
