"""Valid events of ``shared.events.migrations``."""

from typing import Any

from shared.events import migrations
from tests.builders.base import PROJECT, an_event
from tests.builders.taxonomy_events import TAXONOMY

MIGRATION = "annotation_store-m1"
_OF_TAXONOMY = {"taxonomy_id": TAXONOMY, "job_id": MIGRATION}


def a_taxonomy_change_requested(**changes: Any) -> migrations.TaxonomyChangeRequested:
    operations = [{"op": "merge", "labels": ["duck"], "into": "goose"}]
    known = {"published_by": "manager"} | ({} if "rolls_back" in changes else {"operations": operations})
    return an_event(migrations.TaxonomyChangeRequested, changes, **_OF_TAXONOMY, **known)


def a_project_rebind_requested(**changes: Any) -> migrations.ProjectRebindRequested:
    known = {"taxonomy_version": 2, "published_by": "manager"}
    return an_event(migrations.ProjectRebindRequested, changes, **_OF_TAXONOMY, **known)


def a_project_rebound(**changes: Any) -> migrations.ProjectRebound:
    return an_event(migrations.ProjectRebound, changes, job_id=MIGRATION, project_version=2, bound=True)


def a_migration_requested(**changes: Any) -> migrations.MigrationRequested:
    known = {"taxonomy_version": 2, "projects": [PROJECT], "requested_by": "manager"}
    return an_event(migrations.MigrationRequested, changes, **_OF_TAXONOMY, **known)


def a_migration_chunk_due(**changes: Any) -> migrations.MigrationChunkDue:
    target = migrations.MigrationTarget(project_id=PROJECT, project_version=2)
    known = {"taxonomy_version": 2, "number": 0, "targets": [target]}
    return an_event(migrations.MigrationChunkDue, changes, **_OF_TAXONOMY, **known)


def a_label_migration_due(**changes: Any) -> migrations.LabelMigrationDue:
    known = {"project_version": 2, "taxonomy_id": TAXONOMY, "taxonomy_version": 2, "migration": MIGRATION}
    return an_event(migrations.LabelMigrationDue, changes, **known)


def a_label_migrated(**changes: Any) -> migrations.LabelMigrated:
    return an_event(migrations.LabelMigrated, changes, job_id=MIGRATION, line=0, outcome="migrated")


def a_migration_scanned(**changes: Any) -> migrations.MigrationScanned:
    return an_event(migrations.MigrationScanned, changes, job_id=MIGRATION, lines=1)
