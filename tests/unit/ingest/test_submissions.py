"""What becomes of a sample that is sent, sent again, sent otherwise, or sent in an import that nobody wants any more."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from shared.events.imports import ImportLineFinished
from shared.events.replacements import ReplacementProposed
from shared.events.samples import AssetSource, SampleIngested, SampleRejected
from tests.builders import MORNING, a_sample_submitted, an_import_cancelled, an_import_line_finished, an_import_received
from tests.unit.ingest.imports_under_test import IngestUnderTest, codes


def a_line(line: int = 1, **changes):
    return a_sample_submitted(job_id="job-1", line=line, **changes)


async def test_a_sample_sent_twice_is_one_sample_and_its_line_says_unchanged():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2))
    await ingest.hear(a_line(3))

    assert await ingest.outcomes() == {1: "created", 2: "unchanged", 3: "unchanged"}
    assert len(ingest.announced.of(SampleIngested)) == 1


async def test_other_content_under_a_known_name_is_a_conflict_that_gives_back_what_was_sent():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2, assets={"chat": AssetSource(text="Something else.")}))

    [error] = await ingest.errors()
    assert await ingest.outcomes() == {1: "created", 2: "conflict"}
    assert (error.line, error.faults[0].pointer) == (2, "/external_id")
    assert error.source["assets"]["chat"]["text"] == "Something else."


async def test_what_describes_a_sample_is_replaced_where_the_sender_wants_it():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2, on_conflict="replace", language="de", metadata={"channel": "mail"}))

    first, second = ingest.announced.of(SampleIngested)
    assert await ingest.outcomes() == {1: "created", 2: "replaced"}
    assert (second.language, second.metadata) == ("de", {"channel": "mail"})
    assert second.assets["chat"].language == "de"
    assert second.assets["chat"].text == first.assets["chat"].text


async def test_a_due_date_goes_on_with_the_sample_and_may_be_moved():
    ingest = await IngestUnderTest.of()
    first, later = MORNING + timedelta(hours=1), MORNING + timedelta(days=1)

    await ingest.hear(a_line(1, due_at=first), a_line(2, due_at=first), a_line(3, due_at=later))
    await ingest.hear(a_line(4, due_at=later, on_conflict="replace"))

    assert await ingest.outcomes() == {1: "created", 2: "unchanged", 3: "conflict", 4: "replaced"}
    assert [event.due_at for event in ingest.announced.of(SampleIngested)] == [first, later]


async def test_assets_are_replaced_by_leave_alone_for_labels_are_made_on_them():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2, on_conflict="replace", assets={"chat": AssetSource(text="Else.")}))

    assert await ingest.outcomes() == {1: "created"}
    assert len(ingest.announced.of(ReplacementProposed)) == len(ingest.announced.of(SampleIngested)) == 1


async def test_without_the_wish_to_replace_other_assets_are_a_conflict():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2, assets={"chat": AssetSource(text="Else.")}))

    assert codes(await ingest.errors()) == {2: ["conflict"]}
    assert len(ingest.announced.of(SampleIngested)) == 1


async def test_a_replacement_with_bad_predictions_is_rejected_and_the_sample_stays():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1), a_line(2, on_conflict="replace", predictions={"intent": "nonsense"}))

    assert await ingest.outcomes() == {1: "created", 2: "rejected"}
    assert ingest.states == {"sample-1": "ingested"}


async def test_predictions_are_checked_as_labels_and_go_on_with_the_sample():
    ingest = await IngestUnderTest.of()
    bad = {"intent": "nonsense", "entities": [{"id": "e", "label": "city", "start": 45, "end": 4500}]}

    await ingest.hear(
        a_line(1, external_id="bad", predictions=bad), a_line(2, external_id="good", predictions={"intent": "refund"})
    )

    [rejected], [ingested] = ingest.announced.of(SampleRejected), ingest.announced.of(SampleIngested)
    assert {fault.pointer.split("/")[2] for fault in rejected.faults} == {"intent", "entities"}
    assert all(fault.pointer.startswith("/predictions/") for fault in rejected.faults)
    assert ingested.predictions == {"intent": "refund"}


async def test_a_rejected_sample_sent_again_corrected_is_ingested():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1, predictions={"intent": "nonsense"}))
    await ingest.hear(a_line(2, predictions={"intent": "refund"}))

    assert await ingest.outcomes() == {1: "rejected", 2: "created"}
    assert ingest.states == {"sample-1": "ingested"}


async def test_lines_that_are_read_after_the_cancellation_bring_nothing():
    ingest = await IngestUnderTest.of()

    await ingest.hear(a_line(1, external_id="a"))
    await ingest.hear(an_import_cancelled(), an_import_received(lines=2))
    await ingest.hear(a_line(2, external_id="b"))

    assert ingest.states == {"a": "ingested"}
    assert await ingest.outcomes() == {1: "created", 2: "cancelled"}
    assert ((await ingest.job()).state, (await ingest.job()).done) == ("cancelled", 2)


async def test_everything_delivered_again_changes_nothing_and_tells_the_same():
    ingest = await IngestUnderTest.of()
    await ingest.hear(
        a_line(1), a_line(2), a_line(3, external_id="c", predictions={"intent": "no"}), an_import_received(lines=3)
    )
    before, told = await ingest.job(), ingest.announced.ids

    await ingest.receive_all_again()

    assert (await ingest.job(), ingest.announced.ids) == (before, told)


@pytest.mark.parametrize("order", [1, -1])
async def test_a_job_of_thousands_of_lines_is_counted_to_the_last_whatever_comes_first(order):
    ingest = await IngestUnderTest.of()
    lines = [an_import_line_finished(line=number) for number in range(1, 2502)]
    failed = an_import_line_finished(line=2502, outcome="rejected", source='{"external_id": "x"}')

    await ingest.receive(*[*lines, failed, an_import_received(lines=2502)][::order])

    job = await ingest.job()
    assert (job.state, job.done, job.failed, job.outcomes) == ("done", 2502, 1, {"created": 2501, "rejected": 1})
    assert [error.source for error in await ingest.errors()] == [{"external_id": "x"}]
    assert await ingest.errors(after=2502) == []


async def test_what_is_told_of_a_line_twice_counts_once_and_the_first_word_stays():
    ingest = await IngestUnderTest.of()

    await ingest.receive(an_import_line_finished(outcome="rejected"), an_import_line_finished(outcome="created"))

    assert await ingest.outcomes() == {1: "rejected"}


async def test_a_failed_line_that_is_no_json_is_given_back_as_its_text():
    ingest = await IngestUnderTest.of()
    sources = ['{"external_id": "unread', '{"a.b": 1e400, "$set": 12345678901234567890123}', None]

    await ingest.receive(
        *[
            ImportLineFinished(**(an_import_line_finished(line=n, outcome="rejected", source=s).model_dump()))
            for n, s in enumerate(sources, 1)
        ]
    )

    assert [orjson.dumps(error.source) is not None for error in await ingest.errors()] == [True] * 3
    assert (await ingest.errors())[0].source == sources[0]
