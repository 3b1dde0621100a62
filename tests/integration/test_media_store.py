"""The object store's promises that ingest builds on: versions, links, and what uploads leave behind."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from services.ingest import store
from services.ingest.domain.upload import Upload, on_media_uploaded, on_upload_awaited
from services.ingest.handlers import upload_key
from services.ingest.notifications import read_notification
from services.ingest.sweep import Sweep
from shared.clock import from_ms, utc_now
from shared.declared import Declared
from shared.errors import NotFoundError
from shared.events.uploads import MediaUploaded, UploadLapsed
from shared.ids import new_id
from shared.kafka import Producer
from shared.labels.facts import AssetFacts
from shared.ledger import Ledger
from shared.media import LINK_LIFETIME, Media, find_upload, upload_object
from shared.mongo import Database, MongoLedgerStore
from shared.multipart import Multipart
from shared.settings import SharedSettings
from tests.builders import a_catalog, a_media_uploaded, an_upload_awaited
from tests.fakes import FakeClock, RecordingPublisher, deliver
from tests.integration.reading import eventually, records_of


async def put(url: str, content: bytes, media_type: str = "application/octet-stream") -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.put(url, content=content, headers={"content-type": media_type})
    assert answer.status_code == 200, answer.text


async def get(url: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(url, headers=headers)


@pytest.fixture
def upload() -> str:
    return f"upload-{new_id()}"


async def test_what_is_put_over_an_upload_changes_nothing_of_the_first(
    settings: SharedSettings, object_store: Media, upload: str, tmp_path: Path
) -> None:
    place = upload_object("acme", upload, "photo.jpg")
    link = object_store.upload_link(place)
    await put(link, b"the first")
    await put(link, b"the second")

    async def told() -> list[MediaUploaded]:
        records = await records_of(settings, MediaUploaded.topic)
        events = [event for record in records for event in read_notification(record)]
        return [event for event in events if event.upload_id == upload]

    async def both_are_told() -> bool:
        return len(await told()) == 2

    await eventually(both_are_told)
    versions = {event.version for event in await told()}
    found = await find_upload(object_store, "acme", upload)
    assert found is not None and found.version in versions and len(versions) == 2

    first = AssetFacts(modality="text", object=place, version=found.version, media_type="text/plain")
    before = await get(object_store.asset_link(first))
    etag = await object_store.get_version(place, tmp_path / "first", found.version)
    [second] = versions - {found.version}
    await object_store.remove(place, second)

    assert before.content == (tmp_path / "first").read_bytes() == b"the first"
    assert etag == found.etag
    assert (await get(object_store.link(place))).content == b"the first"


async def test_nothing_stays_of_an_object_that_is_removed(object_store: Media, upload: str, tmp_path: Path) -> None:
    place = upload_object("acme", upload, "photo.jpg")
    await object_store.put(place, b"one")
    await object_store.put(place, b"two")
    versions = await object_store.versions(place)

    await object_store.remove(place)
    await object_store.remove(place)

    assert len(versions) == 2
    assert await object_store.versions(place) == []
    with pytest.raises(NotFoundError):
        await object_store.get_version(place, tmp_path / "gone", versions[0].version)


async def test_a_link_serves_ranges_and_what_was_found_instead_of_what_was_claimed(
    object_store: Media, upload: str
) -> None:
    place = upload_object("acme", upload, "photo.png")
    await put(object_store.upload_link(place), bytes(range(256)), media_type="text/html")
    link = object_store.asset_link(AssetFacts(modality="image", object=place, media_type="image/png"))

    part = await get(link, Range="bytes=16-31")

    assert (part.status_code, part.content) == (206, bytes(range(16, 32)))
    assert part.headers["content-type"] == "image/png"
    assert part.headers["content-range"] == "bytes 16-31/256"


async def test_the_sweep_finds_what_was_not_told_and_what_stays_half(
    settings: SharedSettings, database: Database, object_store: Media, producer: Producer, upload: str
) -> None:
    await store.ensure_indexes(database)
    ledger = Ledger(MongoLedgerStore(database, store.UPLOADS), RecordingPublisher(), Upload)
    await object_store.put(upload_object("acme", upload, "photo.jpg"), b"a photo")
    orphan = f"orphan-{new_id()}"
    awaited = [an_upload_awaited(upload_id=name, appended_at_ms=1_000) for name in (upload, f"late-{new_id()}")]
    arrived = a_media_uploaded(upload_id=orphan, appended_at_ms=2_000)
    await ledger.fold(deliver(awaited), on_upload_awaited, upload_key)
    await ledger.fold(deliver([arrived]), on_media_uploaded, upload_key)
    clock = FakeClock(utc_now())
    sweep = Sweep(database, object_store, producer, await a_catalog(), clock, kept=clock.now - from_ms(1_500))

    await sweep.find_unnoticed()
    await sweep.let_lapse()
    await sweep.let_lapse()

    told = [event for record in await records_of(settings, MediaUploaded.topic) for event in read_notification(record)]
    assert [event.upload_id for event in told if event.upload_id == upload]
    lapsed = [record.value for record in await records_of(settings, UploadLapsed.topic)]
    ids = [name for name in (upload, orphan, awaited[1].upload_id) if any(name.encode() in each for each in lapsed)]
    assert ids == [upload, awaited[1].upload_id]


async def test_an_upload_in_parts_goes_on_where_it_stopped(
    settings: SharedSettings, object_store: Media, upload: str
) -> None:
    multipart = Multipart(object_store)
    place = upload_object("acme", upload, "film.mp4", Declared(size=5 * 1024**2 + 3).segment())
    contents = {1: b"a" * 5 * 1024**2, 2: b"end"}
    sizes = {number: len(content) for number, content in contents.items()}
    store_id = await multipart.begin(place)
    first, _ = await multipart.links(place, store_id, sizes, LINK_LIFETIME)
    await put(first.url, contents[1])

    arrived = await multipart.arrived(place, store_id) or {}
    [again] = await multipart.links(place, store_id, {2: sizes[2]}, LINK_LIFETIME)
    await put(again.url, contents[2])
    parts = await multipart.arrived(place, store_id) or {}
    await multipart.complete(place, store_id, [parts[1], parts[2]])

    assert {number: part.size for number, part in arrived.items()} == {1: sizes[1]}
    assert await multipart.arrived(place, store_id) is None
    assert (await get(object_store.link(place))).content == contents[1] + contents[2]

    async def is_told() -> bool:
        told = [event for each in await records_of(settings, MediaUploaded.topic) for event in read_notification(each)]
        return [event.size for event in told if event.upload_id == upload] == [sum(sizes.values())]

    await eventually(is_told)
