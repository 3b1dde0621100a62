"""Projects and taxonomies as every replica knows them, read from the beginning of compacted topics before it is ready."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Final, TypeGuard

from shared.errors import NotFoundError, UnavailableError, UnknownVersionError
from shared.events.base import Event
from shared.events.projects import ProjectPaused, ProjectRefused, ProjectState, ProjectVersioned
from shared.events.taxonomies import TaxonomyRefused, TaxonomyVersioned
from shared.health import Health
from shared.labels.project import ProjectSpec
from shared.labels.taxonomy.migrating import bindings_of
from shared.log_reader import LogReader
from shared.settings import SharedSettings
from shared.taxonomies import Taxonomies

CATCH_UP_SECONDS: Final = 3.0
KEPT_OUTCOMES: Final = 1000

Outcome = ProjectVersioned | ProjectRefused | ProjectPaused | TaxonomyVersioned | TaxonomyRefused
"""What a wish led to."""


class ProjectVersion:
    """One immutable version of a project, its spec parsed once.

    Only its shape is checked again: what was published once stays readable when the checks have become stricter.
    """

    def __init__(self, event: ProjectVersioned) -> None:
        self.tenant_id = event.tenant_id
        self.project_id = event.project_id
        self.number = event.version
        self.spec = ProjectSpec.model_validate(event.spec)
        self.raw: dict[str, Any] = event.spec
        self.spec_hash = event.spec_hash
        self.published_by = event.published_by
        self.published_at = event.occurred_at
        self.guideline_version = event.guideline_version


class Catalog:
    """The projects and their versions, and the taxonomies with theirs; it never goes back."""

    def __init__(self) -> None:
        self.taxonomies = Taxonomies()
        self._versions: dict[tuple[str, str], dict[int, ProjectVersion]] = {}
        self._states: dict[tuple[str, str], ProjectState] = {}
        self._deleted: dict[str, frozenset[str]] = {}
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._changed = asyncio.Condition()
        self.catch_up: Callable[[], Awaitable[None]] = _is_caught_up
        """Return once all that is published now has been read; whoever reads for the catalog puts it here."""

    def version(self, tenant_id: str, project_id: str, number: int) -> ProjectVersion:
        """Return the version that an event names.

        Raises:
            UnknownVersionError: It was never published (the catalog had read to the end of its topic).
        """
        found = self._versions.get((tenant_id, project_id), {}).get(number)
        if found is None:
            raise UnknownVersionError(f"Project {project_id} has no version {number}; publish it first.")
        return found

    def latest(self, tenant_id: str, project_id: str) -> ProjectVersion:
        """Return the project's newest version.

        Raises:
            NotFoundError: The tenant has no such project, or has deleted it.
        """
        found = self._versions.get((tenant_id, project_id))
        if not found or project_id in self.deleted(tenant_id):
            raise NotFoundError(f"There is no project {project_id!r}; PUT /v1/projects/{project_id} publishes one.")
        return found[max(found)]

    async def newest(self, tenant_id: str, project_id: str) -> ProjectVersion:
        """Return the project's newest version, also of one that was published through another process a moment ago.

        Raises:
            NotFoundError: The tenant has no such project, or has deleted it.
            UnavailableError: It is not known, and the log cannot be read.
        """
        if (tenant_id, project_id) not in self._versions:
            await self._catch_up()
        return self.latest(tenant_id, project_id)

    async def named(self, tenant_id: str, project_id: str, number: int) -> ProjectVersion:
        """Return a version that a client names, which may have been published through another process a moment ago.

        Raises:
            UnknownVersionError: It was never published.
            UnavailableError: It is not known, and the log cannot be read.
        """
        if not self.knows(tenant_id, project_id, number):
            await self._catch_up()
        return self.version(tenant_id, project_id, number)

    async def _catch_up(self) -> None:
        try:
            await asyncio.wait_for(self.catch_up(), CATCH_UP_SECONDS)
        except TimeoutError as error:
            raise UnavailableError("What was published last cannot be read; send the same request again.") from error

    def knows(self, tenant_id: str, project_id: str, number: int) -> bool:
        """Return whether the version has been read."""
        return number in self._versions.get((tenant_id, project_id), {})

    def versions(self, tenant_id: str, project_id: str) -> list[ProjectVersion]:
        """Return all versions of a project, the oldest first; empty where there is no such project (any more)."""
        if project_id in self.deleted(tenant_id):
            return []
        return [version for _, version in sorted(self._versions.get((tenant_id, project_id), {}).items())]

    def projects(self, tenant_id: str) -> list[str]:
        """Return the ids of the tenant's projects, sorted."""
        deleted = self.deleted(tenant_id)
        return sorted(project for tenant, project in self._versions if tenant == tenant_id and project not in deleted)

    def newest_versions(self) -> list[ProjectVersion]:
        """Return the newest version of every project of every tenant."""
        return [versions[max(versions)] for versions in self._versions.values()]

    def ever_bound(self, tenant_id: str, taxonomy_id: str) -> list[str]:
        """Return the tenant's projects of which any version takes labels from a taxonomy, sorted."""
        return sorted(
            project
            for (tenant, project), versions in self._versions.items()
            if tenant == tenant_id
            if any(
                binding.name == taxonomy_id
                for version in versions.values()
                for binding in bindings_of(version.spec).values()
            )
        )

    def state(self, tenant_id: str, project_id: str) -> ProjectState:
        """Return whether the project is active, paused, archived or deleted."""
        return self._states.get((tenant_id, project_id), "active")

    def inactive(self, tenant_id: str) -> frozenset[str]:
        """Return the tenant's projects that take no work at the moment."""
        return frozenset(
            project for (tenant, project), state in self._states.items() if tenant == tenant_id and state != "active"
        )

    def deleted(self, tenant_id: str) -> frozenset[str]:
        """Return the tenant's projects that were deleted; what events say of them is still folded."""
        return self._deleted.get(tenant_id, frozenset())

    async def outcome(self, cause_id: str, timeout: float) -> Outcome | None:
        """Wait for what became of a wish; None when it is not known in time."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: cause_id in self._outcomes)
                return self._outcomes[cause_id]
        except TimeoutError:
            return None

    async def learn(self, event: Event) -> None:
        """Take in one event, in any order, any number of times, and tell those who wait for it."""
        if not self.take(event):
            return
        async with self._changed:
            self._outcomes[event.cause_id] = event
            while len(self._outcomes) > KEPT_OUTCOMES:
                self._outcomes.popitem(last=False)
            self._changed.notify_all()

    def take(self, event: Event) -> TypeGuard[Outcome]:
        """Take in one event, and return whether it is of those that somebody may wait for."""
        if isinstance(event, ProjectVersioned):
            if not self.knows(event.tenant_id, event.project_id, event.version):
                version = ProjectVersion(event)
                self._versions.setdefault((event.tenant_id, event.project_id), {})[event.version] = version
        elif isinstance(event, ProjectPaused):
            self._learn_state(event)
        elif isinstance(event, TaxonomyVersioned):
            self.taxonomies.learn(event)
        return isinstance(event, Outcome)

    def _learn_state(self, event: ProjectPaused) -> None:
        """Take in a state. What comes again after a restart of versioning may be older; deleted stays deleted."""
        if event.project_id in self.deleted(event.tenant_id):
            return
        self._states[event.tenant_id, event.project_id] = event.state
        if event.state == "deleted":
            self._deleted[event.tenant_id] = self.deleted(event.tenant_id) | {event.project_id}


async def _is_caught_up() -> None:
    """Do nothing: nobody reads for this catalog."""


class CatalogReader(LogReader):
    """Keeps a catalog up to date."""

    def __init__(self, settings: SharedSettings, catalog: Catalog, health: Health) -> None:
        types = (ProjectVersioned, ProjectPaused, ProjectRefused, TaxonomyVersioned, TaxonomyRefused)
        super().__init__(settings, health, "catalog", types, catalog.learn)
        self._catalog = catalog
        catalog.catch_up = self.sync

    async def ensure(self, events: Sequence[Event]) -> None:
        """Wait for the versions that events name, until known or until all that is published now has been read."""
        named = {
            (kind, event.tenant_id, getattr(event, f"{kind}_id"), getattr(event, f"{kind}_version"))
            for event in events
            for kind in _kinds_named(type(event))
        }
        if not all(self._knows(*each) for each in named):
            await self.sync()

    def _knows(self, kind: str, tenant_id: str, name: str | None, version: int | None) -> bool:
        knows = self._catalog.knows if kind == "project" else self._catalog.taxonomies.knows
        return name is None or version is None or knows(tenant_id, name, version)


@cache
def _kinds_named(event: type[Event]) -> tuple[str, ...]:
    """Return of what an event of this type may name a version."""
    return tuple(
        kind for kind in ("project", "taxonomy") if {f"{kind}_id", f"{kind}_version"} <= event.model_fields.keys()
    )
