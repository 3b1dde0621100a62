"""One sample from upload to label to dataset, and what happens when its messages are sent twice."""

from __future__ import annotations

import hashlib
import json

import httpx2
import pytest

from labelmesh import api
from shared.ids import new_id
from tests.e2e.gateway import MEDIA, PICTURE, Gateway, a_spec, answer, claim_one, found, until

CHAT = "I leave Bern on 3 May, please.\nTo where?"
RESPONSES = {"prompt": "Shortest path?", "candidates": [{"id": "A", "text": "BFS."}, {"id": "B", "text": "Guess."}]}
TICKET = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}

EVERY_KIND = a_spec(
    title="Every kind and medium",
    languages=["en"],
    assets={
        "chat": {"modality": "text"},
        "photo": {"modality": "image"},
        "voice": {"modality": "audio"},
        "clip": {"modality": "video"},
        "machine": {"modality": "sensor"},
        "responses": {"modality": "record"},
    },
    fields={
        "intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]},
        "quality": {"kind": "rating", "asset": "chat", "minimum": 1, "maximum": 5, "step": 1},
        "entities": {"kind": "spans", "asset": "chat", "labels": ["city", "date"]},
        "reply": {"kind": "text", "asset": "chat"},
        "ticket": {"kind": "record", "schema": TICKET},
        "best": {"kind": "ranking", "asset": "responses"},
        "animals": {"kind": "regions", "asset": "photo", "shapes": ["box"], "labels": ["gecko"]},
        "speech": {"kind": "segments", "asset": "voice", "labels": ["speech"], "speaker": True, "text": True},
        "anomalies": {"kind": "segments", "asset": "machine", "labels": ["anomaly"]},
        "hands": {"kind": "tracks", "asset": "clip", "labels": ["hand"]},
        "flow": {"kind": "turns", "asset": "chat", "labels": ["ask", "tell"], "links": ["asks back"]},
        "cuts": {"kind": "moments", "asset": "clip", "labels": ["cut"]},
        "shown": {"kind": "relations", "labels": ["names"], "from": ["entities", "flow"], "to": ["animals", "cuts"]},
    },
)
ANSWER = {
    "intent": "ask",
    "quality": 4,
    "entities": [
        {"id": "e1", "start": 8, "end": 12, "label": "city"},
        {"id": "e2", "start": 16, "end": 21, "label": "date"},
    ],
    "reply": {"text": "Done.", "language": "en"},
    "ticket": {"urgent": False},
    "best": [["A"], ["B"]],
    "animals": [{"id": "r1", "shape": "box", "label": "gecko", "x": 10, "y": 20, "width": 100, "height": 80}],
    "speech": [{"id": "s1", "start": 0.1, "end": 0.5, "label": "speech", "speaker": "lucas", "text": "zero"}],
    "anomalies": [{"id": "a1", "start": 300.0, "end": 900.0, "label": "anomaly"}],
    "hands": [
        {
            "id": "h1",
            "label": "hand",
            "keyframes": [
                {"frame": 0, "x": 5, "y": 5, "width": 50, "height": 40},
                {"frame": 50, "x": 25, "y": 5, "width": 50, "height": 40},
            ],
        }
    ],
    "flow": [
        {"id": "f0", "turn": 0, "label": "ask"},
        {"id": "f1", "turn": 1, "label": "ask", "links": [{"to": 0, "label": "asks back"}]},
    ],
    "cuts": [{"id": "c1", "time": 0.5, "label": "cut"}],
    "shown": [
        {
            "id": "n1",
            "label": "names",
            "from": {"field": "entities", "id": "e1"},
            "to": {"field": "animals", "id": "r1"},
        },
        {"id": "n2", "label": "names", "from": {"field": "flow", "id": "f1"}, "to": {"field": "cuts", "id": "c1"}},
    ],
}


@pytest.mark.timeout(180, func_only=True)
def test_a_sample_of_every_medium_goes_from_upload_to_a_frozen_and_exported_dataset(gateway, owner, tmp_path):
    project = gateway.publish(EVERY_KIND)
    uploads = {"photo": PICTURE, "voice": MEDIA / "audio/fsdd/0_lucas_6.wav", "clip": MEDIA / "video/asl_thanks.mkv"}
    uploads["machine"] = MEDIA / "sensor/machine_temperature.csv"
    assets = {slot: gateway.upload(project, file) for slot, file in uploads.items()}
    assets |= {"chat": {"text": CHAT}, "responses": {"record": RESPONSES}}

    sample_id = gateway.submit(project, external_id="everything", assets=assets, language="en")
    for who in ("ana", "bo"):
        with gateway.http(gateway.key_of(who)) as annotator:
            task = claim_one(annotator, project)
            assert_shows(task["assets"], uploads)
            submitted = answer(annotator, task, ANSWER, prefer="wait=10")
            assert submitted.status_code == 201, submitted.text
    label = until(lambda: found(owner.get(f"/v1/samples/{sample_id}/label")), "a label of record")
    rows, dataset = frozen_rows(gateway, project, tmp_path / "rows.jsonl")

    assert label["revision"] == 1
    assert content(label["fields"]) == content(ANSWER)
    assert dataset["counts"]["samples"] == 1
    assert [content(row["fields"]) for row in rows] == [content(ANSWER)]
    assert until(lambda: settled(owner, project), "a final sample")["tasks"] == {"first_pass": {"done": 1}}


