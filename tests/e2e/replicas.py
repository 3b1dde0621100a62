"""What replicas of a service tell of themselves."""

from __future__ import annotations

import httpx2
from prometheus_client.parser import text_string_to_metric_families

OWNED = "labelmesh_task_assignment_owned_partitions"
FOLDED = "labelmesh_events_folded"


def owned(url: str) -> int:
    """Return how many partitions a replica of task assignment owns."""
    metrics = text_string_to_metric_families(httpx2.get(f"{url}/metrics", timeout=5).text)
    return next(int(metric.samples[0].value) for metric in metrics if metric.name == OWNED)


def folded(url: str, event: str) -> int:
    """Return how many events of a type a replica has applied since it was started."""
    metrics = text_string_to_metric_families(httpx2.get(f"{url}/metrics", timeout=5).text)
    samples = [sample for metric in metrics if metric.name == FOLDED for sample in metric.samples]
    return sum(
        int(each.value) for each in samples if each.labels.get("event") == event and each.name == f"{FOLDED}_total"
    )
