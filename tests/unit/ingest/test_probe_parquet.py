"""Sensor series in Parquet: what is found in them, and what is refused of those made to do harm."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingest.domain import probe_parquet as parquet
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.probing import ProbePool
from shared.events.samples import SampleIngested
from shared.labels.answer import check_answer
from shared.labels.project import check_spec
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec
from tests.unit.labels.label_builders import a_raw_spec

START = datetime(2026, 11, 26, 8, tzinfo=UTC)


def a_series(**columns: Any) -> pa.Table:
    return pa.table(columns or {"t": [0.0, 0.5, 1.0, 3.0], "speed (m/s)": [1, 2, 3, 4], "note": ["a", "b", "c", "d"]})


def written(table: pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


async def facts_of(content: bytes) -> Any:
    ingest = await IngestUnderTest.of(a_media_spec())
    sample = await ingest.submit_file("sensor", content, "a.parquet")
    assert sample["faults"] == []
    return sample["assets"]["sensor"]


async def fault_of(content: bytes, name: str = "a.parquet") -> Any:
    ingest = await IngestUnderTest.of(a_media_spec())
    [fault] = (await ingest.submit_file("sensor", content, name))["faults"]
    return fault


async def test_channels_units_rate_and_gaps_are_found_as_in_csv():
    table = a_series()
    csv = b"t,speed (m/s),note\n0,1,a\n0.5,2,b\n1,3,c\n3,4,d\n"
    ingest = await IngestUnderTest.of(a_media_spec())

    of_csv = (await ingest.submit_file("sensor", csv, "a.csv", "csv"))["assets"]["sensor"]
    of_parquet = (await ingest.submit_file("sensor", written(table), "a.parquet", "parquet"))["assets"]["sensor"]

    alike = ("channel_names", "rows", "duration", "sample_rate", "details")
    assert {name: of_parquet[name] for name in alike} == {name: of_csv[name] for name in alike}
    assert of_parquet["media_type"] == "application/vnd.apache.parquet"
    assert (of_parquet["channel_names"], of_parquet["details"]["gaps"]) == (["speed (m/s)"], 1)


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        (pa.array([START, START + timedelta(seconds=2)], pa.timestamp("us", tz="UTC")), 2.0),
        (pa.array([1_700_000_000_000_000_001, 1_700_000_000_000_000_004], pa.timestamp("ns")), 3e-9),
        (pa.array([0, 1500], pa.duration("ms")), 1.5),
        (pa.array([1_700_000_000_000, 1_700_000_000_250], pa.int64()), 0.25),
        (pa.array([7, 9], pa.int32()), 2.0),
    ],
)
async def test_a_clock_of_any_type_gives_seconds_and_whole_ticks_stay_whole(clock: pa.Array, seconds: float):
    facts = await facts_of(written(pa.table({"time": clock, "v": [1.0, 2.0]})))

    assert facts["duration"] == pytest.approx(seconds, rel=1e-9)
    assert facts["channel_names"] == ["v"]


async def test_a_series_without_a_clock_has_rows_and_no_duration():
    facts = await facts_of(written(pa.table({"x": [1.5, None, 2.5], "y": pa.array([1, 2, 3], pa.int8())})))

    assert (facts["rows"], facts["duration"], facts["channel_names"]) == (3, None, ["x", "y"])


async def test_a_unit_in_the_metadata_of_a_field_counts():
    schema = pa.schema([pa.field("t", pa.float64()), pa.field("p", pa.float64(), metadata={"unit": "hPa"})])

    facts = await facts_of(written(pa.table({"t": [0.0, 1.0], "p": [1.0, 2.0]}, schema=schema)))

    assert facts["details"]["units"] == {"p": "hPa"}


async def test_many_row_groups_are_one_series():
    table = pa.table({"t": np.arange(10_000) / 100, "v": np.ones(10_000)})

    facts = await facts_of(written(table, row_group_size=999))

    assert (facts["rows"], facts["duration"], facts["sample_rate"]) == (10_000, 99.99, pytest.approx(100))
    assert facts["details"]["gaps"] == 0


async def test_a_label_on_a_named_channel_of_a_parquet_series_is_checked():
    ingest = await IngestUnderTest.of(a_media_spec())
    await ingest.submit_file("sensor", written(pa.table({"t": [0.0, 9.0], "speed": [1, 2]})), "a.parquet")

    [ingested] = ingest.announced.of(SampleIngested)
    fields = {"jolts": {"kind": "segments", "asset": "sensor", "labels": ["jolt"], "channels": True}}
    spec = check_spec(a_raw_spec(assets={"sensor": {"modality": "sensor"}}, fields=fields, rules=[])).spec
    assert spec is not None

    def faults(channel: str, end: float) -> list[str]:
        jolt = {"id": "j", "label": "jolt", "start": 1, "end": end, "channels": [channel]}
        return [fault.code for fault in check_answer(spec, ingested.assets, {"jolts": [jolt]}).faults]

    assert faults("speed", 2) == []
    assert faults("speeed", 2) == ["unknown-channel"]
    assert len(faults("speed", 12)) == 1


def without_footer(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_footer_length(content: bytes, length: int) -> bytes:
    return content[:-8] + struct.pack("<I", length) + b"PAR1"


def with_broken_footer(content: bytes) -> bytes:
    (length,) = struct.unpack("<I", content[-8:-4])
    return content[: -8 - length] + b"\xff" * length + content[-8:]


def with_broken_page(content: bytes) -> bytes:
    return content[:40] + bytes(255 - byte for byte in content[40:120]) + content[120:]


def a_bomb() -> bytes:
    """A constant column: some kilobytes that unpack to 160 MB."""
    table = pa.table({"v": pa.array(np.zeros(20_000_000, dtype=np.int64))})
    return written(table, compression="zstd", use_dictionary=False, row_group_size=4_000_000)


NUMBERS = np.random.default_rng(1).random(3_000)
HOSTILE: list[tuple[str, str, Callable[[], bytes]]] = [
    ("cut off", "truncated", lambda: without_footer(written(a_series()))),
    ("nothing but the mark", "truncated", lambda: b"PAR1"),
    ("footer beyond the file", "broken-index", lambda: with_footer_length(written(a_series()), 1 << 30)),
    ("footer of nothing", "broken-index", lambda: with_footer_length(written(a_series()), 0)),
    ("footer of noise", "undecodable", lambda: with_broken_footer(written(a_series()))),
    ("damaged page", "undecodable", lambda: with_broken_page(written(pa.table({"v": NUMBERS}), use_dictionary=False))),
    ("encrypted", "encrypted", lambda: b"PARE" + written(a_series())[4:-4] + b"PARE"),
    ("lists", "nested-columns", lambda: written(pa.table({"t": [0, 1], "v": [[1, 2], [3]]}))),
    ("objects", "nested-columns", lambda: written(pa.table({"t": [0, 1], "v": [{"x": 1}, {"x": 2}]}))),
    ("maps", "nested-columns", lambda: written(pa.table({"v": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))}))),
    ("many columns", "too-many-columns", lambda: written(pa.table({f"c{n}": [1] for n in range(4_097)}))),
    ("names twice", "duplicate-columns", lambda: written(pa.Table.from_arrays([pa.array([1])] * 2, names=["v", "v "]))),
    ("no rows", "no-rows", lambda: written(pa.table({"v": pa.array([], pa.float64())}))),
    ("no numbers", "no-channels", lambda: written(pa.table({"a": ["x"], "b": [True]}))),
    ("no columns", "no-channels", lambda: written(pa.table({}))),
    ("back in time", "unordered-timestamps", lambda: written(pa.table({"t": [1.0, 0.5], "v": [1, 2]}))),
    ("no time", "bad-timestamp", lambda: written(pa.table({"t": [1.0, None], "v": [1, 2]}))),
    ("endless time", "bad-timestamp", lambda: written(pa.table({"t": [1.0, float("inf")], "v": [1, 2]}))),
    ("bomb", "decompression-bomb", a_bomb),
]  # fmt: skip


@pytest.mark.parametrize(("code", "make"), [pytest.param(*rest, id=what) for what, *rest in HOSTILE])
async def test_a_file_that_is_no_sound_series_is_refused_with_a_reason(code: str, make: Callable[[], bytes]):
    fault = await fault_of(make())

    assert (fault["code"], fault["pointer"]) == (code, "/assets/sensor")
    assert fault["message"].endswith(".")


def test_more_rows_or_larger_groups_than_are_taken_are_refused_by_the_footer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.parquet"
    path.write_bytes(written(pa.table({"v": NUMBERS})))
    monkeypatch.setattr(parquet, "_read", None)  # nothing is unpacked

    monkeypatch.setattr(parquet, "MAX_ROWS", 2_999)
    with pytest.raises(MediaRejectedError, match="3000 readings") as long:
        parquet.probe_parquet(path)
    monkeypatch.setattr(parquet, "MAX_ROWS", 3_000)
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 20_000)
    with pytest.raises(MediaRejectedError) as large:
        parquet.probe_parquet(path)

    assert (long.value.code, large.value.code) == ("too-long", "decompression-bomb")


async def test_a_worker_with_its_limits_reads_a_series(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(written(pa.table({"t": np.arange(500_000) / 50, "v": np.random.default_rng(1).random(500_000)})))

    async with ProbePool(workers=1) as pool:
        found = await pool.probe(path, "sensor", "a.parquet", None)

    assert (found.facts.rows, found.facts.channel_names) == (500_000, ("v",))


async def test_a_parquet_file_is_taken_for_what_it_is_whatever_it_is_called():
    assert (await fault_of(written(a_series()), "a.csv"))["code"] == "wrong-extension"
