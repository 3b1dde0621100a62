"""NDJSON files, read block by block."""

from __future__ import annotations

from itertools import islice

from services.ingest.imports.chunks import BLOCK_BYTES, LINES_PER_CHUNK, Chunk, Fetch
from shared.events.imports import ImportCursor
from shared.lines import Line


def read_ndjson(fetch: Fetch, cursor: ImportCursor, max_line_bytes: int, block_bytes: int = BLOCK_BYTES) -> Chunk:
    """Read the lines from ``cursor`` on, as many as are whole in one block.

    Args:
        fetch: Gives bytes of the file.
        cursor: Where to begin.
        max_line_bytes: A longer line is given cut off at one byte more, so that its reader can refuse it.
        block_bytes: So much of the file is looked at at once.
    """
    block = fetch(cursor.offset, block_bytes)
    is_last = len(block) < block_bytes
    whole = len(block) if is_last else block.rfind(b"\n") + 1
    if not whole:
        whole = len(block) + _rest_of_line(fetch, cursor.offset + len(block), block_bytes)
        texts = [block]
    else:
        texts = block[:whole].removesuffix(b"\n").split(b"\n")
        if len(texts) > LINES_PER_CHUNK:
            texts = list(islice(texts, LINES_PER_CHUNK))
            whole, is_last = sum(map(len, texts)) + len(texts), False
    lines = [
        Line(number, text[: max_line_bytes + 1]) for number, text in enumerate(texts, cursor.line + 1) if text.strip()
    ]
    moved = {
        "chunk": cursor.chunk + 1,
        "offset": cursor.offset + whole,
        "line": cursor.line + len(texts),
        "total": cursor.total + len(lines),
    }
    return Chunk(lines, cursor.model_copy(update=moved), is_last)


def _rest_of_line(fetch: Fetch, offset: int, block_bytes: int) -> int:
    """Return how many bytes from ``offset`` on belong to the line that has begun before, its end included."""
    passed = 0
    while block := fetch(offset + passed, block_bytes):
        if (end := block.find(b"\n")) >= 0:
            return passed + end + 1
        passed += len(block)
    return passed
