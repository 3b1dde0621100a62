"""Texts and sensor series: what is taken, what is found, and why the rest is refused."""

import codecs
from pathlib import Path

import pytest

from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetFacts
from tests.unit.ingest.media_builders import facts_of


def probed(folder: Path, content: str | bytes, modality: str, name: str = "upload") -> AssetFacts:
    path = folder / "stored"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return facts_of(path, modality, name, None)


def code_of(folder: Path, content: str | bytes, modality: str) -> str:
    with pytest.raises(MediaRejectedError) as caught:
        probed(folder, content, modality)
    assert caught.value.detail.endswith(".")
    return caught.value.code


def test_a_text_is_normalized_before_it_is_counted(tmp_path: Path) -> None:
    facts = probed(tmp_path, "cafe\u0301 😀\r\n", "text")

    assert facts.text == "café 😀\r\n"
    assert facts.text_length == 8


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    facts = probed(tmp_path, codecs.BOM_UTF8 + "שלום עולם".encode(), "text")

    assert (facts.text, facts.text_length) == ("שלום עולם", 9)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("hello world".encode("utf-16"), "not-utf8"),
        ("hello world".encode("utf-16-le"), "not-utf8"),
        ("hello world".encode("utf-16-be"), "not-utf8"),
        ("hello world".encode("utf-32"), "not-utf8"),
        ("naïve".encode("latin-1"), "not-utf8"),
        (b"first line\n" + "größer".encode("latin-1"), "not-utf8"),
        (b"\xed\xa0\x80 a lone surrogate", "not-utf8"),
        (b"a long enough sentence with a NUL\0inside", "nul-bytes"),
        (b" \n\t ", "empty"),
        (codecs.BOM_UTF8, "empty"),
        (b"x" * 1_000_001, "too-long"),
        (b"x" * 10_000_001, "too-long"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    assert code_of(tmp_path, content, "text") == code


def test_a_record_is_no_file(tmp_path: Path) -> None:
    assert code_of(tmp_path, '{"prompt": "Why?"}', "record") == "wrong-type"


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        ("timestamp,v\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:02.5Z,2\n", 2.5),
        ("timestamp,v\n2024-01-01T00:00:00+02:00,1\n2023-12-31T22:00:10Z,2\n", 10),
        ("Time,v\n2024-01-01 00:00,1\n2024-01-02 00:00,2\n", 86_400),
        ("t_ms,v\n500,1\n2500,2\n", 2),
        ("time (us),v\n0,1\n1500000,2\n", 1.5),
        ("time,v\n1704067200000,1\n1704067203000,2\n", 3),
        ("timestamp,v\n1704067200,1\n1704067203,2\n", 3),
        ("seconds;v\n0.5;1\n0.5;1\n4.5;2\n", 4),
        ("t\tv\n1\t1\n2\t2\n", 1),
        ("t,v\n7,1\n", 0),
    ],
)
def test_a_series_with_a_clock_has_a_duration(tmp_path: Path, rows: str, seconds: float) -> None:
    facts = probed(tmp_path, rows, "sensor")

    assert facts.duration == pytest.approx(seconds)
    assert facts.channel_names == ("v",)


def test_channels_are_the_columns_of_numbers(tmp_path: Path) -> None:
    rows = '\ufefft,"x, left",note,y,status\n0,1.5,,-2e3,ok\n1,,"a ""quoted"" word",nan,3\n\n2,3,z,4,4\n'

    facts = probed(tmp_path, rows, "sensor")

    assert facts.channel_names == ("x, left", "y")
    assert (facts.rows, facts.duration, facts.sample_rate) == (3, 2, 1)


def test_a_series_without_a_clock_has_rows_only(tmp_path: Path) -> None:
    facts = probed(tmp_path, "x,y\n3,1\n2,2\n", "sensor", name="series.csv")

    assert (facts.channel_names, facts.rows, facts.duration) == (("x", "y"), 2, None)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("t,v\n0,1\n1\n", "ragged-csv"),
        ("t,v\n0,1\n1,2,3\n", "ragged-csv"),
        ('t,v\n0,"1\n', "undecodable"),
        ("t,v\n", "no-rows"),
        ("0,1\n1,2\n", "no-header"),
        ("\n1,2\n", "no-header"),
        ("t,\n1,2\n", "no-header"),
        ("t,v,v\n1,2,3\n", "duplicate-columns"),
        ("t,v\n0,a\n1,b\n", "no-channels"),
        ("t,v\n1,1\n0,2\n", "unordered-timestamps"),
        ("timestamp,v\n2024-01-01,1\nyesterday,2\n", "bad-timestamp"),
        ("timestamp,v\nsoon,1\n", "bad-timestamp"),
        ("timestamp,v\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:01,2\n", "bad-timestamp"),
        ("t,v\nnan,1\n", "bad-timestamp"),
        ("t,v\n0,1\n,2\n", "bad-timestamp"),
        ("t,v\n0,1\0\n", "nul-bytes"),
        ("t,v\n0,1\n".encode("utf-16"), "not-utf8"),
        (b"t,v\n0,\xff\n", "not-utf8"),
    ],
)
def test_what_is_no_series_is_refused(tmp_path: Path, rows: str | bytes, code: str) -> None:
    assert code_of(tmp_path, rows, "sensor") == code
