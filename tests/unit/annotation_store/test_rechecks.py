"""Labels of record held against rules: when they are new, and again when the rules have changed."""

from __future__ import annotations

from typing import Any

import pytest

from services.annotation_store.api import create_router
from services.annotation_store.domain import recheck
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.reading import Reader
from shared.events.annotations import LabelChecked, LabelCheckRequested, LabelRecheckContinued, LabelRechecked
from shared.ids import recheck_job_of, sample_id_of
from shared.labels.facts import Clock
from tests.asking import asking
from tests.builders import (
    PROJECT,
    TENANT,
    a_catalog,
    a_label_finalized,
    a_parsed_spec,
    a_project_spec,
    a_project_versioned,
    a_sample_ingested,
)
from tests.fakes import FakeClock
from tests.unit.annotation_store.store_under_test import StoreUnderTest

NO_REFUNDS = {"id": "no-refunds", "expression": "fields.intent != 'refund'", "message": "No refunds."}
LONG_CHATS = {
    "id": "long-chats",
    "expression": "assets.chat.text_length > 10 && metadata.channel == 'mail' && fields.intent != ''",
    "message": "Too short.",
}
JOB = recheck_job_of(TENANT, PROJECT, 2)


def a_version(number: int, *rules: dict[str, Any]):
    return a_project_versioned(version=number, spec=a_project_spec(rules=list(rules)))


async def a_store(*versions) -> StoreUnderTest:
    return StoreUnderTest(await a_catalog(*versions))


async def settle(store: StoreUnderTest) -> None:
    """Let the store read what it tells itself, until it has nothing more to say."""
    read: set[str] = set()
    own = (LabelCheckRequested, LabelRecheckContinued, LabelRechecked)
    while fresh := [each for each in store.announced.events if isinstance(each, own) and each.event_id not in read]:
        read |= {each.event_id for each in fresh}
        await store.receive(*fresh)


async def labeled(store: StoreUnderTest, *names: str) -> None:
    for name in names:
        await store.receive(
            a_sample_ingested(external_id=name, metadata={"channel": "mail"}), a_label_finalized(external_id=name)
        )
    await settle(store)


def label_of(store: StoreUnderTest, name: str) -> SampleLabel:
    key = f"{TENANT}/{sample_id_of(TENANT, PROJECT, name)}"
    return SampleLabel.model_validate(store.label_documents.states[key])


async def test_a_new_label_is_held_against_the_rules_with_the_facts_of_its_sample():
    store = await a_store(a_version(1, NO_REFUNDS, LONG_CHATS))

    await labeled(store, "s-1")

    [checked] = store.announced.of(LabelChecked)
    assert [(each.rule_id, each.passed, each.project_version) for each in checked.verdicts] == [
        ("no-refunds", False, 1),
        ("long-chats", True, 1),
    ]
    said = label_of(store, "s-1").said
    assert said is not None
    assert (said.revision, said.project_version, list(said.verdicts)) == (1, 1, checked.verdicts)


async def test_without_rules_nothing_is_asked():
    store = await a_store(a_version(1))

    await labeled(store, "s-1")

    assert store.announced.of(LabelCheckRequested) == []


async def test_a_changed_rule_is_asked_of_all_labels_page_by_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recheck, "PAGE", 2)
    monkeypatch.setattr("services.annotation_store.checking.PAGE", 2)
    store = await a_store(a_version(1))
    await labeled(store, "s-1", "s-2", "s-3", "s-4", "s-5")
    version = a_version(2, NO_REFUNDS)
    await store.catalog.learn(version)

    await store.receive(version)
    await settle(store)

    assert {each.sample_id for each in store.announced.of(LabelChecked)} == {
        sample_id_of(TENANT, PROJECT, f"s-{number}") for number in range(1, 6)
    }
    assert len({each.event_id for each in store.announced.of(LabelRecheckContinued)}) == 3
    said = label_of(store, "s-5").said
    assert said is not None
    assert (said.project_version, said.verdicts[0].passed) == (2, False)


