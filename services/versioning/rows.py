"""The file that holds a dataset's rows: one line of canonical JSON each, sorted by sample id, compressed by zstd."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa

from services.versioning.domain.label_row import DatasetRow

CHUNK: Final = 1 << 20
UNKNOWN_LANGUAGE: Final = "und"


class RowsWriter:
    """Writes rows to a file and counts them on the way; nothing is kept but the counts."""

    def __init__(self, path: Path) -> None:
        self._file = pa.output_stream(str(path), compression="zstd")
        self._digest = hashlib.sha256()
        self._last = ""
        self.samples = 0
        self.bytes = 0
        self.languages: Counter[str] = Counter()
        self.decided_by: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.project_versions: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, rows: Sequence[DatasetRow]) -> None:
        """Append rows.

        Raises:
            ValueError: They are not in ascending order of sample ids.
        """
        for row in rows:
            if row.sample_id <= self._last:
                raise ValueError(f"Row {row.sample_id} comes after {self._last}; rows must be sorted by sample id.")
            self._last = row.sample_id
            line = row.line()
            self._digest.update(line)
            self._file.write(line)
            self.bytes += len(line)
            self.samples += 1
            self.languages[row.language or UNKNOWN_LANGUAGE] += 1
            self.decided_by[row.provenance.decided_by] += 1
            self.fields.update(row.fields.keys())
            self.project_versions.add(row.project_version)

    @property
    def dataset_id(self) -> str:
        """SHA-256 of all lines so far, in hex."""
        return self._digest.hexdigest()


def read_rows(path: Path) -> Iterator[DatasetRow]:
    """Yield the rows of a file that ``RowsWriter`` wrote, a megabyte at a time."""
    rest = b""
    with pa.input_stream(str(path), compression="zstd") as file:
        while chunk := file.read(CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield DatasetRow.read(line)
