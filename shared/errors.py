"""Errors that tell what happened and what to do next; HTTP shows them as RFC 9457 problem documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from shared.labels.faults import Fault

PROBLEM_BASE = "https://labelmesh.dev/problems/"


class LabelmeshError(Exception):
    """A fault that we foresaw: it has a stable type, a status, and a sentence for the reader."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Bad request"
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, *, faults: Sequence[Fault] = (), retry_after: float | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.retry_after = retry_after
        self.extra = extra

    @classmethod
    def slug(cls) -> str:
        """Return the stable kebab-case name of this kind of error (``lease-expired``)."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__.removesuffix("Error")).lower()

    def problem(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """Return the RFC 9457 problem document of this error."""
        return (
            Problem(
                type=PROBLEM_BASE + self.slug(),
                title=self.title,
                status=self.status,
                detail=self.detail,
                instance=instance,
                request_id=request_id,
                errors=list(self.faults),
            ).model_dump(mode="json")
            | self.extra
        )


class Problem(BaseModel):
    """RFC 9457 problem document; ``errors`` lists every fault of a body, not the first."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Fault] = []


class InvalidBodyError(LabelmeshError):
    """The body is readable, but breaks the rules that ``errors`` lists."""

    status, title = 422, "The body has faults"


class MalformedBodyError(LabelmeshError):
    """The body is not what its media type says (no JSON, no UTF-8)."""

    status, title = 400, "The body cannot be read"


class BodyTooLargeError(LabelmeshError):
    """The body is larger than this path takes."""

    status, title = 413, "The body is too large"


class UnauthenticatedError(LabelmeshError):
    """No credential, or one that we do not know."""

    status, title = 401, "Who are you?"


class ForbiddenError(LabelmeshError):
    """The credential is good, but its roles do not reach this far."""

    status, title = 403, "Not allowed"


class NotFoundError(LabelmeshError):
    """There is no such thing in this tenant (another tenant's things are not found either)."""

    status, title = 404, "Not found"


class GoneError(LabelmeshError):
    """It was there, and was erased; it does not come back."""

    status, title = 410, "Erased"


class ConflictError(LabelmeshError):
    """The request contradicts what is known."""

    status, title = 409, "Conflict"


class IdempotencyConflictError(ConflictError):
    """The Idempotency-Key was used before with another body."""

    title = "Idempotency-Key used for another body"


class LeaseLostError(ConflictError):
    """The lease is not the caller's any more, or never was."""

    title = "Lease lost"


class LeaseExpiredError(ConflictError):
    """The annotation came in after the annotator's lease on the task had ended."""

    title = "Lease expired"


class PreconditionFailedError(LabelmeshError):
    """The thing has changed since the revision that If-Match names."""

    status, title = 412, "It has changed meanwhile"


class UnavailableError(LabelmeshError):
    """Something that this needs does not answer at the moment; nothing was accepted."""

    status, title, retryable = 503, "Not available at the moment", True

    def __init__(self, detail: str, *, retry_after: float = 2.0) -> None:
        super().__init__(detail, retry_after=retry_after)


class UnknownVersionError(LabelmeshError):
    """An event names a project version that was never published."""

    status, title = 422, "Unknown project version"


class UndecodableEventError(LabelmeshError):
    """A record that is no event of ours, or not in its shape."""

    status, title = 422, "Undecodable event"
