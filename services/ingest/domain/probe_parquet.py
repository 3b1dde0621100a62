"""What is true of a sensor series in Parquet: its channels, their units, readings and time."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.ingest.domain.finding import Finding
from services.ingest.domain.probe_sensor import CLOCK_NAME, refuse_duplicates, seconds_of, series_facts, unit_in
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.timing import Timing

MAX_FOOTER_BYTES = 16 * 1024 * 1024
MAX_COLUMNS = 4_096
MAX_ROWS = 20_000_000
MAX_GROUP_BYTES = 1024**3
"""Of the numbers of one row group, unpacked: they are read group by group."""
MAX_RATIO = 200
"""How many times its size a file of more than :data:`FREE_BYTES` may be when unpacked."""
FREE_BYTES = 64 * 1024 * 1024
_BATCH_ROWS = 65_536
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_TICKS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def probe_parquet(path: Path) -> Finding:
    """Read every number of a Parquet file of flat columns.

    The first column is the clock when it holds timestamps, or durations or numbers under a name that says so
    (``time``, ``t_ms``, …). Every other column of numbers is a channel; columns of other kinds are passed over.

    Args:
        path: The file.

    Returns:
        As ``probe_sensor``. Units are those in brackets at the end of names, or the ``unit`` in a field's metadata.

    Raises:
        MediaRejectedError: ``truncated``, ``broken-index``, ``encrypted``, ``nested-columns``, ``duplicate-columns``,
            ``too-many-columns``, ``too-long``, ``decompression-bomb``, ``no-rows``, ``no-channels``,
            ``bad-timestamp``, ``unordered-timestamps`` or ``undecodable``.

    Source: https://parquet.apache.org/docs/file-format/
    """
    with path.open("rb") as file:
        _require_footer(file)
    try:
        with pq.ParquetFile(
            path,
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=1_000_000,
            schema_depth_limit=16,
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
        ) as opened:
            return _measure(opened, path.stat().st_size)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise MediaRejectedError(
            "undecodable", "The Parquet file is damaged and cannot be read to its end; write it again."
        ) from error


def _require_footer(file: BinaryIO) -> None:
    """The footer is the index of the file, and its length stands before the last four bytes."""
    head = file.read(4)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    if head == _ENCRYPTED or tail[4:] == _ENCRYPTED:
        raise MediaRejectedError("encrypted", "The Parquet file is encrypted; write it without encryption.")
    if size < 12 or tail[4:] != _MAGIC:
        raise MediaRejectedError("truncated", "The Parquet file ends before its footer; upload it again in full.")
    (length,) = struct.unpack("<I", tail[:4])
    if not 0 < length <= min(size - 12, MAX_FOOTER_BYTES):
        raise MediaRejectedError(
            "broken-index",
            f"The Parquet file says that its footer has {length} bytes, which cannot be of a file of {size}; write it again.",
        )


def _measure(file: pq.ParquetFile, size: int) -> Finding:
    schema = _flat_schema(file)
    names = [field.name.strip() for field in schema]
    refuse_duplicates(names)
    clock = names[0] if _is_clock(schema.field(0)) else None
    channels = [name for name, field in zip(names, schema, strict=True) if _is_number(field.type) and name != clock]
    if not file.metadata.num_rows:
        raise MediaRejectedError("no-rows", "The file has columns but no readings; send the series itself.")
    if not channels:
        raise MediaRejectedError("no-channels", "No column holds numbers; a sensor series needs one at least.")
    wanted = [at for at, name in enumerate(names) if name in {clock, *channels}]
    _require_sound_size(file.metadata, wanted, size)
    times, rows = _read(file, [schema.field(at).name for at in wanted], schema.field(0) if clock else None)
    units = {name: unit for name, field in zip(names, schema, strict=True) if (unit := _unit_of(name, field))}
    timing = Timing.of(times) if clock else None
    return Finding(series_facts(channels, rows, timing, {name: units[name] for name in channels if name in units}))


def _flat_schema(file: pq.ParquetFile) -> pa.Schema:
    columns = file.metadata.num_columns
    if columns > MAX_COLUMNS:
        raise MediaRejectedError(
            "too-many-columns", f"The file has {columns} columns; at most {MAX_COLUMNS} are taken, split it."
        )
    for position in range(columns):
        column = file.schema.column(position)
        if column.max_repetition_level or ("." in column.path and column.path != column.name):
            raise MediaRejectedError(
                "nested-columns",
                f"Column {column.path} holds lists or objects; write each channel as a column of numbers.",
            )
    if not columns:
        raise MediaRejectedError("no-channels", "The file has no columns; a sensor series needs one at least.")
    return file.schema_arrow


def _require_sound_size(metadata: Any, wanted: Sequence[int], size: int) -> None:
    """Refuse by what the footer says, before anything is unpacked."""
    if metadata.num_rows > MAX_ROWS:
        raise MediaRejectedError(
            "too-long", f"The series has {metadata.num_rows} readings; at most {MAX_ROWS} are taken, split it."
        )
    whole = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        unpacked = sum(group.column(at).total_uncompressed_size for at in wanted)
        whole += max(unpacked, 0)
        if unpacked > MAX_GROUP_BYTES or (whole > FREE_BYTES and whole > MAX_RATIO * size):
            raise MediaRejectedError(
                "decompression-bomb",
                f"The {size} bytes of the file unpack to {whole} and more; write smaller row groups, or split it.",
            )


def _read(file: pq.ParquetFile, columns: Sequence[str], clock: pa.Field | None) -> tuple[Sequence[float], int]:
    """Decode every number, and return when the readings came, in seconds from the first."""
    moments: list[NDArray[np.float64]] = []
    origin: Any = None
    rows = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns), use_threads=False):
        if clock is not None and batch.num_rows:
            ticks = _ticks(batch.column(0), rows)
            origin = ticks[0] if origin is None else origin
            moments.append((ticks - origin) * _seconds_per_tick(clock, float(origin)))
        rows += batch.num_rows
    times = np.concatenate(moments) if moments else np.empty(0)
    backwards = np.flatnonzero(np.diff(times) < 0)
    if backwards.size:
        raise MediaRejectedError(
            "unordered-timestamps",
            f"The time of reading {int(backwards[0]) + 1} is before that of the one above; sort the rows by time.",
        )
    return times, rows  # type: ignore[return-value]


def _ticks(column: Any, rows_before: int) -> NDArray[Any]:
    """Return a clock's values as they are stored; taken off first, whole nanoseconds stay whole."""
    if column.null_count:
        missing = rows_before + column.is_null().index(True).as_py()
        raise _bad_timestamp(f"Reading {missing} has no time")
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        column = column.cast(pa.int64())
    ticks: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if not np.isfinite(ticks.astype(np.float64)).all():
        raise _bad_timestamp("The clock holds infinity or what is no number")
    return ticks


def _bad_timestamp(what: str) -> MediaRejectedError:
    return MediaRejectedError("bad-timestamp", f"{what}; give each reading its time.")


def _seconds_per_tick(clock: pa.Field, first: float) -> float:
    if pa.types.is_timestamp(clock.type) or pa.types.is_duration(clock.type):
        return _TICKS[clock.type.unit]
    return seconds_of(clock.name, first)


def _is_clock(field: pa.Field) -> bool:
    if pa.types.is_timestamp(field.type):
        return True
    has_name = CLOCK_NAME.search(field.name.strip().lower()) is not None
    return has_name and (pa.types.is_duration(field.type) or _is_number(field.type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _unit_of(name: str, field: pa.Field) -> str | None:
    stated = next((value for key, value in _pairs(field) if key.lower() in {b"unit", b"units"}), b"")
    return stated.decode("utf-8", "replace")[:20] or unit_in(name)


def _pairs(field: pa.Field) -> Iterator[tuple[bytes, bytes]]:
    yield from (field.metadata or {}).items()
