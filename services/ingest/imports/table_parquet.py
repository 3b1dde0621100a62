"""Parquet files, read group by group."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from services.ingest.imports.chunks import Chunk, Fetch, UnreadableFileError
from services.ingest.imports.rows import ID_COLUMN, line_of_row
from shared.events.imports import ImportCursor
from shared.labels.spec import ProjectSpec
from shared.lines import Line

ROWS_PER_CHUNK: Final = 1000


class _Open(NamedTuple):
    """A file that is being read, at the place where its next rows are."""

    cursor: ImportCursor
    groups: int
    batches: Iterator[Any]


class ParquetReader:
    """Reads rows from a cursor on; goes on without a new beginning where it was asked last."""

    def __init__(self) -> None:
        self._open: _Open | None = None

    def read(self, fetch: Fetch, size: int, cursor: ImportCursor, spec: ProjectSpec, max_line_bytes: int) -> Chunk:
        """Read the rows from ``cursor`` on.

        Args:
            fetch: Gives bytes of the file.
            size: Of the file, in bytes.
            cursor: Where to begin.
            spec: The project, whose assets columns may name.
            max_line_bytes: A longer row is refused.

        Raises:
            UnreadableFileError: It is no Parquet file, or one without names for its samples.
        """
        import pyarrow as pa  # 40 MB, which an ingest without such files never needs

        try:
            return self._read(fetch, size, cursor, spec, max_line_bytes)
        except pa.ArrowException as error:
            self._open = None
            raise UnreadableFileError("no-parquet", f"The file cannot be read as Parquet: {error}.") from error

    def _read(self, fetch: Fetch, size: int, cursor: ImportCursor, spec: ProjectSpec, max_line_bytes: int) -> Chunk:
        opened, self._open = self._open, None
        if opened is None or opened.cursor != cursor:
            opened = _opened(fetch, size, cursor)
        batch = next(opened.batches, None)
        rows = [] if batch is None else batch.to_pylist()
        lines = [line_of_row(number, row, spec) for number, row in enumerate(rows, cursor.line + 1)]
        lines = [Line(line.number, line.text[: max_line_bytes + 1], line.faults) for line in lines]
        moved = {"chunk": cursor.chunk + 1, "line": cursor.line + len(rows), "total": cursor.total + len(rows)}
        if batch is None:
            after = cursor.model_copy(update=moved | {"group": cursor.group + 1, "offset": 0})
            return Chunk(lines, after, after.group >= opened.groups)
        after = cursor.model_copy(update=moved | {"offset": cursor.offset + len(rows)})
        self._open = opened._replace(cursor=after)
        return Chunk(lines, after, at_end=False)


def _opened(fetch: Fetch, size: int, cursor: ImportCursor) -> _Open:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.PythonFile(_Ranges(fetch, size), mode="r"))
    if ID_COLUMN not in file.schema_arrow.names:
        raise UnreadableFileError("no-header", f"The file has no column {ID_COLUMN!r}, which names its samples.")
    if cursor.group >= file.num_row_groups:
        return _Open(cursor, file.num_row_groups, iter(()))
    batches = file.iter_batches(batch_size=ROWS_PER_CHUNK, row_groups=[cursor.group])
    return _Open(cursor, file.num_row_groups, _from(batches, cursor.offset))


def _from(batches: Iterator[Any], row: int) -> Iterator[Any]:
    for batch in batches:
        if row < batch.num_rows:
            yield batch.slice(row)
        row = max(0, row - batch.num_rows)


class _Ranges(io.RawIOBase):
    """An object as a file that is read where it is asked for."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        found = self._fetch(self._at, self._size - self._at if size < 0 else size)
        self._at += len(found)
        return found
