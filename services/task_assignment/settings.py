"""Settings of the task-assignment service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import SharedSettings


class TaskAssignmentSettings(SharedSettings):
    """Read once by ``main`` from ``LABELMESH_*``."""

    task_assignment_port: int = Field(description="HTTP port of task assignment.")
    task_assignment_url: str = Field(description="Address at which the gateway reaches this replica.")
    lease_secret: SecretStr = Field(description="Signs the tokens of leases.")
