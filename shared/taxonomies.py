"""Taxonomies as every replica knows them: a part of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from shared.errors import NotFoundError, UnavailableError, UnknownVersionError
from shared.events.taxonomies import TaxonomyVersioned
from shared.labels.project import ProjectSpec
from shared.labels.taxonomy import Taxonomy
from shared.labels.taxonomy.binding import KnownTaxonomy, TaxonomyLookup, labels_key
from shared.labels.taxonomy.migrating import bindings_of
from shared.labels.taxonomy.serving import labels_in

MAX_SERVED_LABELS: Final = 300
"""Labels that come along with a task; of larger taxonomies the task names where they are."""
MAX_KEPT_LANGUAGES: Final = 200


class TaxonomyVersion:
    """One immutable version of a taxonomy."""

    def __init__(self, event: TaxonomyVersioned) -> None:
        self.taxonomy_id = event.taxonomy_id
        self.number = event.taxonomy_version
        self.raw: dict[str, Any] = event.content
        self.content_hash = event.content_hash
        self.published_by: str = event.published_by
        self.published_at: datetime = event.occurred_at
        self.note = event.note
        self.migration = event.migration
        self.operations = event.operations
        self.rolls_back = event.rolls_back
        self._shown: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}

    def shown(self, label_ids: Sequence[str], languages: Sequence[str]) -> list[dict[str, Any]]:
        """Return some labels with their texts in somebody's language; see ``labels_in``."""
        wanted = tuple(languages)
        if wanted not in self._shown:
            if len(self._shown) >= MAX_KEPT_LANGUAGES:
                self._shown.clear()
            self._shown[wanted] = {label["id"]: label for label in labels_in(self.content, wanted)}
        return [self._shown[wanted][label_id] for label_id in label_ids]

    @cached_property
    def content(self) -> Taxonomy:
        """The taxonomy, parsed when it is first needed."""
        return Taxonomy.model_validate(self.raw)


class Taxonomies:
    """The taxonomies of all tenants with all their versions."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], dict[int, TaxonomyVersion]] = {}

    def learn(self, event: TaxonomyVersioned) -> None:
        """Take in a version; in any order, any number of times."""
        versions = self._versions.setdefault((event.tenant_id, event.taxonomy_id), {})
        if event.taxonomy_version not in versions:
            versions[event.taxonomy_version] = TaxonomyVersion(event)

    def knows(self, tenant_id: str, taxonomy_id: str, number: int) -> bool:
        """Return whether the version has been read."""
        return number in self._versions.get((tenant_id, taxonomy_id), {})

    def get(self, tenant_id: str, taxonomy_id: str, number: int | None) -> TaxonomyVersion | None:
        """Return a version, the newest where no number is given, or None."""
        versions = self._versions.get((tenant_id, taxonomy_id), {})
        return versions.get(max(versions, default=0) if number is None else number)

    def names(self, tenant_id: str) -> list[str]:
        """Return the ids of the tenant's taxonomies, sorted."""
        return sorted(taxonomy for tenant, taxonomy in self._versions if tenant == tenant_id)

    def versions(self, tenant_id: str, taxonomy_id: str) -> list[TaxonomyVersion]:
        """Return all versions of a taxonomy, the oldest first; empty where there is no such taxonomy."""
        return [version for _, version in sorted(self._versions.get((tenant_id, taxonomy_id), {}).items())]

    def latest(self, tenant_id: str, taxonomy_id: str) -> TaxonomyVersion:
        """Return the taxonomy's newest version.

        Raises:
            NotFoundError: The tenant has no such taxonomy.
        """
        found = self.versions(tenant_id, taxonomy_id)
        if not found:
            raise NotFoundError(
                f"There is no taxonomy {taxonomy_id!r}; PUT /v1/taxonomies/{taxonomy_id} publishes one."
            )
        return found[-1]

    def version(self, tenant_id: str, taxonomy_id: str, number: int) -> TaxonomyVersion:
        """Return the version that an event names.

        Raises:
            UnknownVersionError: It was never published (the catalog had read to the end of its topic).
        """
        found = self.get(tenant_id, taxonomy_id, number)
        if found is None:
            raise UnknownVersionError(f"Taxonomy {taxonomy_id} has no version {number}; publish it first.")
        return found

    def content(self, tenant_id: str, taxonomy_id: str, number: int) -> Taxonomy:
        """Return what a version holds that something else names, and that therefore exists.

        Raises:
            UnavailableError: It has not been read yet; that passes.
        """
        found = self.get(tenant_id, taxonomy_id, number)
        if found is None:
            raise UnavailableError(f"Version {number} of taxonomy {taxonomy_id} has not been read yet.")
        return found.content

    def lookup(self, tenant_id: str) -> TaxonomyLookup:
        """Return what the tenant's specs may be bound to."""

        def find(name: str, number: int | None) -> KnownTaxonomy | None:
            found = self.get(tenant_id, name, number)
            return (
                None
                if found is None
                else KnownTaxonomy(found.number, found.content, self.latest_number(tenant_id, name))
            )

        return TaxonomyLookup(self.names(tenant_id), find)

    def latest_number(self, tenant_id: str, taxonomy_id: str) -> int:
        """Return the number of the newest version, 0 where there is none."""
        return max(self._versions.get((tenant_id, taxonomy_id), {}), default=0)

    def served(self, tenant_id: str, spec: ProjectSpec, languages: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return, per field that is bound to a taxonomy, what its labels mean, in somebody's language.

        Args:
            tenant_id: Whose taxonomies.
            spec: The project's spec.
            languages: BCP 47, the preferred first.

        Returns:
            ``{taxonomy, version, href, labels}``; ``labels`` is None where there are too many to come along, or where
            the version is still being read: ``href`` has them.
        """
        found = {}
        for name, binding in bindings_of(spec).items():
            version = self.get(tenant_id, binding.name, binding.version)
            ids = labels_of(spec, name)
            few = version is not None and len(ids) <= MAX_SERVED_LABELS
            found[name] = {
                "taxonomy": binding.name,
                "version": binding.version,
                "href": f"/v1/taxonomies/{binding.name}/versions/{binding.version}?language={','.join(languages) or '*'}",
                "labels": version.shown(ids, languages) if version is not None and few else None,
            }
        return found


def labels_of(spec: ProjectSpec, field: str) -> tuple[str, ...]:
    """Return the label ids that a bound field offers."""
    options = spec.fields[field]
    ids: tuple[str, ...] = getattr(options, labels_key(options.kind) or "labels")
    return ids
