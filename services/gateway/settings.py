"""Settings of the gateway."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import SharedSettings


class GatewaySettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    gateway_port: int = Field(description="HTTP port of the gateway.")
    ingest_url: str = Field(description="Address of ingest.")
    task_assignment_url: str = Field(description="Address of task assignment, used until its replicas are known.")
    annotation_store_url: str = Field(description="Address of the annotation store.")
    qa_url: str = Field(description="Address of QA.")
    versioning_url: str = Field(description="Address of versioning.")
    feedback_url: str = Field(description="Address of feedback.")
    api_key_pepper: SecretStr = Field(description="Keyed into the stored digests of API keys.")
    lease_secret: SecretStr = Field(description="Signs the tokens of leases.")
    allowed_origins: str = Field("", description="Comma-separated origins that browsers may call from.")
    outcome_seconds: float = Field(10, gt=0, description="How long a client waits for the outcome of a publication.")
    max_body_bytes: int = Field(4 * 1024 * 1024, description="Largest body, streams of lines aside.")
    door_records_per_second: float = Field(
        200, gt=0, description="What one replica takes of tools' records; beyond it they wait in the log."
    )
    max_line_bytes: int = Field(1024 * 1024, description="Longest line of a stream of lines.")

    max_import_bytes: int = Field(20 * 1024**3, description="Largest table (CSV, Parquet) sent as a body.")

    @property
    def origins(self) -> list[str]:
        """The origins that browsers may call from."""
        return [origin.strip() for origin in self.allowed_origins.split(",") if origin.strip()]

    def url_of(self, service: str) -> str:
        """Return the address of a service."""
        return str(getattr(self, f"{service}_url"))
