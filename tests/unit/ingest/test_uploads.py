"""Uploads and the samples that need them: in any order, more than once, put twice, needed no more."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.upload import (
    Upload,
    on_media_uploaded,
    on_upload_awaited,
    on_upload_lapsed,
    on_upload_refused,
)
from services.ingest.handlers import upload_key
from shared.declared import Declared
from shared.events import Event
from shared.events.samples import SampleIngested, SampleRejected
from shared.events.uploads import MediaDropped, MediaUploaded, UploadArrived, UploadAwaited, UploadLapsed, UploadRefused
from shared.ids import new_id
from shared.ledger import Ledger, Step
from shared.media import StoredObject, upload_object
from tests.builders import (
    TENANT,
    a_media_uploaded,
    an_upload_awaited,
    an_upload_lapsed,
    an_upload_refused,
)
from tests.fakes import CrashError, FaultyStore, Fuse, MemoryLedgerStore, RecordingPublisher, deliver, run_step
from tests.unit.ingest.ingest_under_test import IngestUnderTest, notified, submission
from tests.unit.ingest.media_builders import MEDIA

OWL = (MEDIA / "images" / "owl.jpg").read_bytes()
COFFEE = (MEDIA / "images" / "coffee.png").read_bytes()
HALF_A_PICTURE = COFFEE[:5000]


# --- what comes last completes both -----------------------------------------------------------------------------------


async def test_a_notification_before_its_sample_completes_it() -> None:
    ingest = await IngestUnderTest.of()

    await ingest.hear(ingest.put("u", OWL))
    await ingest.hear(submission(image="u"))

    assert ingest.sample()["state"] == "ingested"
    assert len(ingest.announced.of(SampleIngested)) == 1


async def test_a_sample_before_its_notification_waits_for_it() -> None:
    ingest = await IngestUnderTest.of()

    await ingest.hear(submission(image="u"))
    waiting = ingest.sample()["state"]
    await ingest.hear(ingest.put("u", OWL))

    assert (waiting, ingest.sample()["state"]) == ("waiting", "ingested")


async def test_the_same_notification_ten_times_counts_once() -> None:
    ingest = await IngestUnderTest.of()
    notification = ingest.put("u", OWL)

    await ingest.hear(*[notification] * 5, submission(image="u"), *[notification] * 5)
    await ingest.receive_all_again()

    assert len({event.event_id for event in ingest.announced.of(SampleIngested)}) == 1
    assert not ingest.announced.of(MediaDropped)


async def test_one_upload_serves_two_samples() -> None:
    ingest = await IngestUnderTest.of()

    await ingest.hear(submission("one", image="u"), ingest.put("u", OWL), submission("two", image="u"))

    assert [ingest.sample(name)["state"] for name in ("one", "two")] == ["ingested", "ingested"]


# --- two uploads to one key -------------------------------------------------------------------------------------------


async def test_of_two_files_under_one_address_the_first_counts_and_the_second_is_removed() -> None:
    ingest = await IngestUnderTest.of()
    first, second = ingest.put("u", OWL), ingest.put("u", COFFEE)

    await ingest.hear(first, second, submission(image="u"))

    facts = ingest.sample()["assets"]["image"]
    assert (facts["size"], facts["version"]) == (len(OWL), "v1")
    assert list(ingest.media.kept) == [(facts["object"], "v1")]


async def test_a_file_put_over_a_sample_that_is_ingested_changes_nothing() -> None:
    ingest = await IngestUnderTest.of()
    await ingest.hear(ingest.put("u", OWL), submission(image="u"))

    await ingest.hear(ingest.put("u", HALF_A_PICTURE))

    async with ingest.asking() as client:
        link = (await client.get(f"/samples/{ingest.sample()['sample_id']}/assets/image")).json()["url"]
    assert link.endswith("?versionId=v1")
    assert list(ingest.media.kept.values()) == [OWL]


async def test_a_store_without_versions_gives_no_sample_another_file_than_was_told_of() -> None:
    ingest = await IngestUnderTest.of()
    told = ingest.put("u", OWL).model_copy(update={"version": None})
    ingest.media.kept = {(told.object, ""): COFFEE}

    await ingest.hear(told, submission(image="u"))

    assert [fault["code"] for fault in ingest.sample()["faults"]] == ["replaced-object"]


async def test_an_object_that_somebody_removed_rejects_its_sample_and_stops_nobody() -> None:
    ingest = await IngestUnderTest.of()
    told = ingest.put("u", OWL)
    ingest.media.kept.clear()

    await ingest.hear(told, submission(image="u"))

    assert [fault["code"] for fault in ingest.sample()["faults"]] == ["missing-object"]


# --- quarantine -------------------------------------------------------------------------------------------------------


async def test_a_rejected_original_is_kept_in_quarantine_and_then_removed() -> None:
    ingest = await IngestUnderTest.of()
    await ingest.hear(ingest.put("u", HALF_A_PICTURE, "coffee.png"), submission(image="u"))
    sample = ingest.sample()
    path = f"/samples/{sample['sample_id']}/assets/image"

    async with ingest.asking() as manager, ingest.asking(roles=("annotator",)) as annotator:
        plain = await manager.get(path)
        forbidden = await annotator.get(path, params={"quarantined": True})
        original = await manager.get(path, params={"quarantined": True})
        since = ingest.upload("u").half_since_ms
        await ingest.hear(an_upload_lapsed(upload_id="u", since_ms=since))
        after = await manager.get(path, params={"quarantined": True})

    assert [fault["code"] for fault in sample["faults"]] == ["truncated"]
    assert (plain.status_code, forbidden.status_code, after.status_code) == (404, 403, 404)
    assert original.json()["url"].endswith("uploads/u/coffee.png?versionId=v1")
    assert since is not None
    assert not ingest.media.kept


async def test_all_uploads_of_a_rejected_sample_are_in_quarantine() -> None:
    ingest = await IngestUnderTest.of()

    await ingest.hear(
        submission(image="bad", text="good", audio="late"),
        ingest.put("bad", HALF_A_PICTURE),
        ingest.put("good", b"Hello."),
    )
    await ingest.hear(ingest.put("late", OWL))

    assert all(ingest.upload(name).half_since_ms is not None for name in ("bad", "good", "late"))


async def test_a_corrected_sample_takes_its_upload_out_of_quarantine() -> None:
    ingest = await IngestUnderTest.of()
    await ingest.hear(ingest.put("u", OWL), ingest.put("bad", HALF_A_PICTURE), submission(image="u", text="bad"))
    since = ingest.upload("u").half_since_ms

    await ingest.hear(submission(image="u"))
    await ingest.hear(an_upload_lapsed(upload_id="u", since_ms=since))

    assert since is not None
    assert ingest.sample()["state"] == "ingested"
    assert OWL in ingest.media.kept.values()


async def test_the_late_refusal_of_an_earlier_attempt_does_not_take_the_upload_from_the_next() -> None:
    waits_again = [an_upload_awaited(attempt="first"), an_upload_awaited(attempt="second")]

    step = run_step(an_upload_step, None, a_media_uploaded(), *waits_again, an_upload_refused(attempt="first"))

    assert step.state is not None
    assert [waiter.attempt for waiter in step.state.waiters] == ["second"]
    assert step.state.half_since_ms is None


async def test_an_upload_that_never_comes_rejects_its_sample_in_the_end() -> None:
    ingest = await IngestUnderTest.of()
    await ingest.hear(submission(image="u"))

    await ingest.hear(an_upload_lapsed(upload_id="u", since_ms=ingest.upload("u").half_since_ms))
    await ingest.hear(ingest.put("u", OWL))

    assert [fault["code"] for fault in ingest.sample()["faults"]] == ["upload-lapsed"]
    assert not ingest.media.kept


async def test_a_sample_that_comes_after_its_upload_lapsed_is_told_so() -> None:
    ingest = await IngestUnderTest.of()
    await ingest.hear(ingest.put("u", OWL))
    await ingest.hear(an_upload_lapsed(upload_id="u", since_ms=ingest.upload("u").half_since_ms))

    await ingest.hear(submission(image="u"))

    [rejected] = ingest.announced.of(SampleRejected)
    assert [fault.code for fault in rejected.faults] == ["upload-lapsed"]
    assert not ingest.media.kept


# --- any order, any replica, any crash ---------------------------------------------------------------------------------


def an_upload_step(upload: Upload | None, event: Event) -> Step[Upload]:
    if isinstance(event, MediaUploaded):
        return on_media_uploaded(upload, event)
    if isinstance(event, UploadAwaited):
        return on_upload_awaited(upload, event)
    if isinstance(event, UploadRefused):
        return on_upload_refused(upload, event)
    assert isinstance(event, UploadLapsed)
    return on_upload_lapsed(upload, event)


def told(announced: Sequence[Event]) -> set[tuple[str, str]]:
    return {(event.sample_id, event.slot) for event in announced if isinstance(event, UploadArrived)}


WAITERS = [
    an_upload_awaited(external_id=name, slot=slot, attempt=f"{name}-{slot}")
    for name, slot in [("one", "front"), ("one", "back"), ("two", "front")]
]
NOTIFICATION = a_media_uploaded(version="v1")
OVERWRITING = a_media_uploaded(version="v2", etag="1" * 32)


@given(order=st.permutations([NOTIFICATION, NOTIFICATION, OVERWRITING, *WAITERS, WAITERS[0]]))
def test_in_any_order_every_waiter_is_told_of_one_and_the_same_object(order: list[Event]) -> None:
    step = run_step(an_upload_step, None, *order)

    arrived = [event for event in step.emitted if isinstance(event, UploadArrived)]
    assert told(arrived) == {(waiter.sample_id, waiter.slot) for waiter in WAITERS}
    assert len({event.version for event in arrived}) == 1


@given(turns=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=8, max_size=8))
async def test_two_replicas_that_fold_at_the_same_time_lose_no_wake_up(turns: list[tuple[bool, int]]) -> None:
    """One replica reads the notifications, the other the samples; between load and write of one the other may write."""
    store, published = MemoryLedgerStore(), RecordingPublisher()
    lanes = [deliver([NOTIFICATION, NOTIFICATION, OVERWRITING]), deliver(WAITERS)]

    async def fold_next(lane: int, comes_between: int) -> None:
        async def other_writes() -> None:
            nonlocal comes_between
            while comes_between and lanes[1 - lane]:
                comes_between -= 1
                await fold_next(1 - lane, 0)

        if lanes[lane]:
            delivery = lanes[lane].pop(0)
            ledger = Ledger(FaultyStore(store, between=other_writes), published, Upload)
            await ledger.fold([delivery], an_upload_step, upload_key)

    for samples_first, comes_between in turns:
        await fold_next(int(samples_first), comes_between)
    for lane in (0, 1, 0, 1, 0, 1):
        await fold_next(lane, 0)

    assert told(published.events) == {(waiter.sample_id, waiter.slot) for waiter in WAITERS}


@given(order=st.permutations([NOTIFICATION, *WAITERS]), blows_at=st.integers(0, 30))
async def test_a_crash_at_any_place_loses_no_wake_up(order: list[Event], blows_at: int) -> None:
    store, fuse = MemoryLedgerStore(), Fuse(blows_at)
    published = RecordingPublisher(fuse)

    for delivery in deliver(order):
        try:
            await Ledger(FaultyStore(store, fuse), published, Upload).fold([delivery], an_upload_step, upload_key)
        except CrashError:
            fuse.blows_at = None  # it is started again, and reads the record again
            await Ledger(store, published, Upload).fold([delivery], an_upload_step, upload_key)

    assert told(published.events) == {(waiter.sample_id, waiter.slot) for waiter in WAITERS}


@given(
    order=st.permutations([NOTIFICATION, WAITERS[0], WAITERS[1]]),
    refusals=st.permutations(range(2)),
    lapses_at=st.integers(0, 5),
)
def test_an_object_is_removed_only_when_nobody_needs_it(
    order: list[Event], refusals: list[int], lapses_at: int
) -> None:
    refused = [
        an_upload_refused(sample_id=waiter.sample_id, slot=waiter.slot, attempt=waiter.attempt)
        for waiter in (WAITERS[index] for index in refusals)
    ]
    events: list[Event] = [*order, *refused]
    events.insert(lapses_at, an_upload_lapsed(since_ms=10**14))

    state: Upload | None = None
    for event in events:
        before = state
        step = run_step(an_upload_step, state, event)
        state = step.state
        if any(isinstance(each, MediaDropped) for each in step.emitted):
            assert state is not None and state.lapsed
            assert before is None or before.lapsed or not before.waiters


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "filename",
    [
        "../../../etc/passwd",
        "..\\..\\windows\\system32\\config",
        "/etc/passwd",
        "photo.jpg?versionId=other&X-Amz-Expires=1",
        "photo.jpg#fragment",
        "https://evil.example/photo.jpg",
        "%2e%2e%2f%2e%2e%2fpasswd",
        "a/b/c/d/photo.jpg",
        "photo\0.jpg",
        "photo\r\nX-Injected: 1.jpg",
        "\u202egpj.exe",
        "....",
        "фото собаки.jpg",
        "x" * 300,
    ],
)
async def test_a_name_is_only_ever_a_name(filename: str) -> None:
    ingest = await IngestUnderTest.of()

    sample = await ingest.submit_file("image", OWL, filename)

    [(name, _)] = ingest.media.kept
    assert name.count("/") == 4
    assert name.startswith(f"media/{TENANT}/uploads/")
    assert sample["state"] == "ingested"


@given(filename=st.text(min_size=1, max_size=300))
def test_no_name_leads_out_of_its_upload(filename: str) -> None:
    upload = new_id()

    name = upload_object(TENANT, upload, filename)

    told_of = notified(StoredObject(name, 1, "0" * 32))
    assert (told_of.tenant_id, told_of.upload_id, told_of.object) == (TENANT, upload, name)
    assert name.rpartition("/")[2] not in {"", ".", ".."}
    assert name.isascii()


# --- what was declared ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "code", "told"),
    [
        (Declared(size=7), "wrong-size", ["7 bytes", f"{len(OWL)} have arrived"]),
        (Declared(sha256="0" * 64), "wrong-checksum", ["0" * 64, sha256(OWL).hexdigest()]),
        (Declared(media_type="image/png"), "wrong-media-type", ["image/png", "JPEG"]),
    ],
)
async def test_a_declaration_that_the_file_contradicts_is_an_error_that_states_both(
    declared: Declared, code: str, told: list[str]
) -> None:
    ingest = await IngestUnderTest.of()

    await ingest.hear(ingest.put("u", OWL, declared=declared), submission(image="u"))

    [fault] = ingest.sample()["faults"]
    assert fault["code"] == code
    assert all(part in fault["message"] for part in told)


async def test_a_declaration_that_is_true_is_no_matter() -> None:
    ingest = await IngestUnderTest.of()
    declared = Declared(len(OWL), sha256(OWL).hexdigest(), "image/jpeg")

    await ingest.hear(ingest.put("u", OWL, declared=declared), submission(image="u"))

    assert ingest.sample()["state"] == "ingested"
