"""Taxonomies: versioned in log order by the versioning service, and what their changes do to projects and labels."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from typing_extensions import override

from shared.events.base import Event
from shared.events.projects import ALL_SERVICES
from shared.labels.faults import Fault


class TaxonomyPublished(Event):
    """Somebody wishes this to be the taxonomy's next version; versioning decides."""

    topic: ClassVar[str] = "taxonomy.published.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "taxonomy_id"

    taxonomy_id: str
    content: dict[str, Any]
    """The taxonomy as ``Taxonomy.to_json`` writes it."""
    content_hash: str
    published_by: str
    based_on: int | None = None
    """The version the author had read; None where the author does not mind."""

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.taxonomy_id}"


class TaxonomyVersioned(Event):
    """The taxonomy has a new version, immutable from here on."""

    topic: ClassVar[str] = "taxonomy.versioned.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = ALL_SERVICES
    key_field: ClassVar[str] = "taxonomy_id"
    compacted: ClassVar[bool] = True

    taxonomy_id: str
    taxonomy_version: int
    content: dict[str, Any]
    content_hash: str
    published_by: str
    cause_id: str
    note: str = ""
    migration: str | None = None
    """The id of the migration that made it, which is also the id of its job."""
    operations: list[dict[str, Any]] = Field(default_factory=list)
    """The operations of that migration."""
    rolls_back: str | None = None
    """The migration that this one takes back."""

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.taxonomy_id}/{self.taxonomy_version}"


class TaxonomyRefused(Event):
    """A wished-for version cannot be: it was based on an older one, or the newest does not allow it."""

    topic: ClassVar[str] = "taxonomy.refused.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "taxonomy_id"

    taxonomy_id: str
    cause_id: str
    current_version: int
    reason: str
    faults: list[Fault] = Field(default_factory=list)

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.taxonomy_id}"
