"""A project's versions: given one after the other, in the order in which the wishes stand in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import NotFoundError
from shared.events.migrations import ProjectRebindRequested, ProjectRebound
from shared.events.projects import (
    ProjectPaused,
    ProjectPublished,
    ProjectRefused,
    ProjectState,
    ProjectStateRequested,
    ProjectVersioned,
)
from shared.labels import guidelines
from shared.labels.canonical import content_hash
from shared.labels.faults import Fault
from shared.labels.project import check_spec
from shared.labels.taxonomy import Taxonomy
from shared.labels.taxonomy.binding import rebind_spec
from shared.ledger import Body, Step

DELETED = "It was deleted, and its name is not given again; choose another name."
AUDIT = "audit"
"""Collection of the audit entries: a large value each, so that the project's document does not grow."""

Action = Literal["published", "published_unchanged", "rebound", "refused", "activated", "paused", "archived", "deleted"]
_ACTIONS: Mapping[ProjectState, Action] = {
    "active": "activated",
    "paused": "paused",
    "archived": "archived",
    "deleted": "deleted",
}


class Version(BaseModel):
    """The newest version of a project, as it was published."""

    model_config = ConfigDict(frozen=True)

    number: int
    spec: dict[str, Any]
    spec_hash: str
    published_by: str
    published_at: datetime
    guideline_version: int = 1


class Project(BaseModel):
    """What versioning knows of a project."""

    model_config = ConfigDict(frozen=True)

    project_id: str
    newest: Version | None = None
    state: ProjectState = "active"
    acts: int = 0
    """How many audit entries there are."""


class AuditEntry(BaseModel):
    """Who did what to a project, and when."""

    model_config = ConfigDict(frozen=True)

    project_id: str
    number: int
    at: datetime
    by: str
    action: Action
    version: int | None = None
    spec_hash: str | None = None
    changes: list[str] = Field(default_factory=list)
    """JSON pointers of the spec's parts that differ from the version before, at most 200."""


def publish(project: Project | None, event: ProjectPublished) -> Step[Project]:
    """Give the wished-for spec its number, or refuse it.

    A spec equal to the newest gives that version again, as it was, under the new cause: whoever waits for this wish
    gets an answer, and sending a wish twice makes no second version.
    """
    project = project or Project(project_id=event.project_id)
    newest = project.newest
    if project.state == "deleted":
        return _refused(project, event, event.published_by, DELETED)
    if newest is not None and newest.spec_hash == event.spec_hash:
        return _announced(project, newest, event, "published_unchanged")
    number = 0 if newest is None else newest.number
    if event.based_on is not None and event.based_on != number:
        reason = (
            f"The spec was based on version {event.based_on}, the newest is {number}; "
            f"read version {number}, bring your changes into it and publish again."
        )
        return _refused(project, event, event.published_by, reason)
    version = Version(
        number=number + 1,
        spec=event.spec,
        spec_hash=event.spec_hash,
        published_by=event.published_by,
        published_at=event.occurred_at,
        guideline_version=_guideline_version(newest, event.spec),
    )
    changes = changed_parts({} if newest is None else newest.spec, event.spec)
    return _announced(project.model_copy(update={"newest": version}), version, event, "published", changes)


def rebind(project: Project | None, event: ProjectRebindRequested, taxonomy: Taxonomy) -> Step[Project]:
    """Give the project a version that is bound to a newer version of a taxonomy, where it is bound to that at all.

    Args:
        project: What is known of the project.
        event: The request.
        taxonomy: The taxonomy's newer version.
    """
    if project is None or project.state == "deleted" or (newest := project.newest) is None:
        return Step(project, [_rebound(event, 0, bound=False)])
    raw = rebind_spec(newest.spec, event.taxonomy_id, event.taxonomy_version, taxonomy)
    if raw == newest.spec:
        bindings = [field.get("taxonomy") for field in raw["fields"].values()]
        bound = any(each is not None and each["name"] == event.taxonomy_id for each in bindings)
        return Step(project, [_rebound(event, newest.number, bound=bound)])
    checked = check_spec(raw)
    if checked.spec is None:
        return Step(project, [_rebound(event, newest.number, bound=False, faults=list(checked.faults))])
    spec = checked.spec.to_json()
    version = Version(
        number=newest.number + 1,
        spec=spec,
        spec_hash=content_hash(spec),
        published_by=event.published_by,
        published_at=event.occurred_at,
        guideline_version=_guideline_version(newest, spec),
    )
    changes = changed_parts(newest.spec, spec)
    done = _announced(project.model_copy(update={"newest": version}), version, event, "rebound", changes)
    return Step(done.state, [*done.emitted, _rebound(event, version.number, bound=True)], done.bodies)


