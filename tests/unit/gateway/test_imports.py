"""Imports at the gateway: streams of lines, files that ingest reads, and jobs that are read page by page and cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, cast

import orjson
import pytest
from fastapi import Request

from services.gateway.inner import Answer
from services.gateway.lines import read_lines
from shared.events.imports import ImportCancelled, ImportLineFinished, ImportReceived, ImportRequested, ImportSource
from shared.events.samples import SampleSubmitted
from shared.http import NEXT_LINE
from tests.builders import PROJECT, TENANT
from tests.unit.gateway.gateway_under_test import GatewayUnderTest, a_gateway

IMPORTS = f"/projects/{PROJECT}/imports"
JOB = "/v1/jobs/ingest-1"


def a_line(name: str, text: str = "Fine.") -> bytes:
    return orjson.dumps({"external_id": name, "assets": {"chat": {"text": text}}}) + b"\n"


async def test_lines_are_numbered_as_they_stand_and_blank_ones_are_not_counted():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        answer = await client.post(IMPORTS, content=b"\n" + a_line("a") + b"  \n" + a_line("b", "") + b"{")

    [received] = gateway.log.of(ImportReceived)
    assert answer.json() == {"job_id": received.job_id, "lines": 5}
    assert (received.lines, received.last_line) == (3, 5)
    assert [event.line for event in gateway.log.of(SampleSubmitted)] == [2]
    assert [event.line for event in gateway.log.of(ImportLineFinished)] == [4, 5]


async def test_long_lines_are_held_a_few_at_a_time_and_none_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.gateway.lines.BYTES_AT_ONCE", 2500)
    body = b"".join(a_line(str(number), "x" * 1000) for number in range(8))

    class FakeRequest:
        async def stream(self) -> AsyncIterator[bytes]:
            for first in range(0, len(body), 300):
                yield body[first : first + 300]

    batches = [some async for some in read_lines(cast(Request, FakeRequest()), 100_000)]

    assert [len(some) for some in batches] == [3, 3, 2]
    assert [line.number for some in batches for line in some] == list(range(1, 9))


async def test_a_line_that_failed_is_kept_whole_so_that_it_can_be_corrected():
    gateway = await a_gateway(max_line_bytes=100_000)
    long = a_line("a", "x" * 50_000).replace(b"chat", b"chut")

    async with gateway.calling() as client:
        await client.post(IMPORTS, content=long)

    [failed] = gateway.log.of(ImportLineFinished)
    assert failed.source == long.decode().rstrip()


async def test_lines_of_a_list_of_errors_are_taken_for_what_they_tell_of():
    gateway = await a_gateway()
    error = {"line": 7, "outcome": "rejected", "faults": [{"pointer": "", "code": "empty", "message": "It is."}]}
    lines = [error | {"source": orjson.loads(a_line("a"))}, error | {"source": a_line("b").decode()}]
    lines.append(error | {"source": "{"})

    async with gateway.calling() as client:
        await client.post(IMPORTS, content=b"\n".join(map(orjson.dumps, lines)))

    assert [event.external_id for event in gateway.log.of(SampleSubmitted)] == ["a", "b"]
    [failed] = gateway.log.of(ImportLineFinished)
    assert (failed.line, failed.faults[0].pointer) == (3, "/source")


@pytest.mark.parametrize("number", [str(2**64), str(-(2**63) - 1), "9" * 300])
async def test_a_line_with_an_integer_that_would_be_rounded_is_refused_by_its_place_and_kept_as_it_is(number: str):
    gateway = await a_gateway(max_line_bytes=1000)
    bad = f'{{"external_id": "a", "assets": {{"chat": {{"text": "Fine."}}}}, "metadata": {{"order": [1, {number}]}}}}'

    async with gateway.calling() as client:
        await client.post(IMPORTS, content=bad.encode() + b"\n" + a_line("b"))

    assert [event.external_id for event in gateway.log.of(SampleSubmitted)] == ["b"]
    [failed] = gateway.log.of(ImportLineFinished)
    [fault] = failed.faults
    assert (fault.pointer, fault.code) == ("/metadata/order/1", "out-of-range")
    assert "is beyond 2^53 - 1" in fault.message and "send it as a string" in fault.message
    assert failed.source == bad


async def test_a_sample_of_its_own_is_refused_for_such_an_integer_as_a_line_is():
    gateway = await a_gateway()
    body = f'{{"external_id": "a", "assets": {{"chat": {{"text": "Fine."}}}}, "metadata": {{"order": {2**70}}}}}'

    async with gateway.calling() as client:
        answer = await client.post(
            f"/projects/{PROJECT}/samples", content=body.encode(), headers={"content-type": "application/json"}
        )

    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, "/metadata/order", "out-of-range")


async def test_a_large_number_that_is_written_as_no_integer_is_taken():
    gateway = await a_gateway()
    line = b'{"external_id": "a", "assets": {"chat": {"text": "Fine."}}, "metadata": {"x": 1e30, "y": "123456789012345678901"}}'

    async with gateway.calling() as client:
        await client.post(IMPORTS, content=line)

    [sample] = gateway.log.of(SampleSubmitted)
    assert sample.metadata == {"x": 1e30, "y": "123456789012345678901"}


async def test_what_happens_to_known_samples_is_said_with_the_import():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        await client.post(f"{IMPORTS}?on_conflict=replace", content=a_line("a"))
        refused = await client.post(f"{IMPORTS}?on_conflict=forget", content=a_line("a"))

    assert [event.on_conflict for event in gateway.log.of(SampleSubmitted)] == ["replace"]
    assert refused.status_code == 422


async def test_a_due_date_of_an_import_holds_for_the_lines_that_give_none():
    gateway = await a_gateway()
    due, own = "2026-12-01T18:00:00Z", "2026-11-30T12:00:00+01:00"
    lines = a_line("a") + orjson.dumps(orjson.loads(a_line("b")) | {"due_at": own})

    async with gateway.calling() as client:
        await client.post(IMPORTS, params={"due_at": due}, content=lines)
        await client.post(IMPORTS, params={"due_at": due}, json={"upload": "upload-1"})

    found = {event.external_id: event.due_at for event in gateway.log.of(SampleSubmitted)}
    assert found == {"a": datetime.fromisoformat(due), "b": datetime.fromisoformat(own)}
    [requested] = gateway.log.of(ImportRequested)
    assert requested.due_at == datetime.fromisoformat(due)


@pytest.mark.parametrize("due", ["tomorrow", "2026-12-01T18:00:00", "1999-12-31T23:59:59Z", "2200-01-02T00:00:00Z"])
async def test_a_due_date_without_zone_or_out_of_all_bounds_is_refused(due: str):
    gateway = await a_gateway()
    line = orjson.dumps(orjson.loads(a_line("a")) | {"due_at": due})

    async with gateway.calling() as client:
        whole = await client.post(IMPORTS, params={"due_at": due}, content=a_line("a"))
        await client.post(IMPORTS, content=line)

    assert whole.status_code == 422
    assert gateway.log.of(SampleSubmitted) == []
    [failed] = gateway.log.of(ImportLineFinished)
    assert failed.faults[0].pointer == "/due_at"


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b'{"upload": "u-1"}', ImportSource(upload="u-1")),
        (b'{\n  "upload": "u-1",\n\n  "format": "csv"\n}\n', ImportSource(upload="u-1", format="csv")),
    ],
)
async def test_a_body_that_names_a_file_leaves_the_reading_to_ingest(body, source):
    gateway = await a_gateway()

    async with gateway.calling() as client:
        answer = await client.post(IMPORTS, content=body)

    [requested] = gateway.log.of(ImportRequested)
    assert (answer.status_code, answer.json()["lines"]) == (202, None)
    assert (requested.source, requested.job_id) == (source, answer.json()["job_id"])
    assert len(gateway.log.events) == 1


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b'{"prefix": "s3://raw/day-1/"}', ImportSource(prefix="s3://raw/day-1/")),
        (b'{"prefix": "s3://raw/", "follow_seconds": 60}', ImportSource(prefix="s3://raw/", follow_seconds=60)),
    ],
)
async def test_a_body_that_names_a_prefix_leaves_the_listing_to_ingest(body, source):
    gateway = await a_gateway()

    async with gateway.calling() as client:
        answer = await client.post(IMPORTS, content=body, headers={"content-type": "application/json"})

    [requested] = gateway.log.of(ImportRequested)
    assert (answer.status_code, requested.source) == (202, source)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"prefix": "s3://raw/", "upload": "u-1"}', ""),
        (b'{"prefix": "https://example.org/"}', "/prefix"),
        (b'{"prefix": "s3://raw"}', "/prefix"),
        (b'{"prefix": "s3:///day"}', "/prefix"),
        (b'{"prefix": "s3://raw/a b"}', "/prefix"),
        (b'{"prefix": "s3://raw/", "format": "csv"}', "/format"),
        (b'{"prefix": "s3://raw/", "follow_seconds": 1}', "/follow_seconds"),
        (b'{"upload": "u-1", "follow_seconds": 60}', "/follow_seconds"),
        (b'{"prefix": 7}', "/prefix"),
    ],
)
async def test_what_does_not_go_together_in_a_source_is_told(body, pointer):
    gateway = await a_gateway()

    async with gateway.calling() as client:
        answer = await client.post(IMPORTS, content=body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert gateway.log.events == []


async def test_a_body_that_names_a_file_wrongly_is_refused_and_a_sample_is_never_taken_for_one():
    gateway = await a_gateway()

    async with gateway.calling() as client:
        wrong = await client.post(IMPORTS, content=b'{"upload": "u-1", "format": "xls", "object": "media/x"}')
        both = await client.post(IMPORTS, content=b'{"upload": "u-1", "external_id": "a", "assets": {}}')

    assert wrong.status_code == 422
    assert both.status_code == 202
    assert gateway.log.of(ImportRequested) == []


async def test_a_table_is_put_into_the_object_store_as_it_comes(monkeypatch):
    gateway = await a_gateway()
    kept: dict[str, bytes] = {}

    async def put_stream(name: str, chunks: AsyncIterator[bytes], _media_type: str) -> None:
        kept[name] = b"".join([chunk async for chunk in chunks])

    monkeypatch.setattr(gateway.context.media, "put_stream", put_stream)
    async with gateway.calling() as client:
        answer = await client.post(
            IMPORTS, content=b"external_id,chat\na,x\n", headers={"content-type": "text/csv; charset=utf-8"}
        )

    place = f"media/{TENANT}/imports/{answer.json()['job_id']}"
    [requested] = gateway.log.of(ImportRequested)
    assert kept == {place: b"external_id,chat\na,x\n"}
    assert requested.source == ImportSource(object=place, format="csv")


async def test_a_table_that_is_too_large_is_refused_while_it_comes(monkeypatch):
    gateway = await a_gateway(max_import_bytes=10)

    async def put_stream(_name: str, chunks: AsyncIterator[bytes], _media_type: str) -> None:
        async for _ in chunks:
            pass

    monkeypatch.setattr(gateway.context.media, "put_stream", put_stream)
    async with gateway.calling() as client:
        answer = await client.post(IMPORTS, content=b"external_id,chat\n", headers={"content-type": "text/csv"})

    assert answer.status_code == 413
    assert gateway.log.events == []


# --- jobs -------------------------------------------------------------------------------------------------------------


def pages(gateway: GatewayUnderTest, *bodies: bytes) -> None:
    """Let ingest answer with one page after the other."""
    asked = iter(range(len(bodies)))

    async def ask(*_args: Any, **_more: Any) -> Answer:
        number = next(asked)
        following = {} if number == len(bodies) - 1 else {NEXT_LINE: str(number + 1)}
        return Answer(200, {"content-type": "application/x-ndjson", **following}, bodies[number])

    gateway.services.ask = ask  # type: ignore[method-assign]


@pytest.mark.parametrize("what", ["errors", "lines"])
async def test_a_list_of_any_length_passes_through_page_by_page(what):
    gateway = await a_gateway()
    pages(gateway, b'{"line": 1}\n', b'{"line": 2}\n', b'{"line": 3}\n')

    async with gateway.calling() as client:
        answer = await client.get(f"/jobs/ingest-1/{what}")

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.text == '{"line": 1}\n{"line": 2}\n{"line": 3}\n'


async def test_an_import_is_cancelled_once_and_only_while_it_runs():
    gateway = await a_gateway()
    running = {"job_id": "ingest-1", "project_id": PROJECT, "state": "running"}

    async with gateway.calling() as client:
        gateway.services.replies[JOB] = (200, running)
        accepted = [await client.post("/jobs/ingest-1/cancel") for _ in range(2)]
        gateway.services.replies[JOB] = (200, running | {"state": "following"})
        accepted.append(await client.post("/jobs/ingest-1/cancel"))
        gateway.services.replies[JOB] = (200, running | {"state": "done"})
        late = await client.post("/jobs/ingest-1/cancel")
        gateway.services.replies["/v1/jobs/versioning-1"] = (200, {"state": "running"})
        other = await client.post("/jobs/versioning-1/cancel")
        unknown = await client.post("/jobs/ingest-2/cancel")

    cancelled = gateway.log.of(ImportCancelled)
    assert [answer.status_code for answer in (*accepted, late, other, unknown)] == [202, 202, 202, 409, 409, 404]
    assert len({event.event_id for event in cancelled}) == 1


async def test_who_may_not_send_samples_may_not_cancel_an_import_either():
    gateway = await a_gateway()
    gateway.services.replies[JOB] = (200, {"job_id": "ingest-1", "project_id": PROJECT, "state": "running"})

    async with gateway.calling("ana", "annotator") as client:
        forbidden = await client.post("/jobs/ingest-1/cancel")
    async with gateway.calling("mo", "manager", projects=("another",)) as client:
        elsewhere = await client.post("/jobs/ingest-1/cancel")

    assert [forbidden.status_code, elsewhere.status_code] == [403, 403]
    assert gateway.log.events == []
