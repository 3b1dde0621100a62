"""Settings of the versioning service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import SharedSettings


class VersioningSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    versioning_port: int = Field(description="HTTP port of versioning.")
    versioning_batch_rows: int = Field(500, ge=1, le=5000, description="Samples that a freeze holds in memory at once.")
    versioning_facts_seconds: float = Field(
        60, ge=0, description="How long a freeze waits for samples whose label is known before their assets are."
    )
