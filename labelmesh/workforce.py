"""As ``labelmesh.api``, of people: who they are, what they have done, and the keys that they work with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from labelmesh.api import Ask, Page
from labelmesh.requests import JsonObject, at, delete, get, post, put


def annotators(project: str, cursor: str | None = None) -> Ask[Page]:
    """List how a project's annotators do, field by field, with intervals."""
    return Ask.as_it_is(get(at("projects", project, "annotators"), cursor=cursor))


def annotator(annotator_id: str) -> Ask[dict[str, Any]]:
    """Read an annotator's profile and measured skill."""
    return Ask.as_it_is(get(at("annotators", annotator_id)))


def declare_annotator(annotator_id: str, profile: JsonObject) -> Ask[dict[str, Any]]:
    """Say who an annotator is: ``{languages, stages, projects, max_leases, paused, ...}``."""
    return Ask.as_it_is(put(at("annotators", annotator_id), profile, content_type="application/json"))


def workload(
    first: date | None = None,
    last: date | None = None,
    *,
    by: Literal["day", "period"] = "day",
    project: str | None = None,
    annotator: str | None = None,
    stage: str | None = None,
    cursor: str | None = None,
) -> Ask[Page]:
    """List what people have done, for their pay: a row for each person, day, project and stage, person by person.

    Args:
        first: The first day (UTC); None: a month before the last.
        last: The last day, included; None: today.
        by: ``period``: one row for all days.
        project: Only in this project.
        annotator: Only this person's.
        stage: Only in this stage.
        cursor: Of the page.
    """
    period = {"from": first, "to": last}
    which = {"by": by, "project": project, "annotator": annotator, "stage": stage, "cursor": cursor}
    return Ask.as_it_is(get(at("workload"), **period, **which))


def create_key(subject: str, roles: Sequence[str], projects: Sequence[str] = ()) -> Ask[dict[str, Any]]:
    """Make an API key: ``{id, key, ...}``; ``key`` is shown this once."""
    return Ask.as_it_is(post(at("api-keys"), {"subject": subject, "roles": list(roles), "projects": list(projects)}))


def keys(cursor: str | None = None) -> Ask[Page]:
    """List the tenant's keys, without their secrets."""
    return Ask.as_it_is(get(at("api-keys"), cursor=cursor))


def delete_key(key_id: str) -> Ask[None]:
    """Revoke a key."""
    return Ask.as_it_is(delete(at("api-keys", key_id)))
