"""Datasets and erasure: later ones leave the sample out, and those that hold it say so."""

from __future__ import annotations

from pathlib import Path

from shared.events.erasure import DatasetAffected
from tests.builders import a_sample_erased
from tests.unit.versioning.versioning_under_test import VersioningUnderTest, a_label


async def test_a_dataset_that_holds_an_erased_sample_says_so_and_the_next_leaves_it_out(tmp_path: Path):
    versioning = await VersioningUnderTest.of(tmp_path)
    first, second = a_label(1), a_label(2, intent="other")
    await versioning.label(first, second)
    held = await versioning.freeze()
    only_first = await versioning.freeze(filter={"fields": ["nothing-of-the-kind"]})

    await versioning.receive(a_sample_erased(sample_id=second.sample_id))
    await versioning.receive_all_again()
    affected = versioning.announced.of(DatasetAffected)
    await versioning.receive(*affected)
    async with versioning.asking() as client:
        shown = (await client.get(f"/datasets/{held.dataset_id}")).json()
    later = await versioning.freeze()

    assert {event.dataset_id for event in affected} == {held.dataset_id}
    assert only_first.dataset_id is None
    assert (shown["erased_samples"], shown["counts"]["samples"]) == (1, 2)
    assert later.dataset_id is not None
    assert [row["sample_id"] for row in await versioning.rows_of(later.dataset_id)] == [first.sample_id]
