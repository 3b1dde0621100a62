"""What work that comes near to its due date gains, and to whom it is opened; asked once for each claim."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Set
from typing import Final

from services.task_assignment.domain.due import Rise
from shared.catalog import Catalog
from shared.events.tasks import AnnotatorProfile
from shared.security import Principal

POLICIES_SECONDS: Final = 1.0
"""How soon a new version of a project's policy is heeded."""
_NOTHING: Final[frozenset[str]] = frozenset()


class Escalation:
    """Knows what the newest versions of projects say, and which of them are at risk or late."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rises: dict[str, tuple[float, dict[str, Rise]]] = {}
        self._opened: Mapping[str, Mapping[str, Set[str]]] = {}

    def rises(self, tenant_id: str) -> Mapping[str, Rise]:
        """Return how the work of a tenant's projects rises."""
        known = self._rises.get(tenant_id)
        if known is None or time.monotonic() - known[0] > POLICIES_SECONDS:
            latest = self._catalog.latest
            found = {each: Rise.of(latest(tenant_id, each).spec.sla) for each in self._catalog.projects(tenant_id)}
            known = self._rises[tenant_id] = time.monotonic(), found
        return known[1]

    def open(self, opened: Mapping[str, Mapping[str, Set[str]]]) -> None:
        """Learn whose first passes are open to whom: the roles, by tenant and project."""
        self._opened = opened

    def opened(self, principal: Principal, profile: AnnotatorProfile | None, stages: Collection[str]) -> frozenset[str]:
        """Return the projects whose first pass is open to somebody by their roles.

        Args:
            principal: Who asks.
            profile: Theirs; whoever is not to work in first passes does not by this either.
            stages: What they ask for; empty: all.
        """
        projects = self._opened.get(principal.tenant_id)
        if not projects or (stages and "first_pass" not in stages):
            return _NOTHING
        if profile is not None and "first_pass" not in profile.stages:
            return _NOTHING
        return frozenset(project for project, roles in projects.items() if roles & principal.roles)
