"""A server that is away for a while: readiness goes red, clients are told, and everything resumes by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from deploy.local.environment import SERVICES
from deploy.local.stack import Stack
from tests.e2e.gateway import PICTURE, Gateway, a_spec, assert_problem, found, in_state, until
from tests.e2e.reduced_loop import SAMPLES, Loop, Outcome, assert_nothing_accepted_is_missing

AWAY_SECONDS = 20
RED_SECONDS = 10
"""Within so many seconds each service has to know that it cannot work."""


@pytest.mark.timeout(400, func_only=True)
@pytest.mark.parametrize("server", ["kafka", "mongo"])
def test_a_server_that_is_away_for_twenty_seconds_costs_nothing_that_was_accepted(
    stack: Stack, gateway: Gateway, loop: Loop, undisturbed: Outcome, server: str
):
    with loop.workforce():
        loop.send(SAMPLES // 2)
        with away(stack, server) as back_at:
            loop.send_without_waiting(SAMPLES // 2)
            until(lambda: not any(ready(stack).values()), "seven services that are not ready", RED_SECONDS)
            refused = until(lambda: refusal(gateway, back_at), "a refusal", seconds=AWAY_SECONDS)
        until(lambda: all(ready(stack).values()), "seven services that are ready again", seconds=60)
        outcome = loop.outcome()

    problem = assert_problem(refused, 503, "unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    # A spec may have come into the log while the stores alone are away; that one is not to be sent again.
    next_steps = {"kafka": ["send the same"], "mongo": ["send the same", "GET the project"]}[server]
    assert any(next_step in problem["detail"] for next_step in next_steps)
    assert loop.failures == []
    assert outcome == undisturbed
    assert_nothing_accepted_is_missing(loop)


def test_an_upload_resumes_when_the_object_store_comes_back(stack: Stack, gateway: Gateway, pictures: str):
    with gateway.http() as owner:
        upload = owner.post(
            "/v1/uploads", json={"project": pictures, "filename": "gecko.jpg", "size": PICTURE.stat().st_size}
        ).json()
        putting = threading.Thread(target=lambda: httpx2.put(upload["url"], content=PICTURE.read_bytes(), timeout=60))

        stack.pause("minio")
        try:
            putting.start()
            sample_id = gateway.submit(pictures, assets={"photo": {"upload": upload["upload_id"]}})
            waiting = until(lambda: found(owner.get(f"/v1/samples/{sample_id}")), "a sample that waits")
        finally:
            stack.resume("minio")
        putting.join(60)
        ingested = until(lambda: in_state(owner, sample_id, "ingested"), "an ingested sample")

    assert (waiting["state"], waiting["missing"]) == ("waiting", {"photo": upload["upload_id"]})
    assert ingested["assets"]["photo"]["width"] == 320


def test_a_file_that_cannot_be_read_at_the_moment_rejects_nothing(stack: Stack, gateway: Gateway, pictures: str):
    stack.pause("ingest")
    try:
        asset = gateway.upload(pictures, PICTURE)
        sample_id = gateway.submit(pictures, assets={"photo": asset})
        until(lambda: not unsent_notifications(stack), "notifications that are all in the log")
        stack.pause("minio")
    finally:
        stack.resume("ingest")
    try:
        with gateway.http() as owner:
            until(lambda: found(owner.get(f"/v1/samples/{sample_id}")), "a sample that waits")
            time.sleep(3)  # let ingest try, in vain
            tried = owner.get(f"/v1/samples/{sample_id}").json()
    finally:
        stack.resume("minio")

    with gateway.http() as owner:
        until(lambda: in_state(owner, sample_id, "ingested"), "an ingested sample", seconds=60)
    assert tried["state"] == "waiting"


@contextmanager
def away(stack: Stack, server: str) -> Iterator[float]:
    """Freeze a server for twenty seconds, or as long as the block takes; yield when it will be back."""
    back_at = time.monotonic() + AWAY_SECONDS
    stack.pause(server)
    try:
        yield back_at
        time.sleep(max(0.0, back_at - time.monotonic()))
    finally:
        stack.resume(server)


def ready(stack: Stack) -> Mapping[str, bool]:
    """Return which services say that they can work."""
    settings = stack.settings()
    urls = {name: settings[f"LABELMESH_{name.upper()}_URL"] for name in SERVICES}
    return {name: httpx2.get(f"{url}/readyz", timeout=5).status_code == 200 for name, url in urls.items()}


def refusal(gateway: Gateway, back_at: float) -> httpx2.Response | None:
    """Publish a project and return the answer when it is a refusal, made while the server was away."""
    with gateway.http() as owner:
        response = owner.put(f"/v1/projects/away-{int(back_at)}", json=a_spec(title=f"At {time.monotonic()}"))
    return response if response.status_code == 503 else None


def unsent_notifications(stack: Stack) -> list[Path]:
    """Return the notifications that MinIO has not handed to Kafka yet."""
    return [each for each in (stack.home / "minio-notifications").rglob("*") if each.is_file()]


@pytest.fixture(scope="module")
def pictures(gateway: Gateway) -> str:
    """A project of pictures."""
    fields = {"animals": {"kind": "regions", "asset": "photo", "shapes": ["box"], "labels": ["gecko"]}}
    return gateway.publish(a_spec(title="Pictures", assets={"photo": {"modality": "image"}}, fields=fields))
