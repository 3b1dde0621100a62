"""Builds the demo's samples from the real pieces in ``samples.jsonl`` and the truths known of them.

Everything here is deterministic: the same files give the same samples, in the same order.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from examples.model import Bounds, DemoAsset, DemoSample, Fields
from examples.sources import (
    EXAMPLES,
    Item,
    Piece,
    anomaly_segments,
    bounds_of,
    dialogue_text,
    key_point_tracks,
    media_of,
    pieces,
    rttm_turns,
    voc_boxes,
)

PROJECTS = ("support", "blood-cells", "meeting", "tracking", "sensor", "preferences")

COMPOSED_NOTE = "Composed for the demo: these pieces come from different sources and never belonged together."


def load_project(name: str) -> dict[str, Any]:
    """The project's spec as its YAML file states it.

    Raises:
        FileNotFoundError: There is no such project under ``examples/projects``.
    """
    spec: dict[str, Any] = yaml.safe_load((EXAMPLES / "projects" / name / "project.yaml").read_text(encoding="utf-8"))
    return spec


@cache
def authored_truth() -> Mapping[str, Any]:
    """What was written for the demo because the sources do not say it; see the file's own heading."""
    truth: dict[str, Any] = yaml.safe_load((EXAMPLES / "authored_truth.yaml").read_text(encoding="utf-8"))
    return truth


def demo_samples() -> list[DemoSample]:
    """All valid samples of all projects, in the order of PROJECTS."""
    return [
        *_support_samples(),
        *_blood_cell_samples(),
        _meeting_sample(),
        _tracking_sample(),
        *_sensor_samples(),
        *_preference_samples(),
    ]


def corrupt_sample(folder: Path) -> DemoSample:
    """Write a PNG that breaks off inside its header, as a failed upload leaves it, and make a sample of it.

    Args:
        folder: Where to write the file; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "truncated.png"
    file.write_bytes(media_of(pieces()["img-coffee"], "image").read_bytes()[:20])
    return DemoSample(
        project="blood-cells",
        external_id="blood-cells-corrupt-truncated-png",
        assets={"smear": DemoAsset(file=file, media_type="image/png")},
        metadata={"note": "Corrupt on purpose: the first 20 bytes of a PNG. Ingest must reject it."},
        language="en",
        truth=None,
    )


def _support_samples() -> Iterator[DemoSample]:
    rows = yaml.safe_load((EXAMPLES / "composition.yaml").read_text(encoding="utf-8"))
    for number, (text_id, image_id, voice_id) in enumerate(rows, start=1):
        yield _support_sample(number, pieces()[text_id], pieces()[image_id], pieces()[voice_id])


def _support_sample(number: int, text: Piece, image: Piece, voice: Piece) -> DemoSample:
    authored = authored_truth()["texts"][text["id"]]
    chat, source_entities = dialogue_text(text["turns"]) if "turns" in text else (text["text"], None)
    intent = _intent(text)
    return DemoSample(
        project="support",
        external_id=f"support-{number:02}-{text['id'].removeprefix('txt-')}",
        assets={
            "chat": DemoAsset(text=chat, bounds=Bounds(length=len(chat))),
            "screenshot": _file_asset(image, "image"),
            "voice_note": _file_asset(voice, "audio"),
            "ticket": DemoAsset(record={"number": f"T-{1000 + number}", "channel": "chat", "language": text["lang"]}),
        },
        metadata={
            "composed": True,
            "note": COMPOSED_NOTE,
            "ticket": "written for the demo",
            "sources": {
                slot: _provenance(piece)
                for slot, piece in (("chat", text), ("screenshot", image), ("voice_note", voice))
            },
            "voice_language": voice["lang"],
            "voice_speaker": voice["labels"].get("speakers", ["speaker"])[0],
        },
        language=text["lang"],
        truth={
            "intent": intent,
            "entities": _entities(text, chat, source_entities),
            "sentiment": authored["sentiment"],
            "tone": authored_truth()["voices"][voice["id"]]["tone"],
            "transcript": _transcript(voice),
            "regions": [
                {"id": f"r{place}", **region} for place, region in enumerate(authored_truth()["images"][image["id"]])
            ],
            "triage": _triage(intent),
        },
        confused_with=authored.get("confused_with", {}),
    )


def _intent(text: Piece) -> str:
    """The source's intent (a dialogue's first one) as the project's option, or the authored one where it has none."""
    authored = authored_truth()["texts"][text["id"]].get("intent")
    named = text["turns"][0]["intent"] if "turns" in text else text["labels"].get("intent")
    return str(authored_truth()["intents"][named] if named else authored)


