"""One JSON object per line and sample: everything that the dataset holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from services.versioning.domain.exports.export_format import ExportContext, ExportFormat
from services.versioning.domain.label_row import DatasetRow


def write_jsonl(rows: Iterator[DatasetRow], context: ExportContext, out: BinaryIO) -> int:
    """Write the rows as they were frozen; the file's SHA-256 is then the dataset's id.

    Args:
        rows: Sorted by sample id.
        context: Not used.
        out: Takes UTF-8 with a line feed after each line.

    Returns:
        The number of lines.
    """
    count = 0
    for row in rows:
        out.write(row.line())
        count += 1
    return count


JSONL = ExportFormat(
    name="jsonl",
    suffix="jsonl",
    media_type="application/x-ndjson",
    description="One JSON object per sample: fields, provenance and facts of the assets.",
    write=write_jsonl,
)
