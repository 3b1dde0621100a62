"""Apache Parquet with one fixed schema for all projects, so that datasets can be joined and loaded alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.versioning.domain.exports.export_format import ExportContext, ExportFormat
from services.versioning.domain.label_row import DatasetRow
from shared.labels.canonical import canonical_json

ROW_GROUP: Final = 5_000
_SCORES = pa.map_(pa.string(), pa.float64())

_INSTANT = pa.timestamp("us", tz="UTC")
_CONTRIBUTION = pa.struct(
    [
        pa.field("annotator_id", pa.string()),
        pa.field("role", pa.string()),
        pa.field("stage", pa.string()),
        pa.field("source_id", pa.string()),
        pa.field("revision", pa.int32()),
        pa.field("started_at", _INSTANT),
        pa.field("submitted_at", _INSTANT),
        pa.field("seconds_spent", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("channel", pa.string()),
        pa.field("client", pa.string()),
        pa.field("project_version", pa.int32()),
        pa.field("guideline_version", pa.int32()),
        pa.field("taxonomy_versions", pa.map_(pa.string(), pa.int32())),
        pa.field("validation", pa.string()),
        pa.field("language", pa.string()),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False),
        pa.field("external_id", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("project_version", pa.int32(), nullable=False),
        pa.field("revision", pa.int32(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("fields", pa.string(), nullable=False, metadata={"format": "canonical JSON object"}),
        pa.field("decided_by", pa.string(), nullable=False),
        pa.field("annotators", pa.list_(pa.string()), nullable=False),
        pa.field("reviewers", pa.list_(pa.string()), nullable=False),
        pa.field("agreement", _SCORES, nullable=False),
        pa.field("confidence", _SCORES, nullable=False),
        pa.field("contributions", pa.list_(_CONTRIBUTION), nullable=False),
        pa.field("assets", pa.string(), nullable=False, metadata={"format": "canonical JSON object by slot"}),
    ]
)


def write_parquet(rows: Iterator[DatasetRow], context: ExportContext, out: BinaryIO) -> int:
    """Write row groups of 5,000 samples, one in memory at a time.

    Args:
        rows: Sorted by sample id.
        context: Its dataset's id stands in the file's metadata.
        out: Takes the file. The same rows give the same bytes.

    Returns:
        The number of rows.
    """
    schema = SCHEMA.with_metadata({"labelmesh.dataset_id": context.dataset_id})
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        while chunk := [_columns(row) for row in islice(rows, ROW_GROUP)]:
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema), row_group_size=ROW_GROUP)
            count += len(chunk)
    return count


def _columns(row: DatasetRow) -> dict[str, Any]:
    provenance = row.provenance
    assets = {slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in row.assets.items()}
    return {
        **row.model_dump(include={"sample_id", "external_id", "language", "project_version", "revision"}),
        "content_hash": row.content_hash,
        "fields": canonical_json(row.fields).decode(),
        "decided_by": provenance.decided_by,
        "annotators": provenance.annotators,
        "reviewers": provenance.reviewers,
        "agreement": sorted(provenance.agreement.items()),
        "confidence": sorted(provenance.confidence.items()),
        "contributions": [
            {**dict(each), "taxonomy_versions": sorted(each.taxonomy_versions.items())}
            for each in provenance.contributions
        ],
        "assets": canonical_json(assets).decode(),
    }


PARQUET = ExportFormat(
    name="parquet",
    suffix="parquet",
    media_type="application/vnd.apache.parquet",
    description="One row per sample under a fixed schema; fields and assets as JSON text.",
    write=write_parquet,
)
