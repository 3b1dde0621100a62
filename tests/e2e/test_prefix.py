"""A bucket's prefix is synced though ingest is killed, synced again to no effect, followed, and let go."""

from __future__ import annotations

import time
from io import BytesIO
from itertools import pairwise

import pytest
from minio import Minio

from deploy.local.stack import Stack
from shared.media import Media
from tests.conftest import settings_of
from tests.e2e.conftest import REGISTERED
from tests.e2e.gateway import Gateway, a_spec, job_of, until

OBJECTS = 1_100
"""More than a page of a listing, so that there is something to go on with."""
SECONDS = 240


@pytest.fixture(scope="module")
def bucket(stack: Stack) -> Minio:
    """A registered bucket with texts below ``day-1/``, and one object that is none."""
    store = Media(settings_of(stack)).client
    if not store.bucket_exists(REGISTERED):
        store.make_bucket(REGISTERED)
    for number in range(OBJECTS):
        put(store, f"day-1/{number:04}.txt", f"Text {number}.".encode())
    store.remove_object(REGISTERED, "day-1/new.txt")
    put(store, "day-1/picture.txt", b"\x89PNG\r\n\x1a\n")
    return store


def put(store: Minio, key: str, content: bytes) -> None:
    store.put_object(REGISTERED, key, BytesIO(content), len(content))


@pytest.mark.timeout(SECONDS * 3, func_only=True)
def test_a_prefix_is_synced_once_through_a_kill_and_followed_until_it_is_cancelled(
    stack: Stack, gateway: Gateway, bucket: Minio
):
    project = gateway.publish(a_spec())
    prefix = f"s3://{REGISTERED}/day-1/"

    with gateway.client() as client:
        first = client.import_prefix(project, prefix)
        until(lambda: (job := job_of(client, first)) and job.done >= OBJECTS // 10, "a sync under way", seconds=SECONDS)
        stack.kill("ingest")
        time.sleep(1)
        stack.start("ingest")
        job = client.wait_for(first, SECONDS)
        [torn] = client.job_errors(first)

        assert (job.state, job.total, job.outcomes) == ("done", OBJECTS + 1, {"created": OBJECTS, "rejected": 1})
        assert torn["external_id"] == "picture.txt"

        put(bucket, "day-1/0007.txt", b"Other words.")
        bucket.remove_object(REGISTERED, "day-1/picture.txt")
        followed = client.import_prefix(project, prefix, 10)
        again = until(
            lambda: (job := job_of(client, followed)) and job.state == "following" and job,
            "a prefix that is followed",
            SECONDS,
        )
        put(bucket, "day-1/new.txt", b"New words.")
        news = until(
            lambda: (job := job_of(client, followed)) and job.outcomes.get("created") and job,
            "what was put there since",
            SECONDS,
        )
        client.cancel_job(followed)
        ended = until(lambda: (job := job_of(client, followed)) and job.state == "cancelled" and job, "an end", SECONDS)

    assert again.outcomes == {"unchanged": OBJECTS - 1, "conflict": 1}
    assert news.outcomes == again.outcomes | {"created": 1}
    assert ended.total == OBJECTS + 1
    assert again.result is not None
    assert all(
        earlier < later for earlier, later in pairwise([again.result["listed_at"], again.result["next_listing_at"]])
    )


def test_a_bucket_that_is_not_registered_is_not_looked_into(gateway: Gateway, elsewhere: Gateway, bucket: Minio):
    ours, theirs = gateway.publish(a_spec()), elsewhere.publish(a_spec())

    with gateway.client() as client, elsewhere.client() as other:
        jobs = [
            client.wait_for(client.import_prefix(ours, "s3://media/"), SECONDS),
            other.wait_for(other.import_prefix(theirs, f"s3://{REGISTERED}/day-1/"), SECONDS),
        ]

    assert [(job.state, job.done) for job in jobs] == [("failed", 0)] * 2
    assert [(job.result or {})["fault"]["code"] for job in jobs] == ["unregistered-bucket"] * 2
