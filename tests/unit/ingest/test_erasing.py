"""Erasure as ingest sees it: the sample and its uploads go, and a job tells who has forgotten it."""

from __future__ import annotations

from shared.events.erasure import ERASING
from shared.events.imports import ImportLineFinished
from shared.events.samples import AssetSource
from shared.events.uploads import MediaDropped
from shared.ids import sample_id_of
from tests.builders import (
    PROJECT,
    TENANT,
    a_dataset_affected,
    a_sample_erased,
    a_sample_forgotten,
    a_sample_submitted,
)
from tests.unit.ingest.ingest_under_test import IngestUnderTest, submission

JOB = "ingest-erase-1"
PICTURE = b"no picture, but an object all the same"


def erased(name: str = "sample-1"):
    return a_sample_erased(sample_id=sample_id_of(TENANT, PROJECT, name), job_id=JOB)


async def test_an_erased_sample_is_gone_and_its_name_is_not_taken_again():
    ingest = await IngestUnderTest.of()
    await ingest.hear(ingest.put("u-1", PICTURE), submission("sample-1", text="u-1"))

    await ingest.hear(erased())
    again = a_sample_submitted(job_id="job-1", line=7, assets={"text": AssetSource(text="The same again.")})
    await ingest.hear(again)
    async with ingest.asking() as client:
        shown = await client.get(f"/samples/{again.sample_id}")

    [line] = [event for event in ingest.announced.of(ImportLineFinished) if event.job_id == "job-1"]
    assert (line.line, line.outcome, line.source) == (7, "erased", None)
    assert shown.status_code == 410


async def test_its_upload_is_removed_whichever_comes_first():
    for order in (1, -1):
        ingest = await IngestUnderTest.of()
        await ingest.hear(submission("sample-1", text="u-1"))

        for event in [ingest.put("u-1", PICTURE), erased()][::order]:
            await ingest.hear(event)

        assert ingest.media.kept == {}


async def test_an_upload_that_another_sample_needs_stays():
    ingest = await IngestUnderTest.of()
    await ingest.hear(submission("sample-1", text="u-1"), submission("sample-2", text="u-1"))
    await ingest.hear(ingest.put("u-1", PICTURE))

    await ingest.hear(erased())

    assert ingest.announced.of(MediaDropped) == []


async def test_the_job_is_done_when_every_service_has_forgotten_the_sample_and_names_the_datasets_that_hold_it():
    ingest = await IngestUnderTest.of()
    told = [a_sample_forgotten(job_id=JOB, service=service) for service in sorted(ERASING)]

    await ingest.hear(*told[:-1], erased(), a_dataset_affected(job_id=JOB, dataset_id="d1"))
    async with ingest.asking() as client:
        before = (await client.get(f"/jobs/{JOB}")).json()
        await ingest.hear(told[-1])
        after = (await client.get(f"/jobs/{JOB}")).json()
        unknown = await client.get("/jobs/ingest-erase-2")
    async with ingest.asking(tenant="globex") as stranger:
        hidden = await stranger.get(f"/jobs/{JOB}")

    assert (before["state"], before["done"], after["state"], after["done"]) == ("running", 5, "done", 6)
    assert after["result"]["affected_datasets"] == ["d1"]
    assert after["result"]["log_forgets_at"].startswith("2026-12-08")
    assert [unknown.status_code, hidden.status_code] == [404, 404]