def test_a_sample_sent_twice_is_one_sample(gateway, owner, chats):
    sample = {"external_id": new_id(), "assets": {"chat": {"text": "Sent twice."}}}
    same_key = {"idempotency-key": new_id()}

    first, repeated, anew = [
        owner.post(f"/v1/projects/{chats}/samples", json=sample, headers=headers)
        for headers in (same_key, same_key, {"idempotency-key": new_id()})
    ]

    assert [each.status_code for each in (first, repeated, anew)] == [202, 202, 202]
    assert first.json() == repeated.json() == anew.json()


def test_an_import_sent_twice_is_one_job_and_changes_nothing(gateway, owner):
    project = gateway.publish(a_spec())
    lines = "".join(
        json.dumps({"external_id": f"line-{number}", "assets": {"chat": {"text": f"Line {number}"}}}) + "\n"
        for number in range(5)
    )
    headers = {"idempotency-key": new_id(), "content-type": "application/x-ndjson"}

    jobs = [owner.post(f"/v1/projects/{project}/imports", content=lines, headers=headers).json() for _ in range(2)]
    anew = owner.post(f"/v1/projects/{project}/imports", content=lines).json()
    with gateway.client() as client:
        first, second = client.wait_for(jobs[0]["job_id"]), client.wait_for(anew["job_id"])

    assert jobs[0] == jobs[1]
    assert (first.done, first.total, first.outcomes) == (5, 5, {"created": 5})
    assert second.outcomes == {"unchanged": 5}
    progress = until(lambda: counted(owner, project, open=5), "five open samples")
    assert progress["samples"] == {"open": 5}


def test_the_last_body_on_a_live_lease_counts_and_the_same_twice_in_a_row_is_one_revision(gateway):
    project = gateway.publish(a_spec())
    gateway.submit(project)
    with gateway.http(gateway.key_of("ana")) as ana:
        task = claim_one(ana, project)

        sent = [answer(ana, task, {"intent": each}, prefer="wait=10") for each in ("ask", "ask", "tell", "ask")]
        [annotation_id] = {each.json()["annotation_id"] for each in sent}
        stored = until(lambda: revisions(ana, annotation_id, 3), "three revisions")

    assert [each.status_code for each in sent] == [201, 201, 201, 201]
    assert [(each["revision"], each["fields"]["intent"]) for each in stored] == [(1, "ask"), (2, "tell"), (3, "ask")]


def test_a_claim_returns_what_is_held_already_with_a_fresh_token(gateway):
    project = gateway.publish(a_spec())
    gateway.submit(project)
    with gateway.http(gateway.key_of("ana")) as ana:
        task = claim_one(ana, project)

        again = claim_one(ana, project)
        held = ana.get("/v1/tasks?mine=true").json()["items"]

    assert again["task"] == task["task"]
    assert [each["task"] for each in held if each["project"] == project] == [task["task"]]


def test_a_task_of_an_annotator_who_vanished_is_served_to_another(gateway, owner):
    project = gateway.publish(a_spec(quality={"overlap": 1}, workflow={"lease_seconds": 5}))
    gateway.submit(project)
    with gateway.http(gateway.key_of("ana")) as ana, gateway.http(gateway.key_of("bo")) as bo:
        left = claim_one(ana, project)

        served = claim_one(bo, project)
        submitted = answer(bo, served, {"intent": "ask"}, prefer="wait=10")

    assert served["task"] == left["task"]
    assert submitted.status_code == 201
    progress = until(lambda: settled(owner, project), "a final sample")
    assert progress["leases_expired"] == 1


def revisions(http, annotation_id, count):
    """Return the revisions of an annotation once there are so many."""
    stored = http.get(f"/v1/annotations/{annotation_id}/revisions").json()["items"]
    return stored if len(stored) >= count else None


def assert_shows(assets, files) -> None:
    """Check that the claim's links lead to the very bytes that were uploaded."""
    assert assets["chat"]["text"] == CHAT
    for slot, file in files.items():
        seen = httpx2.get(assets[slot]["url"], timeout=30)
        assert hashlib.sha256(seen.content).hexdigest() == assets[slot]["sha256"]
        assert seen.content == file.read_bytes()


def frozen_rows(gateway: Gateway, project: str, file):
    """Freeze a project's labels, export them as JSON lines, and return the rows and the dataset."""
    tag = f"v-{new_id()}"
    with gateway.client() as client:
        frozen = client.wait_for(client.ask(api.freeze(project, tag))["job_id"])
        assert frozen.state == "done", frozen
        exported = client.wait_for(client.ask(api.export(tag, "jsonl"))["job_id"])
        assert exported.state == "done", exported
        client.download_export(exported.job_id, file)
        dataset = client.ask(api.dataset(tag))
    return [json.loads(line) for line in file.read_text().splitlines()], dataset


def content(fields):
    """Return fields without the ids of items, which are the annotator's own and settled by consensus."""
    return {
        name: [{key: part for key, part in each.items() if key != "id"} for each in value]
        if isinstance(value, list) and isinstance(value[0], dict)
        else value
        for name, value in fields.items()
    }


def counted(owner, project, **samples):
    """Return a project's progress once it counts so many samples per state."""
    progress = found(owner.get(f"/v1/projects/{project}/progress"))
    return progress if progress["samples"] == samples else None


def settled(owner, project):
    """Return a project's progress once its only sample is final."""
    return counted(owner, project, final=1)
