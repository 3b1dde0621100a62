"""Settings that every service shares, read once by ``main`` from ``LABELMESH_*``."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SharedSettings(BaseSettings):
    """Where the servers are, and the secrets the services share. No secret has a default."""

    model_config = SettingsConfigDict(env_prefix="LABELMESH_", frozen=True, extra="ignore")

    kafka_bootstrap: str = Field(description="Comma-separated host:port of the Kafka brokers.")
    mongo_url: SecretStr = Field(description="MongoDB connection string.")
    mongo_prefix: str = Field("labelmesh", description="Each service's database is <prefix>_<service>.")
    minio_endpoint: str = Field(description="host:port at which services reach the object store.")
    minio_access_key: SecretStr = Field(description="Access key of the object store.")
    minio_secret_key: SecretStr = Field(description="Secret key of the object store.")
    minio_secure: bool = Field(False, description="Whether services reach the object store by TLS.")
    minio_region: str = Field("us-east-1", description="Region that signs links; any name will do for MinIO.")
    media_public_url: str = Field(
        description="Address at which clients reach the object store; it is what signs links."
    )
    internal_secret: SecretStr = Field(description="Signs the tokens by which the gateway calls services.")
    partitions: int = Field(12, ge=1, description="Partitions of each sample-keyed topic; fixed at installation.")
    replication: int = Field(1, ge=1, description="Replicas of each topic: 1 locally, 3 in production.")
    commit_delay_seconds: float = Field(
        0.0, ge=0, description="How far commits stay behind, so that a store which lost its last second is healed."
    )
    otlp_endpoint: str = Field("", description="OTLP/HTTP collector for traces; empty: none are sent.")
    log_level: str = Field("info", description="debug, info, warning or error.")
    host: str = Field("127.0.0.1", description="The address that a service's HTTP port is bound to.")

    @property
    def commit_delay(self) -> timedelta:
        """How far commits stay behind what was folded."""
        return timedelta(seconds=self.commit_delay_seconds)
