"""Images that look alike: of two, the later one is flagged, in whatever order and however often they are told of."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.ingest.domain import resemblance
from services.ingest.domain.resemblance import Band, band_ids, differing_bits, on_image_left, on_image_met
from shared.events.resemblance import ImageMet, ImageResembled
from shared.events.samples import AssetSource
from shared.ids import new_id
from shared.labels.policies import MOST_DIFFERING_BITS
from tests.builders import MORNING, PROJECT, TENANT, a_sample_erased, a_sample_submitted, an_image_left, an_image_met
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec
from tests.unit.ingest.media_builders import MEDIA

HASHES = st.integers(0, 2**64 - 1)


def hexadecimal(bits: int) -> str:
    return f"{bits:016x}"


@settings(deadline=None)
@given(HASHES, st.sets(st.integers(0, 63), max_size=MOST_DIFFERING_BITS))
def test_hashes_that_differ_in_as_many_bits_as_may_be_share_a_band(bits, flipped):
    other = bits
    for place in flipped:
        other ^= 1 << place

    mine, theirs = (band_ids(TENANT, PROJECT, hexadecimal(each)) for each in (bits, other))

    assert set(mine) & set(theirs)
    assert differing_bits(hexadecimal(bits), hexadecimal(other)) == len(flipped)
    assert len(set(mine)) == len(mine)


@settings(deadline=None)
@given(HASHES)
def test_bands_are_of_one_project_and_use_every_bit(bits):
    mine = band_ids(TENANT, PROJECT, hexadecimal(bits))

    assert not set(mine) & set(band_ids(TENANT, "another", hexadecimal(bits)))
    assert not set(mine) & set(band_ids("another", PROJECT, hexadecimal(bits)))
    for place in range(64):
        assert band_ids(TENANT, PROJECT, hexadecimal(bits ^ 1 << place)) != mine


def flags(*met: ImageMet) -> set[tuple[str, str]]:
    """Return who is flagged because of whom, when a band is told of images in this order."""
    band: Band | None = None
    found: set[tuple[str, str]] = set()
    for event in met:
        step = on_image_met(band, event)
        band = step.state
        for told in step.emitted:
            assert isinstance(told, ImageResembled)
            found |= {(told.sample_id, each.sample_id) for each in told.near_duplicates}
    return found


def test_of_each_pair_the_later_is_flagged_in_whatever_order_they_are_told_of():
    images = [
        an_image_met(sample_id=name, sent_ms=sent_ms, perceptual_hash=hexadecimal(bits))
        for name, sent_ms, bits in (("a", 1, 0), ("b", 2, 1), ("c", 2, 3), ("far", 3, 2**63 - 1))
    ]

    for order in permutations(images):
        assert flags(*order) == {("b", "a"), ("c", "a"), ("c", "b")}
        assert flags(*order, *order) == flags(*order)


def test_a_band_remembers_so_many_images_and_still_flags_what_comes_after(monkeypatch):
    monkeypatch.setattr(resemblance, "KEPT_IMAGES", 3)
    band: Band | None = None
    for number in range(10):
        step = on_image_met(band, an_image_met(sample_id=f"s-{number}", sent_ms=number))
        band = step.state

    assert band is not None
    assert [each.sample_id for each in band.seen] == ["s-0", "s-1", "s-2"]
    [told] = step.emitted
    assert (told.sample_id, len(told.near_duplicates)) == ("s-9", 3)


@pytest.mark.parametrize("step", [1, 7, 299])
def test_a_thousand_alike_tell_each_other_in_a_bounded_number_of_events_in_whatever_order(step):
    count, told = 300, 0
    band: Band | None = None
    flagged: set[str] = set()
    for place in range(count):
        number = place * step % count
        done = on_image_met(band, an_image_met(sample_id=f"s-{number:03}", sent_ms=number))
        band, told = done.state, told + len(done.emitted)
        flagged |= {each.sample_id for each in done.emitted}

    assert told <= resemblance.KEPT_DUPLICATES * count  # of all pairs it would be 44,850
    assert flagged == {f"s-{number:03}" for number in range(1, count)}


@settings(deadline=None)
@given(HASHES, st.sets(st.integers(0, 63), max_size=MOST_DIFFERING_BITS))
def test_of_two_alike_one_band_alone_tells(bits, flipped):
    other = bits
    for place in flipped:
        other ^= 1 << place
    first, second = hexadecimal(bits), hexadecimal(other)
    shared = [
        number
        for number, (mine, theirs) in enumerate(
            zip(band_ids(TENANT, PROJECT, first), band_ids(TENANT, PROJECT, second), strict=True)
        )
        if mine == theirs
    ]

    telling = [
        number
        for number in shared
        if flags(
            an_image_met(sample_id="a", band=number, sent_ms=1, perceptual_hash=first),
            an_image_met(sample_id="b", band=number, sent_ms=2, perceptual_hash=second),
        )
    ]

    assert telling == shared[:1]


def test_an_image_that_is_gone_flags_nobody_and_those_that_it_flagged_are_told():
    first, second = (an_image_met(sample_id=name, sent_ms=number) for number, name in enumerate("ab"))
    band = on_image_met(on_image_met(None, first).state, second).state

    step = on_image_left(band, an_image_left(sample_id="a"))
    again = on_image_left(step.state, an_image_left(sample_id="a"))
    later = on_image_met(step.state, an_image_met(sample_id="c", sent_ms=9))

    [told] = step.emitted
    assert (told.sample_id, told.gone, told.near_duplicates[0].sample_id) == ("b", True, "a")
    assert again.emitted == ()
    assert [each.sample_id for each in later.emitted[0].near_duplicates] == ["b"]


# --- in ingest --------------------------------------------------------------------------------------------------------


def a_photo(name: str = "camera.png", **changes: Any) -> bytes:
    """Return a real picture: smaller, recompressed or turned as asked."""
    with Image.open(MEDIA / "images" / name) as image:
        made = image.convert("RGB").rotate(changes.get("turned", 0))
        scale = changes.get("scale", 1.0)
        made = made.resize((int(made.width * scale), int(made.height * scale)))
        written = io.BytesIO()
        made.save(written, "JPEG", quality=changes.get("quality", 90))
        return written.getvalue()


async def send(ingest: IngestUnderTest, name: str, content: bytes, day: int = 1) -> dict[str, Any]:
    upload = new_id()
    sent = a_sample_submitted(
        external_id=name, assets={"image": AssetSource(upload=upload)}, occurred_at=MORNING.replace(day=day)
    )
    await ingest.hear(ingest.put(upload, content, "photo.jpg"), sent)
    return ingest.sample(name)


async def test_a_smaller_recompressed_copy_is_flagged_with_the_first_and_other_pictures_are_not():
    ingest = await IngestUnderTest.of()
    first = await send(ingest, "first", a_photo())

    copy = await send(ingest, "copy", a_photo(scale=0.5, quality=50), day=2)
    turned = await send(ingest, "turned", a_photo(turned=90), day=3)
    other = await send(ingest, "other", a_photo("coffee.png"), day=4)

    [found] = copy["near_duplicates"]
    assert (found["sample_id"], found["slot"], found["own_slot"]) == (first["sample_id"], "image", "image")
    assert found["distance"] <= MOST_DIFFERING_BITS
    assert copy["state"] == "ingested"
    assert [each["near_duplicates"] for each in (ingest.sample("first"), turned, other)] == [[], [], []]


async def test_flags_are_the_same_when_everything_is_delivered_again():
    ingest = await IngestUnderTest.of()
    await send(ingest, "first", a_photo())
    await send(ingest, "copy", a_photo(scale=0.5), day=2)
    before = ingest.sample("first"), ingest.sample("copy"), ingest.documents["bands"].states

    await ingest.receive_all_again()
    await ingest.hear()

    assert (ingest.sample("first"), ingest.sample("copy"), ingest.documents["bands"].states) == before


async def test_an_erased_sample_is_forgotten_by_those_that_it_flagged_and_flags_nobody_any_more():
    ingest = await IngestUnderTest.of()
    first = await send(ingest, "first", a_photo())
    await send(ingest, "copy", a_photo(scale=0.5), day=2)

    await ingest.hear(a_sample_erased(sample_id=first["sample_id"]))
    third = await send(ingest, "third", a_photo(quality=60), day=3)

    assert ingest.sample("copy")["near_duplicates"] == []
    assert [each["sample_id"] for each in third["near_duplicates"]] == [ingest.sample("copy")["sample_id"]]
    assert first["sample_id"] not in str(ingest.documents["bands"].states)


@pytest.mark.parametrize(("policy", "found"), [(None, False), (0, False), (4, True)])
async def test_the_project_says_how_alike_is_alike_and_whether_anybody_looks(policy, found):
    ingest = await IngestUnderTest.of(a_media_spec(intake={"near_duplicates": policy}))
    await send(ingest, "first", a_photo("astronaut.png"))

    copy = await send(ingest, "copy", cropped("astronaut.png"), day=2)

    assert bool(copy["near_duplicates"]) is found
    assert (ingest.announced.of(ImageMet) == []) is (policy is None)


def cropped(name: str) -> bytes:
    """Return a picture without the hundredth of it that is next to its edges."""
    with Image.open(MEDIA / "images" / name) as image:
        margin = image.width // 100
        made = image.convert("RGB").crop((margin, margin, image.width - margin, image.height - margin))
        written = io.BytesIO()
        made.save(written, "JPEG", quality=90)
        return written.getvalue()


async def test_what_is_flagged_is_shown_with_the_sample():
    ingest = await IngestUnderTest.of()
    first = await send(ingest, "first", a_photo())
    copy = await send(ingest, "copy", a_photo(scale=0.5), day=2)

    async with ingest.asking() as client:
        shown = (await client.get(f"/samples/{copy['sample_id']}")).json()

    assert [each["sample_id"] for each in shown["near_duplicates"]] == [first["sample_id"]]
