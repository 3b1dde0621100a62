import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from services.versioning.freezing import FactsNotThereError
from shared.events.datasets import DatasetCut, DatasetFrozen, DatasetReady, DatasetTagged
from tests.builders import (
    a_dataset_requested,
    a_label_barrier,
    a_provenance,
    a_sample_described,
)
from tests.unit.versioning.versioning_under_test import VersioningUnderTest, a_label


@pytest.fixture
async def versioning(tmp_path: Path) -> VersioningUnderTest:
    return await VersioningUnderTest.of(tmp_path)


async def test_a_request_cuts_every_partition_and_waits_for_the_last_barrier(tmp_path: Path):
    versioning = await VersioningUnderTest.of(tmp_path, partitions=3)

    await versioning.receive(a_dataset_requested())
    assert [cut.target_partition for cut in versioning.announced.of(DatasetCut)] == [0, 1, 2]

    await versioning.receive(a_label_barrier(partition=2), a_label_barrier(partition=0), a_label_barrier(partition=0))
    assert versioning.announced.of(DatasetReady) == []

    await versioning.receive(a_label_barrier(partition=1))
    [ready] = versioning.announced.of(DatasetReady)
    assert ready.barriers == {2: 0, 0: 1, 1: 3}


async def test_a_dataset_holds_for_each_sample_the_newest_label_before_the_cut(versioning: VersioningUnderTest):
    await versioning.label(a_label(1), a_label(2))
    await versioning.receive(a_label(1, "delivery", revision=2))
    await versioning.receive(a_dataset_requested())
    await versioning.receive(a_label_barrier())
    await versioning.label(a_label(2, "other", revision=2), a_label(3))

    await versioning.settle()

    [frozen] = versioning.announced.of(DatasetFrozen)
    rows = await versioning.rows_of(frozen.dataset_id)
    assert {row["external_id"]: row["fields"]["intent"] for row in rows} == {
        "sample-1": "delivery",
        "sample-2": "refund",
    }
    assert rows == sorted(rows, key=lambda row: row["sample_id"])
    assert rows[0]["assets"]["chat"]["text"].startswith("I want my money back")


async def test_a_dataset_is_named_by_the_hash_of_its_rows(versioning: VersioningUnderTest):
    await versioning.label(*(a_label(number) for number in range(5)))

    job = await versioning.freeze()

    exported = await versioning.export(dataset_id=job.dataset_id, format="jsonl")
    assert exported.written is not None
    assert sha256(versioning.media.read(exported.written.object)).hexdigest() == job.dataset_id
    assert exported.written.sha256 == job.dataset_id


async def test_the_same_content_frozen_twice_is_one_dataset_written_once(versioning: VersioningUnderTest):
    await versioning.label(a_label(1), a_label(2))

    first, second = await versioning.freeze(tag="a"), await versioning.freeze(tag="b")

    assert first.dataset_id == second.dataset_id
    assert len(versioning.media.writes) == 2  # rows and manifest
    async with versioning.asking() as client:
        shown = (await client.get(f"/datasets/{first.dataset_id}")).json()
    assert shown["tags"] == ["a", "b"]
    assert shown["lineage"]["jobs"] == [first.job_id, second.job_id]
    assert shown["lineage"]["parent"] is None


async def test_a_label_looked_at_again_makes_another_dataset_whose_parent_is_the_one_before(
    versioning: VersioningUnderTest,
):
    await versioning.label(a_label(1), a_label(2))
    first = await versioning.freeze(tag="gold")
    await versioning.receive(a_label(1, revision=2))

    second = await versioning.freeze(tag="gold", note="after the finding")

    async with versioning.asking() as client:
        shown = (await client.get("/datasets/gold")).json()
    assert shown["dataset_id"] == second.dataset_id != first.dataset_id
    assert (shown["lineage"]["parent"], shown["note"]) == (first.dataset_id, "after the finding")
    [tag] = versioning.documents["tags"].states.values()
    assert [move["dataset_id"] for move in tag["history"]] == [first.dataset_id, second.dataset_id]


@pytest.mark.parametrize(
    ("filter_", "kept"),
    [
        ({}, {1, 2, 3}),
        ({"languages": ["pt"]}, {1}),
        ({"decided_by": ["adjudication"]}, {2}),
        ({"min_confidence": 0.7}, {1, 2}),
        ({"fields": ["entities"]}, {3}),
    ],
)
async def test_a_filter_chooses_labels_by_language_decision_confidence_and_field(
    versioning: VersioningUnderTest, filter_: dict[str, object], kept: set[int]
):
    doubtful = a_provenance(confidence={"intent": 0.6})
    both = {"intent": "refund", "entities": []}
    await versioning.label(
        a_label(1, language="pt-BR"),
        a_label(2, provenance=a_provenance(decided_by="adjudication")),
        a_label(3, provenance=doubtful).model_copy(update={"fields": both}),
    )

    job = await versioning.freeze(filter=filter_)

    rows = await versioning.rows_of(job.dataset_id or "")
    assert {row["external_id"] for row in rows} == {f"sample-{number}" for number in kept}
    if "fields" in filter_:
        assert [row["fields"] for row in rows] == [{"entities": []}]


