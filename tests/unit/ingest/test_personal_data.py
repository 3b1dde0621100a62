"""Personal data on its way through ingest: under ``mask`` nothing that ingest tells or keeps holds the original."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.declared import Declared
from shared.events.imports import ImportLineFinished
from shared.events.samples import AssetSource, SampleIngested, SampleRejected, SampleSubmitted
from shared.events.uploads import MediaDropped, UploadRefused
from shared.lines import Line
from shared.sample_lines import line_event
from tests.builders import (
    MORNING,
    PROJECT,
    TENANT,
    a_catalog,
    a_project_spec,
    a_project_versioned,
    a_sample_submitted,
    an_upload_arrived,
)
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec, submission

MAIL = "anna@example.org"
TEXT = f"Schreiben Sie an {MAIL}, Grüße"
MASKED = TEXT.replace(MAIL, "█" * len(MAIL))


async def an_ingest(action: str, **changes: Any) -> IngestUnderTest:
    return await IngestUnderTest.of(a_media_spec(intake={"pii": {"action": action}}, **changes))


async def test_an_uploaded_text_is_masked_with_facts_of_what_is_left_and_without_a_way_to_the_original():
    ingest = await an_ingest("mask")

    await ingest.submit_file("text", TEXT.encode(), "a.txt")

    [ingested] = ingest.announced.of(SampleIngested)
    facts = ingested.assets["text"]
    assert (facts.text, facts.text_length) == (MASKED, len(TEXT))
    assert (facts.size, facts.sha256) == (len(MASKED.encode()), hashlib.sha256(MASKED.encode()).hexdigest())
    assert (facts.object, facts.version) == (None, None)
    assert [(at.kind, at.pointer, at.start) for at in ingested.pii] == [
        ("email", "/assets/text/text", TEXT.index(MAIL))
    ]
    async with ingest.asking() as client:
        assert (await client.get(f"/v1/samples/{ingested.sample_id}/assets/text")).status_code == 404
        shown = (await client.get(f"/v1/samples/{ingested.sample_id}")).text
    told = "".join(event.model_dump_json() for event in ingest.announced.events)
    assert MAIL not in told + shown + str(ingest.documents["samples"].states)


async def test_the_original_of_a_masked_upload_goes_into_quarantine_and_a_redelivery_changes_nothing():
    ingest = await an_ingest("mask")

    await ingest.submit_file("text", TEXT.encode(), "a.txt")
    [upload] = ingest.documents["uploads"].states.values()
    told = ingest.announced.ids
    await ingest.receive_all_again()

    assert len(ingest.announced.of(UploadRefused)) >= 1
    assert upload["half_since_ms"] is not None
    assert (upload["waiters"], ingest.announced.ids) == ([], told)


async def test_the_copy_of_a_masked_reference_is_removed():
    ingest = await an_ingest("mask")
    found = ingest.media.add("media/refs/a.txt", TEXT.encode())

    await ingest.hear(a_sample_submitted(assets={"text": AssetSource(uri="https://example.org/a.txt")}))
    [reference] = [each.reference_id for each in ingest.announced.events if hasattr(each, "reference_id")]
    arrived = an_upload_arrived(upload_id=reference, slot="text", object=found.name, version=found.version)
    await ingest.hear(arrived.model_copy(update={"size": found.size, "etag": found.etag}))

    assert ingest.sample()["assets"]["text"]["text"] == MASKED
    assert [dropped.object for dropped in ingest.announced.of(MediaDropped)] == ["media/refs/a.txt"]
    assert ingest.media.kept == {}


async def test_a_checksum_is_held_against_the_file_and_not_against_what_is_left_of_it():
    right, wrong = hashlib.sha256(TEXT.encode()).hexdigest(), "0" * 64
    ingest = await an_ingest("mask")

    for name, sha256 in (("right", right), ("wrong", wrong)):
        put = ingest.put(name, TEXT.encode(), "a.txt", Declared(size=len(TEXT.encode()), sha256=sha256))
        source = AssetSource(upload=name, facts={"sha256": right, "size": len(TEXT.encode())})
        await ingest.hear(put, a_sample_submitted(external_id=name, assets={"text": source}))

    assert [ingest.sample(name)["state"] for name in ("right", "wrong")] == ["ingested", "rejected"]
    assert ingest.sample("wrong")["faults"][0]["code"] == "wrong-checksum"


async def test_a_flagged_upload_is_kept_and_says_what_stands_where():
    ingest = await an_ingest("flag")

    await ingest.submit_file("text", TEXT.encode(), "a.txt")

    [ingested] = ingest.announced.of(SampleIngested)
    assert (ingested.assets["text"].text, len(ingested.pii)) == (TEXT, 1)
    assert ingested.assets["text"].object is not None
    assert MAIL not in str([finding.model_dump() for finding in ingested.pii])


async def test_a_rejected_upload_says_where_and_not_what():
    ingest = await an_ingest("reject")

    await ingest.submit_file("text", f"{TEXT} {MAIL}".encode(), "a.txt")

    [fault] = ingest.announced.of(SampleRejected)[0].faults
    assert (fault.code, fault.pointer) == ("pii-found", "/assets/text")
    assert "an e-mail address" in fault.message and MAIL not in fault.message


@pytest.mark.parametrize(
    ("action", "content"),
    [("reject", TEXT.encode()), ("mask", TEXT.encode("utf-16"))],
    ids=["it was found", "it was not even searched"],
)
async def test_the_original_of_a_text_that_is_searched_is_opened_by_an_owner_alone_and_the_log_says_by_whom(
    action: str, content: bytes
):
    ingest = await an_ingest(action)
    sample = await ingest.submit_file("text", content, "a.txt")
    path = f"/samples/{sample['sample_id']}/assets/text?quarantined=true"

    with capture_logs() as logged:
        async with ingest.asking() as manager, ingest.asking(who="olga", roles=("owner",)) as owner:
            answers = [(await each.get(path)).status_code for each in (manager, owner)]

    assert (sample["state"], answers) == ("rejected", [403, 200])
    [opened] = [entry for entry in logged if entry["event"] == "quarantined_original_opened"]
    assert (opened["by"], opened["sample"], opened["slot"]) == ("olga", sample["sample_id"], "text")


async def test_a_slot_that_is_not_searched_keeps_its_text():
    spec = a_media_spec(intake={"pii": {"action": "mask"}})
    spec["assets"]["text"]["pii"] = "ignore"
    ingest = await IngestUnderTest.of(spec)

    sample = await ingest.submit_file("text", TEXT.encode(), "a.txt")

    assert (sample["assets"]["text"]["text"], sample["pii"]) == (TEXT, [])


# --- lines ------------------------------------------------------------------------------------------------------------


async def event_of(action: str, text: str) -> SampleSubmitted | ImportLineFinished:
    version = a_project_versioned(spec=a_project_spec(intake={"pii": {"action": action}}))
    catalog = await a_catalog(version)
    envelope = {"tenant_id": TENANT, "occurred_at": MORNING, "request_id": "r"}
    line = Line(1, text.encode())
    known = catalog.version(TENANT, PROJECT, version.version)
    return line_event(known, line, envelope, "job-1", on_conflict="refuse", max_line_bytes=10_000)  # type: ignore[return-value]


async def test_the_log_never_sees_what_an_imported_line_held():
    event = await event_of("mask", f'{{"external_id": "a", "assets": {{"chat": {{"text": "{TEXT}"}}}}}}')

    assert isinstance(event, SampleSubmitted)
    assert event.assets["chat"].text == MASKED
    assert [finding.kind for finding in event.pii] == ["email"]
    assert MAIL not in event.model_dump_json()


@pytest.mark.parametrize("action", ["mask", "reject"])
@pytest.mark.parametrize(
    "line",
    [
        f'{{"external_id": "a", "assets": {{"chot": {{"text": "{TEXT}"}}}}}}',
        f'{{"external_id": "a", "assets": {{"chat": {{"text": "{TEXT}"}}}}, "metadata": {{"captured_at": "{MAIL}"}}}}',
        f'{{"external_id": "a", "assets": {{"chat": {{"text": "{TEXT}"',
        f'{{"external_id": "a", "assets": {{"chat": "{TEXT}"}}}}',
        f'{{"external_id": "a", "assets": {{"chat": {{"text": "x"}}}}, "language": "{MAIL}"}}',
        f'{{"external_id": "a", "assets": {{"chat": {{"text": "x"}}}}, "metadata": {{"{MAIL}": [{{"{MAIL}": 1}}]}}}}',
    ],
    ids=["unknown slot", "faulty metadata", "no JSON", "wrong shape", "no language", "a key of it"],
)
async def test_a_line_that_fails_is_kept_to_be_corrected_without_its_personal_data(action: str, line: str):
    event = await event_of(action, line)

    assert isinstance(event, ImportLineFinished)
    assert event.faults and event.source
    assert MAIL not in event.model_dump_json()


async def test_a_line_that_is_refused_for_its_name_tells_neither_the_name_nor_its_id():
    event = await event_of("mask", f'{{"external_id": "{MAIL}", "assets": {{"chat": {{"text": "Hello"}}}}}}')

    assert isinstance(event, ImportLineFinished)
    assert [(fault.code, fault.pointer) for fault in event.faults] == [("pii-found", "/external_id")]
    assert (event.external_id, event.sample_id) == (None, None)
    assert MAIL not in event.model_dump_json()


async def test_what_was_masked_counts_as_the_same_sample_whatever_stood_there():
    ingest = await IngestUnderTest.of(a_project_spec(intake={"pii": {"action": "mask"}}))
    lines = [f'{{"external_id": "a", "assets": {{"chat": {{"text": "Ask {who}@x.org"}}}}}}' for who in ("ann", "bob")]

    for number, line in enumerate(lines, 1):
        event = await event_of("mask", line)
        await ingest.hear(event.model_copy(update={"event_id": f"event-{number}", "line": number}))

    assert ingest.sample("a")["state"] == "ingested"
    assert [each.outcome for each in ingest.announced.of(ImportLineFinished)] == ["created", "unchanged"]


async def test_findings_in_metadata_follow_it_when_it_is_replaced():
    ingest = await IngestUnderTest.of(a_project_spec(intake={"pii": {"action": "flag"}}))
    line = '{"external_id": "a", "assets": {"chat": {"text": "Ask a@x.org"}}, "metadata": {"from": "%s"}}'

    for who in ("b@x.org", "nobody"):
        event = await event_of("flag", line % who)
        await ingest.hear(event.model_copy(update={"on_conflict": "replace", "event_id": who}))

    assert [each["pointer"] for each in ingest.sample("a")["pii"]] == ["/assets/chat/text"]


async def test_an_upload_that_brings_no_text_is_not_searched():
    ingest = await an_ingest("mask")

    await ingest.hear(ingest.put("u", b"t,v\n0,1\n1,2\n", "a.csv"), submission(sensor="u"))

    assert (ingest.sample()["state"], ingest.sample()["pii"]) == ("ingested", [])
