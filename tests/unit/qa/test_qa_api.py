from collections.abc import Mapping
from typing import Any

import pytest

from services.qa.api import create_router
from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.sample import JudgedSample
from services.qa.store import Counts
from shared.events.quality import AnnotatorAssessed
from tests.asking import asking
from tests.builders import a_catalog, a_project_spec, a_project_versioned, a_task_completed
from tests.unit.qa.qa_under_test import QaUnderTest, answers


class MemoryQaQueries:
    """The queries of the service over the documents of fakes."""

    def __init__(self, qa: QaUnderTest) -> None:
        self._qa = qa

    async def newest(self, tenant_id: str, project_id: str, limit: int) -> list[dict[str, Any]]:
        states = _of(self._qa.sample_documents.states, tenant_id, project_id)
        return sorted(states, key=lambda state: -state["updated_ms"])[:limit]

    async def annotators(self, tenant_id: str, project_id: str, *, after: str, limit: int) -> list[AssessedAnnotator]:
        states = _of(self._qa.annotator_documents.states, tenant_id, project_id)
        found = [AssessedAnnotator.model_validate(state) for state in states]
        return [each for each in found if each.annotator_id > after][:limit]

    async def counts(self, tenant_id: str, project_id: str) -> Counts:
        states = _of(self._qa.sample_documents.states, tenant_id, project_id)
        final = [JudgedSample.model_validate(state) for state in states if state["final"]]
        return Counts(len(states), len(final), {"consensus": len(final)}, {}, {}, {})


def _of(states: Mapping[str, Any], tenant_id: str, project_id: str) -> list[dict[str, Any]]:
    mine = [state for key, state in sorted(states.items()) if key.startswith(f"{tenant_id}/")]
    return [state for state in mine if state["project_id"] == project_id]


async def a_service(qa: QaUnderTest, spec: dict[str, Any] | None = None, bound: int = 100):
    catalog = await a_catalog(a_project_versioned(spec=spec or a_project_spec()))
    return create_router, MemoryQaQueries(qa), catalog, bound


async def judged(intents: Mapping[str, Mapping[str, str]], **changes: Any) -> QaUnderTest:
    qa = await QaUnderTest.of()
    for name, said in intents.items():
        await qa.receive(*answers(said, external_id=name, **changes), a_task_completed(external_id=name))
    return qa


ALIKE = {"ana": "refund", "bo": "refund", "chi": "refund"}
OTHER = {"ana": "other", "bo": "other", "chi": "other"}


async def test_agreement_is_told_per_field_with_its_interval_and_the_bound_it_was_read_under():
    qa = await judged({"s-1": ALIKE, "s-2": OTHER, "s-3": ALIKE | {"chi": "delivery"}})

    async with asking(*await a_service(qa)) as client:
        report = (await client.get("/projects/support/agreement")).json()

    intent, entities = report["fields"]
    assert (intent["field"], intent["kind"], intent["units"], intent["answers"]) == ("intent", "choice", 3, 9)
    assert intent["low"] <= intent["alpha"] <= intent["high"] <= 1.0
    assert intent["pairwise"] == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert (entities["alpha"], entities["units"]) == (None, 0)
    assert "undefined" in entities["undefined"]
    assert (report["samples"], report["newest"]) == (3, 100)
    assert (report["counts"]["finalized"], report["counts"]["decided_by"]) == (3, {"consensus": 3})


async def test_figures_are_of_at_most_so_many_samples_the_newest():
    qa = await judged({f"s-{number}": ALIKE for number in range(5)})

    async with asking(*await a_service(qa, bound=2)) as client:
        report = (await client.get("/projects/support/agreement")).json()

    assert (report["samples"], report["newest"]) == (2, 2)


async def test_annotators_are_told_with_the_interval_of_each_field():
    qa = await judged({"s-1": ALIKE, "s-2": ALIKE | {"chi": "delivery"}})
    await qa.receive(*qa.announced.of(AnnotatorAssessed))

    async with asking(*await a_service(qa)) as client:
        first = (await client.get("/projects/support/annotators?limit=2")).json()
        rest = (await client.get("/projects/support/annotators", params={"cursor": first["next"]})).json()

    [ana, bo] = first["items"]
    [chi] = rest["items"]
    assert [each["annotator_id"] for each in (ana, bo, chi)] == ["ana", "bo", "chi"]
    assert (chi["assessed"], chi["accuracy"]) == (2, 0.5)
    assert chi["fields"]["intent"]["low"] < 0.5 < chi["fields"]["intent"]["high"]
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["agreement", "annotators"])
async def test_figures_are_for_those_who_run_the_project(path):
    service = await a_service(await QaUnderTest.of())

    async with asking(*service, roles=("annotator",)) as client:
        worker = await client.get(f"/projects/support/{path}")
    async with asking(*service, tenant="globex") as client:
        stranger = await client.get(f"/projects/support/{path}")
    async with asking(*service, projects=("other",)) as client:
        elsewhere = await client.get(f"/projects/support/{path}")

    assert [worker.status_code, stranger.status_code, elsewhere.status_code] == [403, 404, 403]
