"""Names that several aggregates agree on."""

from __future__ import annotations

from urllib.parse import quote

WHOLE_FIELD = "whole field"
"""The slice of a finding that is about all errors of a field."""


def model_key_of(tenant_id: str, project_id: str, model: str, model_version: str) -> str:
    """Return ``tenant/project/model/model_version``; models may have slashes in their names, so these are escaped."""
    return f"{tenant_id}/{project_id}/{quote(model, safe='')}/{quote(model_version, safe='')}"


def slice_of(label: str, prediction: str) -> str:
    """Return the name of a slice of errors: what the label says, and what the model says instead."""
    return f"{label} -> {prediction}"
