"""CSV files, read block by block: quoted line feeds, ragged rows and all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from services.ingest.imports.chunks import BLOCK_BYTES, LINES_PER_CHUNK, Chunk, Fetch, UnreadableFileError
from services.ingest.imports.rows import ID_COLUMN, line_of_row
from shared.events.imports import ImportCursor
from shared.labels.faults import Fault
from shared.labels.spec import ProjectSpec
from shared.lines import Line

DELIMITERS: Final = ",;\t"
BOM: Final = b"\xef\xbb\xbf"
csv.field_size_limit(2 * BLOCK_BYTES)


def read_csv(
    fetch: Fetch, cursor: ImportCursor, spec: ProjectSpec, max_line_bytes: int, block_bytes: int = BLOCK_BYTES
) -> Chunk:
    """Read the rows from ``cursor`` on, as many as are whole in one block.

    Args:
        fetch: Gives bytes of the file.
        cursor: Where to begin; at the beginning of the file the first row names the columns.
        spec: The project, whose assets columns may name.
        max_line_bytes: A longer row is refused.
        block_bytes: So much of the file is looked at at once.

    Raises:
        UnreadableFileError: The first row names no columns that samples can be made of.
    """
    block = fetch(cursor.offset, block_bytes)
    is_last = len(block) < block_bytes
    rows = _Rows(block, cursor, is_last=is_last)
    if not cursor.columns:
        rows.read_header()
    lines: list[Line] = []
    while len(lines) < LINES_PER_CHUNK and (row := rows.next()) is not None:
        line = _line(row, rows.columns, spec)
        lines.append(Line(row.number, line.text[: max_line_bytes + 1], line.faults))
    moved = {
        "chunk": cursor.chunk + 1,
        "offset": cursor.offset + rows.passed,
        "line": rows.line,
        "total": cursor.total + len(lines),
        "columns": rows.columns,
        "delimiter": rows.delimiter,
    }
    return Chunk(lines, cursor.model_copy(update=moved), is_last and rows.passed == len(block))


class _Row:
    """One row, with the number of the line that it begins in."""

    def __init__(self, number: int, cells: list[str], fault: Fault | None = None) -> None:
        self.number = number
        self.cells = cells
        self.fault = fault


class _Rows:
    """The whole rows of a block; what is cut off at its end is left for the next."""

    def __init__(self, block: bytes, cursor: ImportCursor, *, is_last: bool) -> None:
        # A carriage return alone ends no line: spreadsheets write it within cells.
        *whole, rest = block.split(b"\n")
        self._texts = [text + b"\n" for text in whole] + ([rest] if rest else [])
        self._is_last = is_last
        self._next = 0
        self._is_open = False
        """Whether the row that was read last wanted more than there is."""
        self.columns = cursor.columns
        self.delimiter = cursor.delimiter
        self.line = cursor.line
        self.passed = 0
        """Bytes of the block that belong to rows that were given."""

    def read_header(self) -> None:
        """Take the first row for the names of the columns."""
        if not self._texts:
            raise UnreadableFileError("no-header", "The file is empty; its first row must name the columns.")
        first = self._texts[0].removeprefix(BOM)
        self.passed += len(self._texts[0]) - len(first)
        self._texts[0] = first
        self.delimiter = max(DELIMITERS, key=lambda each: first.count(each.encode()))
        header = self.next()
        self.columns = [] if header is None else [name.strip() for name in header.cells]
        if header is None or header.fault is not None or ID_COLUMN not in self.columns:
            raise UnreadableFileError(
                "no-header",
                f"The first row must name the columns in UTF-8, {ID_COLUMN!r} among them; it reads "
                f"{first[:200].decode('utf-8', 'replace').strip()!r}.",
            )
        if repeated := sorted({name for name in self.columns if name and self.columns.count(name) > 1}):
            raise UnreadableFileError("repeated-column", f"The first row names {repeated[0]!r} twice; rename one.")

    def next(self) -> _Row | None:
        """Return the next row that is not blank; None where there is none, or where it goes on beyond the block."""
        while self._next < len(self._texts):
            first, number = self._next, self.line + 1
            cells, fault = self._read()
            if self._goes_on():
                self._next = first
                return None
            if fault is not None:
                self._next = first + 1  # the next line may be the beginning of a sound row
            texts = self._texts[first : self._next]
            self.passed += sum(map(len, texts))
            self.line += len(texts)
            if fault is not None:
                return _Row(number, [texts[0].decode("utf-8", "replace").rstrip()], fault)
            if cells:
                return _Row(number, cells)
        return None

    def _read(self) -> tuple[list[str], Fault | None]:
        self._is_open = False
        try:
            return next(csv.reader(self._feed(), delimiter=self.delimiter, strict=True)), None
        except csv.Error as error:
            self._is_open = "end of data" in str(error)
            message = f"The row cannot be read ({error}); check its quotes."
            return [], Fault(pointer="", code="malformed-csv", message=message)

    def _goes_on(self) -> bool:
        """Return whether the row may not have ended; one that fills a block is taken as it is."""
        at_edge = not self._is_last and self._next >= len(self._texts)
        return at_edge and self.passed > 0 and (self._is_open or not self._texts[-1].endswith(b"\n"))

    def _feed(self) -> Iterator[str]:
        while self._next < len(self._texts):
            text = self._texts[self._next]
            self._next += 1
            yield text.decode("utf-8", "surrogateescape")


def _line(row: _Row, columns: list[str], spec: ProjectSpec) -> Line:
    if row.fault is not None:
        return Line(row.number, row.cells[0].encode(), (row.fault,))
    if len(row.cells) != len(columns):
        message = f"The row has {len(row.cells)} cells, the first row names {len(columns)} columns; check its quotes."
        fault = Fault(pointer="", code="ragged-row", message=message)
        return line_of_row(row.number, dict(zip(columns, row.cells, strict=False)), spec)._replace(faults=(fault,))
    return line_of_row(row.number, dict(zip(columns, row.cells, strict=True)), spec)
