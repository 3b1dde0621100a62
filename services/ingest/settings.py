"""Settings of the ingest service."""

from __future__ import annotations

from pydantic import Field

from services.ingest.references.egress import EgressPolicy
from shared.settings import SharedSettings


class IngestSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    ingest_port: int = Field(description="HTTP port of ingest.")
    ingest_probe_workers: int = Field(2, ge=1, description="Processes that probe media at the same time.")
    ingest_probe_seconds: float = Field(60, gt=0, description="Time limit for probing one file.")
    ingest_sweep_seconds: float = Field(
        10, gt=0, description="How often uploads are looked for whose notification is late."
    )
    ingest_quarantine_days: float = Field(
        7, gt=0, description="How long an upload is kept that no sample needs, and awaited that does not come."
    )
    max_line_bytes: int = Field(1024 * 1024, description="Longest line, or row, of an imported file.")
    ingest_buckets: dict[str, list[str]] = Field(
        {}, description="By tenant, what s3:// addresses may begin with: bucket/ or bucket/prefix (JSON)."
    )
    ingest_settle_seconds: float = Field(
        5,
        ge=0,
        description="How long nothing may have been put under a sample's name before it is taken from a bucket.",
    )
    ingest_egress_hosts: str = Field(
        "", description="Comma-separated hosts that files are fetched from; .example.org allows all below it."
    )
    ingest_fetch_bytes: int = Field(1024**3, ge=1, description="Largest file that is fetched by https.")
    ingest_fetch_seconds: float = Field(120, gt=0, description="Time limit for fetching one file.")

    @property
    def egress(self) -> EgressPolicy:
        """What may be fetched by https."""
        hosts = frozenset(host.strip().lower() for host in self.ingest_egress_hosts.split(",") if host.strip())
        return EgressPolicy(hosts, self.ingest_fetch_bytes, self.ingest_fetch_seconds)

    @property
    def buckets(self) -> dict[str, list[str]]:
        """What s3:// addresses may begin with, by tenant; a bucket alone ends with a slash."""
        return {
            tenant: [each if "/" in each else f"{each}/" for each in beginnings]
            for tenant, beginnings in self.ingest_buckets.items()
        }
