from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.versioning.domain.diff import diff_rows
from services.versioning.domain.label_row import DatasetRow
from tests.builders import a_provenance
from tests.unit.versioning.versioning_under_test import VersioningUnderTest, a_label

Contents = Mapping[str, tuple[str, int]]
contents = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.tuples(st.sampled_from("xy"), st.integers(1, 2)))


def rows(of: Contents) -> list[DatasetRow]:
    return [
        DatasetRow(
            sample_id=sample,
            external_id=sample,
            project_version=1,
            revision=revision,
            fields={"intent": intent},
            content_hash=intent,
            provenance=a_provenance(),
            assets={},
        )
        for sample, (intent, revision) in sorted(of.items())
    ]


@given(contents, contents, st.integers(1, 4))
def test_the_pages_of_a_diff_tell_each_difference_once_and_its_counts_add_up(
    before: Contents, after: Contents, limit: int
):
    expected = dict.fromkeys(before.keys() - after.keys(), "removed")
    expected |= dict.fromkeys(after.keys() - before.keys(), "added")
    both = before.keys() & after.keys()
    expected |= {sample: "changed" for sample in both if before[sample][0] != after[sample][0]}

    told: list[tuple[str, str]] = []
    beyond: str | None = ""
    while beyond is not None:
        page = diff_rows(iter(rows(before)), iter(rows(after)), beyond=beyond, limit=limit)
        told += [(item.sample_id, item.change) for item in page.items]
        beyond = page.next

    assert told == sorted(expected.items())
    counts = page.counts
    assert counts.added + counts.removed + counts.changed == len(expected)
    assert counts.removed + counts.changed + counts.unchanged + counts.reverified == len(before)
    assert counts.reverified == sum(
        before[sample][0] == after[sample][0] and before[sample][1] != after[sample][1] for sample in both
    )
    assert counts.fields.get("intent", 0) == counts.changed


async def test_two_datasets_are_compared_by_sample_and_field_through_the_api(tmp_path: Path):
    versioning = await VersioningUnderTest.of(tmp_path)
    await versioning.label(a_label(1), a_label(2), a_label(3))
    await versioning.freeze(tag="before")
    await versioning.label(a_label(1, "delivery", revision=2), a_label(2, revision=2), a_label(4))
    await versioning.freeze(tag="after")

    async with versioning.asking() as client:
        diff = (await client.get("/datasets/before/diff/after")).json()

    assert diff["counts"] == {
        "added": 1,
        "removed": 0,
        "changed": 1,
        "unchanged": 1,
        "reverified": 1,
        "fields": {"intent": 1},
    }
    told = {item["external_id"]: (item["change"], item["fields"]) for item in diff["items"]}
    assert told == {
        "sample-1": ("changed", {"intent": {"before": "refund", "after": "delivery"}}),
        "sample-4": ("added", {}),
    }


async def test_datasets_of_different_projects_are_not_compared(tmp_path: Path):
    versioning = await VersioningUnderTest.of(tmp_path)
    for project in ("support", "meeting"):
        await versioning.label(a_label(1, project_id=project))
        await versioning.freeze(tag=project, project_id=project)

    async with versioning.asking() as client:
        answer = await client.get("/datasets/support/diff/meeting")

    assert answer.status_code == 409
    assert "only datasets of one project" in answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["", "nonsense", "12.", "-1.x"])
async def test_a_cursor_that_no_page_gave_is_refused_or_harmless(tmp_path: Path, cursor: str):
    versioning = await VersioningUnderTest.of(tmp_path)

    async with versioning.asking() as client:
        answer = await client.get("/projects/support/datasets", params={"cursor": cursor})

    assert answer.status_code in {200, 422}
