"""Whatever is uploaded, its sample ends as ingested, or as rejected with a stable code and a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from shared.events.imports import ImportLineFinished
from shared.events.samples import SampleIngested, SampleRejected
from shared.jobs import read_job
from tests.builders import MORNING, TENANT, an_import_received
from tests.unit.ingest import bad_files as bad
from tests.unit.ingest.ingest_under_test import IngestUnderTest, submission
from tests.unit.ingest.media_builders import a_video, turned

Make = Callable[[Path], bytes]

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "importing.md"
HEBREW = "שלום עולם, abc 123"
COMBINED = "e\u0301 " + "Z" + "\u0351" * 40 + " 👨‍👩‍👧‍👦 \u202eevil\u202c"

BAD: list[tuple[str, str, str, str, Make]] = [
    ("zero bytes", "image", "a.png", "empty-file", lambda _: b""),
    ("truncated picture", "image", "a.png", "truncated", lambda _: bad.COFFEE.read_bytes()[:9000]),
    ("truncated video", "video", "a.mp4", "truncated", lambda _: bad.WATER.read_bytes()[:90_000]),
    ("truncated sound", "audio", "a.wav", "truncated", lambda _: bad.LEOPARD.read_bytes()[:9000]),
    ("wrong extension", "image", "a.wav", "wrong-extension", lambda _: bad.COFFEE.read_bytes()),
    ("wrong slot", "audio", "a.png", "wrong-type", lambda _: bad.COFFEE.read_bytes()),
    ("a program", "image", "a.png", "wrong-type", lambda _: b"MZ\x90\0\3\0\0\0" + b"\0" * 500),
    ("picture and archive", "image", "a.png", "polyglot", bad.a_picture_that_is_an_archive),
    ("picture and page", "image", "a.jpg", "polyglot", bad.a_picture_that_is_a_page),
    ("picture and program", "image", "a.gif", "polyglot", bad.a_picture_that_is_a_program),
    ("picture and document", "image", "a.jpg", "polyglot", bad.a_picture_that_is_a_document),
    ("sound and archive", "audio", "a.wav", "polyglot", bad.a_sound_that_is_an_archive),
    ("decompression bomb", "image", "a.png", "too-large-dimensions", lambda _: bad.png_header(20_000, 20_000)),
    ("100,000 x 100,000", "image", "a.png", "too-large-dimensions", lambda _: bad.png_header(100_000, 100_000)),
    ("bomb in a comment", "image", "a.png", "undecodable", bad.a_png_with_a_bomb_in_its_text),
    ("zip bomb as text", "text", "a.txt", "wrong-type", bad.a_zip_bomb),
    ("zip bomb as table", "sensor", "a.csv", "wrong-type", bad.a_zip_bomb),
    ("zip bomb as picture", "image", "a.png", "wrong-type", bad.a_zip_bomb),
    ("gzip bomb", "sensor", "a.csv", "wrong-type", bad.a_gzip_bomb),
    ("endless sound", "audio", "a.wav", "unknown-length", lambda _: bad.a_wav(0xFFFFFFFF)),
    ("sound of 4 GB in 8 KB", "audio", "a.wav", "truncated", lambda _: bad.a_wav(0xFFFFFFF0)),
    ("broken index", "video", "a.mp4", "broken-index", bad.a_video_with_a_broken_index),
    ("two video tracks", "video", "a.mp4", "several-video-tracks", bad.a_video_of_two_tracks),
    ("no video track", "video", "a.mp4", "no-video-track", bad.a_video_without_a_track),
    ("odd rotation", "video", "a.mp4", "odd-rotation", bad.a_slanted_video),
    ("UTF-16", "text", "a.txt", "not-utf8", lambda _: "Grüße".encode("utf-16")),
    ("UTF-16 without a mark", "text", "a.txt", "not-utf8", lambda _: b"h\0e\0l\0l\0o\0"),
    ("mixed encodings", "text", "a.txt", "not-utf8", lambda _: "größer\n".encode() + "größer\n".encode("latin-1")),
    ("NUL bytes", "text", "a.txt", "nul-bytes", lambda _: b"a long enough sentence with a NUL \0 inside"),
    ("table in UTF-16", "sensor", "a.csv", "not-utf8", lambda _: "t,v\n0,1\n".encode("utf-16")),
    ("ragged table", "sensor", "a.csv", "ragged-csv", lambda _: b't,"v, w"\n0,1\n1,2,3\n'),
    ("open quote", "sensor", "a.csv", "undecodable", lambda _: b't,v\n0,"1\n'),
]

GOOD: list[tuple[str, str, str, Make]] = [
    ("CMYK", "image", "a.jpg", lambda _: bad.a_picture("CMYK", "JPEG")),
    ("16 bits", "image", "a.png", lambda _: bad.a_picture("I;16", "PNG")),
    ("animated GIF", "image", "a.gif", lambda _: bad.a_picture("L", "GIF", Image.new("L", (31, 17), 200))),
    ("animated WebP", "image", "a.webp", lambda _: bad.a_picture("RGB", "WEBP", Image.new("RGB", (31, 17), "red"))),
    ("turned", "video", "a.mp4", lambda at: turned(a_video(at / "a.mp4"), (0, 1 << 16, -(1 << 16), 0)).read_bytes()),
    ("variable rate", "video", "a.mkv", lambda at: a_video(at / "a.mkv", times=lambda n: 10 * n * n).read_bytes()),
    ("right to left", "text", "a.txt", lambda _: HEBREW.encode()),
    ("combining", "text", "a.txt", lambda _: COMBINED.encode()),
    ("quoted table", "sensor", "a.csv", lambda _: b'\xef\xbb\xbft;"v; ""w"""\r\n0;1\r\n1;"2"\r\n'),
]


