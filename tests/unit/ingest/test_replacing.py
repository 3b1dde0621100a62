"""Other assets for a sample that is in: in its place where nobody has begun, else a conflict that says why."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events.imports import ImportLineFinished
from shared.events.replacements import ReplacementDecided, ReplacementProposed
from shared.events.resemblance import ImageLeft
from shared.events.samples import AssetSource, SampleIngested, SampleRejected
from tests.builders import a_sample_erased, a_sample_submitted
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec
from tests.unit.ingest.media_builders import MEDIA

PHOTO, OTHER = ((MEDIA / "images" / name).read_bytes() for name in ("pets.jpg", "owl.jpg"))


def sent(upload: str, line: int = 1, **changes: Any):
    assets = {"image": AssetSource(upload=upload)}
    return a_sample_submitted(assets=assets, on_conflict="replace", job_id="job-1", line=line, **changes)


async def an_ingest_with(upload: str, content: bytes, **spec: Any) -> IngestUnderTest:
    """Return an ingest that has a sample of one upload."""
    ingest = await IngestUnderTest.of(a_media_spec(**spec))
    await ingest.hear(ingest.put(upload, content, "photo.jpg"), sent(upload))
    assert ingest.sample()["state"] == "ingested"
    return ingest


async def decide(ingest: IngestUnderTest, *, granted: bool = True, reason: str = "") -> None:
    """Answer the last question, as task assignment does."""
    asked = ingest.announced.of(ReplacementProposed)[-1]
    known = {"sample_id": asked.sample_id, "attempt": asked.attempt, "granted": granted, "reason": reason}
    await ingest.hear(ReplacementDecided.caused_by(asked, **known))


def outcomes(ingest: IngestUnderTest) -> dict[int, str]:
    return {event.line: event.outcome for event in ingest.announced.of(ImportLineFinished)}


async def test_until_it_is_decided_the_sample_is_as_it_was_and_then_has_the_new_file():
    ingest = await an_ingest_with("u-1", PHOTO)
    first = ingest.sample()["assets"]["image"]

    await ingest.hear(ingest.put("u-2", OTHER, "photo.jpg"), sent("u-2", 2))
    before = ingest.sample()
    await decide(ingest)

    after = ingest.sample()
    assert (before["state"], before["assets"]["image"], outcomes(ingest)[1]) == ("ingested", first, "created")
    assert after["state"] == "ingested"
    assert after["assets"]["image"]["sha256"] != first["sha256"]
    assert (after["previous"], after["proposed"]) == (None, None)
    assert outcomes(ingest) == {1: "created", 2: "replaced"}
    assert ingest.announced.of(SampleIngested)[-1].assets["image"].sha256 == after["assets"]["image"]["sha256"]
    assert ingest.upload("u-1").waiters == []
    assert len(ingest.announced.of(ImageLeft)) == 5


async def test_where_work_has_begun_it_is_a_conflict_that_says_so_and_nothing_changes():
    ingest = await an_ingest_with("u-1", PHOTO)
    first = ingest.sample()

    await ingest.hear(ingest.put("u-2", OTHER, "photo.jpg"), sent("u-2", 2))
    await decide(ingest, granted=False, reason="there is an answer about the assets that it has")

    line = ingest.announced.of(ImportLineFinished)[-1]
    assert (line.outcome, line.source is not None) == ("conflict", True)
    assert "there is an answer about the assets that it has" in line.faults[0].message
    assert {**ingest.sample(), "refused_hash": None} == first


@pytest.mark.parametrize("bad", [b"", PHOTO[:3000], b"no picture"])
async def test_a_bad_file_is_rejected_and_the_sample_keeps_what_it_had(bad):
    ingest = await an_ingest_with("u-1", PHOTO)
    first = ingest.sample()

    await ingest.hear(sent("u-2", 2))
    await decide(ingest)
    waiting = ingest.sample()["state"]
    await ingest.hear(ingest.put("u-2", bad, "photo.jpg"))

    assert waiting == "waiting"
    assert {**ingest.sample(), "refused_hash": None} == first
    assert outcomes(ingest) == {1: "created", 2: "rejected"}
    assert ingest.announced.of(SampleRejected) == []
    assert ingest.announced.of(SampleIngested)[-1].assets["image"].sha256 == first["assets"]["image"]["sha256"]
    assert [each.attempt for each in ingest.upload("u-1").waiters] == [first["attempt"]]


async def test_everything_delivered_again_changes_nothing():
    ingest = await an_ingest_with("u-1", PHOTO)
    await ingest.hear(ingest.put("u-2", OTHER, "photo.jpg"), sent("u-2", 2))
    await decide(ingest)
    sample, told = ingest.sample(), outcomes(ingest)

    await ingest.receive_all_again()
    await ingest.hear()

    assert (ingest.sample(), outcomes(ingest)) == (sample, told)


async def test_a_third_file_meanwhile_is_a_conflict_and_metadata_alone_is_taken_at_once():
    ingest = await an_ingest_with("u-1", PHOTO)

    await ingest.hear(sent("u-1", 2, metadata={"channel": "mail"}))
    await ingest.hear(sent("u-2", 3), sent("u-3", 4))
    await decide(ingest)
    await ingest.hear(sent("u-4", 5))

    assert outcomes(ingest) == {1: "created", 2: "replaced", 4: "conflict", 5: "conflict"}
    assert len(ingest.announced.of(ReplacementProposed)) == 1


async def test_content_that_another_sample_has_is_no_replacement_where_none_is_wanted_twice():
    ingest = await an_ingest_with("u-1", PHOTO, intake={"duplicates": "link"})
    await ingest.hear(
        ingest.put("u-9", OTHER, "photo.jpg"),
        a_sample_submitted(external_id="other", assets={"image": AssetSource(upload="u-9")}),
    )
    first = ingest.sample()

    await ingest.hear(ingest.put("u-2", OTHER, "photo.jpg"), sent("u-2", 2))
    await decide(ingest)

    assert outcomes(ingest)[2] == "rejected"
    assert {**ingest.sample(), "refused_hash": None} == first


@pytest.mark.parametrize("decided", [True, False])
async def test_erasure_meanwhile_takes_both_files(decided):
    ingest = await an_ingest_with("u-1", PHOTO)
    await ingest.hear(sent("u-2", 2))
    if decided:
        await decide(ingest)

    await ingest.hear(a_sample_erased(sample_id=ingest.sample()["sample_id"]))
    await ingest.hear(ingest.put("u-2", OTHER, "photo.jpg"))

    assert ingest.sample() is None
    assert {name for name, _ in ingest.media.kept} == set()
    assert outcomes(ingest)[2] == "erased"
