"""The stand-in for MongoDB keeps what it acknowledged: through hard kills, while its files are cleaned, and torn ends."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import DeleteOne, MongoClient, ReplaceOne
from pymongo.errors import PyMongoError
from pymongo.synchronous.collection import Collection

from deploy.local.cache import Cache
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.servers import plan_mongo

FILE_BYTES = 128 * 1024
DOCUMENTS = 60

Documents = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StandIn:
    """A stand-in of our own, with small files, that can be killed and started again."""

    home: Path
    port: int

    @property
    def files(self) -> list[Path]:
        """The files of its log, the oldest first."""
        return sorted((self.home / "mongo" / "log").glob("*.log"))

    @contextmanager
    def running(self, end: signal.Signals = signal.SIGKILL) -> Iterator[Collection[dict[str, Any]]]:
        """Run it for the block, and end it by a signal."""
        plan = plan_mongo(self.home, {"LABELMESH_MONGO_PORT": str(self.port)}, Cache(), memory=False)
        plan.prepare()
        java, *rest = plan.command
        command = [java, f"-Dlabelmesh.mongo.file.bytes={FILE_BYTES}", *rest]
        with subprocess.Popen(command, env=plan.environment, stdout=subprocess.DEVNULL) as process:
            try:
                with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{self.port}") as client:
                    client.admin.command("ping")
                    yield client["stories"]["documents"]
            finally:
                process.send_signal(end)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    Cache().install(Progress())
    with socket.create_server(("127.0.0.1", 0)) as free:
        return StandIn(tmp_path, free.getsockname()[1])


def kept(documents: Collection[dict[str, Any]]) -> Documents:
    return {found["_id"]: found for found in documents.find()}


def change_some(documents: Collection[dict[str, Any]], known: Documents, dice: random.Random) -> None:
    """Replace, add and remove documents in one bulk, and note what is acknowledged."""
    changed: Documents = {}
    for id_ in dice.sample(range(DOCUMENTS), 20):
        revision = known.get(f"d{id_}", {}).get("revision", 0) + 1
        changed[f"d{id_}"] = {
            "_id": f"d{id_}",
            "revision": revision,
            "text": "x" * dice.randrange(20_000),
            "kind": id_ % 3,
        }
    gone = {id_ for id_ in changed if dice.random() < 0.2}
    writes = [
        DeleteOne({"_id": id_}) if id_ in gone else ReplaceOne({"_id": id_}, each, upsert=True)
        for id_, each in changed.items()
    ]
    documents.bulk_write(writes, ordered=False)
    known |= changed
    for id_ in gone:
        known.pop(id_, None)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_is_there_after_the_end_and_the_files_stay_small(
    stand_in: StandIn, end: signal.Signals
) -> None:
    dice, known = random.Random(end), {}
    for life in range(2):
        with stand_in.running(end) as documents:
            documents.create_index([("kind", 1)], name="kind")
            assert kept(documents) == known, life
            for _ in range(15):
                change_some(documents, known, dice)
            assert kept(documents) == known
            assert {each["_id"] for each in documents.find({"kind": 1})} == {
                id_ for id_, each in known.items() if each["kind"] == 1
            }
            wait_until(lambda: size_of(stand_in) < 2 * size_of_all(known) + 7 * FILE_BYTES)

    assert stand_in.files[0].name != "00000000.log"  # the oldest files were cleaned away


def test_a_kill_in_the_middle_of_writing_takes_nothing_that_was_acknowledged(stand_in: StandIn) -> None:
    acknowledged: dict[str, int] = {}

    def write(documents: Collection[dict[str, Any]]) -> None:
        revision = 0
        try:
            while True:
                revision += 1
                for id_ in ("a", "b", "c"):
                    each = {"_id": id_, "revision": revision, "text": "y" * 3000}
                    documents.replace_one({"_id": id_}, each, upsert=True)
                    acknowledged[id_] = revision
        except PyMongoError:
            return

    with stand_in.running() as documents:
        writer = threading.Thread(target=write, args=[documents], daemon=True)
        writer.start()
        wait_until(lambda: acknowledged.get("c", 0) > 100)
    writer.join(60)

    with stand_in.running() as documents:
        found = kept(documents)
    assert {id_: each["revision"] >= acknowledged[id_] for id_, each in found.items()} == dict.fromkeys("abc", True)


def test_a_torn_end_is_cut_off_and_written_over(stand_in: StandIn) -> None:
    with stand_in.running() as documents:
        documents.insert_many([{"_id": "whole"}, {"_id": "torn", "text": "z" * 100}])
    last = stand_in.files[-1]
    os.truncate(last, last.stat().st_size - 10)

    with stand_in.running() as documents:
        assert kept(documents) == {"whole": {"_id": "whole"}}
        documents.insert_one({"_id": "next"})

    with stand_in.running() as documents:
        assert kept(documents).keys() == {"whole", "next"}


def test_what_was_dropped_stays_away(stand_in: StandIn) -> None:
    with stand_in.running() as documents:
        documents.insert_one({"_id": "old"})
        documents.drop()
        documents.insert_one({"_id": "new"})
        documents.database["other"].insert_one({"_id": 1})
        documents.database.client["gone"]["documents"].insert_one({"_id": "old"})
        documents.database.client.drop_database("gone")

    with stand_in.running() as documents:
        assert kept(documents).keys() == {"new"}
        assert documents.database["other"].find_one({"_id": 1.0}) == {"_id": 1}
        assert documents.database.client["gone"].list_collection_names() == []


def test_data_of_the_stand_in_before_are_refused_with_what_to_do(tmp_path: Path) -> None:
    former = tmp_path / "mongo" / "documents.mv"
    former.parent.mkdir()
    former.write_bytes(b"H:2")
    plan = plan_mongo(tmp_path, {"LABELMESH_MONGO_PORT": "1"}, Cache(), memory=False)

    with pytest.raises(LocalStackError, match="make clean"):
        plan.prepare()


def size_of(stand_in: StandIn) -> int:
    return sum(path.stat().st_size for path in stand_in.files if path.exists())


def size_of_all(documents: Mapping[str, Any]) -> int:
    return sum(len(each["text"]) + 100 for each in documents.values())


def wait_until(reached: Any) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