async def test_the_job_tells_how_far_it_is():
    store = await a_store(a_version(1))
    await labeled(store, "s-1", "s-2")
    version = a_version(2, NO_REFUNDS)
    await store.catalog.learn(version)

    await store.receive(version)
    begun = await job_of(store)
    await settle(store)
    done = await job_of(store)

    assert (begun["state"], begun["done"], begun["total"]) == ("running", 0, None)
    assert (done["state"], done["done"], done["total"], done["outcomes"]) == ("done", 2, 2, {"checked": 2})
    assert done["result"] == {"project": PROJECT, "project_version": 2}


async def job_of(store: StoreUnderTest, status: int = 200, **caller: Any) -> Any:
    reader = Reader(
        store.annotations,
        store.labels,
        store.surplus,
        store.rechecks,
        store.migration_jobs,
        store.queries,
        store.catalog,
    )
    async with asking(create_router, reader, store.drafts, 1000, FakeClock(), **caller) as client:
        answer = await client.get(f"/jobs/{JOB}")
    assert answer.status_code == status
    return answer.json()


async def test_a_job_of_another_tenant_is_not_there():
    store = await a_store(a_version(1))
    await store.receive(a_version(2, NO_REFUNDS))

    await job_of(store, 404, tenant="globex")
    await job_of(store, 403, roles=("annotator",))


@pytest.mark.parametrize(
    ("before", "after", "begins"),
    [
        ([], [], False),
        ([NO_REFUNDS], [NO_REFUNDS], False),
        ([NO_REFUNDS], [NO_REFUNDS | {"severity": "block"}], True),
        ([NO_REFUNDS], [], True),
    ],
)
async def test_a_version_begins_a_job_when_its_rules_are_others(before: list[Any], after: list[Any], begins: bool):
    versions = [a_version(1, *before), a_version(2, *after)]
    store = await a_store(*versions)

    await store.receive(*versions)

    assert bool(store.announced.of(LabelRecheckContinued)) is begins


def test_another_clock_judges_otherwise():
    spec = a_project_spec(rules=[NO_REFUNDS])
    voice = {"modality": "audio", "clock": Clock(offset=1.0).model_dump()}
    plain = a_parsed_spec(**spec)

    assert plain.judges_like(a_parsed_spec(**spec))
    assert not plain.judges_like(a_parsed_spec(**spec | {"assets": spec["assets"] | {"voice": voice}}))


async def test_a_job_that_is_told_all_again_changes_nothing():
    store = await a_store(a_version(1))
    await labeled(store, "s-1", "s-2")
    version = a_version(2, NO_REFUNDS)
    await store.catalog.learn(version)
    await store.receive(version)
    await settle(store)
    states = (store.label_documents.states, store.recheck_documents.states)
    ids = store.announced.ids

    await store.receive_all_again()

    assert (store.label_documents.states, store.recheck_documents.states) == states
    assert store.announced.ids == ids


async def test_a_label_that_is_decided_anew_is_checked_anew():
    store = await a_store(a_version(1, NO_REFUNDS))
    await labeled(store, "s-1")

    await store.receive(a_label_finalized(external_id="s-1", fields={"intent": "other"}))
    await settle(store)

    told = {each.event_id: (each.revision, each.verdicts[0].passed) for each in store.announced.of(LabelChecked)}
    assert list(told.values()) == [(1, False), (2, True)]


async def test_what_the_rules_say_is_shown_with_the_label():
    store = await a_store(a_version(1, NO_REFUNDS))
    await labeled(store, "s-1")
    sample = sample_id_of(TENANT, PROJECT, "s-1")
    reader = Reader(
        store.annotations,
        store.labels,
        store.surplus,
        store.rechecks,
        store.migration_jobs,
        store.queries,
        store.catalog,
    )

    async with asking(create_router, reader, store.drafts, 1000, FakeClock()) as client:
        label = (await client.get(f"/samples/{sample}/label")).json()
        await store.receive(a_label_finalized(external_id="s-1", fields={"intent": "other"}))
        unchecked = (await client.get(f"/samples/{sample}/label")).json()

    assert label["rules"]["verdicts"][0]["message"] == "No refunds."
    assert unchecked["rules"] is None
