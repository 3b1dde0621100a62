"""Tasks to claim, and answers to give: three boxes and a choice about a photograph."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import orjson

from bench.client import BenchError
from bench.project import TENANT, BenchSettings, Project, open_tasks
from shared.clock import utc_now
from shared.events import encode
from shared.events.samples import SampleIngested
from shared.events.tasks import AnnotationSubmitted
from shared.ids import derived_id, new_id, sample_id_of, task_id_of
from shared.kafka import Producer
from shared.labels.facts import AssetFacts
from shared.media import MEDIA_BUCKET

OVERLAP: Final = 3
WIDTH, HEIGHT = 1280, 960
SCENES: Final = ("street", "park", "room")
SPEC: Final[dict[str, Any]] = {
    "title": "Benchmark of claims",
    "objective": {"goal": "Measure claims and submits.", "output": "predictive", "modalities": ["image"]},
    "languages": ["en"],
    "assets": {"photo": {"modality": "image", "required": True}},
    "fields": {
        "objects": {
            "kind": "regions",
            "asset": "photo",
            "required": True,
            "shapes": ["box"],
            "labels": ["person", "car", "dog"],
        },
        "scene": {"kind": "choice", "asset": "photo", "required": True, "options": list(SCENES)},
    },
    # No further annotators where they differ: then more than OVERLAP answers of a task are always an error.
    "quality": {"overlap": OVERLAP, "max_overlap": OVERLAP, "quorum": 0.6},
}
_BATCH: Final = 1000
_SEED_SECONDS_PER_TASK: Final = 0.01
_SEED_SECONDS: Final = 60.0


async def seed_tasks(settings: BenchSettings, project: Project, count: int) -> None:
    """Put samples into the log as ingest would, and wait until each has its task.

    Nobody looks at the photographs, so there are none: only the facts that claims carry and answers are checked
    against. What a claim costs is the same, its signed link included.

    Raises:
        BenchError: Task assignment did not open them all in time.
    """
    producer = Producer(settings, "bench")
    await producer.start()
    try:
        for first in range(0, count, _BATCH):
            await producer.publish([_sample(project, number) for number in range(first, min(first + _BATCH, count))])
    finally:
        await producer.stop()
    seconds = _SEED_SECONDS + count * _SEED_SECONDS_PER_TASK
    await project.until(lambda progress: open_tasks(progress) == count, seconds, f"{count} open tasks")


def answers(seed: str) -> Iterator[bytes]:
    """Yield the answers of one annotator without end: mostly the same boxes, a few pixels off, and mostly "street"."""
    chance = random.Random(seed)
    while True:
        yield orjson.dumps({"fields": _fields(chance), "confidence": 0.9, "seconds_spent": 12.5})


def submission_record(project: Project) -> bytes:
    """Return the body of the record that the gateway writes for one answer."""
    sample_id = sample_id_of(TENANT, project.id, "sample-0")
    event = AnnotationSubmitted(
        event_id=new_id(),
        tenant_id=TENANT,
        occurred_at=utc_now(),
        request_id=new_id(),
        sample_id=sample_id,
        project_id=project.id,
        project_version=project.version,
        task_id=task_id_of(sample_id, "first_pass", 1),
        stage="first_pass",
        annotator_id=f"{project.id}-1",
        lease_id=new_id(),
        lease_expires_ms=0,
        seconds_spent=12.5,
        annotation_id=new_id(),
        fields=_fields(random.Random(0)),
        confidence=0.9,
    )
    return encode(event, "gateway")[0]


def claim_body(project_id: str, count: int = 1) -> bytes:
    """Return what an annotator asks for."""
    return orjson.dumps({"project": project_id, "count": count})


def claimed(body: bytes) -> list[tuple[str, str]]:
    """Return the task ids and lease tokens of an answer to a claim.

    Raises:
        BenchError: It is no such answer.
    """
    try:
        return [(each["task"], each["lease"]["token"]) for each in orjson.loads(body)["tasks"]]
    except (orjson.JSONDecodeError, KeyError) as error:
        raise BenchError(f"The answer to a claim has another shape: {body[:300].decode()}") from error


def _sample(project: Project, number: int) -> SampleIngested:
    external_id = f"sample-{number}"
    photo = AssetFacts(
        modality="image",
        media_type="image/jpeg",
        size=250_000,
        sha256="0" * 64,
        object=f"{MEDIA_BUCKET}/{TENANT}/bench/{project.id}/{number}.jpg",
        width=WIDTH,
        height=HEIGHT,
    )
    return SampleIngested(
        event_id=derived_id("bench", project.id, external_id),
        tenant_id=TENANT,
        occurred_at=utc_now(),
        sample_id=sample_id_of(TENANT, project.id, external_id),
        project_id=project.id,
        project_version=project.version,
        external_id=external_id,
        assets={"photo": photo},
        metadata={"source": "bench"},
        language="en",
    )


def _fields(chance: random.Random) -> dict[str, Any]:
    boxes = [
        {
            "id": f"b{number}",
            "shape": "box",
            "label": label,
            "x": 100.0 + 300 * number + chance.uniform(-3, 3),
            "y": 200.0 + chance.uniform(-3, 3),
            "width": 180.0 + chance.uniform(-3, 3),
            "height": 240.0 + chance.uniform(-3, 3),
        }
        for number, label in enumerate(("person", "car", "dog"))
    ]
    return {"objects": boxes, "scene": chance.choices(SCENES, weights=(18, 1, 1))[0]}
