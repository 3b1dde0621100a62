"""Settings of the annotation store."""

from __future__ import annotations

from pydantic import Field

from shared.settings import SharedSettings


class AnnotationStoreSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    annotation_store_port: int = Field(description="HTTP port of the annotation store.")
    annotation_store_draft_bytes: int = Field(
        1_000_000, ge=1, description="Largest draft that is kept, as JSON; above it the request is refused."
    )
