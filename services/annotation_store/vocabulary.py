"""The catalog as the steps of labels ask it."""

from __future__ import annotations

from shared.catalog import Catalog
from shared.labels.spec import ProjectSpec
from shared.labels.taxonomy import Taxonomy
from shared.labels.taxonomy.migrating import bindings_of


class CatalogVocabulary:
    """Project versions and taxonomies, as far as this replica has read them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def spec(self, tenant_id: str, project_id: str, version: int) -> ProjectSpec:
        """Return the spec of a project version.

        Raises:
            UnknownVersionError: It was never published.
        """
        return self._catalog.version(tenant_id, project_id, version).spec

    def newest(self, tenant_id: str, project_id: str) -> int:
        """Return the newest version of the project whose taxonomies have been read too; 0 where there is none.

        Their topics are read side by side. A label that was recorded before this replica had read all is found by the
        search for labels left behind.
        """
        taxonomies = self._catalog.taxonomies
        for version in reversed(self._catalog.versions(tenant_id, project_id)):
            bound = bindings_of(version.spec).values()
            if all(taxonomies.get(tenant_id, each.name, each.version) is not None for each in bound):
                return version.number
        return 0

    def has_rules(self, tenant_id: str, project_id: str) -> bool:
        """Return whether the newest version of the project that has been read has rules."""
        versions = self._catalog.versions(tenant_id, project_id)
        return bool(versions and versions[-1].spec.rules)

    def taxonomy(self, tenant_id: str, taxonomy_id: str, version: int) -> Taxonomy:
        """Return a version of a taxonomy.

        Raises:
            UnavailableError: It has not been read yet; that passes.
        """
        return self._catalog.taxonomies.content(tenant_id, taxonomy_id, version)