async def test_the_manifest_tells_counts_filter_and_lineage(versioning: VersioningUnderTest):
    await versioning.label(a_label(1, language="de"), a_label(2))

    job = await versioning.freeze(note="first try", requested_by="mo", filter={"decided_by": ["consensus"]})

    [frozen] = versioning.announced.of(DatasetFrozen)
    manifest = json.loads(versioning.media.read(frozen.manifest))
    assert manifest["counts"] == {
        "samples": 2,
        "languages": {"de": 1, "en": 1},
        "decided_by": {"consensus": 2},
        "fields": {"intent": 2},
    }
    assert manifest["project"] == {"id": "support", "versions": [{"version": 1, "spec_hash": "spec-1"}]}
    assert manifest["note"] == "first try" and manifest["filter"] == {"decided_by": ["consensus"]}
    assert manifest["lineage"]["job"] == job.job_id and manifest["lineage"]["requested_by"] == "mo"


async def test_a_filter_that_nobody_understands_fails_the_job_and_says_what_there_is(versioning: VersioningUnderTest):
    await versioning.label(a_label(1))

    job = await versioning.freeze(filter={"langauges": ["en"]})

    assert 'did you mean "languages"?' in job.failure
    assert versioning.announced.of(DatasetCut) == []


async def test_a_project_without_labels_has_nothing_to_freeze(versioning: VersioningUnderTest):
    job = await versioning.freeze()

    assert "wait for labels" in job.failure
    async with versioning.asking() as client:
        shown = (await client.get(f"/jobs/{job.job_id}")).json()
    assert (shown["state"], shown["result"]) == ("failed", {"failure": job.failure})


async def test_a_freeze_waits_for_assets_that_are_not_told_yet_but_not_for_ever(versioning: VersioningUnderTest):
    await versioning.receive(a_label(1))
    with pytest.raises(FactsNotThereError):
        await versioning.freeze()

    versioning.clock.advance(timedelta(minutes=2))
    await versioning.long_work_again()

    [frozen] = versioning.announced.of(DatasetFrozen)
    assert frozen.samples == 1


async def test_a_freeze_goes_on_when_the_assets_have_come(versioning: VersioningUnderTest):
    late = a_label(1)
    await versioning.receive(late)
    with pytest.raises(FactsNotThereError):
        await versioning.freeze()

    await versioning.receive(a_sample_described(external_id="sample-1"))
    await versioning.long_work_again()

    [frozen] = versioning.announced.of(DatasetFrozen)
    [row] = await versioning.rows_of(frozen.dataset_id)
    assert row["assets"]["chat"]["modality"] == "text"


async def test_redelivered_work_is_not_done_again(versioning: VersioningUnderTest):
    await versioning.label(a_label(1))
    job = await versioning.freeze()
    await versioning.export(dataset_id=job.dataset_id, format="parquet")
    before = list(versioning.media.writes), versioning.announced.ids

    await versioning.receive_all_again()
    await versioning.long_work_again()

    assert (versioning.media.writes, versioning.announced.ids) == before


async def test_a_job_is_done_when_its_dataset_can_be_read_by_its_tag(versioning: VersioningUnderTest):
    await versioning.label(a_label(1))
    await versioning.receive(
        a_dataset_requested(job_id="versioning-1", tag="v1"), a_label_barrier(dataset_job_id="versioning-1")
    )
    async with versioning.asking() as client:
        running = (await client.get("/jobs/versioning-1")).json()
        await versioning.settle()
        done = (await client.get("/jobs/versioning-1")).json()
        by_tag = (await client.get("/datasets/v1")).json()

    assert running["state"] == "running"
    assert (done["state"], done["done"], done["total"]) == ("done", 1, 1)
    assert done["result"] == {"dataset_id": by_tag["dataset_id"], "tag": "v1", "samples": 1}
    assert len(versioning.announced.of(DatasetTagged)) == 1


async def test_datasets_are_listed_the_newest_first_page_by_page(versioning: VersioningUnderTest):
    ids = []
    for number in range(3):
        await versioning.label(a_label(number))
        ids.append((await versioning.freeze(tag=None)).dataset_id)

    async with versioning.asking() as client:
        first = (await client.get("/projects/support/datasets?limit=2")).json()
        second = (await client.get(f"/projects/support/datasets?limit=2&cursor={first['next']}")).json()

    assert [each["dataset_id"] for page in (first, second) for each in page["items"]] == ids[::-1]
    assert second["next"] is None


async def test_another_tenants_dataset_is_not_there_and_other_projects_keys_do_not_open_it(
    versioning: VersioningUnderTest,
):
    await versioning.label(a_label(1))
    await versioning.freeze(tag="v1", job_id="versioning-1")

    async with versioning.asking(tenant="rivals") as client:
        hidden = [(await client.get(path)).status_code for path in ("/datasets/v1", "/jobs/versioning-1")]
        listed = (await client.get("/projects/support/datasets")).json()["items"]
    async with versioning.asking(projects=("meeting",)) as client:
        forbidden = (await client.get("/datasets/v1")).status_code
    async with versioning.asking(roles=("annotator",)) as client:
        no_reader = (await client.get("/datasets/v1")).status_code

    assert (hidden, listed, forbidden, no_reader) == ([404, 404], [], 403, 403)
