"""Settings of the feedback service."""

from __future__ import annotations

from pydantic import Field

from shared.settings import SharedSettings


class FeedbackSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    feedback_port: int = Field(description="HTTP port of feedback.")
    feedback_min_judged: int = Field(8, ge=1, description="Judged samples that a field's error rate needs.")
    feedback_error_rate: float = Field(
        0.2, gt=0, le=1, description="Mean error of a field from which on it is a finding."
    )
    feedback_slice_errors: int = Field(3, ge=1, description="How often one confusion occurs before it is a finding.")
    feedback_finding_samples: int = Field(
        50, ge=1, le=1000, description="Most samples that one finding sends back, the worst first."
    )
    feedback_priority: int = Field(10, ge=1, description="Priority of samples that a finding sends back; 0 is usual.")
