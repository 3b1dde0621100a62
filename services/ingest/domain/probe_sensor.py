"""What is true of a sensor series in CSV: its channels, their units, readings and time."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from services.ingest.domain.finding import Finding
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.timing import Timing
from shared.labels.facts import AssetDetails, AssetFacts

_DELIMITERS = ",;\t"
CLOCK_NAME = re.compile(
    r"^(?:t|time|timestamp|ts|date|datetime|epoch|unix|elapsed|seconds|sec)(?:[_ .(\[-].*)?$|_time$|_ts$"
)
_UNIT = re.compile(r"[(\[]([^()\[\]]{1,20})[)\]]\s*$")
_UNIT_SUFFIXES = (("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3))
_EPOCH_UNITS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
"""Unix times: a number of this size or more is in this unit (1e11 s would be the year 5138)."""


@dataclass
class _Series:
    """What the rows say, gathered one by one; a row costs the eight bytes of its time."""

    numeric: list[bool]
    rows: int = 0
    times: array[float] = field(default_factory=lambda: array("d"))


def probe_sensor(path: Path) -> Finding:
    """Read a CSV file with a header row.

    The delimiter is a comma, semicolon or tab, whichever the header row has most of. The first column is the clock
    when its name says so (``timestamp``, ``time``, ``t_ms``, …) and its values are ISO 8601 times or numbers that never
    decrease; the unit of numbers comes from the name's ending (``_ms``, ``_us``, ``_ns``), else from their size as Unix
    times, else they are seconds. A column is a channel when each of its values is a number, empty or NaN.

    Args:
        path: The file, UTF-8.

    Returns:
        ``channel_names`` (without the clock), ``rows`` (readings), ``duration`` in seconds from the first row to the
        last and the mean ``sample_rate`` in hertz; both None when the file has no clock. Labels on the series
        count seconds from the first row. Of the details: ``units``, where a column's name ends with one in brackets
        ("speed (m/s)"), and the gaps between readings.

    Raises:
        MediaRejectedError: ``not-utf8``, ``nul-bytes``, ``no-header``, ``duplicate-columns``, ``ragged-csv``,
            ``bad-timestamp``, ``unordered-timestamps``, ``no-rows``, ``no-channels`` or ``undecodable``.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter_of(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            return _measure(reader, lambda: reader.line_num)
    except UnicodeDecodeError as error:
        raise MediaRejectedError(
            "not-utf8", f"The file is not valid UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise MediaRejectedError("undecodable", f"The CSV is malformed ({error}); export it again.") from error


def _delimiter_of(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _measure(reader: Iterator[list[str]], line: Callable[[], int]) -> Finding:
    columns = _header(next(reader, []))
    clock: Callable[[str], float] | None = None
    series = _Series(numeric=[True] * len(columns))
    for row in reader:
        if not row:
            continue  # a blank line
        _check_row(row, columns, line())
        if series.rows == 0 and CLOCK_NAME.search(columns[0].strip().lower()):
            clock = _clock_of(columns[0], row[0], line())
        if clock is not None:
            _tick(series, clock, row[0], line())
        series.rows += 1
        for index, cell in enumerate(row):
            if series.numeric[index] and not _is_reading(cell):
                series.numeric[index] = False
    return _facts(columns, series, has_clock=clock is not None)


def _header(names: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in names]
    if not any(columns) or all(_is_reading(name) for name in columns):
        raise MediaRejectedError("no-header", "The first row names no columns; add a header row with a name for each.")
    if not all(columns):
        raise MediaRejectedError("no-header", f"Column {columns.index('') + 1} has no name in the header row; name it.")
    refuse_duplicates(columns)
    return columns


def refuse_duplicates(columns: Sequence[str]) -> None:
    """Refuse names that stand for two columns.

    Raises:
        MediaRejectedError: ``duplicate-columns``.
    """
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        message = f"The columns {', '.join(twice)[:300]} occur more than once; rename them."
        raise MediaRejectedError("duplicate-columns", message)


def _check_row(row: Sequence[str], columns: Sequence[str], line: int) -> None:
    if len(row) != len(columns):
        raise MediaRejectedError(
            "ragged-csv", f"Line {line} has {len(row)} cells, but the header row has {len(columns)}; mend the line."
        )
    if any("\0" in cell for cell in row):
        raise MediaRejectedError("nul-bytes", f"Line {line} holds a NUL character; it is not text, export it again.")


def _is_reading(cell: str) -> bool:
    try:
        return not math.isinf(float(cell)) if cell.strip() else True
    except ValueError:
        return False


def _clock_of(name: str, first: str, line: int) -> Callable[[str], float]:
    """Decide from the clock's name and its first value how its values become seconds."""
    try:
        number = float(first)
    except ValueError:
        return partial(_seconds_of_iso, zoned=_has_zone(first, line))
    if not math.isfinite(number):
        raise _bad_timestamp(first, line)
    unit = seconds_of(name, number)
    return lambda cell: float(cell) * unit


def seconds_of(name: str, first: float) -> float:
    """Return how many seconds one unit of a clock of numbers is, by its name, else by the size of its first value."""
    ending = name.strip().lower().rstrip(")]")
    by_name = next((unit for suffix, unit in _UNIT_SUFFIXES if re.search(rf"[_ (\[.-]{suffix}$", ending)), None)
    return by_name or next((unit for size, unit in _EPOCH_UNITS if first >= size), 1.0)


def _has_zone(first: str, line: int) -> bool:
    try:
        return datetime.fromisoformat(first.strip()).tzinfo is not None
    except ValueError as error:
        raise _bad_timestamp(first, line) from error


def _seconds_of_iso(cell: str, *, zoned: bool) -> float:
    moment = datetime.fromisoformat(cell.strip())
    if (moment.tzinfo is not None) != zoned:
        raise ValueError("some of the times have a zone and some have none")
    # Times without a zone are compared among themselves only, so any one zone serves.
    return moment.timestamp() if zoned else moment.replace(tzinfo=UTC).timestamp()


def _tick(series: _Series, clock: Callable[[str], float], cell: str, line: int) -> None:
    try:
        now = clock(cell)
    except ValueError as error:
        raise _bad_timestamp(cell, line) from error
    if not math.isfinite(now):
        raise _bad_timestamp(cell, line)
    if series.times and now < series.times[-1]:
        raise MediaRejectedError(
            "unordered-timestamps", f"The time on line {line} is before that of the row above; sort the rows by time."
        )
    series.times.append(now)


def _bad_timestamp(cell: str, line: int) -> MediaRejectedError:
    return MediaRejectedError(
        "bad-timestamp",
        f'"{cell[:40]}" on line {line} is no time; write ISO 8601 or seconds in the whole first column.',
    )


def _facts(columns: Sequence[str], series: _Series, *, has_clock: bool) -> Finding:
    if not series.rows:
        raise MediaRejectedError("no-rows", "The file has a header row but no readings; send the series itself.")
    channels = [name for name, numeric in zip(columns, series.numeric, strict=True) if numeric]
    if has_clock:
        channels = [name for name in channels if name != columns[0]]
    if not channels:
        raise MediaRejectedError(
            "no-channels", "No column holds numbers throughout; a sensor series needs one at least."
        )
    timing = Timing.of(series.times) if series.times else None
    units = {name: unit for name in channels if (unit := unit_in(name)) is not None}
    return Finding(series_facts(channels, series.rows, timing, units))


def series_facts(channels: Sequence[str], rows: int, timing: Timing | None, units: Mapping[str, str]) -> AssetFacts:
    """Return the facts of a series whose channels share one clock; without one, it has no timing."""
    return AssetFacts(
        modality="sensor",
        channel_names=tuple(channels),
        rows=rows,
        duration=None if timing is None else timing.last - timing.first,
        sample_rate=None if timing is None else timing.rate,
        details=AssetDetails(
            units=units,
            gaps=None if timing is None else timing.gaps,
            longest_gap=None if timing is None else timing.longest_gap,
        ),
    )


def unit_in(name: str) -> str | None:
    """Return the unit that stands in brackets at the end of a channel's name."""
    found = _UNIT.search(name)
    return None if found is None else found.group(1).strip()
