"""Objects that the store tells of below a followed prefix: taken soon, once, and without listing the whole."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from minio import Minio
from minio.error import MinioException
from minio.notificationconfig import NotificationConfig, QueueConfig
from structlog.testing import capture_logs

from services.ingest.notifications import read_notifications_of
from services.ingest.references.buckets import Buckets
from services.ingest.references.watching import Watching
from shared.events.imports import ImportRested
from shared.events.samples import SampleSubmitted
from shared.events.uploads import ObjectPut
from shared.media import NOTIFICATION_TARGET
from tests.builders import MORNING, an_import_cancelled
from tests.fakes import CrashError, Fuse
from tests.unit.ingest.test_prefixes import PHOTOS, VISITS, a_request, an_ingest, list_again, put, submitted, wait


async def test_an_object_that_is_told_of_is_a_sample_without_a_listing_of_the_whole():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=3600))
    before = await ingest.job()

    await put(ingest, "day-1/b.jpg", "day-1/c.jpg", "day-2/x.jpg")
    await wait(ingest)

    assert set(submitted(ingest)) == {"a.jpg", "b.jpg", "c.jpg"}
    after = await ingest.job()
    assert (after.total, after.result) == (3, before.result)
    assert ingest.notices.kept == {}


async def test_objects_of_one_sample_that_come_one_by_one_are_one_sample():
    ingest = await an_ingest(VISITS, "day-1/v-1.scan.png")
    await ingest.hear(a_request(follow_seconds=3600))

    await put(ingest, "day-1/v-2.scan.png")
    await wait(ingest, 4)
    await put(ingest, "day-1/v-2.wav")
    await wait(ingest, 4)
    early = set(submitted(ingest))
    await wait(ingest, 2)

    assert early == {"v-1"}
    assert submitted(ingest)["v-2"].keys() == {"scan", "call"}


async def test_the_same_told_ten_times_is_taken_once_and_a_changed_object_is_told_as_a_listing_would():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=3600))

    for _ in range(10):
        await put(ingest, "day-1/b.jpg")
        await wait(ingest)
    await put(ingest, "day-1/a.jpg", content=b"other")
    await wait(ingest)
    await list_again(ingest)

    assert (await ingest.job()).total == 3
    assert await ingest.outcomes() == {3: "conflict"}


async def test_what_is_told_while_a_listing_is_due_is_looked_at_after_it():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=60))

    await put(ingest, "day-1/b.jpg")
    await wait(ingest, 61)
    during = set(submitted(ingest))
    await list_again(ingest)
    kept = len(ingest.notices.kept)
    ingest.now = MORNING + timedelta(seconds=30)  # the next listing is due in half a minute
    await wait(ingest)

    assert (during, kept) == ({"a.jpg"}, 1)
    assert (await ingest.job()).total == 2
    assert ingest.notices.kept == {}


async def test_what_is_gone_before_it_is_looked_at_is_nothing():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=3600))

    await put(ingest, "day-1/b.jpg")
    del ingest.objects.kept["raw/day-1/b.jpg"]
    await wait(ingest)

    assert (await ingest.job()).total == 1
    assert ingest.notices.kept == {}


async def test_an_object_that_is_put_again_while_it_is_looked_at_is_looked_at_again():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=3600))
    await put(ingest, "day-1/b.jpg", content=b"first")
    ingest.now += timedelta(seconds=6)

    await ingest.noticing.look_at_quiet()
    await put(ingest, "day-1/b.jpg", content=b"second")
    await ingest.hear()
    [kept] = ingest.notices.kept.values()
    await wait(ingest)

    assert kept.etag == str(hash(b"second"))
    assert ingest.notices.kept == {}


@pytest.mark.parametrize("blows_at", range(6))
async def test_a_reader_that_dies_anywhere_loses_and_doubles_nothing(blows_at: int):
    fuse = Fuse()
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg", fuse=fuse)
    await ingest.hear(a_request(follow_seconds=3600))
    await put(ingest, *(f"day-1/{number}.jpg" for number in range(3)))

    fuse.blows_at = len(fuse.passed) + blows_at
    with suppress(CrashError):
        await wait(ingest)
    fuse.blows_at = None
    await ingest.receive_all_again()
    await wait(ingest)
    await wait(ingest)

    assert len({event.event_id for event in ingest.announced.of(SampleSubmitted)}) == len(ingest.states) == 4
    assert (await ingest.job()).total == 4
    assert ingest.notices.kept == {}


async def test_nobody_is_told_of_what_nobody_follows_and_a_cancelled_import_lets_go():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await put(ingest, "day-1/b.jpg")
    await ingest.hear(a_request())
    await put(ingest, "day-1/c.jpg")
    unfollowed = dict(ingest.notices.kept)

    await ingest.hear(a_request(job_id="job-2", follow_seconds=3600))
    await put(ingest, "day-1/d.jpg")
    await ingest.hear(an_import_cancelled(job_id="job-2"))
    await wait(ingest)

    assert unfollowed == ingest.notices.kept == {}
    assert "d.jpg" not in submitted(ingest)
    assert len(ingest.announced.of(ImportRested)) == 1


# --- the store --------------------------------------------------------------------------------------------------------


def a_record(bucket: str, key: str) -> Any:
    entry = {
        "eventName": "s3:ObjectCreated:Put",
        "eventTime": "2026-11-26T12:00:00.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 3, "eTag": "e"}},
    }
    return type("Record", (), {"value": orjson.dumps({"Records": [entry]})})()


def test_an_object_is_told_to_each_tenant_that_may_name_it():
    read = read_notifications_of(Buckets({"acme": ["raw/"], "zeta": ["raw/zeta/", "own/"]}))

    told = [
        (event.tenant_id, event.object)
        for key in ("zeta/b+c%C3%A9.jpg", "a.jpg")
        for event in read(a_record("raw", key))
        if isinstance(event, ObjectPut)
    ]

    assert told == [("acme", "raw/zeta/b cé.jpg"), ("zeta", "raw/zeta/b cé.jpg"), ("acme", "raw/a.jpg")]
    assert read(a_record("other", "a.jpg")) == []


class FakeStore:
    """A store that keeps notifications of buckets; one of them is elsewhere, where our target is not known."""

    def __init__(self) -> None:
        theirs = QueueConfig(queue="arn:minio:sqs::THEIRS:kafka", events=["s3:ObjectRemoved:*"])
        self.kept = {"raw": NotificationConfig(queue_config_list=[theirs]), "foreign": NotificationConfig()}
        self.writes = 0

    def get_bucket_notification(self, bucket: str) -> NotificationConfig:
        return self.kept[bucket]

    def set_bucket_notification(self, bucket: str, config: NotificationConfig) -> None:
        if bucket == "foreign":
            raise MinioException("A specified destination ARN does not exist.")
        self.kept[bucket] = config
        self.writes += 1


async def test_registered_buckets_are_watched_beside_what_their_owners_have_set_and_others_are_only_listed():
    store = FakeStore()
    watching = Watching(cast(Minio, store), Buckets({"acme": ["raw/acme/", "foreign/"], "zeta": ["media/"]}))

    with capture_logs() as logged:
        await watching.watch()
        await watching.watch()

    queues = store.kept["raw"].queue_config_list or []
    assert [each.queue for each in queues] == ["arn:minio:sqs::THEIRS:kafka", NOTIFICATION_TARGET]
    assert queues[1].prefix_filter_rule is not None and queues[1].prefix_filter_rule.value == "acme/"
    assert store.writes == 1
    assert [(each["event"], each["bucket"]) for each in logged] == [
        ("bucket_watched", "raw"),
        ("bucket_not_watched", "foreign"),
    ]
