"""The export formats: one module each, found through one registry."""

from __future__ import annotations

from collections.abc import Mapping

from services.versioning.domain.exports.coco import COCO
from services.versioning.domain.exports.export_format import ExportContext, ExportFormat, ExportRefusedError
from services.versioning.domain.exports.jsonl import JSONL
from services.versioning.domain.exports.parquet import PARQUET
from services.versioning.domain.exports.rttm import RTTM
from shared.labels.faults import quoted, suggestion

__all__ = ["FORMATS", "ExportContext", "ExportFormat", "ExportRefusedError", "format_named"]

FORMATS: Mapping[str, ExportFormat] = {each.name: each for each in (JSONL, PARQUET, COCO, RTTM)}


def format_named(name: str) -> ExportFormat:
    """Return the format.

    Raises:
        ExportRefusedError: There is no such format.
    """
    if name not in FORMATS:
        raise ExportRefusedError(f"{quoted(name)} is no export format; {suggestion(name, FORMATS)}")
    return FORMATS[name]
