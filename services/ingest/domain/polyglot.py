"""Whether a media file is a second thing besides: an archive, a document, or a script that others would run.

Such files are made to pass as a harmless picture at one door and to be run behind another. A picture has no need of it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from services.ingest.domain.rejection import MediaRejectedError

_EDGE_BYTES = 1 << 14
"""How much is searched at either end: metadata stands in front, and what was appended stands behind."""
_ZIP_END = struct.Struct("<4s4xHHII H")
_ZIP_BYTES = (1 << 16) + _ZIP_END.size
"""A ZIP's end record begins within so many bytes of the end: a comment of 64 KiB may follow it."""
_PDF_WITHIN = 1024
_PDF = b"%PDF-"
_SCRIPTS = (b"<script", b"<?php", b"__halt_compiler();")


def refuse_polyglot(file: BinaryIO, name: str) -> None:
    """Refuse a media file that other programs would read as something else.

    Args:
        file: Seekable, opened for reading; its position is changed.
        name: What the file is, for the message.

    Raises:
        MediaRejectedError: ``polyglot``.

    Source: readers look for a ZIP's directory from the end (APPNOTE.TXT 6.3.10, section 4.3.16), and for a PDF's header
        within the first 1024 bytes (PDF 32000-1, annex H.3, note 13).
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(_EDGE_BYTES)
    file.seek(max(0, size - _ZIP_BYTES))
    tail = file.read()
    if _PDF in head[:_PDF_WITHIN] and not head.startswith(_PDF):
        raise _refused(name, "a PDF document")
    edges = head.lower() + tail[-_EDGE_BYTES:].lower()
    if any(script in edges for script in _SCRIPTS):
        raise _refused(name, "a script")
    if _ends_as_zip(file, tail, size):
        raise _refused(name, "a ZIP archive")


def _ends_as_zip(file: BinaryIO, tail: bytes, size: int) -> bool:
    """Whether there is an end record whose directory really lies before it."""
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _ZIP_END.size > len(tail):
        return False
    _, _, entries, directory_bytes, _, _ = _ZIP_END.unpack_from(tail, at)
    start = size - len(tail) + at - directory_bytes
    if not entries or start < 0:
        return False
    file.seek(start)
    return file.read(4) == b"PK\1\2"


def _refused(name: str, besides: str) -> MediaRejectedError:
    return MediaRejectedError(
        "polyglot", f"The {name} file is {besides} at the same time; export it again, without what was put into it."
    )
