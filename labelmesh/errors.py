"""What the gateway refused, with everything it said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class ApiError(Exception):
    """The gateway answered with a problem document (RFC 9457).

    Attributes:
        status: The HTTP status; 0 where there was no answer.
        type: The problem's stable name, e.g. ``lease-expired``.
        title: The kind of problem in words.
        detail: What happened and what to do next.
        errors: All faults: ``{pointer, code, message}`` each.
        problem: The whole document.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        self.type = str(problem.get("type", "")).rsplit("/", 1)[-1] or "unknown"
        self.title = str(problem.get("title") or self.type)
        self.detail = str(problem.get("detail") or "The gateway gave no reason.")
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or [])
        super().__init__(f"{status} {self.type}: {self.detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error pass between processes, as pools hand it on."""
        return _restored, (type(self), self.status, self.problem)


class UnauthenticatedError(ApiError):
    """The API key is missing, unknown or revoked."""


class ForbiddenError(ApiError):
    """The key's roles or projects do not reach this far."""


class NotFoundError(ApiError):
    """There is no such thing in the key's tenant."""


class ConflictError(ApiError):
    """The request contradicts what is known."""


class LeaseExpiredError(ConflictError):
    """The answer came after the lease had ended; the gateway keeps it as a draft. Claim again."""


class LeaseLostError(ConflictError):
    """The lease is not the caller's any more, or never was. Claim again."""


class PreconditionFailedError(ApiError):
    """The thing has changed since the revision that was given; ``problem`` has the current one."""


class InvalidBodyError(ApiError):
    """The body has faults; ``errors`` lists all of them."""


class NotReadyError(ApiError):
    """The gateway, or what it needs, was not ready or too busy, however often it was asked."""


class UnreachableError(ApiError):
    """The gateway did not answer, as often as we tried."""

    def __init__(self, url: str, reason: object) -> None:
        detail = f"{url} does not answer ({reason}); is the stack running? `make status` tells."
        super().__init__(0, {"type": "unreachable", "title": "No answer", "detail": detail})


class JobTimeoutError(ApiError):
    """A job was not done in the time that we waited for it."""

    def __init__(self, job_id: str, seconds: float) -> None:
        detail = f"Job {job_id} is not done after {seconds:g} s; `labelmesh job {job_id}` tells how far it is."
        super().__init__(0, {"type": "job-timeout", "title": "Still at work", "detail": detail})


_BY_TYPE: Final[Mapping[str, type[ApiError]]] = {
    "lease-expired": LeaseExpiredError,
    "lease-lost": LeaseLostError,
}
_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    422: InvalidBodyError,
    429: NotReadyError,
    502: NotReadyError,
    503: NotReadyError,
    504: NotReadyError,
}


def error_of(status: int, problem: Mapping[str, Any]) -> ApiError:
    """Return the error that a problem document is: by its type, else by the status."""
    name = str(problem.get("type", "")).rsplit("/", 1)[-1]
    return (_BY_TYPE.get(name) or _BY_STATUS.get(status) or ApiError)(status, problem)


def _restored(kind: type[ApiError], status: int, problem: Mapping[str, Any]) -> ApiError:
    """Make an error anew, whatever its own constructor takes."""
    error = kind.__new__(kind)
    ApiError.__init__(error, status, problem)
    return error
