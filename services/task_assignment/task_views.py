"""How a task is shown to who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.task_assignment.domain.guidelines import what_to_read
from services.task_assignment.domain.tasks import SampleTasks, key_of_task
from services.task_assignment.leases import Granted
from services.task_assignment.parts import Parts
from shared.clock import from_ms
from shared.labels.taxonomy.migrating import bindings_of
from shared.languages import preferred_languages
from shared.security import Lease, Principal, sign_lease


async def task_views(
    granted: Sequence[Granted], parts: Parts, caller: Principal, accept_language: str
) -> list[dict[str, Any]]:
    """Show tasks, and where their fields take labels from a taxonomy, what these mean in the caller's language.

    Args:
        granted: The tasks and their leases.
        parts: What the routes work with.
        caller: Who holds them.
        accept_language: The header of that name; without one, the languages of their profile count.
    """
    views = [_task_view(each, parts) for each in granted]
    catalog = parts.service.catalog
    specs = [catalog.version(caller.tenant_id, view["project"], view["project_version"]).spec for view in views]
    if not any(bindings_of(spec) for spec in specs):
        return views
    languages = preferred_languages(accept_language)
    if not languages:
        id_ = f"{caller.tenant_id}/{caller.subject}"
        known = (await parts.store.annotators([id_])).get(id_)
        languages = [] if known is None or known.profile is None else list(known.profile.languages)
    for view, spec in zip(views, specs, strict=True):
        view["taxonomies"] = catalog.taxonomies.served(caller.tenant_id, spec, languages)
    return views


def _task_view(granted: Granted, parts: Parts) -> dict[str, Any]:
    lease, sample = granted.lease, granted.sample
    version = parts.service.catalog.version(sample.tenant_id, sample.project_id, sample.project_version)
    task = sample.tasks[key_of_task(lease.task_id)]
    assets = {slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in sample.assets.items()}
    for slot, link in links(sample, parts).items():
        assets[slot] |= link
    return {
        "task": lease.task_id,
        "stage": lease.stage,
        "project": sample.project_id,
        "project_version": sample.project_version,
        "sample": {
            "sample_id": sample.sample_id,
            "external_id": sample.external_id,
            "language": sample.language,
            "metadata": sample.metadata,
            "due_at": from_ms(sample.until_ms).isoformat() if sample.until_ms else None,
        },
        "assets": assets,
        "fields": version.raw["fields"],
        "guidelines": what_to_read(version.spec.guidelines, version.guideline_version, granted.seen),
        "predictions": sample.predictions,
        "proposal": task.proposal,
        "reason": task.reason,
        "lease": lease_view(lease, parts),
    }


def lease_view(lease: Lease, parts: Parts) -> dict[str, Any]:
    """Show a lease: its token, and when it ends."""
    return {"token": sign_lease(parts.lease_secret, lease), "expires_at": from_ms(lease.expires_ms).isoformat()}


def links(sample: SampleTasks, parts: Parts) -> dict[str, dict[str, str]]:
    """Return a link to each asset that is a file, by slot."""
    return {
        slot: {"url": parts.service.media.asset_link(facts)}
        for slot, facts in sample.assets.items()
        if facts.object is not None
    }
