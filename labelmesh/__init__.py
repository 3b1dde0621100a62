"""Labelmesh's client: knows the gateway's HTTP API and nothing of the services."""

from labelmesh import api, workforce
from labelmesh.client import AsyncLabelmesh, Labelmesh
from labelmesh.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidBodyError,
    JobTimeoutError,
    LeaseExpiredError,
    LeaseLostError,
    NotFoundError,
    NotReadyError,
    PreconditionFailedError,
    UnauthenticatedError,
    UnreachableError,
)

__all__ = [
    "ApiError",
    "AsyncLabelmesh",
    "ConflictError",
    "ForbiddenError",
    "InvalidBodyError",
    "JobTimeoutError",
    "Labelmesh",
    "LeaseExpiredError",
    "LeaseLostError",
    "NotFoundError",
    "NotReadyError",
    "PreconditionFailedError",
    "UnauthenticatedError",
    "UnreachableError",
    "api",
    "workforce",
]
