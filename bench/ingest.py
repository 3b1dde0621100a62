"""Samples from the import's first byte to open tasks, probing against the bare library, and memory meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.client import run_in_processes
from bench.importing import ImportLoad, stream
from bench.processes import Memory, Processes, children_cpu_ms, cpu_per_cycle
from bench.project import TENANT, BenchSettings, Project, fresh_project, open_tasks
from bench.reference import kafka_ceiling, library_images_per_cpu_s, library_lines_per_s, mongo_ceiling
from bench.report import Figures, size_name
from bench.volume import SENTENCE, Volume, measure_volume
from services.ingest.probing import ProbePool
from shared.clock import utc_now
from shared.events import encode
from shared.events.samples import AssetSource, SampleSubmitted
from shared.events.tasks import TaskCreated
from shared.ids import new_id, sample_id_of
from shared.settings import SharedSettings

SPEC: Final[dict[str, Any]] = {
    "title": "Benchmark of ingest",
    "objective": {"goal": "Measure imports.", "output": "predictive", "modalities": ["text"]},
    "languages": ["en"],
    "assets": {"text": {"modality": "text", "required": True}},
    "fields": {
        "sentiment": {"kind": "choice", "asset": "text", "required": True, "options": ["good", "bad"]},
    },
}
IMAGES: Final = Path(__file__).resolve().parent.parent / "examples" / "media" / "images"
CHUNK_LINES: Final = 500
LOOK_SECONDS: Final = 0.2
PATIENCE_SECONDS: Final = 60.0
SLOWEST_PER_SECOND: Final = 100
PROBE_ROUNDS: Final = 5
PROBES_OF_EACH: Final = 40


class Sent(NamedTuple):
    """When the body began, in ms since 1970, and how many seconds later it was accepted."""

    started_ms: float
    seconds: float


async def measure(settings: BenchSettings, samples: int, volume: Volume) -> tuple[Figures, Figures]:
    """Import texts into a fresh project, and probe the demo's images.

    Args:
        settings: Where the stack is.
        samples: How many texts.
        volume: How much of long texts besides.

    Returns:
        The figures, and the ceiling of the servers and of the bare libraries.
    """
    async with fresh_project(settings, "ingest", SPEC) as project:
        figures = await _import(settings, project, samples)
        record = _submitted_record(project)
        if volume.megabytes:
            figures |= await measure_volume(settings, project, volume)
    probed, library = await _probing(_images())
    lines = [_line(number) for number in range(1000)]
    return figures | probed, {
        **library,
        "library_lines_per_s": library_lines_per_s(lines),
        **await kafka_ceiling(settings, record),
        **await mongo_ceiling(settings, {"state": {"text": record.decode()}}),
    }


async def send(load: ImportLoad) -> Sent:
    """Send the import as one streamed body."""

    async def body() -> AsyncIterator[bytes]:
        for first in range(0, load.lines, CHUNK_LINES):
            yield b"".join(_line(number) for number in range(first, min(first + CHUNK_LINES, load.lines)))

    started_ms = time.time() * 1000
    return Sent(started_ms, (await stream(load, body())).seconds)


async def _import(settings: BenchSettings, project: Project, samples: int) -> dict[str, float]:
    processes = Processes.of_stack()
    memory = Memory(processes, ("gateway", "ingest"))
    load = ImportLoad.of(settings, project, samples)
    begin = await _ends_of_created(settings)
    cpu_before = processes.cpu_ms()
    watching = asyncio.create_task(memory.watch(LOOK_SECONDS))
    [sent] = await asyncio.to_thread(run_in_processes, send, [load])
    patience = PATIENCE_SECONDS + samples / SLOWEST_PER_SECOND
    await project.until(lambda progress: open_tasks(progress) >= samples, patience, f"{samples} open tasks")
    watching.cancel()
    cpu = cpu_per_cycle(cpu_before, processes.cpu_ms(), samples)
    ready_ms = await _created_ms(settings, project.id, begin)
    return {
        "text_samples_per_s": samples / (ready_ms[-1] - sent.started_ms) * 1000,
        "accepted_lines_per_s": samples / sent.seconds,
        "first_task_after_ms": ready_ms[0] - sent.started_ms,
        **_last_to_first(ready_ms),
        **{f"{name}_rss_mb": peak for name, peak in memory.peaks().items()},
        **{name.replace("per_cycle", "per_sample"): ms for name, ms in cpu.items()},
    }


def _last_to_first(ready_ms: Sequence[int]) -> dict[str, float]:
    """Return the rate of the last tasks over that of the first as many: 1.0 when the cost of a row stays the same.

    The first and the last hundred thousand where there are so many, else the first and the last quarter.
    """
    part = 100_000 if len(ready_ms) >= 200_000 else len(ready_ms) // 4
    first = ready_ms[part - 1] - ready_ms[0]
    last = ready_ms[-1] - ready_ms[-part]
    return {f"last_to_first_{size_name(part)}": first / last} if part and first and last else {}


async def _ends_of_created(settings: SharedSettings) -> dict[TopicPartition, int]:
    """Return where each partition of ``task.created`` ends now."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap.split(",")) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(_created_partitions(settings))
    return ends


