"""Settings of the QA service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import SharedSettings


class QaSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    qa_port: int = Field(description="HTTP port of QA.")
    qa_report_samples: int = Field(
        500, ge=1, le=20_000, description="How many of the newest samples agreement and consistency are computed from."
    )
    qa_skill_seconds: float = Field(
        30.0, gt=0, description="How old an annotator's skill may be when an answer is weighed by it."
    )
