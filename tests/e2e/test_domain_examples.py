"""The four domain examples as somebody would try them: published from their files, and run to a label of record."""

from __future__ import annotations

from typing import Any

import pytest

from shared.ids import new_id
from tests.domain_examples import DOMAIN_EXAMPLES, DomainExample
from tests.e2e.gateway import MEDIA, Gateway, answer, claim_one, found, until


@pytest.mark.timeout(180, func_only=True)
@pytest.mark.parametrize("example", DOMAIN_EXAMPLES, ids=lambda example: example.taxonomy)
def test_a_domain_example_is_published_from_its_files_and_runs_to_a_label(gateway: Gateway, owner, example):
    published = owner.put(f"/v1/taxonomies/{example.taxonomy}", content=example.taxonomy_text())
    assert published.status_code in {200, 201}, published.text
    project = f"{example.project}-{new_id()}"
    spec = {**example.spec(), "quality": {"overlap": 1}, "workflow": {}}
    taken = until(lambda: _publish(owner, project, spec), "a project that is bound to the taxonomy")

    sample = gateway.submit(project, assets=_assets(gateway, project, example), language="en")
    with gateway.http(gateway.key_of(f"ana-{new_id()}")) as ana:
        task = claim_one(ana, project)
        submitted = answer(ana, task, example.answer, prefer="wait=10")
    label = until(lambda: found(owner.get(f"/v1/samples/{sample}/label")), "a label of record")

    bound = {
        name: field["taxonomy"]["name"] for name, field in taken["spec"]["fields"].items() if field.get("taxonomy")
    }
    assert set(bound.values()) == {example.taxonomy}
    assert set(task["taxonomies"]) == set(bound)
    assert all(meaning["labels"] for meaning in task["taxonomies"].values())
    assert submitted.status_code == 201, submitted.text
    assert label["fields"].keys() == example.answer.keys()


def _publish(owner: Any, project: str, spec: Any) -> Any:
    published = owner.put(f"/v1/projects/{project}", json=spec)
    assert published.status_code in {201, 422}, published.text
    return published.json() if published.status_code == 201 else None


def _assets(gateway: Gateway, project: str, example: DomainExample) -> dict[str, Any]:
    assets: dict[str, Any] = {slot: {"text": text} for slot, text in example.texts.items()}
    assets |= {slot: {"record": record} for slot, record in example.records.items()}
    return assets | {slot: gateway.upload(project, MEDIA / file) for slot, file in example.uploads.items()}
