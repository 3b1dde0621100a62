"""Prefixes of registered buckets: a sample for each object or group of objects, page by page, and followed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.prefix import Object, groups, sample_of
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.imports import prefixes
from services.ingest.references.buckets import Buckets, address
from services.ingest.sweep import next_listing
from shared.clock import to_ms
from shared.events.imports import ImportRequested, ImportSource
from shared.events.samples import SampleSubmitted
from shared.events.uploads import ReferenceAwaited
from shared.jobs import read_head
from tests.builders import (
    MORNING,
    TENANT,
    a_parsed_spec,
    a_project_spec,
    a_project_versioned,
    an_import_cancelled,
    an_import_requested,
    an_object_put,
)
from tests.fakes import CrashError, Fuse
from tests.unit.ingest.imports_under_test import IngestUnderTest, codes

FIELDS = {"verdict": {"kind": "choice", "options": ["good", "bad"]}}
PHOTOS = a_project_spec(assets={"photo": {"modality": "image"}}, fields=FIELDS)
VISITS = a_project_spec(
    assets={
        "scan": {"modality": "image"},
        "face": {"modality": "image", "required": False},
        "call": {"modality": "audio", "required": False},
    },
    fields=FIELDS,
)


def a_request(prefix: str = "s3://raw/day-1/", **changes: Any) -> ImportRequested:
    source = ImportSource(prefix=prefix, follow_seconds=changes.pop("follow_seconds", None))
    return an_import_requested(source=source, **changes)


async def an_ingest(spec: dict[str, Any] = PHOTOS, *names: str, fuse: Fuse | None = None) -> IngestUnderTest:
    """Return an ingest of a project, with these objects in the bucket."""
    ingest = await IngestUnderTest.of(a_project_versioned(spec=spec), fuse=fuse)
    ingest.objects.kept |= {f"raw/{name}": name.encode() for name in names}
    return ingest


async def list_again(ingest: IngestUnderTest) -> None:
    """Begin the next listing, as the sweep does."""
    head = await read_head(ingest.jobs, TENANT, "job-1")
    assert head is not None and head.follow is not None
    await ingest.hear(next_listing(TENANT, head, head.follow, ingest.catalog, ingest.now))


async def put(ingest: IngestUnderTest, *names: str, content: bytes = b"new") -> None:
    """Put objects into the bucket, and have the store tell of them."""
    for name in names:
        ingest.objects.kept[f"raw/{name}"] = content
        await ingest.receive(
            an_object_put(object=f"raw/{name}", etag=str(hash(content)), event_id=f"{name}{content!r}")
        )


async def wait(ingest: IngestUnderTest, seconds: float = 6) -> None:
    """Let time pass, then have what is quiet looked at."""
    ingest.now += timedelta(seconds=seconds)
    await ingest.noticing.look_at_quiet()
    await ingest.hear()


def submitted(ingest: IngestUnderTest) -> dict[str, dict[str, str]]:
    """Return the addresses by slot of each sample that was sent, by external id."""
    return {
        event.external_id: {slot: source.uri or "" for slot, source in event.assets.items()}
        for event in ingest.announced.of(SampleSubmitted)
    }


async def test_each_object_is_a_sample_of_a_project_with_one_slot_and_is_fetched_as_it_was_listed():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg", "day-1/more/b c.jpg", "day-2/z.jpg", "day-1/.hidden", "day-1/x/")

    await ingest.hear(a_request())

    assert submitted(ingest) == {
        "a.jpg": {"photo": "s3://raw/day-1/a.jpg"},
        "more/b c.jpg": {"photo": "s3://raw/day-1/more/b%20c.jpg"},
    }
    assert len(ingest.announced.of(ReferenceAwaited)) == 2
    assert all(source.etag for event in ingest.announced.of(SampleSubmitted) for source in event.assets.values())


async def test_objects_that_differ_after_the_first_dot_are_one_sample_of_a_project_with_several_slots():
    ingest = await an_ingest(
        VISITS, "day-1/v-1.scan.png", "day-1/v-1.face.png", "day-1/v-1.wav", "day-1/v-2.png", "day-1/v-3.scan.jpg"
    )

    await ingest.hear(a_request())

    where = "s3://raw/day-1"
    assert submitted(ingest) == {
        "v-1": {"scan": f"{where}/v-1.scan.png", "face": f"{where}/v-1.face.png", "call": f"{where}/v-1.wav"},
        "v-3": {"scan": f"{where}/v-3.scan.jpg"},
    }
    assert codes(await ingest.errors()) == {2: ["unclear-slot"]}
    assert "v-2.scan.ending" in (await ingest.errors())[0].faults[0].message


async def test_two_objects_for_one_slot_and_one_for_none_are_told_with_the_line():
    ingest = await an_ingest(VISITS, "day-1/a.scan.jpg", "day-1/a.scan.png", "day-1/b.scan.png", "day-1/b.zip")

    await ingest.hear(a_request())

    assert codes(await ingest.errors()) == {1: ["two-objects"], 2: ["unclear-slot"]}


async def test_a_second_sync_makes_nothing_of_what_is_unchanged_and_conflicts_over_what_changed():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg", "day-1/b.jpg")
    await ingest.hear(a_request())
    ingest.objects.kept["raw/day-1/b.jpg"] = b"other bytes"
    ingest.objects.kept["raw/day-1/c.jpg"] = b"new"

    await ingest.hear(a_request(job_id="job-2"))

    assert await ingest.outcomes("job-2") == {1: "unchanged", 2: "conflict"}
    assert set(ingest.states) == {"a.jpg", "b.jpg", "c.jpg"}


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
async def test_pages_lose_and_double_nothing_whatever_their_size(monkeypatch, page):
    monkeypatch.setattr(prefixes, "OBJECTS_AT_ONCE", page + 3)
    names = [
        f"day-1/{folder}v-{number}.{ending}"
        for folder in ("", "x/")
        for number in range(5)
        for ending in ("scan.png", "face.png", "wav")
    ]
    ingest = await an_ingest(VISITS, *names, "day-1/v-1", "day-1/v")

    await ingest.hear(a_request())

    sent = ingest.announced.of(SampleSubmitted)
    assert len(sent) == len(submitted(ingest)) == 10
    assert all(len(event.assets) == 3 for event in sent)
    assert (await ingest.job()).total == 12


async def test_a_sample_with_more_objects_than_a_page_is_one_line_that_says_so(monkeypatch):
    monkeypatch.setattr(prefixes, "OBJECTS_AT_ONCE", 4)
    ingest = await an_ingest(VISITS, *(f"day-1/a.{number}.png" for number in range(9)), "day-1/b.scan.png")

    await ingest.hear(a_request())

    assert codes(await ingest.errors()) == {1: ["too-many-objects"]}
    assert set(submitted(ingest)) == {"b"}


@pytest.mark.parametrize("blows_at", range(12))
async def test_a_reader_that_dies_anywhere_is_followed_by_one_that_goes_on_from_there(monkeypatch, blows_at):
    monkeypatch.setattr(prefixes, "OBJECTS_AT_ONCE", 2)
    fuse = Fuse(blows_at)
    ingest = await an_ingest(PHOTOS, *(f"day-1/{number}.jpg" for number in range(7)), fuse=fuse)

    with pytest.raises(CrashError):
        await ingest.hear(a_request())
    fuse.blows_at = None
    await ingest.receive_all_again()
    await ingest.hear()

    assert len({event.event_id for event in ingest.announced.of(SampleSubmitted)}) == len(ingest.states) == 7
    assert (await ingest.job()).total == 7


async def test_a_cancelled_sync_lists_no_further(monkeypatch):
    monkeypatch.setattr(prefixes, "OBJECTS_AT_ONCE", 2)
    ingest = await an_ingest(PHOTOS, *(f"day-1/{number}.jpg" for number in range(9)))

    await ingest.receive(a_request(), an_import_cancelled())
    await ingest.hear()

    assert len(submitted(ingest)) <= 4
    assert (await ingest.job()).state == "cancelled"


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("s3://other/", "unregistered-bucket"),
        ("s3://ra", "unregistered-bucket"),
        ("s3://raw/../other/", "unregistered-bucket"),
        ("s3://raw/%2e%2e/other/", "unregistered-bucket"),
        ("s3://raw/", "source-gone"),
    ],
)
async def test_what_cannot_be_listed_ends_the_job_with_the_reason(prefix, code):
    ingest = await an_ingest()

    await ingest.hear(a_request(prefix))

    job = await ingest.job()
    assert (job.state, job.result["fault"]["code"]) == ("failed", code)


# --- followed ---------------------------------------------------------------------------------------------------------


async def test_a_followed_prefix_tells_of_new_and_changed_objects_alone_and_says_when_it_looks_again():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg", "day-1/b.jpg")
    await ingest.hear(a_request(follow_seconds=60))
    ingest.objects.kept["raw/day-1/b.jpg"] = b"other bytes"
    ingest.objects.kept["raw/day-1/c.jpg"] = b"new"

    await list_again(ingest)
    await list_again(ingest)

    assert await ingest.outcomes() == {3: "conflict"}
    assert sorted(ingest.states) == ["a.jpg", "b.jpg", "c.jpg"]
    job = await ingest.job()
    assert (job.total, job.result["listings"]) == (4, 3)
    assert job.result["next_listing_at"] > job.result["listed_at"]


async def test_what_comes_later_is_due_as_the_import_says_however_it_is_found():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    due_at = MORNING + timedelta(days=9)
    await ingest.hear(a_request(follow_seconds=3600, due_at=due_at))

    await put(ingest, "day-1/told.jpg")
    await wait(ingest)
    ingest.objects.kept["raw/day-1/listed.jpg"] = b"new"
    await list_again(ingest)

    due = {event.external_id: event.due_at for event in ingest.announced.of(SampleSubmitted)}
    assert due == dict.fromkeys(["a.jpg", "told.jpg", "listed.jpg"], due_at)


async def test_wrong_names_are_not_told_of_again_and_again():
    ingest = await an_ingest(VISITS, "day-1/a.scan.png", "day-1/b.zip")
    await ingest.hear(a_request(follow_seconds=60))
    ingest.now = MORNING + timedelta(hours=1)

    await list_again(ingest)
    await list_again(ingest)

    assert (await ingest.job()).total == 2

    ingest.objects.kept["raw/day-1/c.zip"] = b"zip"
    ingest.objects.modified_ms["raw/day-1/c.zip"] = to_ms(ingest.now)
    await list_again(ingest)
    assert (await ingest.job()).total == 3


async def test_a_followed_prefix_goes_on_until_it_is_cancelled():
    ingest = await an_ingest(PHOTOS, "day-1/a.jpg")
    await ingest.hear(a_request(follow_seconds=60))

    await ingest.hear(an_import_cancelled())
    ingest.objects.kept["raw/day-1/b.jpg"] = b"new"
    await list_again(ingest)

    job = await ingest.job()
    assert (job.state, job.total, job.result) == ("cancelled", 1, None)
    assert "b.jpg" not in ingest.states


# --- names ------------------------------------------------------------------------------------------------------------

KEYS = st.lists(st.text(st.sampled_from("ab./-_ %?#é"), min_size=1, max_size=8), unique=True, max_size=12)


@settings(deadline=None)
@given(KEYS)
def test_every_object_that_is_seen_is_in_one_group_and_groups_of_one_name_lie_together(keys):
    objects = [Object(key, f"s3://raw/{key}", "etag") for key in sorted(keys, key=str.encode)]

    some = groups(objects, a_parsed_spec(assets=VISITS["assets"], fields=FIELDS))

    inside = [each.key for group in some for each in group.objects]
    assert len(inside) == len(set(inside))
    named = [group.external_id for group in some if "." in group.objects[0].key.rpartition("/")[2]]
    assert len(named) == len(set(named))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_an_address_names_the_object_that_it_was_made_of(key):
    buckets = Buckets({TENANT: ["raw/"]})

    uri = address(f"raw/{key}")

    assert uri.isascii()
    assert " " not in uri
    try:
        assert buckets.name(TENANT, uri) == f"raw/{key}"
    except MediaRejectedError:
        assert {".", ".."} & set(key.split("/"))


def test_an_error_of_names_is_a_sentence_that_says_what_to_do():
    spec = a_parsed_spec(assets=VISITS["assets"], fields=FIELDS)
    [group] = groups([Object("day/x.zip", "s3://raw/day/x.zip", "e")], spec)

    sample, [fault] = sample_of(group, spec)

    assert sample == {"external_id": "day/x", "assets": {}}
    assert fault.code == "unclear-slot"
    assert "s3://raw/day/x.zip is for none of" in fault.message
    assert fault.message.endswith("name it like day/x.scan.ending.")
