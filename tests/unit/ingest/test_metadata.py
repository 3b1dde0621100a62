"""Images that tell where and by whom they were taken, and the copies that are served in their stead."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from services.ingest.domain.metadata import write_stripped
from services.ingest.domain.rejection import MediaRejectedError
from shared.events.samples import AssetSource
from shared.events.uploads import MediaDropped, UploadRefused
from shared.ids import new_id
from tests.builders import a_sample_erased, a_sample_submitted
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec
from tests.unit.ingest.media_builders import MEDIA, facts_of

SECRETS = (b"SERIAL-4711", b"Jane Roe", b"PHOTO-COMMENT", b"XMP-SECRET", b"MAKER-NOTE", b"TRAILER-SECRET")
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp"}
PHOTO = MEDIA / "images" / "chelsea.png"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">XMP-SECRET</x:xmpmeta>'


def a_telling_image(kind: str, orientation: int = 1, **options: Any) -> bytes:
    """Return a real photograph as a camera or an editor would write it: place, serial number, author, thumbnail."""
    with Image.open(PHOTO) as photo:
        image = photo.convert("RGB")
        exif = Image.Exif()
        exif[Base.Orientation] = orientation
        exif[Base.Artist] = "Jane Roe"
        exif[Base.Make] = "Camera Works"
        details = exif.get_ifd(IFD.Exif)
        details[Base.BodySerialNumber] = "SERIAL-4711"
        details[Base.MakerNote] = b"MAKER-NOTE"
        place = exif.get_ifd(IFD.GPSInfo)
        place[1], place[2] = "N", (IFDRational(52), IFDRational(31), IFDRational(12))
        place[3], place[4] = "E", (IFDRational(13), IFDRational(24), IFDRational(18))
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        more: dict[str, Any] = {"exif": exif, "icc_profile": profile}
        if kind == "JPEG":
            more |= {"comment": b"PHOTO-COMMENT", "xmp": XMP, "quality": 90}
        if kind == "PNG":
            told = PngInfo()
            told.add_text("Comment", "PHOTO-COMMENT")
            told.add_itxt("XML:com.adobe.xmp", XMP.decode())
            more |= {"pnginfo": told}
        if kind == "WEBP":
            more |= {"xmp": XMP, "lossless": True}
        if kind == "GIF":
            more = {"comment": b"PHOTO-COMMENT", "save_all": True, "append_images": [image.rotate(5)], "loop": 0}
        if kind == "BMP":
            more = {}
        written = io.BytesIO()
        image.save(written, kind, **(more | options))
        return written.getvalue() + (b"TRAILER-SECRET" if kind in {"JPEG", "PNG", "WEBP"} else b"")


def stripped(content: bytes, kind: str, folder: Path, orientation: int = 1) -> bytes:
    source, target = folder / "source", folder / "target"
    source.write_bytes(content)
    write_stripped(source, target, MEDIA_TYPES[kind], orientation)
    return target.read_bytes()


def upright(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def gps_of(content: bytes) -> dict[int, Any]:
    with Image.open(io.BytesIO(content)) as image:
        return dict(image.getexif().get_ifd(IFD.GPSInfo))


KINDS = pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])


@KINDS
@pytest.mark.parametrize("orientation", range(1, 9))
def test_place_camera_author_and_whatever_lies_behind_the_image_go_and_pixels_stay(tmp_path, kind, orientation):
    telling = a_telling_image(kind, orientation)
    assert gps_of(telling)
    assert sum(secret in telling for secret in SECRETS) >= 4

    copy = stripped(telling, kind, tmp_path, orientation)

    assert gps_of(copy) == {}
    assert [secret for secret in SECRETS if secret in copy] == []
    assert np.array_equal(upright(copy), upright(telling))
    with Image.open(io.BytesIO(copy)) as image:
        tags = dict(image.getexif())
        assert image.info.get("icc_profile")
    assert tags == ({} if orientation == 1 else {Base.Orientation: orientation})


@KINDS
def test_the_copy_is_whole_and_is_found_to_be_what_the_original_was(tmp_path, kind):
    telling = a_telling_image(kind, 6)[: -len(b"TRAILER-SECRET")]
    (tmp_path / "telling").write_bytes(telling)
    (tmp_path / "copy").write_bytes(stripped(telling, kind, tmp_path, 6))

    facts, copy = (
        facts_of(tmp_path / name, "image", f"photo.{kind.lower()}", MEDIA_TYPES[kind]) for name in ("telling", "copy")
    )

    assert (copy.width, copy.height, copy.details) == (facts.width, facts.height, facts.details)
    assert copy.details is not None
    assert copy.details.orientation == 6


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("JPEG", {"subsampling": 0, "quality": 100}),
        ("WEBP", {"lossless": False}),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_every_way_of_encoding_comes_through(tmp_path, kind, options):
    telling = a_telling_image(kind, 1, **options)

    copy = stripped(telling, kind, tmp_path)

    assert [secret for secret in SECRETS if secret in copy] == []
    assert np.array_equal(upright(copy), upright(telling))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_stays_one(tmp_path, kind):
    with Image.open(PHOTO) as image:
        frames = [image.convert("RGB").resize((64, 48)).rotate(turn) for turn in (0, 10, 20)]
    written = io.BytesIO()
    more = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(written, kind, save_all=True, append_images=frames[1:], duration=[40, 60, 80], loop=3, **more)

    copy = stripped(written.getvalue(), kind, tmp_path)

    with Image.open(io.BytesIO(written.getvalue())) as before, Image.open(io.BytesIO(copy)) as after:
        assert (after.n_frames, after.info.get("loop")) == (before.n_frames, before.info.get("loop")) == (3, 3)
        for number in range(3):
            before.seek(number)
            after.seek(number)
            assert after.info.get("duration") == before.info.get("duration")
            assert np.array_equal(np.asarray(after.convert("RGB")), np.asarray(before.convert("RGB")))


def test_a_picture_in_cmyk_keeps_what_its_colours_need(tmp_path):
    with Image.open(PHOTO) as image:
        written = io.BytesIO()
        image.convert("CMYK").save(written, "JPEG", comment=b"PHOTO-COMMENT")

    copy = stripped(written.getvalue(), "JPEG", tmp_path)

    assert b"PHOTO-COMMENT" not in copy
    assert np.array_equal(upright(copy), upright(written.getvalue()))


def test_a_format_that_keeps_all_together_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")

    with pytest.raises(MediaRejectedError, match="JPEG, PNG or WebP") as refused:
        write_stripped(tmp_path / "a.tif", tmp_path / "b", "image/tiff", 1)

    assert refused.value.code == "metadata-not-removable"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.data())
def test_whatever_a_file_is_like_it_is_copied_or_refused_and_nothing_else(tmp_path_factory, kind, data):
    with Image.open(PHOTO) as image:
        written = io.BytesIO()
        image.convert("RGB").resize((24, 16)).save(written, kind)
    broken = bytearray(written.getvalue())
    for _ in range(data.draw(st.integers(0, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(broken)))
    folder = tmp_path_factory.mktemp("broken")

    try:
        copy = stripped(bytes(broken[:cut]), kind, folder)
    except MediaRejectedError as error:
        assert error.code == "metadata-not-removable"
    else:
        assert len(copy) <= len(broken) + 64


# --- in ingest --------------------------------------------------------------------------------------------------------


def a_spec(exif: str) -> dict[str, Any]:
    spec = a_media_spec()
    return spec | {"assets": spec["assets"] | {"image": {"modality": "image", "exif": exif}}}


async def send(ingest: IngestUnderTest, upload: str, content: bytes, name: str = "sample-1", **known: Any):
    sent = a_sample_submitted(external_id=name, assets={"image": AssetSource(upload=upload, **known)})
    await ingest.hear(ingest.put(upload, content, "photo.jpg"), sent)
    return ingest.sample(name)


def served(ingest: IngestUnderTest, sample: dict[str, Any]) -> bytes:
    facts = sample["assets"]["image"]
    return ingest.media.kept[facts["object"], facts["version"]]


async def test_by_default_a_file_is_served_as_it_came():
    ingest = await IngestUnderTest.of()

    sample = await send(ingest, "u-1", a_telling_image("JPEG"))

    assert sample["assets"]["image"]["original"] is None
    assert gps_of(served(ingest, sample))


async def test_a_project_that_strips_serves_a_copy_and_keeps_the_original_for_managers():
    ingest = await IngestUnderTest.of(a_spec("strip"))

    sample = await send(ingest, "u-1", a_telling_image("JPEG", 6), facts={"size": len(a_telling_image("JPEG", 6))})
    async with ingest.asking() as client, ingest.asking(roles=("annotator",)) as annotator:
        place = f"/samples/{sample['sample_id']}/assets/image"
        shown, whole = await client.get(place), await client.get(f"{place}?original=true")
        theirs, refused = await annotator.get(place), await annotator.get(f"{place}?original=true")

    facts = sample["assets"]["image"]
    assert (sample["state"], facts["width"], facts["height"]) == ("ingested", 300, 451)
    assert gps_of(served(ingest, sample)) == {}
    assert facts["size"] == len(served(ingest, sample))
    assert facts["original"]["object"] in whole.json()["url"]
    assert facts["object"] in shown.json()["url"]
    assert (theirs.json(), refused.status_code) == (shown.json(), 403)


async def test_a_project_that_removes_originals_keeps_the_copy_alone():
    ingest = await IngestUnderTest.of(a_spec("remove"))

    sample = await send(ingest, "u-1", a_telling_image("JPEG"))
    async with ingest.asking() as client:
        whole = await client.get(f"/samples/{sample['sample_id']}/assets/image?original=true")

    assert [name for name, _ in ingest.media.kept] == [sample["assets"]["image"]["object"]]
    assert gps_of(served(ingest, sample)) == {}
    assert whole.status_code == 404
    assert len(ingest.announced.of(UploadRefused)) == len(ingest.announced.of(MediaDropped)) == 1


async def test_everything_delivered_again_changes_nothing_though_the_original_is_gone():
    ingest = await IngestUnderTest.of(a_spec("remove"))
    sample = await send(ingest, "u-1", a_telling_image("JPEG"))

    await ingest.receive_all_again()
    await ingest.hear()

    assert ingest.sample() == sample


async def test_a_file_whose_metadata_cannot_be_removed_is_rejected_with_the_reason():
    ingest = await IngestUnderTest.of(a_spec("strip"))
    written = io.BytesIO()
    with Image.open(PHOTO) as image:
        image.convert("RGB").save(written, "TIFF")
    upload = new_id()

    sent = a_sample_submitted(external_id="t", assets={"image": AssetSource(upload=upload)})
    await ingest.hear(ingest.put(upload, written.getvalue(), "scan.tif"), sent)

    [fault] = ingest.sample("t")["faults"]
    assert (fault["code"], fault["pointer"]) == ("metadata-not-removable", "/assets/image")


async def test_erasure_takes_the_upload_of_a_stripped_image_too():
    ingest = await IngestUnderTest.of(a_spec("strip"))
    sample = await send(ingest, "u-1", a_telling_image("JPEG"))
    original = sample["assets"]["image"]["original"]["object"]

    await ingest.hear(a_sample_erased(sample_id=sample["sample_id"]))

    assert original not in {name for name, _ in ingest.media.kept}
