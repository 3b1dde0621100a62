"""Fields as they are kept: once per content, under an id that follows from owner and content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from shared.labels.canonical import canonical_json
from shared.labels.canonical import content_hash as hash_of
from shared.ledger import Body, Document

BODIES: Final = "bodies"
"""The collection of large values."""

Fields = Mapping[str, Any]


def body_of(tenant_id: str, owner_id: str, fields: Fields) -> Body:
    """Return fields as a document of their own.

    They are kept as JSON text: names within a record may hold what a document's keys may not (dots, dollars).

    Args:
        tenant_id: First part of the id.
        owner_id: The annotation, review or sample that the fields belong to.
        fields: Values by field name, in canonical form.
    """
    id_ = f"{tenant_id}/{owner_id}@{hash_of(fields)}"
    return Body(BODIES, id_, {"tenant_id": tenant_id, "json": canonical_json(fields).decode()})


def fields_in(body: Document) -> dict[str, Any]:
    """Return the fields of a document that ``body_of`` made."""
    fields: dict[str, Any] = orjson.loads(body["json"])
    return fields
