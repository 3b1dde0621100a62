"""Whether a media file goes on as far as its own structure says.

Decoders make the best of a file that was cut off, and so give a wrong length without an error. The structure tells.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from services.ingest.domain.formats import MATROSKA, MP4, OGG, TIFF, WAV, WEBM, MediaFormat
from services.ingest.domain.rejection import MediaRejectedError

_UNKNOWN_32 = 0xFFFFFFFF
_OGG_TAIL = 1 << 17
"""Two Ogg pages of the largest size: the last one begins in here."""


def require_complete(file: BinaryIO, format_: MediaFormat) -> None:
    """Refuse a file that ends before its own structure does.

    Args:
        file: Seekable, opened for reading; its position is changed.
        format_: The format found; formats without a stated length pass.

    Raises:
        MediaRejectedError: ``truncated``, or ``unknown-length`` for a WAV whose header was never completed.

    Source: RIFF (Microsoft, 1991) and EBU Tech 3306 (RF64); ISO/IEC 14496-12 section 4.2; RFC 8794 section 6 (EBML);
        RFC 3533 section 6 (Ogg); TIFF 6.0 section 2.
    """
    check = _CHECKS.get(format_.name)
    if check is not None:
        check(file, file.seek(0, os.SEEK_END))


def _refuse_if_beyond(end: int, size: int, part: str) -> None:
    if end > size:
        raise MediaRejectedError(
            "truncated",
            f"The file ends {end - size} bytes before its {part} does: it was cut off, upload it again in full.",
        )


def _check_wav(file: BinaryIO, size: int) -> None:
    long_length: int | None = None
    offset = 12
    while True:
        file.seek(offset)
        header = file.read(8)
        if len(header) < 8:
            raise MediaRejectedError("truncated", "The WAV file ends before its sound data; upload it again in full.")
        chunk, length = struct.unpack("<4sI", header)
        if chunk == b"ds64" and len(sizes := file.read(16)) == 16:
            (long_length,) = struct.unpack("<8xQ", sizes)
        if chunk == b"data":
            if length == _UNKNOWN_32 and long_length is not None:
                length = long_length
            if length == _UNKNOWN_32 or (length == 0 and offset + 8 < size):
                raise MediaRejectedError(
                    "unknown-length",
                    "The WAV header does not say how long the recording is, so nobody can tell whether it is whole "
                    "(it was written to a pipe); write it to a file again, for example with `ffmpeg -i in.wav out.wav`.",
                )
            return _refuse_if_beyond(offset + 8 + length, size, "sound data")
        offset += 8 + length + length % 2


def _check_mp4(file: BinaryIO, size: int) -> None:
    offset, boxes = 0, set()
    while offset + 8 <= size:
        file.seek(offset)
        length, box = struct.unpack(">I4s", file.read(8))
        if length == 1 and len(long_length := file.read(8)) == 8:
            (length,) = struct.unpack(">Q", long_length)
        if length == 0:  # the box goes on to the end of the file
            length = size - offset
        if length < 8:
            break
        boxes.add(box)
        _refuse_if_beyond(offset + length, size, f"{box.decode('latin-1')} box")
        offset += length
    if b"moov" not in boxes:
        raise MediaRejectedError(
            "truncated",
            "The file has no index (moov box): it was cut off or never finished; export or upload it again.",
        )


def _read_ebml_number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """Read one variable-length number; None for the reserved "unknown" value and at the end of the file."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    number = int.from_bytes(first + rest, "big")
    if keep_marker:
        return number
    number &= (1 << 7 * width) - 1
    return None if number == (1 << 7 * width) - 1 else number


def _check_matroska(file: BinaryIO, size: int) -> None:
    file.seek(4)
    header_length = _read_ebml_number(file, keep_marker=False)
    if header_length is None:
        return
    file.seek(header_length, os.SEEK_CUR)
    if _read_ebml_number(file, keep_marker=True) is None:
        raise MediaRejectedError("truncated", "The file ends after its header; upload it again in full.")
    segment_length = _read_ebml_number(file, keep_marker=False)
    if segment_length is not None:  # a live recording does not know its length, and need not
        _refuse_if_beyond(file.tell() + segment_length, size, "segment")


def _check_ogg(file: BinaryIO, size: int) -> None:
    start = max(0, size - _OGG_TAIL)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS\0")
    segments = tail[page + 26] if page >= 0 and page + 26 < len(tail) else None
    if segments is None:
        raise MediaRejectedError("truncated", "The file ends inside an Ogg page; upload it again in full.")
    lacing = tail[page + 27 : page + 27 + segments]
    _refuse_if_beyond(start + page + 27 + segments + sum(lacing), size, "last Ogg page")


def _check_tiff(file: BinaryIO, size: int) -> None:
    file.seek(0)
    header = file.read(8)
    order = "<" if header.startswith(b"II") else ">"
    if len(header) < 8 or header[2:4] not in {b"*\0", b"\0*"}:
        return  # a BigTIFF, whose offsets are wider
    (directory,) = struct.unpack(f"{order}4xI", header)
    file.seek(directory)
    count = file.read(2)
    entries = struct.unpack(f"{order}H", count)[0] if len(count) == 2 else 1
    _refuse_if_beyond(directory + 2 + entries * 12 + 4, size, "directory")


_CHECKS: dict[str, Callable[[BinaryIO, int], None]] = {
    WAV.name: _check_wav,
    MP4.name: _check_mp4,
    MATROSKA.name: _check_matroska,
    WEBM.name: _check_matroska,
    OGG.name: _check_ogg,
    TIFF.name: _check_tiff,
}
