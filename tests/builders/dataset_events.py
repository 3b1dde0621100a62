"""Valid events of ``shared.events.datasets``."""

from typing import Any

from shared.events import datasets
from tests.builders.base import TENANT, an_event


def a_dataset_requested(**changes: Any) -> datasets.DatasetRequested:
    return an_event(datasets.DatasetRequested, changes, tag="first", requested_by="manager")


def a_dataset_cut(**changes: Any) -> datasets.DatasetCut:
    return an_event(datasets.DatasetCut, changes, partition=0)


def a_dataset_ready(**changes: Any) -> datasets.DatasetReady:
    return an_event(datasets.DatasetReady, changes, barriers={0: 7}, tag="first", requested_by="manager")


def a_dataset_frozen(**changes: Any) -> datasets.DatasetFrozen:
    summary = changes.get("summary") or a_dataset_summary(dataset_id=changes.get("dataset_id", "dataset-1"))
    special = {"dataset_id": summary.dataset_id, "samples": summary.samples, "manifest": summary.manifest}
    return an_event(
        datasets.DatasetFrozen, changes, **special, requested_by="manager", barriers={0: 7}, summary=summary
    )


def a_dataset_summary(**changes: Any) -> datasets.DatasetSummary:
    place = f"datasets/{TENANT}/{changes.get('dataset_id', 'dataset-1')}"
    known = {"dataset_id": "dataset-1", "samples": 1, "rows_bytes": 500, "project_versions": (1,)}
    counts = {"languages": {"en": 1}, "decided_by": {"consensus": 1}, "fields": {"intent": 1}}
    places = {"rows": f"{place}/rows.jsonl.zst", "manifest": f"{place}/manifest.json"}
    return datasets.DatasetSummary(**(known | counts | places | changes))


def a_dataset_tag_requested(**changes: Any) -> datasets.DatasetTagRequested:
    special = {"tag": "first", "dataset_id": "dataset-1", "requested_by": "manager"}
    return an_event(datasets.DatasetTagRequested, changes, **special)


def a_dataset_tagged(**changes: Any) -> datasets.DatasetTagged:
    return an_event(datasets.DatasetTagged, changes, tag="first", dataset_id="dataset-1")


def an_export_requested(**changes: Any) -> datasets.ExportRequested:
    special = {"dataset_id": "dataset-1", "format": "parquet", "requested_by": "manager"}
    return an_event(datasets.ExportRequested, changes, **special)


def an_export_accepted(**changes: Any) -> datasets.ExportAccepted:
    return an_event(datasets.ExportAccepted, changes, dataset_id="dataset-1", format="parquet")


def an_export_finished(**changes: Any) -> datasets.ExportFinished:
    place = f"exports/{TENANT}/job-1/labels.parquet"
    return an_event(
        datasets.ExportFinished, changes, dataset_id="dataset-1", format="parquet", object=place, size=4_096
    )
