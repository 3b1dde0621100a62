"""Valid events of ``shared.events.projects``."""

from typing import Any

from shared.catalog import Catalog
from shared.events import Event, projects
from shared.ids import new_id
from tests.builders.base import a_project_spec, an_event


def a_project_published(**changes: Any) -> projects.ProjectPublished:
    return an_event(
        projects.ProjectPublished, changes, spec=a_project_spec(), spec_hash="spec-1", published_by="manager"
    )


def a_project_versioned(**changes: Any) -> projects.ProjectVersioned:
    special = {"version": 1, "spec": a_project_spec(), "spec_hash": "spec-1", "published_by": "manager"}
    return an_event(projects.ProjectVersioned, changes, **special, cause_id=new_id())


def a_project_refused(**changes: Any) -> projects.ProjectRefused:
    special = {"cause_id": new_id(), "current_version": 2, "reason": "It was based on version 1; the newest is 2."}
    return an_event(projects.ProjectRefused, changes, **special)


def a_project_state_requested(**changes: Any) -> projects.ProjectStateRequested:
    return an_event(projects.ProjectStateRequested, changes, state="paused", requested_by="manager")


def a_project_paused(**changes: Any) -> projects.ProjectPaused:
    return an_event(projects.ProjectPaused, changes, state="paused", cause_id=new_id())


async def a_catalog(*known: Event) -> Catalog:
    """Return a catalog that has read these events; without any, version 1 of the usual project."""
    catalog = Catalog()
    for event in known or (a_project_versioned(),):
        await catalog.learn(event)
    return catalog
