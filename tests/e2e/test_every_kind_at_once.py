"""All twelve kinds through the gateway: from two clients at once, in two languages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from shared.labels.kinds import KINDS
from tests.e2e.gateway import MEDIA, PICTURE, Gateway, a_spec, answer, assert_problem, claim_one, codes, found, until

MASK = "l>n0g500000000000adP2"
"""Thirty by seven pixels of 213 by 320."""
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
CHATS = {"en": f"I leave Bern on 3 May {FAMILY}.\nTo where?", "de": f"Ich fahre am 3. Mai ab {FAMILY}.\nWohin denn?"}
SCHEMA = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}
CANDIDATES = {"prompt": "Kürzester Weg?", "candidates": [{"id": "A", "text": "BFS."}, {"id": "B", "text": "?"}]}
TWELVE = a_spec(
    title="Twelve kinds",
    languages=["en", "de"],
    assets={
        "chat": {"modality": "text"},
        "photo": {"modality": "image"},
        "clip": {"modality": "video"},
        "machine": {"modality": "sensor"},
        "responses": {"modality": "record"},
    },
    fields={
        "intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]},
        "why": {"kind": "text", "languages": ["en", "de"], "required_if": {"field": "intent", "any_of": ["ask"]}},
        "quality": {"kind": "rating", "minimum": 1, "maximum": 5, "step": 0.5},
        "best": {"kind": "ranking", "asset": "responses"},
        "ticket": {"kind": "record", "schema": SCHEMA},
        "emoji": {"kind": "spans", "asset": "chat", "labels": ["family"], "attributes": {"people": "number"}},
        "flow": {"kind": "turns", "asset": "chat", "labels": ["ask", "tell"], "links": ["asks back"], "complete": True},
        "animals": {
            "kind": "regions",
            "asset": "photo",
            "labels": ["gecko"],
            "shapes": ["box", "rotated_box", "polyline", "keypoints", "mask"],
            "keypoints": ["head", "tail"],
        },
        "anomalies": {"kind": "segments", "asset": "machine", "labels": ["anomaly"], "channels": True},
        "cuts": {"kind": "moments", "asset": "clip", "labels": ["cut"]},
        "hands": {"kind": "tracks", "asset": "clip", "labels": ["hand"]},
        "shown": {"kind": "relations", "labels": ["names"], "from": ["emoji"], "to": ["animals", "cuts", "flow"]},
    },
    quality={"overlap": 1},
)
WHY = {"en": "A question about a journey.", "de": "Eine Frage zu einer Reise."}


def an_answer(language: str) -> dict[str, object]:
    """All kinds about one sample, in canonical form."""
    start = CHATS[language].index(FAMILY)
    box = {"x": 10.0, "y": 20.0, "width": 100.0, "height": 80.0}
    gecko = {"label": "gecko"}
    ends = [("animals", "mask"), ("cuts", "c1"), ("flow", "f1")]  # in the order of the names of their fields
    return {
        "intent": "ask",
        "why": {"language": language, "text": WHY[language]},
        "quality": 4.5,
        "best": [["A"], ["B"]],
        "ticket": {"urgent": False},
        "emoji": [
            {"id": "e1", "start": start, "end": start + len(FAMILY), "label": "family", "attributes": {"people": 3.0}}
        ],
        "flow": [
            {"id": "f0", "turn": 0, "label": "tell"},
            {"id": "f1", "turn": 1, "label": "ask", "links": [{"to": 0, "label": "asks back"}]},
        ],
        "animals": [
            {"id": "mask", "shape": "mask", **gecko, "rle": {"size": [213, 320], "counts": MASK}},
            {"id": "line", "shape": "polyline", **gecko, "points": [[5.0, 5.0], [9.0, 9.0]]},
            {"id": "box", "shape": "box", **gecko, **box},
            {"id": "pose", "shape": "keypoints", **gecko, "keypoints": {"head": {"x": 30.0, "y": 40.0}}},
            {"id": "turned", "shape": "rotated_box", **gecko, **box, "x": 90.0, "y": 60.0, "rotation": 30.0},
        ],
        "anomalies": [{"id": "a1", "start": 300.0, "end": 900.0, "label": "anomaly"}],
        "cuts": [{"id": "c1", "time": 0.5, "label": "cut"}],
        "hands": [
            {"id": "h1", "label": "hand", "keyframes": [{"frame": 0, **box}, {"frame": 50, **box, "outside": True}]}
        ],
        "shown": [
            {
                "id": f"n{number}",
                "label": "names",
                "from": {"field": "emoji", "id": "e1"},
                "to": {"field": field, "id": item},
            }
            for number, (field, item) in enumerate(ends)
        ],
    }


def wrong(language: str) -> dict[str, object]:
    """The same with one fault in each of several kinds; without ``why``, which the intent asks for."""
    fields: dict[str, Any] = an_answer(language)
    del fields["why"]
    fields["emoji"][0]["end"] -= 1
    fields["animals"][0]["rle"] = {"size": [320, 213], "counts": MASK}
    fields["cuts"][0]["time"] = 10**6
    fields["flow"].pop()
    fields["hands"][0]["keyframes"][0]["frame"] = 10**6
    fields["best"] = [["A"]]
    return fields


def label(gateway: Gateway, project: str, who: str, together: Barrier) -> tuple[str, dict[str, str]]:
    """Claim a task, send a wrong answer, then the right one; returns the language and the faults by pointer."""
    with gateway.http(gateway.key_of(who)) as http:
        together.wait(30)
        task = claim_one(http, project)
        language = task["sample"]["language"]
        faults = codes(assert_problem(answer(http, task, wrong(language)), 422, "invalid-body"))
        accepted = answer(http, task, an_answer(language), prefer="wait=10")
    assert accepted.status_code == 201, accepted.text
    return language, faults


@pytest.mark.timeout(180, func_only=True)
def test_two_clients_at_once_label_all_twelve_kinds_in_two_languages(gateway: Gateway, owner):
    assert sorted(field["kind"] for field in TWELVE["fields"].values()) == sorted(KINDS)
    project = gateway.publish(TWELVE)
    uploads = {"photo": PICTURE, "clip": MEDIA / "video/asl_thanks.mkv"}
    uploads["machine"] = MEDIA / "sensor/machine_temperature.csv"
    media = {slot: gateway.upload(project, file) for slot, file in uploads.items()}
    samples = {
        language: gateway.submit(
            project,
            assets={**media, "chat": {"text": chat}, "responses": {"record": CANDIDATES}},
            language=language,
        )
        for language, chat in CHATS.items()
    }
    together = Barrier(2)

    with ThreadPoolExecutor(2) as clients:
        told = dict(clients.map(lambda who: label(gateway, project, who, together), ("ana", "bo")))

    assert told.keys() == CHATS.keys()
    assert (
        told["en"]
        == told["de"]
        == {
            "/fields/animals/0/rle/size": "wrong-size",
            "/fields/best": "missing-candidate",
            "/fields/cuts/0/time": "outside-asset",
            "/fields/emoji/0/end": "splits-grapheme",
            "/fields/flow": "missing-turn",
            "/fields/hands/0/keyframes/0/frame": "outside-asset",
            "/fields/why": "missing-field",
        }
    )
    for language, sample_id in samples.items():
        kept = until(partial(record_of, owner, sample_id), f"a label of record in {language}")
        assert kept["fields"] == an_answer(language)


def record_of(owner, sample_id):
    """Return a sample's label of record, once there is one."""
    return found(owner.get(f"/v1/samples/{sample_id}/label"))
