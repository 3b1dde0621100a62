"""What versioning does with each event."""

from __future__ import annotations

from services.versioning.binding import BoundProjects
from services.versioning.domain import dataset as datasets_domain
from services.versioning.domain import export as exports_domain
from services.versioning.domain import label_row, project, taxonomy
from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.export import Export
from services.versioning.domain.label_row import LabelRow
from services.versioning.domain.project import Project
from services.versioning.domain.taxonomy import KeptTaxonomy
from services.versioning.erasing import HeldSamples
from services.versioning.exporting import Exporter
from services.versioning.freezing import Freezer
from shared.erasure import erased_key
from shared.events.annotations import LabelBarrier, LabelRecorded, SampleDescribed
from shared.events.datasets import (
    DatasetFrozen,
    DatasetReady,
    DatasetRequested,
    DatasetTagRequested,
    ExportAccepted,
    ExportRequested,
)
from shared.events.erasure import DatasetAffected, SampleErased
from shared.events.migrations import ProjectRebindRequested, TaxonomyChangeRequested
from shared.events.projects import ProjectPublished, ProjectStateRequested
from shared.events.taxonomies import TaxonomyPublished
from shared.ledger import Ledger, Step
from shared.routes import Reaction, Route


def project_key(event: ProjectPublished | ProjectStateRequested | ProjectRebindRequested) -> str:
    """Return the id of the project's document."""
    return f"{event.tenant_id}/{event.project_id}"


def taxonomy_key(event: TaxonomyPublished | TaxonomyChangeRequested) -> str:
    """Return the id of the taxonomy's document."""
    return f"{event.tenant_id}/{event.taxonomy_id}"


def sample_key(event: LabelRecorded | SampleDescribed) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def job_key(event: DatasetRequested | DatasetReady | ExportRequested | ExportAccepted) -> str:
    """Return the id of the job's document."""
    return f"{event.tenant_id}/{event.job_id}"


def barrier_key(event: LabelBarrier) -> str:
    """Return the id of the document of the job that the barrier belongs to."""
    return f"{event.tenant_id}/{event.dataset_job_id}"


def dataset_key(event: DatasetFrozen | DatasetAffected) -> str:
    """Return the id of the dataset's document."""
    return f"{event.tenant_id}/{event.dataset_id}"


def tag_key(event: DatasetTagRequested) -> str:
    """Return the id of the tag's document."""
    return f"{event.tenant_id}/{event.tag}"


def create_routes(
    *,
    projects: Ledger[Project],
    taxonomies: Ledger[KeptTaxonomy],
    rows: Ledger[LabelRow],
    jobs: Ledger[DatasetJob],
    datasets: Ledger[Dataset],
    tags: Ledger[Tag],
    exports: Ledger[Export],
    partitions: int,
    held: HeldSamples,
    bound: BoundProjects,
) -> list[Route | Reaction]:
    """Return the routes of everything that is quickly done.

    Rows come before jobs: when a batch holds a barrier, the labels before it are kept before the barrier counts.
    """

    def on_dataset_requested(job: DatasetJob | None, event: DatasetRequested) -> Step[DatasetJob]:
        """Cut through all partitions. A job that is known is not cut again."""
        return datasets_domain.request(job, event, partitions)

    def rebind_project(kept: Project | None, event: ProjectRebindRequested) -> Step[Project]:
        """Bring the project to the taxonomy's new version; again, it is there already."""
        return project.rebind(kept, event, bound.taxonomy(event))

    return [
        Route(SampleErased, rows, label_row.erase, erased_key, enrich=held.enrich),
        Route(ProjectPublished, projects, project.publish, project_key),
        Route(ProjectStateRequested, projects, project.change_state, project_key),
        Route(ProjectRebindRequested, projects, rebind_project, project_key),
        Route(TaxonomyPublished, taxonomies, taxonomy.publish, taxonomy_key),
        Route(TaxonomyChangeRequested, taxonomies, taxonomy.change, taxonomy_key, enrich=bound.find),
        Route(SampleDescribed, rows, label_row.describe, sample_key, begins=True),
        Route(LabelRecorded, rows, label_row.record, sample_key),
        Route(DatasetRequested, jobs, on_dataset_requested, job_key),
        Route(LabelBarrier, jobs, datasets_domain.pass_barrier, barrier_key),
        Route(DatasetFrozen, datasets, datasets_domain.keep, dataset_key),
        Route(DatasetAffected, datasets, datasets_domain.affect, dataset_key),
        Route(DatasetTagRequested, tags, datasets_domain.point, tag_key),
        Route(ExportRequested, exports, exports_domain.request, job_key),
    ]


def create_job_routes(
    jobs: Ledger[DatasetJob], exports: Ledger[Export], freezer: Freezer, exporter: Exporter
) -> list[Route | Reaction]:
    """Return the routes of long work; in a group of its own, so that it keeps nobody waiting."""
    return [
        Route(DatasetReady, jobs, datasets_domain.finish, job_key, enrich=freezer.enrich),
        Route(ExportAccepted, exports, exports_domain.finish, job_key, enrich=exporter.enrich),
    ]
