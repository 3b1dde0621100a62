"""What changes of taxonomies have to know of projects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from shared.catalog import Catalog
from shared.events.migrations import ProjectRebindRequested, TaxonomyChangeRequested
from shared.labels.taxonomy import Taxonomy


class BoundProjects:
    """The projects that take labels from a taxonomy."""

    def __init__(self, catalog: Catalog, sync: Callable[[], Awaitable[None]]) -> None:
        """Look projects up.

        Args:
            catalog: Where they are.
            sync: Returns once the catalog has read all that is published now.
        """
        self._catalog = catalog
        self._sync = sync

    async def find(self, events: Sequence[TaxonomyChangeRequested]) -> list[TaxonomyChangeRequested]:
        """Add the projects that follow each change.

        A project that is published at this very moment may be missing. It stays bound to the version that it was
        published with, until it is published again or the next migration takes it along.
        """
        await self._sync()
        return [
            event.model_copy(update={"projects": tuple(self._catalog.ever_bound(event.tenant_id, event.taxonomy_id))})
            for event in events
        ]

    def taxonomy(self, event: ProjectRebindRequested) -> Taxonomy:
        """Return the version that a project is to be bound to.

        Raises:
            UnavailableError: It has not been read yet; that passes.
        """
        return self._catalog.taxonomies.content(event.tenant_id, event.taxonomy_id, event.taxonomy_version)
