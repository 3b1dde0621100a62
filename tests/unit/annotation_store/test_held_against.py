"""Labels of record are held against fields that a new version of their project would have."""

from typing import Any

import pytest

from services.annotation_store import reading
from services.annotation_store.api import create_router
from services.annotation_store.reading import Reader
from tests.asking import asking
from tests.builders import a_catalog, a_label_finalized, a_sample_ingested
from tests.fakes import FakeClock
from tests.unit.annotation_store.store_under_test import StoreUnderTest

PATH = "/projects/support/labels/held-against"
CHOICE = {"kind": "choice", "options": ["refund", "other"]}
LABELS = [{"intent": "refund"}, {"intent": "delivery"}, {"intent": "delivery", "mood": 3}, {}]


async def told(fields: dict[str, Any], *labels: dict[str, Any], **caller: Any) -> Any:
    store = StoreUnderTest()
    for number, label in enumerate(labels):
        name = f"sample-{number}"
        await store.receive(a_sample_ingested(external_id=name), a_label_finalized(external_id=name, fields=label))
    await store.receive(a_sample_ingested(external_id="unlabeled"))
    reader = Reader(
        store.annotations,
        store.labels,
        store.surplus,
        store.rechecks,
        store.migration_jobs,
        store.queries,
        await a_catalog(),
    )
    async with asking(create_router, reader, store.drafts, 1000, FakeClock(), **caller) as client:
        answer = await client.post(PATH, json={"fields": fields})
    return answer.json() if answer.status_code == 200 else answer.status_code


async def test_values_that_a_field_would_not_take_are_counted_and_so_is_what_is_missing():
    found = await told({"intent": CHOICE, "mood": None}, *LABELS)

    assert found == {
        "labels": 4,
        "complete": True,
        "fields": {
            "intent": {"have": 3, "missing": 1, "invalid": 2},
            "mood": {"have": 1, "missing": 3, "invalid": 1},
        },
    }


async def test_of_a_label_only_the_newest_revision_counts():
    store = StoreUnderTest()
    await store.receive(a_sample_ingested(), a_label_finalized(fields={"intent": "delivery"}))
    await store.receive(a_label_finalized(fields={"intent": "refund"}))
    reader = Reader(
        store.annotations,
        store.labels,
        store.surplus,
        store.rechecks,
        store.migration_jobs,
        store.queries,
        await a_catalog(),
    )

    async with asking(create_router, reader, store.drafts, 1000, FakeClock()) as client:
        found = (await client.post(PATH, json={"fields": {"intent": CHOICE}})).json()

    assert found["fields"]["intent"] == {"have": 1, "missing": 0, "invalid": 0}


async def test_what_is_looked_at_is_bounded_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "HELD_AT_ONCE", 1)
    monkeypatch.setattr(reading, "MAX_HELD", 3)

    found = await told({"intent": CHOICE}, *LABELS)

    assert (found["labels"], found["complete"]) == (3, False)


async def test_another_tenant_has_no_labels_here_and_annotators_may_not_ask():
    assert (await told({"intent": CHOICE}, *LABELS, tenant="other"))["labels"] == 0
    assert await told({"intent": CHOICE}, *LABELS, roles=("annotator",)) == 403
