"""Tasks that a benchmark copies into the store are what the fold would have put there."""

from __future__ import annotations

from bench.backlog import _another
from bench.client import Client
from bench.project import TENANT, Project
from services.task_assignment.domain.tasks import SampleTasks, ingest
from services.task_assignment.handlers import partition_of
from shared.ids import sample_id_of
from tests.builders import a_parsed_spec, a_sample_ingested

PARTITIONS = 12


def a_document(number: int, created_later_ms: int = 0) -> dict[str, object]:
    external_id = f"sample-{number}"
    sample_id = sample_id_of(TENANT, "p", external_id)
    event = a_sample_ingested(tenant_id=TENANT, project_id="p", external_id=external_id, sample_id=sample_id)
    state = ingest(None, event, a_parsed_spec(), partition_of(sample_id, PARTITIONS)).state
    assert state is not None
    state = state.model_copy(update={"created_ms": state.created_ms + created_later_ms})
    journal: dict[str, object] = {"lanes": {}, "seen": [], "outbox": [], "pending": []}
    return {"_id": f"{TENANT}/{sample_id}", "revision": 1, "state": state.model_dump(mode="json"), **journal}


def test_a_copy_is_the_document_of_another_sample_that_came_later():
    project = Project("p", 1, Client("http://gateway", ""))

    copied = _another(a_document(0), project, PARTITIONS, 7)

    folded = a_document(7, created_later_ms=60_007)
    assert SampleTasks.model_validate(copied["state"]) == SampleTasks.model_validate(folded["state"])
    assert copied == folded
