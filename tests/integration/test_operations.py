"""The operator's tool on real servers."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.local.stack import Stack
from ops import dead_letters, status
from ops.bootstrap import OWNER_KEY_SETTING, BootstrapSettings, bootstrap
from ops.cli import app
from ops.provision import provision
from shared.errors import LeaseLostError
from shared.events.uploads import MediaUploaded
from shared.ids import new_id
from shared.kafka import CLAIM_CHECK_BYTES, Producer
from shared.ledger import Step
from shared.media import Media, upload_object
from shared.mongo import Database, connect
from shared.security import ApiKey
from shared.settings import SharedSettings
from tests.builders import a_sample_ingested, an_annotation_submitted
from tests.conftest import PREFIX
from tests.fakes import RecordingPublisher
from tests.integration.reading import Replica, begin_at_the_end, eventually, records_of
from tests.ledger_world import Counted, count

Run = Callable[..., Result]


@pytest.fixture
async def group(settings: SharedSettings) -> str:
    name = f"test-{new_id()}"
    await begin_at_the_end(settings, name)
    return name


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


@pytest.fixture
def run(servers: Stack, tmp_path: Path) -> Run:
    """The command line, as an operator of the test servers has it."""
    places = {"LABELMESH_ENV_FILE": str(tmp_path / "env"), "COLUMNS": "200", "NO_COLOR": "1"}
    environment = {name: value for name, value in servers.settings().items() if name != OWNER_KEY_SETTING} | places

    def run(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment | settings)

    return run


async def test_a_dead_letter_is_replayed_to_where_it_came_from_and_marked(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    ingested, answer = a_sample_ingested(tenant_id=tenant), an_annotation_submitted(tenant_id=tenant)
    mended = False

    def step(state: Counted | None, event: object) -> Step[Counted]:
        if getattr(event, "event_id", "") == answer.event_id and not mended:
            raise LeaseLostError("a fault that is mended later")
        return count(state, event)  # type: ignore[arg-type]  # the routes give events

    async def mine() -> list[dead_letters.DeadLetter]:
        return [each for each in await dead_letters.read(settings) if each.header("dead_group") == group]

    async def is_dead() -> bool:
        return bool(await mine())

    await producer.publish([ingested, answer])
    async with Replica(settings, database, group, publish=RecordingPublisher(), step=step) as replica:
        await eventually(is_dead)
        [letter] = await mine()
        mended = True
        await dead_letters.replay(settings, [letter])

        async def counts() -> bool:
            return await replica.answers(answer) == (answer.event_id,)

        await eventually(counts)

    [marked] = await mine()
    replayed = [each for each in await records_of(settings, answer.topic) if _id(each) == answer.event_id]
    assert (letter.replays, marked.replays, marked.offset) == (0, 1, letter.offset)
    assert [each.partition for each in replayed] == [replayed[0].partition] * 2
    assert (replayed[1].key, replayed[1].value) == (replayed[0].key, replayed[0].value)
    assert not {name for name, _ in replayed[1].headers} & set(dead_letters.DEATH_HEADERS)


def _id(record: Any) -> str:
    return str(dict(record.headers).get("ce_id", b"").decode())


async def test_copies_of_a_burial_are_one_letter(settings: SharedSettings, producer: Producer, group: str) -> None:
    headers = [("ce_id", b"e-1"), ("dead_group", group.encode()), ("dead_topic", b"t"), ("dead_offset", b"7")]
    for _ in range(3):
        await producer.raw("dead-letters.v1", b"{}", b"key", headers)

    [letter] = [each for each in await dead_letters.read(settings) if each.header("dead_group") == group]

    assert len(letter.also_at) == 2


async def test_a_large_dead_letter_is_kept_whole(settings: SharedSettings, producer: Producer, group: str) -> None:
    large = b'{"note": "%s"}' % (b"x" * 3 * CLAIM_CHECK_BYTES)
    await producer.raw("dead-letters.v1", large, b"key", [("dead_group", group.encode())])

    [letter] = [each for each in await dead_letters.read(settings) if each.header("dead_group") == group]

    assert await dead_letters.body(settings, letter) == large


def test_the_command_line_lists_shows_and_replays(
    settings: SharedSettings, object_store: Media, tenant: str, run: Run
) -> None:
    group = f"test-{new_id()}"
    answer = an_annotation_submitted(tenant_id=tenant, event_id="e-7")
    died = [("dead_topic", b"annotation.submitted.v1"), ("dead_partition", b"3"), ("dead_error", b"lease-lost")]

    async def bury() -> None:
        producer = Producer(settings, "tests", object_store)
        await producer.start()
        headers = [("ce_id", b"e-7"), ("ce_type", b"AnnotationSubmitted"), ("dead_group", group.encode()), *died]
        await producer.raw("dead-letters.v1", answer.model_dump_json().encode(), answer.key.encode(), headers)
        await producer.stop()

    asyncio.run(bury())
    [letter] = [each for each in asyncio.run(dead_letters.read(settings)) if each.header("dead_group") == group]

    listed = run("dead-letters", "list", "--group", group)
    shown = run("dead-letters", "show", str(letter.offset))
    nothing = run("dead-letters", "replay")
    unknown = run("dead-letters", "replay", "999999999")
    replayed = run("dead-letters", "replay", str(letter.offset))
    after = run("dead-letters", "list", "--group", group)
    everything = run("dead-letters", "list", "--group", group, "--all")

    assert listed.exit_code == 0 and "lease-lost" in listed.output
    assert "dead_error: lease-lost" in shown.output and json.loads(shown.output.splitlines()[-1])["event_id"] == "e-7"
    assert (nothing.exit_code, unknown.exit_code, replayed.exit_code) == (2, 1, 0)
    assert "lease-lost" not in after.output
    assert "lease-lost" in everything.output


async def test_provisioning_again_makes_nothing(settings: SharedSettings) -> None:
    assert await provision(settings) == []


async def test_an_upload_is_told_to_the_log(settings: SharedSettings, object_store: Media, tenant: str) -> None:
    place = upload_object(tenant, new_id(), "photo.jpg")
    await object_store.put(place, b"not really a photo", "image/jpeg")

    async def is_told() -> bool:
        told = await records_of(settings, MediaUploaded.topic)
        return any(tenant in (each.key or b"").decode() and b"ObjectCreated" in each.value for each in told)

    await eventually(is_told)


async def test_the_first_key_is_made_once_and_anew_when_it_is_not_good(
    servers: Stack, settings: SharedSettings
) -> None:
    own = settings.model_copy(update={"mongo_prefix": f"test_{new_id().replace('-', '')}"})
    pepper = servers.settings()[f"{PREFIX}API_KEY_PEPPER"]
    asked = BootstrapSettings(**own.model_dump() | {"api_key_pepper": pepper})

    first, is_new = await bootstrap(asked, "default", "owner")
    kept = await bootstrap(_with_key(asked, first), "default", "owner")
    forged = ApiKey(ApiKey.parse(first).id, ApiKey.new().secret)
    others = [await bootstrap(_with_key(asked, str(key)), "default", "owner") for key in (forged, "", "not a key")]

    client, database = connect(own, "gateway")
    document = await database["api_keys"].find_one({"_id": ApiKey.parse(first).id})
    await client.drop_database(database.name)
    await client.close()
    assert is_new
    assert kept == (first, False)
    assert all(new and key != first for key, new in others)
    assert document is not None and document["digest"] == ApiKey.parse(first).digest(pepper)
    assert (document["tenant_id"], document["subject"], document["roles"]) == ("default", "owner", ["owner"])
    assert ApiKey.parse(first).secret not in repr(document)


def _with_key(settings: BootstrapSettings, key: str) -> BootstrapSettings:
    return BootstrapSettings(**settings.model_dump() | {"owner_key": key})


def test_the_command_line_writes_the_key_where_only_its_owner_reads(run: Run, tmp_path: Path) -> None:
    prefix = f"test_{new_id().replace('-', '')}"
    (tmp_path / "env").write_text("LABELMESH_HOST=127.0.0.1\n")

    made = run("bootstrap", LABELMESH_MONGO_PREFIX=prefix)
    [line] = [each for each in (tmp_path / "env").read_text().splitlines() if each.startswith(OWNER_KEY_SETTING)]
    again = run("bootstrap", LABELMESH_MONGO_PREFIX=prefix, LABELMESH_OWNER_KEY=line.partition("=")[2])

    assert (made.exit_code, again.exit_code) == (0, 0), made.output + again.output
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    assert (tmp_path / "env").read_text() == f"LABELMESH_HOST=127.0.0.1\n{line}\n"


async def test_status_tells_what_the_brokers_and_services_know(settings: SharedSettings, producer: Producer) -> None:
    group = f"qa-test-{new_id()}"
    await begin_at_the_end(settings, group)
    answers = [an_annotation_submitted() for _ in range(5)]
    await producer.publish(answers)

    found = await status.look(settings, {"qa": "http://127.0.0.1:9"})

    [behind] = [each for each in found.groups if each.name == group]
    assert (behind.uncommitted, behind.topics) == (5, {"annotation.submitted.v1": 5})
    assert not found.ready
    assert "no answer at http://127.0.0.1:9" in found.services[0].faults["http"]


def test_status_says_so_when_the_log_does_not_answer(run: Run) -> None:
    away = run("status", LABELMESH_KAFKA_BOOTSTRAP="127.0.0.1:9")

    assert away.exit_code == 1
    assert "Kafka does not answer" in away.output
