"""Migrations: what a change of a taxonomy does to the projects that are bound to it, and to their labels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from shared.events.base import Event
from shared.labels.faults import Fault


class TaxonomyChangeRequested(Event):
    """Somebody asks that a taxonomy be changed, and projects and labels with it; versioning decides."""

    topic: ClassVar[str] = "taxonomy.published.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "taxonomy_id"

    taxonomy_id: str
    job_id: str
    """The id of the migration, and of its job."""
    operations: list[dict[str, Any]] = Field(default_factory=list)
    rolls_back: str | None = None
    """The migration to take back; then there are no operations."""
    note: str = ""
    published_by: str
    based_on: int | None = None
    projects: tuple[str, ...] = Field((), exclude=True)
    """The projects that are or were bound to the taxonomy; added by versioning as it reads, never on the wire."""

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.taxonomy_id}"


class ProjectRebindRequested(Event):
    """A project is to be brought to a newer version of a taxonomy."""

    topic: ClassVar[str] = "project.published.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    key_field: ClassVar[str] = "project_id"

    project_id: str
    job_id: str
    taxonomy_id: str
    taxonomy_version: int
    published_by: str

    @property
    @override
    def key(self) -> str:
        return f"{self.tenant_id}/{self.project_id}"


class ProjectRebound(Event):
    """A project has been brought to a newer version of a taxonomy, or cannot be."""

    topic: ClassVar[str] = "project.rebound.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    project_version: int
    """The newest version of the project."""
    bound: bool
    """Whether that version is bound to the taxonomy's new version."""
    faults: list[Fault] = Field(default_factory=list)
    """Why the project cannot be bound to it; its labels stay as they are."""


class MigrationRequested(Event):
    """A taxonomy has changed, and the labels of record of some projects are to follow."""

    topic: ClassVar[str] = "migration.requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store", "gateway"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    taxonomy_id: str
    taxonomy_version: int
    rolls_back: str | None = None
    projects: list[str]
    requested_by: str


class MigrationTarget(BaseModel):
    """A project whose labels are to follow, and the version that they are brought to."""

    model_config = ConfigDict(frozen=True)

    project_id: str
    project_version: int


class MigrationChunkDue(Event):
    """The next labels of a migration are to be looked for."""

    topic: ClassVar[str] = "migration.chunk_due.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    taxonomy_id: str
    taxonomy_version: int
    rolls_back: str | None = None
    number: int
    """Chunks of the job before this one."""
    targets: list[MigrationTarget]
    """The projects that are not looked through yet; the first is being looked through."""
    after: str = ""
    """The sample that the chunk before ended with."""
    line: int = 0
    """Labels found before."""
    found: tuple[str, ...] = Field((), exclude=True)
    """Ids of samples; added by annotation_store as it reads, never on the wire."""
    complete: bool = Field(False, exclude=True)
    """Whether the project has no more; added by annotation_store as it reads, never on the wire."""


class LabelMigrationDue(Event):
    """A sample's label of record is to be brought to another version of a taxonomy."""

    topic: ClassVar[str] = "label.migration_due.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})

    sample_id: str
    project_id: str
    project_version: int
    """The version to bring it to."""
    taxonomy_id: str
    taxonomy_version: int
    migration: str
    rolls_back: str | None = None
    """The migration whose revision is to be taken back."""
    line: int | None = None
    """Its number within the migration's job; None where it was found beside the job."""
    tries: int = 0
    """How often the label had changed between look-up and step."""
    body: str | None = Field(None, exclude=True)
    """The id of the fields that were looked up; added by annotation_store as it reads, never on the wire."""
    fields: dict[str, Any] = Field({}, exclude=True)
    """These fields; added by annotation_store as it reads, never on the wire."""


class LabelMigrated(Event):
    """A label of a migration's job was dealt with."""

    topic: ClassVar[str] = "migration.label_settled.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    line: int
    outcome: Literal["migrated", "restored", "unchanged", "left"]
    """``left`` needs a person; ``unchanged`` has no label out of use any more."""
    sample_id: str
    external_id: str
    faults: list[Fault] = Field(default_factory=list)


class MigrationScanned(Event):
    """All labels that a migration concerns have been found."""

    topic: ClassVar[str] = "migration.scanned.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str = ""
    lines: int
    """How many they are."""
