"""Look at a file and say what is true of it, or why it cannot be used.

Decoders meet bytes that strangers sent: call :func:`probe` in a worker process, through ``ProbePool``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from io import BufferedReader, BytesIO
from pathlib import Path

from services.ingest.domain.finding import Finding
from services.ingest.domain.formats import HEAD_BYTES, MCAP, PARQUET, WRITTEN, MediaFormat, identify
from services.ingest.domain.polyglot import refuse_polyglot
from services.ingest.domain.probe_image import probe_image
from services.ingest.domain.probe_sensor import probe_sensor
from services.ingest.domain.probe_text import probe_text
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.policies import PiiPolicy

_AT_ONCE_BYTES = 32 * 1024 * 1024


def probe(
    path: Path, modality: str, filename: str, declared_media_type: str | None, pii: PiiPolicy | None = None
) -> Finding:
    """Find the facts of a file by reading it whole.

    Args:
        path: The file; it is opened for reading only.
        modality: What the slot asks for: text, image, audio, video, sensor or document; records come inside
            their samples and are never files.
        filename: The name the client gave; its extension must not contradict the content.
        declared_media_type: The media type the client gave, or None; it must not contradict the content either.
        pii: What becomes of personal data in a text; None where it is not looked for.

    Returns:
        The facts that labels are checked against, with ``media_type`` (found, not declared), ``size`` in bytes and
        ``sha256``, and the previews. ``object`` and ``language`` are not the file's to tell and stay None.

    Raises:
        MediaRejectedError: The file cannot be used; ``code`` says why.
        OSError: The file cannot be read on this machine, which says nothing about it.
    """
    with _opened(path) as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise MediaRejectedError("empty-file", "The file has zero bytes; upload it again.")
        found = identify(head, modality, filename, declared_media_type)
        if found not in WRITTEN.values():
            refuse_polyglot(file, found.name)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.seek(0, os.SEEK_END)
        try:
            if modality == "image":
                finding = probe_image(file, found)
            elif modality == "text":
                finding = probe_text(path, pii)
            else:
                finding = _PROBES[modality](path, found)
        except OSError as error:  # all its bytes could just be read: what fails now is where its structure points to
            raise MediaRejectedError(
                "undecodable", f"The {found.name} file is damaged inside; export it again from its source."
            ) from error
    if finding.is_masked:  # it has told size and hash of what is left
        return replace(finding.with_facts(media_type=found.media_types[modality]), sha256=digest)
    known = {"media_type": found.media_types[modality], "size": size, "sha256": digest}
    return replace(finding.with_facts(**known), sha256=digest)


def _opened(path: Path) -> BytesIO | BufferedReader:
    """Open a file; a small one is read at once, for to decoders and searches memory is much quicker than the disk."""
    if path.stat().st_size <= _AT_ONCE_BYTES:
        return BytesIO(path.read_bytes())
    return path.open("rb")


# Libraries of many megabytes are loaded where they are needed.


def _probe_audio(path: Path, format_: MediaFormat) -> Finding:
    from services.ingest.domain.probe_audio import probe_audio

    return probe_audio(path, format_)


def _probe_video(path: Path, format_: MediaFormat) -> Finding:
    from services.ingest.domain.probe_video import probe_video

    return probe_video(path, format_)


def _probe_sensor(path: Path, format_: MediaFormat) -> Finding:
    if format_ is PARQUET:
        from services.ingest.domain.probe_parquet import probe_parquet

        return probe_parquet(path)
    if format_ is not MCAP:
        return probe_sensor(path)
    from services.ingest.domain.probe_mcap import probe_mcap

    return probe_mcap(path)


def _probe_document(path: Path, _: MediaFormat) -> Finding:
    from services.ingest.domain.probe_document import probe_document

    return probe_document(path)


_PROBES: dict[str, Callable[[Path, MediaFormat], Finding]] = {
    "audio": _probe_audio,
    "video": _probe_video,
    "sensor": _probe_sensor,
    "document": _probe_document,
}