def change_state(project: Project | None, event: ProjectStateRequested) -> Step[Project]:
    """Pause, resume, archive or delete the project. Only an archived one is deleted, and then it is for good.

    Raises:
        NotFoundError: It was never published.
    """
    if project is None or project.newest is None:
        raise NotFoundError(f"There is no project {event.project_id!r} whose state could change; publish it first.")
    paused = ProjectPaused.caused_by(event, project_id=event.project_id, state=event.state, cause_id=event.event_id)
    if project.state == event.state:
        return Step(project, [paused])
    if project.state == "deleted":
        return _refused(project, event, event.requested_by, DELETED)
    if event.state == "deleted" and project.state != "archived":
        return _refused(project, event, event.requested_by, f"It is {project.state}; archive it before it is deleted.")
    project = project.model_copy(update={"state": event.state})
    project, entry = _noted(project, event, event.requested_by, _ACTIONS[event.state])
    return Step(project, [paused], [entry])


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any], limit: int = 200) -> list[str]:
    """Name the parts of a spec that differ.

    Args:
        before: The spec as it was; empty where there was none.
        after: The spec as it is.
        limit: Most pointers to return.

    Returns:
        Sorted JSON pointers, two levels deep at most: ``/fields/intent``, ``/quality/overlap``, ``/title``.
    """
    found: set[str] = set()
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found |= {f"/{key}/{part}" for part in old.keys() | new.keys() if old.get(part) != new.get(part)}
        else:
            found.add(f"/{key}")
    return sorted(found)[:limit]


def _refused(project: Project, event: ProjectPublished | ProjectStateRequested, by: str, reason: str) -> Step[Project]:
    number = 0 if project.newest is None else project.newest.number
    refused = ProjectRefused.caused_by(
        event, project_id=event.project_id, cause_id=event.event_id, current_version=number, reason=reason
    )
    project, entry = _noted(project, event, by, "refused", version=number or None)
    return Step(project, [refused], [entry])


def _guideline_version(newest: Version | None, spec: Mapping[str, Any]) -> int:
    """Count on where the guidelines say something else: annotators are told to read them again by this number."""
    if newest is None:
        return 1
    same = guidelines.are_same(newest.spec.get("guidelines"), spec.get("guidelines"))
    return newest.guideline_version + (not same)


def _rebound(
    event: ProjectRebindRequested, version: int, *, bound: bool, faults: Sequence[Fault] = ()
) -> ProjectRebound:
    return ProjectRebound.caused_by(
        event,
        part=event.project_id,
        job_id=event.job_id,
        project_id=event.project_id,
        project_version=version,
        bound=bound,
        faults=list(faults),
    )


def _announced(
    project: Project,
    version: Version,
    event: ProjectPublished | ProjectRebindRequested,
    action: Action,
    changes: list[str] | None = None,
) -> Step[Project]:
    versioned = ProjectVersioned.caused_by(
        event,
        part=str(version.number),
        occurred_at=version.published_at,
        project_id=event.project_id,
        version=version.number,
        spec=version.spec,
        spec_hash=version.spec_hash,
        published_by=version.published_by,
        cause_id=event.event_id,
        guideline_version=version.guideline_version,
    )
    project, entry = _noted(
        project,
        event,
        event.published_by,
        action,
        version=version.number,
        spec_hash=version.spec_hash,
        changes=changes or [],
    )
    return Step(project, [versioned], [entry])


def _noted(
    project: Project,
    event: ProjectPublished | ProjectStateRequested | ProjectRebindRequested,
    by: str,
    action: Action,
    **more: Any,
) -> tuple[Project, Body]:
    """Count the act, and write its entry under an id that a redelivery makes again."""
    number = project.acts + 1
    entry = AuditEntry(project_id=project.project_id, number=number, at=event.occurred_at, by=by, action=action, **more)
    content = {"tenant_id": event.tenant_id, **entry.model_dump(mode="json")}
    return project.model_copy(update={"acts": number}), Body(AUDIT, f"{event.key}/{event.event_id}", content)
