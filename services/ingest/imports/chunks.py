"""A part of an imported file: its lines, and where the next part begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from shared.events.imports import ImportCursor
from shared.labels.faults import Fault
from shared.lines import Line

BLOCK_BYTES: Final = 2 * 1024 * 1024
"""So much of a file is looked at at once; more than the longest line that is taken."""
LINES_PER_CHUNK: Final = 2000

Fetch = Callable[[int, int], bytes]
"""``(offset, length) -> bytes``: fewer than ``length`` at the end of the file alone."""


class Chunk(NamedTuple):
    """Lines that were read together."""

    lines: list[Line]
    cursor: ImportCursor
    """Where the next part begins."""
    at_end: bool


class UnreadableFileError(Exception):
    """The file as a whole is not what it should be; ``fault`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(pointer="", code=code, message=message)
