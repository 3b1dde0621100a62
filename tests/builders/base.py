"""What builders share: names, specs and facts, and the usual values of an event."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.events import Event
from shared.ids import new_id, sample_id_of, task_id_of
from shared.labels.facts import AssetFacts
from shared.labels.project import ProjectSpec, check_spec

TENANT = "acme"
PROJECT = "support"
MORNING = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
CHAT = "I want my money back. It arrived broken in Berlin."

E = TypeVar("E", bound=Event)


def a_project_spec(**changes: Any) -> dict[str, Any]:
    """Return a small project as JSON: one text, one choice, one set of spans; three annotators agree by 0.6."""
    spec: dict[str, Any] = {
        "title": "Support conversations",
        "objective": {"goal": "Route what customers write.", "output": "predictive", "modalities": ["text"]},
        "languages": ["en", "de"],
        "assets": {"chat": {"modality": "text", "max_chars": 20_000}},
        "fields": {
            "intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["refund", "delivery", "other"]},
            "entities": {"kind": "spans", "asset": "chat", "labels": ["city", "date"]},
        },
        "quality": {"overlap": 3, "max_overlap": 5, "quorum": 0.6},
    }
    return spec | changes


def a_parsed_spec(**changes: Any) -> ProjectSpec:
    """Return ``a_project_spec`` as its model; fails when it has faults."""
    checked = check_spec(a_project_spec(**changes))
    assert checked.spec is not None, checked.faults
    return checked.spec


def text_facts(text: str = CHAT, **changes: Any) -> AssetFacts:
    """Return the facts of a text that came inside its sample."""
    size = len(text.encode())
    known = {"modality": "text", "media_type": "text/plain", "text": text, "text_length": len(text), "size": size}
    return AssetFacts(**(known | changes))


def image_facts(**changes: Any) -> AssetFacts:
    """Return the facts of an uploaded photograph, 640 by 480."""
    place = f"media/{TENANT}/uploads/upload-1/photo.jpg"
    known = {"modality": "image", "media_type": "image/jpeg", "width": 640, "height": 480, "size": 30_000}
    return AssetFacts(**(known | {"object": place, "sha256": "ab" * 32} | changes))


def audio_facts(**changes: Any) -> AssetFacts:
    """Return the facts of an uploaded recording of eight seconds."""
    place = f"media/{TENANT}/uploads/upload-2/voice.wav"
    known = {"modality": "audio", "media_type": "audio/wav", "duration": 8.0, "sample_rate": 16_000, "channels": 1}
    return AssetFacts(**(known | {"object": place, "sha256": "cd" * 32, "size": 256_000} | changes))


def an_event(kind: type[E], changes: dict[str, Any], **special: Any) -> E:
    """Return an event of a kind: what the caller changes, then what its builder gives, then the usual."""
    fields = kind.model_fields
    unknown = changes.keys() - fields.keys() - {"external_id"}
    assert not unknown, f"{kind.name()} has no {', '.join(sorted(unknown))}"
    known = special | changes
    tenant, project = known.get("tenant_id", TENANT), known.get("project_id", PROJECT)
    sample = known.get("sample_id") or sample_id_of(tenant, project, known.get("external_id", "sample-1"))
    stage = known.get("stage", "first_pass")
    usual = {
        "event_id": new_id(),
        "tenant_id": tenant,
        "occurred_at": MORNING,
        "project_id": project,
        "project_version": 1,
        "external_id": "sample-1",
        "sample_id": sample,
        "stage": stage,
        "task_id": known.get("task_id") or task_id_of(sample, stage, 1),
        "annotator_id": "ana",
        "job_id": "job-1",
    }
    wanted = {name: value for name, value in usual.items() if name in fields and fields[name].is_required()}
    return kind(**(wanted | known))
