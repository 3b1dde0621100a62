"""Samples of the same content under two names: allowed, linked or rejected, as the project says."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from shared.events.duplicates import ContentMet
from shared.events.imports import ImportLineFinished
from shared.events.samples import AssetSource, SampleIngested
from shared.ids import sample_id_of
from tests.builders import PROJECT, TENANT, a_sample_erased, a_sample_submitted
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec


def named(name: str, text: str = "The same words.", **changes: Any):
    return a_sample_submitted(external_id=name, assets={"text": AssetSource(text=text)}, **changes)


async def an_ingest(duplicates: str) -> IngestUnderTest:
    return await IngestUnderTest.of(a_media_spec(intake={"duplicates": duplicates}))


async def test_by_default_the_same_content_makes_two_samples_and_nothing_is_compared():
    ingest = await IngestUnderTest.of()

    await ingest.hear(named("a"), named("b"))

    assert [event.external_id for event in ingest.announced.of(SampleIngested)] == ["a", "b"]
    assert ingest.announced.of(ContentMet) == []


async def test_a_second_name_is_linked_to_the_first_and_has_no_tasks():
    ingest = await an_ingest("link")

    await ingest.hear(
        named("a", job_id="job-1", line=1), named("b", job_id="job-1", line=2), named("c", "Other words.")
    )

    assert [event.external_id for event in ingest.announced.of(SampleIngested)] == ["a", "c"]
    assert (ingest.sample("b")["state"], ingest.sample("b")["duplicate_of"]) == (
        "linked",
        ingest.sample("a")["sample_id"],
    )
    assert {event.line: event.outcome for event in ingest.announced.of(ImportLineFinished)} == {
        1: "created",
        2: "linked",
    }


async def test_a_second_name_is_rejected_with_the_first_one_named_and_may_come_again_with_other_content():
    ingest = await an_ingest("reject")

    await ingest.hear(named("a"), named("b"))
    rejected = ingest.sample("b")
    await ingest.hear(named("b", "Other words."))

    [fault] = rejected["faults"]
    assert (fault["code"], fault["pointer"]) == ("duplicate-content", "/assets")
    assert ingest.sample("a")["sample_id"] in fault["message"]
    assert ingest.sample("b")["state"] == "ingested"


@pytest.mark.parametrize("order", list(permutations(("a", "b", "c"))))
async def test_exactly_one_is_taken_whatever_comes_first_and_however_often(order):
    ingest = await an_ingest("reject")

    await ingest.hear(*(named(name) for name in order))
    await ingest.receive_all_again()
    await ingest.hear(*(named(name) for name in reversed(order)))

    taken = {event.external_id for event in ingest.announced.of(SampleIngested)}
    assert taken == {order[0]}


async def test_when_the_first_is_erased_the_next_is_the_first():
    ingest = await an_ingest("reject")
    await ingest.hear(named("a"))

    await ingest.hear(a_sample_erased(sample_id=sample_id_of(TENANT, PROJECT, "a")))
    await ingest.hear(named("b"))

    assert ingest.sample("b")["state"] == "ingested"
