"""Rows of tables as samples: which column says what."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson

from shared.labels.faults import Fault, pointer_of
from shared.labels.json_values import read_json
from shared.labels.spec import ProjectSpec
from shared.lines import Line

ID_COLUMN: Final = "external_id"
_REMOTE: Final = ("s3://", "https://")
_SOURCES: Final = frozenset({"text", "record", "upload", "uri"})


def line_of_row(number: int, row: Mapping[str, Any], spec: ProjectSpec) -> Line:
    """Return a row as the line of NDJSON that says the same.

    Args:
        number: The row's place in its file.
        row: Values by column; None and empty texts are left out. ``external_id``, ``language``, ``due_at``,
            ``predictions`` (JSON) and ``metadata`` or ``metadata.<key>`` are what they are in a sample. A column with
            the name of an asset is its text, its record (JSON), its address or its upload's id; ``<asset>.<source>``
            says which. Any other column is metadata.
        spec: The project, whose assets the columns may name.
    """
    sample: dict[str, Any] = {"assets": {}, "metadata": {}}
    faults: list[Fault] = []
    for column, value in row.items():
        if value is None or value == "":
            continue
        try:
            _put(sample, column, value, spec)
        except orjson.JSONDecodeError as error:
            message = f"The column {column!r} holds no JSON: {error}."
            faults.append(Fault(pointer=pointer_of((column,)), code="invalid-json", message=message))
    try:
        text = orjson.dumps(sample, default=_plain)
    except TypeError as error:
        text = json.dumps(sample, default=str).encode()
        if "64-bit" in str(error):
            return Line(number, text, tuple(faults))  # whoever checks the sample says which integer is too large
        code = "invalid-utf-8" if "UTF-8" in str(error) else "wrong-type"
        message = f"The row holds what JSON has no place for: {error}."
        faults.append(Fault(pointer="", code=code, message=message))
    return Line(number, text, tuple(faults))


def _put(sample: dict[str, Any], column: str, value: Any, spec: ProjectSpec) -> None:
    slot, _, kind = column.rpartition(".")
    if column == ID_COLUMN:
        sample[column] = str(value)
    elif column in {"language", "due_at"}:
        sample[column] = value
    elif column == "predictions" or column in {"metadata", "assets"}:
        found = read_json(value) if isinstance(value, str) else value
        sample[column] = {**sample.get(column, {}), **found} if isinstance(found, Mapping) else found
    elif column in spec.assets:
        kind = _kind_of(spec.assets[column].modality, value)
        sample["assets"][column] = {kind: _content(kind, value)}
    elif slot in spec.assets and kind in _SOURCES:
        sample["assets"][slot] = {kind: _content(kind, value)}
    else:
        sample["metadata"][column.removeprefix("metadata.")] = value


def _kind_of(modality: str, value: Any) -> str:
    if modality in {"text", "record"}:
        return modality
    return "uri" if isinstance(value, str) and value.startswith(_REMOTE) else "upload"


def _content(kind: str, value: Any) -> Any:
    return read_json(value) if kind == "record" and isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Return what Parquet knows and JSON does not as text, as it is written elsewhere."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__}")