async def _created_ms(settings: SharedSettings, project_id: str, begin: Mapping[TopicPartition, int]) -> list[int]:
    """Return when each task of the project was announced, in ms since 1970 and in order.

    Read from the log after the run, by the records' own timestamps, so that looking costs the run nothing.
    """
    found: list[int] = []
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap.split(",")) as consumer:
        partitions = _created_partitions(settings)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begin[partition])
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [each.timestamp for each in records if orjson.loads(each.value)["project_id"] == project_id]
    return sorted(found)


def _created_partitions(settings: SharedSettings) -> list[TopicPartition]:
    return [TopicPartition(TaskCreated.topic, number) for number in range(settings.partitions)]


async def _probing(images: Sequence[Path]) -> tuple[dict[str, float], dict[str, float]]:
    """Compare how many images a probe worker looks at, previews included, with how many Pillow alone decodes.

    Both in a second of CPU time, in rounds that take turns, so that what else the machine does meets both alike. A
    worker's time is read while it lives: what it needs to start is not in it.

    Returns:
        Figures of the median round, and those of the bare library.
    """
    rounds: list[_ProbeRound] = []
    async with ProbePool(workers=1) as pool:

        async def probe_all() -> None:
            for image in images:
                await pool.probe(image, "image", image.name, None)

        await probe_all()
        while len(rounds) < PROBE_ROUNDS:
            library = library_images_per_cpu_s(images)
            ours, beside = time.process_time(), children_cpu_ms()
            for _ in range(PROBES_OF_EACH):
                await probe_all()
            ours, worker = time.process_time() - ours, (children_cpu_ms() - beside) / 1000
            done = PROBES_OF_EACH * len(images)
            rounds.append(_ProbeRound(done / worker, done / (worker + ours), library))
    return {
        "probe_images_per_cpu_s": median(each.worker for each in rounds),
        "probe_ratio_to_library": median(each.worker / each.library for each in rounds),
        "probe_ratio_with_service": median(each.both / each.library for each in rounds),
    }, {"library_images_per_cpu_s": median(each.library for each in rounds)}


class _ProbeRound(NamedTuple):
    """Images in a second of CPU time: of the worker, of worker and service, and of the bare library."""

    worker: float
    both: float
    library: float


def _images() -> list[Path]:
    return sorted(path for path in IMAGES.rglob("*") if path.suffix in {".jpg", ".png"})


def _line(number: int) -> bytes:
    line = {
        "external_id": f"text-{number}",
        "assets": {"text": {"text": _text(number)}},
        "metadata": {"source": "bench", "number": number},
        "language": "en",
    }
    return orjson.dumps(line) + b"\n"


def _text(number: int) -> str:
    return f"Review {number}. {SENTENCE * (1 + number % 3)}"


def _submitted_record(project: Project) -> bytes:
    """Return the body of the record that the gateway writes for one line."""
    event = SampleSubmitted(
        event_id=new_id(),
        tenant_id=TENANT,
        occurred_at=utc_now(),
        request_id=new_id(),
        sample_id=sample_id_of(TENANT, project.id, "text-1"),
        project_id=project.id,
        project_version=project.version,
        external_id="text-1",
        assets={"text": AssetSource(text=_text(1))},
        metadata={"source": "bench", "number": 1},
        language="en",
        job_id=f"ingest-{new_id()}",
        line=1,
    )
    return encode(event, "gateway")[0]
