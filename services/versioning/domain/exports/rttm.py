"""NIST's Rich Transcription Time Marked format: who speaks when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from services.versioning.domain.exports.export_format import ExportContext, ExportFormat
from services.versioning.domain.label_row import DatasetRow


def write_rttm(rows: Iterator[DatasetRow], context: ExportContext, out: BinaryIO) -> int:
    """Write one SPEAKER line per segment.

    Args:
        rows: Sorted by sample id; those without the field are left out.
        context: The option ``field`` chooses the segments field where there are several.
        out: Takes UTF-8 lines ``SPEAKER <file> 1 <start> <duration> <NA> <NA> <speaker> <NA> <NA>``, times in seconds
            with three digits. The file is the sample's external id, the speaker of a segment without one its label;
            white space in both becomes ``_``.

    Returns:
        The number of lines.

    Source: NIST, "The 2009 Rich Transcription Meeting Recognition Evaluation Plan" (2009), appendix A.
    """
    field = context.field_of_kind("segments")
    lines = 0
    for row in rows:
        for segment in row.fields.get(field, ()):
            speaker = _word(segment.get("speaker") or segment["label"])
            duration = segment["end"] - segment["start"]
            line = f"SPEAKER {_word(row.external_id)} 1 {segment['start']:.3f} {duration:.3f}"
            out.write(f"{line} <NA> <NA> {speaker} <NA> <NA>\n".encode())
            lines += 1
    return lines


def _word(text: str) -> str:
    return re.sub(r"\s+", "_", text)


RTTM = ExportFormat(
    name="rttm",
    suffix="rttm",
    media_type="text/plain; charset=utf-8",
    description="Speaker turns of one segments field, as diarization tools read them.",
    write=write_rttm,
    options={"field": "The segments field; needed where the project has several."},
)
