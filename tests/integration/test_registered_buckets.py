"""What is put into a registered bucket is told by the store, and kept until it was looked at."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest

from services.ingest import store
from services.ingest.imports.noticing import Followed, Notice
from services.ingest.notifications import read_notifications_of
from services.ingest.references.buckets import Buckets
from services.ingest.references.watching import Watching
from shared.events.imports import ImportCursor, ImportSource
from shared.events.uploads import ObjectPut
from shared.ids import new_id
from shared.jobs import JobPart, head_key, on_cancelled, on_rested
from shared.ledger import Ledger
from shared.media import Media
from shared.mongo import Database, MongoLedgerStore
from shared.settings import SharedSettings
from tests.builders import TENANT, an_import_cancelled, an_import_rested
from tests.fakes import RecordingPublisher, deliver
from tests.integration.reading import eventually, records_of

pytestmark = pytest.mark.integration


async def test_the_store_tells_of_what_is_put_where_somebody_may_look_and_of_nothing_else(
    settings: SharedSettings, object_store: Media
):
    bucket = f"raw-{new_id()}"
    buckets = Buckets({TENANT: [f"{bucket}/day-1/"], "other": ["elsewhere/"]})
    client = object_store.client
    await asyncio.to_thread(client.make_bucket, bucket)

    watching = Watching(client, buckets)
    await watching.watch()
    await watching.watch()
    for key in ("day-0/a.jpg", "day-1/b é.jpg"):
        await asyncio.to_thread(client.put_object, bucket, key, BytesIO(b"abc"), 3)

    async def told() -> set[tuple[str, str, str]]:
        records = await records_of(settings, ObjectPut.topic)
        events = [event for record in records for event in read_notifications_of(buckets)(record)]
        return {(event.tenant_id, event.object, event.etag) for event in events if isinstance(event, ObjectPut)}

    async def is_told() -> bool:
        return len(await told()) > 0

    await eventually(is_told)
    assert await told() == {(TENANT, f"{bucket}/day-1/b é.jpg", "900150983cd24fb0d6963f7d28e17f72")}


async def test_notices_are_kept_for_prefixes_that_are_followed_until_they_are_let_go(database: Database):
    await store.ensure_indexes(database)
    notices = store.MongoNotices(database)
    jobs = Ledger(MongoLedgerStore(database, store.JOBS), RecordingPublisher(), JobPart)
    for job in ("job-1", "job-2"):
        source = ImportSource(prefix=f"s3://raw/{job}/", follow_seconds=60)
        rested = an_import_rested(job_id=job, source=source, cursor=ImportCursor(chunk=1, listing=1))
        await jobs.fold(deliver([rested]), on_rested, head_key)
    await jobs.fold(deliver([an_import_cancelled(job_id="job-2")]), on_cancelled, head_key)

    followed = await notices.followed(TENANT)
    await notices.keep([Notice(TENANT, "job-1", f"raw/job-1/{name}", "old", 1) for name in "ab"])
    await notices.keep([Notice(TENANT, "job-1", "raw/job-1/b", "new", 2)])
    await notices.forget(TENANT, "job-1", {"raw/job-1/a": "old", "raw/job-1/b": "old"})

    assert followed == [Followed("job-1", "s3://raw/job-1/")]
    assert await notices.followed("another tenant") == []
    assert await notices.some("", 10) == [Notice(TENANT, "job-1", "raw/job-1/b", "new", 2)]
    assert await notices.some(f"{TENANT}/job-1/raw/job-1/b", 10) == []
