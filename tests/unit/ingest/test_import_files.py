"""Files of samples, read part by part: NDJSON, CSV and Parquet, from wherever the reader was when it died."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.imports import chunks, table_parquet
from services.ingest.imports import ndjson as ndjson_file
from services.ingest.imports.ndjson import read_ndjson
from services.ingest.imports.table_csv import read_csv
from services.ingest.imports.table_parquet import ParquetReader
from shared.events.imports import ImportCursor, ImportRequested, ImportSource
from shared.events.samples import SampleSubmitted
from tests.builders import a_parsed_spec, an_import_cancelled, an_import_requested
from tests.fakes import CrashError, Fuse
from tests.unit.ingest.imports_under_test import IngestUnderTest, chats, codes, ndjson

FILE = "media/acme/imports/job-1"
SPEC = a_parsed_spec()
LIMIT = 1_000


def a_request(format_: str) -> ImportRequested:
    return an_import_requested(source=ImportSource(object=FILE, format=format_))


def a_table(rows: list[dict[str, Any]]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), written, row_group_size=3)
    return written.getvalue()


def all_of(read: Any, content: bytes, **more: Any) -> list[Any]:
    """Return the lines of a file as they are read part by part."""
    cursor, lines, at_end = ImportCursor(), [], False
    for _ in range(10_000):
        if at_end:
            break
        part = read(lambda offset, length: content[offset : offset + length], cursor, **more)
        lines, cursor, at_end = [*lines, *part.lines], part.cursor, part.at_end
    assert at_end
    assert cursor.total == len(lines)
    return lines


# --- imports as a whole -----------------------------------------------------------------------------------------------


async def test_a_file_of_lines_is_imported_and_every_line_accounted_for():
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = ndjson(*chats(range(3)), b"", b"{", {"external_id": "x", "assets": {}}, *chats([0]))

    await ingest.hear(a_request("ndjson"))

    assert await ingest.outcomes() == {
        **dict.fromkeys((1, 2, 3), "created"),
        **dict.fromkeys((5, 6), "rejected"),
        7: "unchanged",
    }
    job = await ingest.job()
    assert (job.state, job.total, job.failed) == ("done", 6, 2)
    assert codes(await ingest.errors()) == {5: ["invalid-json"], 6: ["missing-asset"]}


async def test_the_same_file_imported_twice_creates_nothing_and_says_so_line_by_line():
    ingest = await IngestUnderTest.of()
    ingest.objects.kept |= dict.fromkeys((FILE, "media/acme/imports/job-2"), ndjson(*chats(range(5))))
    again = ImportSource(object="media/acme/imports/job-2", format="ndjson")

    await ingest.hear(a_request("ndjson"))
    await ingest.hear(an_import_requested(job_id="job-2", source=again))

    assert await ingest.outcomes() == dict.fromkeys(range(1, 6), "created")
    assert await ingest.outcomes("job-2") == dict.fromkeys(range(1, 6), "unchanged")


async def test_the_list_of_errors_can_be_corrected_and_imported_as_it_is():
    ingest = await IngestUnderTest.of()
    bad = [{"external_id": "a", "assets": {"chat": {"text": " "}}}, b'{"external_id": "b", "assets": {']
    ingest.objects.kept[FILE] = ndjson(*bad)
    await ingest.hear(a_request("ndjson"))

    corrected = [error.model_dump(mode="json") for error in await ingest.errors()]
    corrected[0]["source"]["assets"]["chat"]["text"] = "Something."
    corrected[1]["source"] += '"chat": {"text": "Else."}}}'
    ingest.objects.kept["media/acme/imports/job-2"] = ndjson(*corrected)
    again = ImportSource(object="media/acme/imports/job-2", format="ndjson")
    await ingest.hear(an_import_requested(job_id="job-2", source=again))

    assert ingest.states == {"a": "ingested", "b": "ingested"}
    assert await ingest.outcomes("job-2") == {1: "created", 2: "created"}


@pytest.mark.parametrize("blows_at", range(14))
async def test_an_import_whose_reader_dies_anywhere_goes_on_where_it_was(monkeypatch, blows_at):
    monkeypatch.setattr(ndjson_file, "LINES_PER_CHUNK", 2)  # parts of two lines, so that there are several to die in
    fuse = Fuse(blows_at)
    ingest = await IngestUnderTest.of(fuse=fuse)
    ingest.objects.kept[FILE] = ndjson(*chats(range(6)))

    with pytest.raises(CrashError):
        await ingest.hear(a_request("ndjson"))
    fuse.blows_at = None
    await ingest.receive_all_again()
    await ingest.hear()

    assert await ingest.outcomes() == dict.fromkeys(range(1, 7), "created")
    assert ((await ingest.job()).state, (await ingest.job()).total) == ("done", 6)
    assert len({event.event_id for event in ingest.announced.of(SampleSubmitted)}) == 6
    assert FILE not in ingest.objects.kept


async def test_a_part_that_was_read_is_not_read_again(monkeypatch):
    monkeypatch.setattr(ndjson_file, "LINES_PER_CHUNK", 2)
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = ndjson(*chats(range(6)))
    await ingest.hear(a_request("ndjson"))
    reads, told = ingest.objects.reads, len(ingest.announced.of(SampleSubmitted))

    await ingest.receive_all_again()

    assert (ingest.objects.reads, len(ingest.announced.of(SampleSubmitted))) == (reads, told)


async def test_a_cancelled_import_is_not_read_further(monkeypatch):
    monkeypatch.setattr(ndjson_file, "LINES_PER_CHUNK", 2)
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = ndjson(*chats(range(6)))

    await ingest.receive(a_request("ndjson"))
    await ingest.hear(an_import_cancelled())

    job = await ingest.job()
    assert (job.state, job.total) == ("cancelled", 2)
    assert set(job.outcomes) <= {"created", "cancelled"}


@pytest.mark.parametrize(
    ("format_", "content", "code"),
    [
        ("ndjson", None, "source-gone"),
        ("csv", b"", "no-header"),
        ("csv", b"id,text\n1,x\n", "no-header"),
        ("csv", "external_id,chat\n1,x\n".encode("utf-16"), "no-header"),
        ("csv", b"external_id,chat,chat\n1,x,y\n", "repeated-column"),
        ("parquet", b"PAR1 this is none PAR1", "no-parquet"),
        ("parquet", b"", "no-parquet"),
        ("parquet", a_table([{"id": "1"}]), "no-header"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_its_job_with_the_reason(format_, content, code):
    ingest = await IngestUnderTest.of()
    if content is not None:
        ingest.objects.kept[FILE] = content

    await ingest.hear(a_request(format_))

    job = await ingest.job()
    assert (job.state, job.total) == ("failed", 0)
    assert job.result is not None
    assert job.result["fault"]["code"] == code


async def test_a_file_that_was_exchanged_while_it_was_read_is_not_read_on(monkeypatch):
    monkeypatch.setattr(ndjson_file, "LINES_PER_CHUNK", 2)
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = ndjson(*chats(range(6)))

    await ingest.receive(a_request("ndjson"))
    ingest.objects.kept[FILE] = ndjson(*chats(range(100, 106)))
    await ingest.hear()

    job = await ingest.job()
    assert (job.state, job.total, job.result["fault"]["code"]) == ("failed", 2, "source-changed")


# --- tables -----------------------------------------------------------------------------------------------------------


async def test_a_line_whose_integer_would_be_rounded_stays_refused_until_it_is_corrected():
    ingest = await IngestUnderTest.of()
    good = {"external_id": "b", "assets": {"chat": {"text": "Fine."}}}
    ingest.objects.kept[FILE] = ndjson(good) + ndjson(good | {"external_id": "a", "metadata": {"n": 7}}).replace(
        b"7", str(2**70).encode()
    )
    await ingest.hear(a_request("ndjson"))

    [error] = await ingest.errors()
    ingest.objects.kept["media/acme/imports/job-2"] = ndjson(error.model_dump(mode="json"))
    again = ImportSource(object="media/acme/imports/job-2", format="ndjson")
    await ingest.hear(an_import_requested(job_id="job-2", source=again))

    assert ingest.states == {"b": "ingested"}
    assert [(fault.pointer, fault.code) for fault in error.faults] == [("/metadata/n", "out-of-range")]
    assert str(2**70) in error.source
    assert codes(await ingest.errors("job-2")) == {1: ["out-of-range"]}


async def test_columns_say_what_a_sample_is_made_of():
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = (
        b"\xef\xbb\xbfexternal_id;chat;language;metadata.channel;shop;predictions\r\n"
        b'a;"I said ""no"";\r\ntwice";de;mail;Berlin;"{""intent"": ""refund""}"\r\n'
        b"\r\n"
        b"b;Fine.;;;;\r\n"
    )

    await ingest.hear(a_request("csv"))

    first, second = ingest.announced.of(SampleSubmitted)
    assert first.assets["chat"].text == 'I said "no";\r\ntwice'
    assert (first.language, first.metadata) == ("de", {"channel": "mail", "shop": "Berlin"})
    assert first.predictions == {"intent": "refund"}
    assert (second.external_id, second.language, second.metadata) == ("b", None, {})
    assert await ingest.outcomes() == {2: "created", 5: "created"}


async def test_bad_rows_are_refused_one_by_one_with_the_line_that_they_begin_in():
    ingest = await IngestUnderTest.of()
    ingest.objects.kept[FILE] = (
        b"external_id,chat,predictions\n"
        b"good,Text.,\n"
        b"ragged,Text.\n"
        b"json,Text.,{\n"
        b'quotes,"a"b,\n'
        b"latin,caf\xe9,\n"
        b"good2,Text.,\n"
        b'large,Text.,"{""n"": 123456789012345678901}"\n'
        b'open,"never closed,\n'
    )

    await ingest.hear(a_request("csv"))

    assert ingest.states == {"good": "ingested", "good2": "ingested"}
    assert codes(await ingest.errors()) == {
        3: ["ragged-row"],
        4: ["invalid-json"],
        5: ["malformed-csv"],
        6: ["invalid-utf-8"],
        8: ["out-of-range"],
        9: ["malformed-csv"],
    }
    assert (await ingest.errors())[0].source["external_id"] == "ragged"


async def test_rows_of_parquet_keep_their_types_and_groups_are_read_to_the_last(monkeypatch):
    monkeypatch.setattr(table_parquet, "ROWS_PER_CHUNK", 2)
    ingest = await IngestUnderTest.of()
    rows = [
        {"external_id": n, "chat": f"Text {n}.", "score": n / 2, "seen": datetime(2026, 1, n + 1, tzinfo=UTC)}
        for n in range(8)
    ]
    ingest.objects.kept[FILE] = a_table(rows)

    await ingest.hear(a_request("parquet"))

    sent = ingest.announced.of(SampleSubmitted)
    assert [event.external_id for event in sent] == [str(n) for n in range(8)]
    assert sent[3].metadata == {"score": 1.5, "seen": "2026-01-04T00:00:00+00:00"}
    assert ((await ingest.job()).state, (await ingest.job()).total) == ("done", 8)


# --- parts and wholes -------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"", b" ", b"{}", b'{"a": 1}', b"x" * 50, b"y" * 20]), max_size=12), st.booleans())
def test_lines_are_the_same_in_parts_of_any_size_as_in_the_whole(texts, ends):
    content = b"\n".join(texts) + (b"\n" if ends and texts else b"")
    expected = [(number, text) for number, text in enumerate(content.split(b"\n"), 1) if text.strip()]

    for block_bytes in (64, 65, 80, 1000):
        lines = all_of(read_ndjson, content, max_line_bytes=LIMIT, block_bytes=block_bytes)
        assert [(line.number, line.text) for line in lines] == expected


def test_a_line_longer_than_a_block_is_cut_off_and_the_next_is_whole():
    content = b"a" * 500 + b"\n{}\n"

    lines = all_of(read_ndjson, content, max_line_bytes=50, block_bytes=100)

    assert [(line.number, len(line.text)) for line in lines] == [(1, 51), (2, 2)]


CELLS = st.text(alphabet='ab,;"\n\r é', max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(CELLS, max_size=8))
def test_rows_are_the_same_in_parts_of_any_size_as_they_were_written(texts):
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(["external_id", "note"])
    for number, text in enumerate(texts):
        writer.writerow([f"s{number}", text])
    content = written.getvalue().encode()
    expected = [(f"s{number}", text) for number, text in enumerate(texts)]

    for block_bytes in (64, 75, 1000):
        lines = all_of(read_csv, content, spec=SPEC, max_line_bytes=LIMIT, block_bytes=block_bytes)
        samples = [orjson.loads(line.text) for line in lines]
        assert [(each["external_id"], each["metadata"].get("note", "")) for each in samples] == expected
        assert not [fault for line in lines for fault in line.faults]


@pytest.mark.parametrize("restarts", [False, True])
def test_rows_of_parquet_are_the_same_whether_or_not_the_reader_begins_anew(monkeypatch, restarts):
    monkeypatch.setattr(table_parquet, "ROWS_PER_CHUNK", 2)
    content = a_table([{"external_id": str(n), "chat": "x"} for n in range(10)])
    reader = ParquetReader()

    def read(fetch: chunks.Fetch, cursor: ImportCursor) -> chunks.Chunk:
        reading = ParquetReader() if restarts else reader
        return reading.read(fetch, len(content), cursor, SPEC, LIMIT)

    lines = all_of(read, content)

    assert [orjson.loads(line.text)["external_id"] for line in lines] == [str(n) for n in range(10)]
    assert [line.number for line in lines] == list(range(1, 11))