@pytest.mark.parametrize(("modality", "name", "code", "make"), [pytest.param(*rest, id=what) for what, *rest in BAD])
async def test_a_bad_file_rejects_its_sample_and_stays_in_quarantine(
    tmp_path: Path, modality: str, name: str, code: str, make: Make
) -> None:
    ingest = await IngestUnderTest.of()

    await ingest.submit_file(modality, make(tmp_path), name)

    [rejected] = ingest.announced.of(SampleRejected)
    [fault] = rejected.faults
    assert (fault.code, fault.pointer) == (code, f"/assets/{modality}")
    assert fault.message[0].isupper() and fault.message.endswith(".") and " " in fault.message
    [upload] = ingest.documents["uploads"].states.values()
    assert upload["half_since_ms"] is not None
    assert len(ingest.media.kept) == 1


@pytest.mark.parametrize(("modality", "name", "make"), [pytest.param(*rest, id=what) for what, *rest in GOOD])
async def test_an_unusual_file_is_taken(tmp_path: Path, modality: str, name: str, make: Make) -> None:
    ingest = await IngestUnderTest.of()

    sample = await ingest.submit_file(modality, make(tmp_path), name)

    assert sample["faults"] == []
    [ingested] = ingest.announced.of(SampleIngested)
    assert ingested.assets[modality].modality == modality


async def test_a_bad_file_keeps_no_other_sample_from_being_ingested(tmp_path: Path) -> None:
    ingest = await IngestUnderTest.of()

    await ingest.submit_file("image", b"", external_id="bad")
    await ingest.submit_file("image", bad.OWL.read_bytes(), external_id="good")

    assert [ingest.sample(name)["state"] for name in ("bad", "good")] == ["rejected", "ingested"]


async def test_a_photograph_with_a_film_behind_it_is_no_polyglot() -> None:
    """Phones put a short film behind the picture; it is data, and nothing runs it."""
    ingest = await IngestUnderTest.of()

    sample = await ingest.submit_file("image", bad.OWL.read_bytes() + bad.WATER.read_bytes(), "motion.jpg")

    assert sample["assets"]["image"]["media_type"] == "image/jpeg"


async def test_a_job_of_every_bad_and_every_unusual_file_ends_with_the_right_outcome_for_each_line(
    tmp_path: Path,
) -> None:
    ingest = await IngestUnderTest.of()
    files = [*((modality, name, code, make) for _, modality, name, code, make in BAD)]
    files += [(modality, name, "", make) for _, modality, name, make in GOOD]

    for line, (modality, name, _, make) in enumerate(files, 1):
        upload = f"upload-{line}"
        sample = submission(f"sample-{line}", **{modality: upload})
        await ingest.hear(
            ingest.put(upload, make(tmp_path), name), sample.model_copy(update={"job_id": "job-1", "line": line})
        )
    await ingest.hear(an_import_received(lines=len(files)))

    job = await read_job(ingest.jobs, TENANT, "job-1", MORNING)
    assert (job.state, job.done, job.outcomes) == ("done", len(files), {"rejected": len(BAD), "created": len(GOOD)})
    told = {each.line: [fault.code for fault in each.faults] for each in ingest.announced.of(ImportLineFinished)}
    assert told == {line: [code] if code else [] for line, (_, _, code, _) in enumerate(files, 1)}


def rows_of_the_guide() -> list[tuple[str, str, str]]:
    """Return what the guide says becomes of each bad input: the input, the code, and the test that shows it."""
    text = GUIDE.read_text().partition("## Bad input")[2]
    return re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([^`|]+)` \|$", text, re.MULTILINE)


@pytest.mark.parametrize(("what", "outcome", "test"), rows_of_the_guide())
def test_the_guide_names_a_test_that_there_is_and_the_codes_that_it_asks_for(
    what: str, outcome: str, test: str
) -> None:
    module, _, name = test.partition("::")
    source = (GUIDE.parents[2] / "tests" / module).read_text()

    assert f"def {name}(" in source
    assert all(f'"{code}"' in source for code in re.findall(r"`([a-z0-9-]+)`", outcome)), what


def test_the_guide_tells_of_every_code_that_bad_files_are_refused_with() -> None:
    told = {code for _, outcome, _ in rows_of_the_guide() for code in re.findall(r"`([a-z0-9-]+)`", outcome)}

    assert {code for _, _, _, code, _ in BAD} <= told
