"""Identities: new ones in time order, derived ones that two replicas make alike."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

from uuid_utils import uuid7

_NAMESPACE = UUID("6f0d5d5e-6f6b-5a0e-9d4c-0c6c61626d73").bytes


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562): unique, and ordered by the time of its birth."""
    return str(uuid7())


def born_at(id_: str) -> datetime | None:
    """Return when an id of ``new_id`` was made, to the millisecond; None for any other text."""
    try:
        parsed = UUID(id_)
    except ValueError:
        return None
    return datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC) if parsed.version == 7 else None


def derived_id(*causes: str) -> str:
    """Return the UUIDv5 of ``causes``: the same causes give the same id everywhere.

    Each part is written with its length, so that ("ab", "c") and ("a", "bc") differ.

    Source: RFC 9562, section 5.5. Written out here, for several are made of each sample and ``uuid.uuid5`` takes four
    times as long.
    """
    name = "".join([f"{len(cause)}:{cause}" for cause in causes])
    found = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(found[16], 16) & 3]
    return f"{found[:8]}-{found[8:12]}-5{found[13:16]}-{variant}{found[17:20]}-{found[20:32]}"


def sample_id_of(tenant_id: str, project_id: str, external_id: str) -> str:
    """Return the id of the sample that the tenant's project knows as ``external_id``."""
    return derived_id("sample", tenant_id, project_id, external_id)


def task_id_of(sample_id: str, stage: str, number: int) -> str:
    """Return ``<sample>.<stage>.<number>``: a task is found through its sample, by ``_id`` alone."""
    return f"{sample_id}.{stage}.{number}"


def sample_of_task(task_id: str) -> str:
    """Return the sample id that ``task_id`` begins with (the whole text where it has no dot)."""
    return task_id.partition(".")[0]


def recheck_job_of(tenant_id: str, project_id: str, version: int) -> str:
    """Return the id of the job that holds a project's labels against the rules of a version."""
    return f"annotation_store-{derived_id('recheck', tenant_id, project_id, str(version))}"
