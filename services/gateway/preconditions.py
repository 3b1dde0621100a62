"""If-Match on things that have versions."""

from fastapi import Request

from shared.errors import PreconditionFailedError


def based_on(request: Request) -> int | None:
    """Return the version that If-Match names, None where the author does not mind.

    Raises:
        PreconditionFailedError: It names no version.
    """
    given = request.headers.get("if-match", "").strip().strip('"')
    if not given or given == "*":
        return None
    if not given.isdecimal():
        raise PreconditionFailedError(f'If-Match must be a version number in quotes, as in "3", not {given!r}.')
    return int(given)


def changed(what: str, current: int) -> PreconditionFailedError:
    """Return the refusal of a change that was based on an older version."""
    detail = f"{what} is at version {current}; read it, merge your change, and send it with its ETag."
    return PreconditionFailedError(detail, current_version=current)