def _entities(text: Piece, chat: str, source_entities: list[Item] | None) -> list[Item]:
    """The source's spans under the project's labels, or the authored ones where the source has none."""
    spans = text.get("labels", {}).get("entities") if source_entities is None else source_entities
    if spans is None:
        named = authored_truth()["texts"][text["id"]]["entities"]
        found = [(chat.index(span["text"]), len(span["text"]), span["label"]) for span in named]
    else:
        labels = authored_truth()["entities"]
        found = [
            (span["start"], span["end"] - span["start"], labels[span["label"]])
            for span in spans
            if span["label"] in labels
        ]
    return [
        {"id": f"e{place}", "start": start, "end": start + length, "label": label}
        for place, (start, length, label) in enumerate(sorted(found))
    ]


def _transcript(voice: Piece) -> list[Item]:
    """One segment with the source's transcript, between the first and the last sound of speech."""
    words = voice["labels"].get("engine_words")
    borders = authored_truth()["voices"][voice["id"]]
    return [
        {
            "id": "s0",
            "start": borders["start"] if "start" in borders else words[0]["start_sec"],
            "end": borders["end"] if "end" in borders else words[-1]["end_sec"],
            "label": "speech",
            "speaker": voice["labels"].get("speakers", ["speaker"])[0],
            "text": voice["labels"]["transcript"],
        }
    ]


def _triage(intent: str) -> Fields:
    urgent = intent in authored_truth()["urgent_intents"]
    silent = intent in authored_truth()["silent_intents"]
    return {"urgent": urgent, "follow_up": "call" if urgent else "none" if silent else "message"}


def _blood_cell_samples() -> Iterator[DemoSample]:
    for name in ("img-bccd-00000", "img-bccd-00001", "img-bccd-00042"):
        piece = pieces()[name]
        cells = voc_boxes(media_of(piece, "annotation_pascal_voc"))
        yield _plain_sample("blood-cells", piece, {"smear": _file_asset(piece, "image")}, {"cells": cells})


def _meeting_sample() -> DemoSample:
    piece = pieces()["aud-ami-tst00"]
    turns = rttm_turns(media_of(piece, "annotation_rttm"))
    participants = sorted({turn["speaker"] for turn in turns})
    return _plain_sample(
        "meeting", piece, {"recording": _file_asset(piece, "audio")}, {"turns": turns}, participants=participants
    )


def _tracking_sample() -> DemoSample:
    piece = pieces()["mm-flies-tracks"]
    flies = key_point_tracks(media_of(piece, "annotation_tracks_csv"))
    return _plain_sample("tracking", piece, {"clip": _file_asset(piece, "video")}, {"flies": flies})


def _sensor_samples() -> Iterator[DemoSample]:
    for name in ("sen-machine-temperature", "sen-ambient-temperature"):
        piece = pieces()[name]
        anomalies, bounds = anomaly_segments(piece)
        series = DemoAsset(file=media_of(piece, "time_series"), media_type="text/csv", bounds=bounds)
        yield _plain_sample("sensor", piece, {"series": series}, {"anomalies": anomalies})


def _preference_samples() -> Iterator[DemoSample]:
    for name, authored in authored_truth()["preferences"].items():
        piece = pieces()[name]
        candidates = [{"id": response["id"], "text": response["text"]} for response in piece["responses"]]
        responses = DemoAsset(record={"prompt": piece["prompt"], "candidates": candidates})
        truth = {**authored, "reason": {"text": authored["reason"], "language": piece["lang"]}}
        yield _plain_sample("preferences", piece, {"responses": responses}, truth)


def _plain_sample(
    project: str, piece: Piece, assets: dict[str, DemoAsset], truth: Fields, **metadata: object
) -> DemoSample:
    return DemoSample(
        project=project,
        external_id=f"{project}-{piece['id']}",
        assets=assets,
        metadata={"composed": False, "sources": {slot: _provenance(piece) for slot in assets}, **metadata},
        language=piece.get("lang", "en"),
        truth=truth,
    )


def _file_asset(piece: Piece, role: str) -> DemoAsset:
    media_type = next(medium["mime"] for medium in piece["media"] if medium["role"] == role)
    return DemoAsset(file=media_of(piece, role), media_type=media_type, bounds=bounds_of(piece))


def _provenance(piece: Piece) -> dict[str, str]:
    source = piece["source"]
    return {
        "id": piece["id"],
        "licence": piece["licence"],
        "repository": source["repo"],
        "path": source["path"],
        "commit": source["commit"],
    }
