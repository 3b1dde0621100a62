"""What a label's words mean: the project versions and taxonomies that labels are made under."""

from __future__ import annotations

from typing import Protocol

from shared.labels.spec import ProjectSpec
from shared.labels.taxonomy import Taxonomy


class Vocabulary(Protocol):
    """Immutable versions, looked up by steps."""

    def spec(self, tenant_id: str, project_id: str, version: int) -> ProjectSpec:
        """Return the spec of a project version."""

    def newest(self, tenant_id: str, project_id: str) -> int:
        """Return the number of the project's newest version that is known here."""

    def has_rules(self, tenant_id: str, project_id: str) -> bool:
        """Return whether the project's newest version has rules."""

    def taxonomy(self, tenant_id: str, taxonomy_id: str, version: int) -> Taxonomy:
        """Return a version of a taxonomy."""
