"""Files are probed in processes that may hang or die without harm to the others."""

import asyncio
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from services.ingest.domain.probe import probe
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.probing import ProbePool
from shared.errors import UnavailableError
from shared.labels.facts import AssetFacts
from tests.unit.ingest.media_builders import MEDIA, a_document, a_log

NOWHERE = Path("/nowhere")


def a_pool(
    *, workers: int = 1, seconds: float = 20, files_per_worker: int = 100, idle_seconds: float = 60
) -> ProbePool:
    return ProbePool(
        workers=workers,
        time_limit=timedelta(seconds=seconds),
        files_per_worker=files_per_worker,
        idle_limit=timedelta(seconds=idle_seconds),
        probe="tests.unit.ingest.hostile_probes:misbehave",
    )


async def behaviour(pool: ProbePool, what: str, path: Path = NOWHERE) -> AssetFacts:
    return (await pool.probe(path, "text", what, None)).facts


async def code_of(pool: ProbePool, what: str) -> str:
    with pytest.raises(MediaRejectedError) as caught:
        await behaviour(pool, what)
    assert caught.value.detail.endswith(".")
    return caught.value.code


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_facts_come_back_whole() -> None:
    path = MEDIA / "video" / "friday.mp4"

    async with ProbePool(workers=1) as pool:
        found = await pool.probe(path, "video", path.name, "video/mp4")

    facts = found.facts
    assert {preview.name for preview in found.previews} == {"frames", "poster", "strip"}
    assert all(preview.content for preview in found.previews)
    assert (facts.frames, facts.width, facts.size) == (185, 640, path.stat().st_size)


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        ("image", "images/cat_720p.jpg"),
        ("audio", "audio/robin.ogg"),
        ("video", "video/asl_yes.mkv"),
        ("text", "images/eurotext.txt"),
        ("sensor", "sensor/machine_temperature.csv"),
    ],
)
async def test_a_worker_finds_what_would_be_found_here(modality: str, name: str) -> None:
    """It may write no file and has little memory; its libraries must do with that."""
    path = MEDIA / name

    async with ProbePool(workers=1) as pool:
        found = await pool.probe(path, modality, path.name, None)

    here = probe(path, modality, path.name, None)
    assert (found.facts, list(found.previews)) == (here.facts, list(here.previews))


async def test_a_worker_looks_at_documents_and_robots_logs(tmp_path: Path) -> None:
    (tmp_path / "contract.pdf").write_bytes(a_document((60, 80), (80, 60)))
    (tmp_path / "drive.mcap").write_bytes(a_log({"/imu": [1, 2, 3]}))

    async with ProbePool(workers=1) as pool:
        document = await pool.probe(tmp_path / "contract.pdf", "document", "contract.pdf", None)
        log = await pool.probe(tmp_path / "drive.mcap", "sensor", "drive.mcap", None)

    assert [preview.name for preview in document.previews] == ["page-1", "page-2"]
    assert log.facts.rows == 3


async def test_a_refusal_keeps_its_code_and_sentence() -> None:
    async with ProbePool(workers=1) as pool:
        with pytest.raises(MediaRejectedError, match=r"rename it to \.png") as caught:
            await pool.probe(MEDIA / "images" / "coffee.png", "image", "coffee.wav", None)

    assert caught.value.code == "wrong-extension"


@pytest.mark.parametrize("what", ["hang", "spin"])
async def test_a_file_that_takes_too_long_is_refused_and_its_worker_ended(what: str) -> None:
    async with a_pool(seconds=0.3) as pool:
        pid = (await behaviour(pool, "work")).size
        began = time.monotonic()
        code = await code_of(pool, what)
        next_pid = (await behaviour(pool, "work")).size

    assert code == "probe-timeout"
    assert time.monotonic() - began < 5
    assert pid is not None
    assert pid != next_pid
    assert not is_running(pid)


