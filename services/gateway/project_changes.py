"""What publishing a spec would change, and how many labels that exist it concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import Request
from pydantic import BaseModel, Field

from services.gateway.context import Context
from shared.catalog import ProjectVersion
from shared.errors import UnavailableError
from shared.labels.project import ProjectSpec
from shared.labels.spec_changes import Difference, differences
from shared.security import Principal

_LACKING: Final = frozenset({"required-field-added", "made-required"})


class LabelsHeld(BaseModel):
    """The labels of record that were held against the new spec."""

    looked_at: int
    complete: bool = Field(description="Whether those are all; else they are as good as a random sample.")


class Changes(BaseModel):
    """What would differ from the newest version."""

    differences: list[Difference] = []
    labels: LabelsHeld | None = Field(None, description="null where no field concerns labels, or nobody could count.")


async def changes_by(
    context: Context, caller: Principal, request: Request, latest: ProjectVersion, spec: ProjectSpec
) -> Changes:
    """Compare a spec with the newest version, and ask the annotation store how many labels that concerns.

    Args:
        context: The gateway's parts.
        caller: Who asks.
        request: Their request.
        latest: The newest version.
        spec: The spec to publish.

    Returns:
        What differs. Without the annotation store's answer it is told all the same, without counts.
    """
    found = differences(latest.spec, spec)
    concerned = sorted({each.field for each in found if each.field is not None})
    if not concerned:
        return Changes(differences=found)
    raw = spec.to_json()["fields"]
    body = orjson.dumps({"fields": {name: raw.get(name) for name in concerned}})
    path = f"/v1/projects/{latest.project_id}/labels/held-against"
    as_json = {"content-type": "application/json"}  # the spec may have come as YAML
    try:
        answer = await context.inner.ask(
            "annotation_store", "POST", path, caller, request, body=body, extra_headers=as_json
        )
    except UnavailableError:
        return Changes(differences=found)
    if not answer.ok:
        return Changes(differences=found)
    tally = answer.json()
    labels = LabelsHeld(looked_at=tally["labels"], complete=tally["complete"])
    return Changes(differences=_counted(found, tally["fields"]), labels=labels)


def _counted(found: Sequence[Difference], fields: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    def affected(each: Difference) -> int | None:
        if each.field is None:
            return None
        counted = fields[each.field]
        return int(counted["missing" if each.change in _LACKING else "invalid"])

    return [each.model_copy(update={"affected": affected(each)}) for each in found]
