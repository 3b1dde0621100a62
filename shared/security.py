"""Who calls: API keys, the gateway's internal tokens, and the signed tokens of leases."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict

from shared.errors import ForbiddenError, LeaseLostError, NotFoundError, UnauthenticatedError

Role = Literal["owner", "manager", "annotator", "reviewer", "adjudicator", "auditor", "integration", "viewer"]

MANAGERS: frozenset[Role] = frozenset({"owner", "manager"})
WORKERS: frozenset[Role] = frozenset({"annotator", "reviewer", "adjudicator"})
READERS: frozenset[Role] = frozenset({"owner", "manager", "auditor", "viewer"})

INTERNAL_LIFETIME = timedelta(seconds=60)
_HEADER = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
"""``{"alg":"HS256","typ":"JWT"}``: the only header of ours, so a token's own is never asked how to check it."""
_INTERNAL_AUDIENCE = "labelmesh-internal"
_LEASE_AUDIENCE = "labelmesh-lease"


class Principal(BaseModel):
    """Who calls, for which tenant, and what they may do."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    subject: str
    """The person or program; an annotator's id for those who label."""
    roles: frozenset[Role]
    projects: frozenset[str] = frozenset()
    """The projects that the credential is for; empty: all of the tenant."""
    deleted: frozenset[str] = frozenset()
    """The tenant's projects that were deleted: nothing of theirs is found."""

    def require(self, roles: Iterable[Role], project_id: str | None = None) -> None:
        """Raise unless the principal has one of ``roles``, and the project is among theirs.

        Raises:
            ForbiddenError: They have not.
            NotFoundError: The project was deleted.
        """
        if project_id is not None and project_id in self.deleted:
            raise NotFoundError(f"There is no project {project_id!r} any more; it was deleted.")
        wanted = frozenset(roles)
        if not self.roles & wanted:
            raise ForbiddenError(f"This needs one of the roles {', '.join(sorted(wanted))}; ask an owner for a key.")
        if project_id is not None and self.projects and project_id not in self.projects:
            raise ForbiddenError(f"This key is not for project {project_id!r}; ask an owner for one that is.")


class ApiKey(NamedTuple):
    """A key as it is shown once: ``lm_<id>_<secret>``."""

    id: str
    secret: str

    @classmethod
    def new(cls) -> ApiKey:
        """Make a key of 64 bits of id and 256 bits of secret."""
        return cls(secrets.token_hex(8), secrets.token_hex(32))

    @classmethod
    def parse(cls, text: str) -> ApiKey:
        """Read a key from a header.

        Raises:
            UnauthenticatedError: It is no key.
        """
        prefix, _, rest = text.partition("_")
        id_, _, secret = rest.partition("_")
        if prefix != "lm" or len(id_) != 16 or len(secret) != 64:
            raise UnauthenticatedError("The credential is not an API key of Labelmesh (lm_…).")
        return cls(id_, secret)

    def __str__(self) -> str:
        return f"lm_{self.id}_{self.secret}"

    def digest(self, pepper: str) -> str:
        """Return what is stored instead of the secret: HMAC-SHA-256 of the whole key, in hex."""
        return hmac.new(pepper.encode(), str(self).encode(), hashlib.sha256).hexdigest()


class BadTokenError(ValueError):
    """A token is not one of ours, or is not good any more."""


def sign_claims(claims: Mapping[str, Any], secret: str) -> str:
    """Return claims as a JSON Web Token (RFC 7519), signed by HMAC-SHA-256.

    By hand, for tokens that we alone make and read: PyJWT looks at each character of a token in Python, which was a
    sixth of the gateway's time for an answer. Tests hold the two to each other.
    """
    signed = _HEADER + b"." + _base64(orjson.dumps(claims))
    return (signed + b"." + _base64(hmac.digest(secret.encode(), signed, "sha256"))).decode()


def read_claims(token: str, secret: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token that was signed by ``sign_claims`` for an audience and has not expired.

    Raises:
        BadTokenError: It was not, or has.
    """
    signed, _, signature = token.encode("utf-8", "replace").rpartition(b".")
    header, _, payload = signed.partition(b".")
    expected = _base64(hmac.digest(secret.encode(), signed, "sha256"))
    if not hmac.compare_digest(signature, expected) or header != _HEADER:
        raise BadTokenError("it was not signed by us")
    claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    if claims.get("aud") != audience:
        raise BadTokenError("it is for something else")
    if "exp" in claims and claims["exp"] <= time.time():
        raise BadTokenError("it has expired")
    return claims


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def sign_internal(secret: str, principal: Principal, request_id: str, now: datetime) -> str:
    """Return the short-lived token with which the gateway calls a service."""
    claims = {
        "aud": _INTERNAL_AUDIENCE,
        "exp": int((now + INTERNAL_LIFETIME).timestamp()),
        "tid": principal.tenant_id,
        "sub": principal.subject,
        "roles": sorted(principal.roles),
        "projects": sorted(principal.projects),
        "rid": request_id,
    }
    return sign_claims(claims, secret)


def read_internal(secret: str, token: str) -> tuple[Principal, str]:
    """Return the principal and the request id of an internal token.

    Raises:
        UnauthenticatedError: It is forged, expired, or for something else.
    """
    try:
        claims = read_claims(token, secret, _INTERNAL_AUDIENCE)
    except BadTokenError as error:
        raise UnauthenticatedError("This address is for the gateway alone; call the gateway instead.") from error
    principal = Principal(
        tenant_id=claims["tid"],
        subject=claims["sub"],
        roles=frozenset(claims["roles"]),
        projects=frozenset(claims["projects"]),
    )
    return principal, claims["rid"]


class Lease(BaseModel):
    """A claim on one slot of a task that ends by itself."""

    model_config = ConfigDict(frozen=True)

    lease_id: str
    tenant_id: str
    task_id: str
    stage: str
    slot: str
    annotator_id: str
    project_id: str
    project_version: int
    expires_ms: int
    since_ms: int = 0
    """When the task was claimed, in ms since 1970; 0 in tokens from before it was noted."""


def sign_lease(secret: str, lease: Lease) -> str:
    """Return the lease as a token. HS256: an asymmetric signature would cost a third of the throughput."""
    return sign_claims({"aud": _LEASE_AUDIENCE, "lease": lease.model_dump()}, secret)


def read_lease(secret: str, token: str, principal: Principal, task_id: str) -> Lease:
    """Return the lease of a token that the caller may use for this task; whether it is in time is not asked here.

    Raises:
        LeaseLostError: It is forged, or another's, or for another task.
    """
    try:
        lease = Lease.model_validate(read_claims(token, secret, _LEASE_AUDIENCE)["lease"])
    except (ValueError, KeyError) as error:
        raise LeaseLostError("The Lease-Token is not one of ours; claim the task again.") from error
    if (lease.tenant_id, lease.annotator_id, lease.task_id) != (principal.tenant_id, principal.subject, task_id):
        raise LeaseLostError("The Lease-Token was given to somebody else, or for another task; claim one of your own.")
    return lease


LEASE_GRACE = timedelta(seconds=5)


def in_time(appended_at_ms: int, lease_expires_ms: int) -> bool:
    """Return whether a submission that the broker stamped so counts. The gateway and task_assignment both ask this."""
    return appended_at_ms <= lease_expires_ms + to_ms_delta(LEASE_GRACE)


def to_ms_delta(delta: timedelta) -> int:
    """Return a duration in milliseconds."""
    return round(delta.total_seconds() * 1000)
