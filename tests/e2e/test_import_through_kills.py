"""A large import of texts and files, one line in a hundred bad, while two replicas of ingest are killed, one after the other."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deploy.local.replicas import replica_of
from deploy.local.stack import Stack
from labelmesh import Labelmesh
from tests.e2e.gateway import PICTURE, Gateway, a_spec, job_of, until
from tests.e2e.replicas import folded

SAMPLES = int(os.environ.get("LABELMESH_E2E_IMPORT_SAMPLES", "20000"))
"""Fewer are over before anybody is killed; so many take a minute on two cores."""
SECONDS_A_THOUSAND = 20
ALBUM = a_spec(
    title="Album",
    assets={"chat": {"modality": "text"}, "photo": {"modality": "image", "required": False}},
    fields={"intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]}},
    quality={"overlap": 1},
)


def the_lines(good_photo: dict[str, str], torn_photo: dict[str, str]) -> tuple[list[bytes], dict[int, str]]:
    """Return the lines of the import, and by the number of each bad one the code that it has to be refused with."""
    lines: list[bytes] = []
    bad: dict[int, str] = {}
    faults = ("empty", "invalid-json", "unknown-option", "truncated", "conflict")
    for number in range(1, SAMPLES + 1):
        sample: dict[str, Any] = {"external_id": f"s-{number}", "assets": {"chat": {"text": f"Text {number}."}}}
        if number % 50 == 7:
            sample["assets"]["photo"] = good_photo
        if number % 100 == 50:
            bad[number] = code = faults[number // 100 % len(faults)]
            match code:
                case "empty":
                    sample["assets"]["chat"]["text"] = " "
                case "unknown-option":
                    sample["predictions"] = {"intent": "nonsense"}
                case "truncated":
                    sample["assets"]["photo"] = torn_photo
                case "conflict":
                    sample["external_id"] = "s-1"
        line = json.dumps(sample).encode()
        lines.append(line[:-5] if bad.get(number) == "invalid-json" else line)
    return lines, bad


def took_part(url: str) -> bool:
    """Return whether a replica of ingest has taken in samples since it was started."""
    return folded(url, "SampleSubmitted") > 0


def under_way(client: Labelmesh, job_id: str, share: float) -> None:
    """Wait until this share of the lines has its outcome; not all may have it by then."""
    within = 60 + SECONDS_A_THOUSAND * SAMPLES / 1000
    job = until(
        lambda: (job := job_of(client, job_id)) and job.done >= share * SAMPLES and job, "lines", seconds=within
    )
    assert job.done < SAMPLES, "the import was over before anybody was killed; make it longer"


@pytest.mark.timeout(120 + SECONDS_A_THOUSAND * SAMPLES // 1000 * 2, func_only=True)
def test_every_line_has_one_outcome_and_the_right_one_though_both_replicas_are_killed(
    stack: Stack, gateway: Gateway, owner, tmp_path
):
    project = gateway.publish(ALBUM)
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(PICTURE.read_bytes()[:4000])
    lines, bad = the_lines(gateway.upload(project, PICTURE), gateway.upload(project, torn))
    first = stack.settings()["LABELMESH_INGEST_URL"]

    with replica_of(stack, "ingest") as second, gateway.client() as client:
        accepted = owner.post(f"/v1/projects/{project}/imports", content=b"\n".join(lines), timeout=300)
        job_id = accepted.json()["job_id"]
        until(lambda: took_part(second.url), "a second replica that works", seconds=60)
        under_way(client, job_id, 0.1)
        assert took_part(first)
        stack.kill("ingest")
        with ThreadPoolExecutor() as aside:  # what is left to do when the second is killed must not hang on this start
            starting = aside.submit(stack.start, "ingest")
            under_way(client, job_id, 0.5)
            second.process.kill()
            second.start()
            starting.result()
        job = client.wait_for(job_id, 60 + SECONDS_A_THOUSAND * SAMPLES / 1000)
    told = [json.loads(line) for line in owner.get(f"/v1/jobs/{job_id}/lines").text.splitlines()]
    errors = [json.loads(line) for line in owner.get(f"/v1/jobs/{job_id}/errors").text.splitlines()]

    created = SAMPLES - len(bad)
    assert (job.state, job.total, job.done, job.failed) == ("done", SAMPLES, SAMPLES, len(bad))
    assert [each["line"] for each in told] == list(range(1, SAMPLES + 1))
    assert Counter(each["outcome"] for each in told) == job.outcomes
    assert {each["line"]: each["faults"][0]["code"] for each in errors} == bad
    progress = until(
        lambda: (p := owner.get(f"/v1/projects/{project}/progress").json())["samples"].get("open", 0) >= created and p,
        "a task for every sample",
        seconds=60,
    )
    rejected_by_ingest = sum(code in {"unknown-option", "truncated"} for code in bad.values())
    assert progress["samples"] == {"open": created, "rejected": rejected_by_ingest}