@pytest.mark.parametrize("what", ["segfault", "die"])
async def test_a_file_that_crashes_its_worker_is_refused_and_others_go_on(what: str) -> None:
    async with a_pool(workers=2) as pool:
        good = [asyncio.create_task(behaviour(pool, "work")) for _ in range(5)]
        code = await code_of(pool, what)
        await asyncio.gather(*good)
        await behaviour(pool, "work")

    assert code == "probe-crashed"


async def test_a_worker_killed_from_outside_costs_an_innocent_file_nothing(tmp_path: Path) -> None:
    async with a_pool() as pool:
        facts = await behaviour(pool, "be-killed-once", tmp_path / "mark")

    assert facts.modality == "text"


async def test_an_idle_worker_that_was_killed_is_replaced() -> None:
    async with a_pool() as pool:
        pid = (await behaviour(pool, "work")).size
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        next_pid = (await behaviour(pool, "work")).size

    assert next_pid != pid


async def test_a_file_that_needs_too_much_memory_is_refused() -> None:
    async with a_pool() as pool:
        code = await code_of(pool, "eat-memory")
        await behaviour(pool, "work")

    assert code == "probe-out-of-memory"


async def test_a_mistake_of_ours_refuses_the_one_file_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with a_pool() as pool:
        code = await code_of(pool, "make-a-mistake")

    assert code == "probe-failed"
    assert "a mistake of ours" in caplog.records[-1].__dict__["trace"]


async def test_a_file_that_is_not_there_says_nothing_about_the_file() -> None:
    async with a_pool() as pool:
        with pytest.raises(UnavailableError, match="No such file"):
            await behaviour(pool, "read")


async def test_a_worker_writes_no_files_and_keeps_its_answers_clean(tmp_path: Path) -> None:
    async with a_pool() as pool:
        await behaviour(pool, "chatter")
        with pytest.raises((MediaRejectedError, UnavailableError)):
            await behaviour(pool, "write", tmp_path / "file")

    assert not list(tmp_path.glob("file")) or (tmp_path / "file").stat().st_size == 0


async def test_a_worker_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELMESH_INGEST_MONGO_URL", "mongodb://ingest:secret@db")

    async with a_pool() as pool:
        facts = await behaviour(pool, "work")

    assert "LABELMESH" not in (facts.text or "")


async def test_workers_are_kept_until_they_have_read_their_share() -> None:
    async with a_pool(files_per_worker=3) as pool:
        pids = [(await behaviour(pool, "work")).size for _ in range(6)]

    assert pids[0] == pids[1] == pids[2] != pids[3] == pids[4] == pids[5]


async def test_a_worker_that_nobody_needs_is_ended_and_another_started_when_one_is() -> None:
    async with a_pool(idle_seconds=0.2) as pool:
        pid = (await behaviour(pool, "work")).size
        assert pid is not None
        for _ in range(400):
            await asyncio.sleep(0.05)
            if not is_running(pid):
                break
        next_pid = (await behaviour(pool, "work")).size

    assert next_pid != pid


async def test_closing_ends_what_runs_and_blames_no_file() -> None:
    pool = a_pool()
    pid = (await behaviour(pool, "work")).size
    probes = [asyncio.create_task(behaviour(pool, "hang")) for _ in range(3)]
    await asyncio.sleep(0.1)

    await pool.close()
    await pool.close()
    outcomes = await asyncio.gather(*probes, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 3
    assert pid is not None
    assert not is_running(pid)


async def test_a_cancelled_probe_ends_its_worker() -> None:
    async with a_pool() as pool:
        pid = (await behaviour(pool, "work")).size
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(behaviour(pool, "hang"), 0.2)
        await behaviour(pool, "work")

    assert pid is not None
    assert not is_running(pid)


async def test_a_worker_that_cannot_start_says_nothing_about_the_file() -> None:
    async with ProbePool(workers=1, probe="tests.unit.ingest.hostile_probes:nothing") as pool:
        with pytest.raises(UnavailableError):
            await behaviour(pool, "work")
