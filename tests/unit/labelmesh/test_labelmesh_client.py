"""Both clients, held to the same stories."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx2
import pytest

from labelmesh import (
    AsyncLabelmesh,
    InvalidBodyError,
    JobTimeoutError,
    Labelmesh,
    LeaseExpiredError,
    LeaseLostError,
    NotFoundError,
    NotReadyError,
    PreconditionFailedError,
    UnreachableError,
    api,
)
from labelmesh.models import ClaimedTask
from tests.unit.labelmesh.a_gateway import AGateway, a_task, json_answer, problem, result_of

IMPORTS = "/v1/projects/support/imports"
CLAIM = "/v1/tasks/claim"


@pytest.fixture
def gateway() -> AGateway:
    return AGateway()


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, gateway: AGateway) -> AsyncIterator[Any]:
    made = gateway.client() if request.param == "sync" else gateway.async_client()
    yield made
    await result_of(made.close())


async def test_a_retried_post_keeps_its_idempotency_key_and_waits_as_long_as_it_is_told(gateway, client):
    gateway.answers("POST", CLAIM, problem(503, "unavailable"), json_answer({"tasks": []}))

    await result_of(client.claim())

    first, second = gateway.sent("POST", CLAIM)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.content == second.content
    [pause] = gateway.slept
    assert 3 <= pause < 4


async def test_every_post_has_an_idempotency_key_of_its_own(gateway, client):
    gateway.answers("POST", CLAIM, json_answer({"tasks": []}))
    gateway.answers("POST", IMPORTS, json_answer({"job_id": "ingest-1"}, 202))
    gateway.answers("POST", "/v1/projects/support/check", json_answer({"valid": True}))

    await result_of(client.claim())
    await result_of(client.claim())
    await result_of(client.import_samples("support", [{"external_id": "a"}]))
    await result_of(client.check_project("support", "title: Support"))

    assert len({each.headers["idempotency-key"] for each in gateway.requests}) == 4


async def test_every_request_says_which_program_sends_it(gateway, client):
    gateway.answers("POST", CLAIM, json_answer({"tasks": []}))

    await result_of(client.claim())

    [request] = gateway.requests
    assert request.headers["user-agent"] == f"labelmesh-python/{metadata.version('labelmesh')}"


async def test_a_connection_that_fails_is_made_again(gateway, client):
    gateway.answers(
        "POST", CLAIM, httpx2.ConnectError("refused"), httpx2.ReadError("reset"), json_answer({"tasks": []})
    )

    claim = await result_of(client.claim())

    assert claim.tasks == []
    assert len(gateway.slept) == 2


async def test_a_gateway_that_stays_away_is_told_with_its_address(gateway, client):
    gateway.answers("GET", "/v1/projects", httpx2.ConnectError("refused"))

    with pytest.raises(UnreachableError, match=r"http://gateway\.test does not answer \(refused\)"):
        await result_of(client.projects())

    assert len(gateway.requests) == 16
    assert sum(gateway.slept) > 20  # longer than the outages that the stack is made to survive


async def test_a_gateway_that_stays_unready_is_told_with_its_own_words(gateway, client):
    gateway.answers("GET", "/v1/projects", problem(503, "unavailable"))

    with pytest.raises(NotReadyError, match="what to do next"):
        await result_of(client.projects())


async def test_whoever_is_told_to_come_back_in_an_hour_is_not_kept_waiting(gateway, client):
    gateway.answers("GET", "/v1/projects", json_answer({"title": "Slow down"}, 429, retry_after="3600"))

    with pytest.raises(NotReadyError):
        await result_of(client.projects())

    assert gateway.slept == []


async def test_a_request_that_cannot_be_sent_is_not_sent_again(gateway, client):
    gateway.answers("GET", "/v1/projects", httpx2.UnsupportedProtocol("no such protocol"))

    with pytest.raises(UnreachableError):
        await result_of(client.projects())

    assert len(gateway.requests) == 1


async def test_a_refusal_tells_all_faults_and_is_not_repeated(gateway, client):
    faults = [
        {"pointer": "/fields/intent", "code": "unknown-option", "message": "no option"},
        {"pointer": "/fields/tone", "code": "missing-field", "message": "is missing"},
    ]
    gateway.answers("POST", CLAIM, problem(422, "invalid-body", *faults))

    with pytest.raises(InvalidBodyError) as refusal:
        await result_of(client.claim(count=99))

    assert refusal.value.errors == faults
    assert (refusal.value.type, refusal.value.status) == ("invalid-body", 422)
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(409, "lease-expired"), LeaseExpiredError),
        (problem(409, "lease-lost"), LeaseLostError),
        (problem(412, "precondition-failed", current_version=4), PreconditionFailedError),
        (problem(404, "not-found"), NotFoundError),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind(gateway, client, answer, kind):
    gateway.answers("POST", "/v1/tasks/s1.first_pass.1/annotations", answer)

    with pytest.raises(kind) as refusal:
        await result_of(client.submit(ClaimedTask.model_validate(a_task()), {"intent": "ask"}))

    assert pickle.loads(pickle.dumps(refusal.value)).problem == refusal.value.problem  # noqa: S301 - our own


async def test_a_refusal_that_is_no_problem_document_is_shown_as_it_came(gateway, client):
    gateway.answers("GET", "/v1/projects", httpx2.Response(418, text="<h1>a proxy's page</h1>"))

    with pytest.raises(Exception, match="a proxy's page"):
        await result_of(client.projects())


async def test_claims_are_read_and_what_this_client_does_not_know_is_kept(gateway, client):
    gateway.answers("POST", CLAIM, json_answer({"tasks": [a_task(novelty=1)]}))

    claim = await result_of(client.claim(count=2, project="support", languages=["en"]))

    [task] = claim.tasks
    assert (task.sample.external_id, task.lease.token, task.is_review) == ("chat-1", "token-1", False)
    assert task.model_extra["novelty"] == 1
    assert b'"count":2' in gateway.requests[0].content


async def test_an_empty_claim_says_why(gateway, client):
    gateway.answers("POST", CLAIM, json_answer({"tasks": [], "reason": "no-open-tasks", "retry_after": 2}))

    claim = await result_of(client.claim())

    assert (claim.tasks, claim.reason, claim.retry_after) == ([], "no-open-tasks", 2.0)


async def test_a_heartbeat_renews_token_and_links(gateway, client):
    task = ClaimedTask.model_validate(a_task())
    renewal = {"token": "token-2", "expires_at": "2026-11-24T11:00:00Z", "assets": {"photo": {"url": "http://new"}}}
    gateway.answers("POST", f"/v1/tasks/{task.task}/heartbeat", json_answer(renewal))
    gateway.answers("POST", f"/v1/tasks/{task.task}/annotations", json_answer({"annotation_id": "a1"}, 201))

    renewed = task.renewed(await result_of(client.heartbeat(task)))
    await result_of(client.submit(renewed, {"intent": "ask"}, wait=5))

    heartbeat, submission = gateway.requests
    assert heartbeat.headers["lease-token"] == "token-1"
    assert submission.headers["lease-token"] == "token-2"
    assert submission.headers["prefer"] == "wait=5"
    assert renewed.assets["photo"]["url"] == "http://new"
    assert renewed.assets["chat"] == task.assets["chat"]


async def test_a_draft_replaces_the_revision_that_was_read(gateway, client):
    gateway.answers("PUT", "/v1/tasks/t1/draft", json_answer({"task_id": "t1", "revision": 4}))

    await result_of(client.put_draft("t1", {"intent": "ask"}, if_match=3))

    assert gateway.requests[0].headers["if-match"] == '"3"'


async def test_names_with_slashes_stay_one_part_of_the_path(gateway, client):
    gateway.answers("GET", "/v1/datasets/v1/beta", json_answer({"dataset_id": "d1"}))

    await result_of(client.dataset("v1/beta"))

    assert gateway.requests[0].url.raw_path == b"/v1/datasets/v1%2Fbeta"


async def test_everything_follows_the_pages_to_the_end(gateway, client):
    path = "/v1/projects/support/datasets"
    gateway.answers(
        "GET", path, json_answer({"items": [1, 2], "next": "c2"}), json_answer({"items": [3], "next": None})
    )

    items = await result_of(client.everything(api.datasets, "support"))

    assert items == [1, 2, 3]
    assert [each.url.params.get("cursor") for each in gateway.requests] == [None, "c2"]


async def test_lines_are_streamed_with_their_numbers_kept(gateway, client, tmp_path: Path):
    gateway.answers("POST", IMPORTS, json_answer({"job_id": "ingest-1", "lines": 3}, 202))
    path = tmp_path / "samples.ndjson"
    path.write_bytes(b'{"external_id":"a"}\r\n\n{"external_id":"b"}')
    told: list[int] = []

    with path.open("rb") as file:
        await result_of(client.import_samples("support", file))
    await result_of(client.import_samples("support", path, told.append))
    await result_of(client.import_samples("support", [{"external_id": "a"}, b"", '{"external_id":"b"}']))

    from_lines, from_path, from_values = gateway.requests
    assert from_lines.content == from_values.content == b'{"external_id":"a"}\n\n{"external_id":"b"}\n'
    assert from_path.content == path.read_bytes()
    assert told == [len(path.read_bytes())]
    assert from_lines.headers["transfer-encoding"] == "chunked"


async def test_what_holds_for_all_lines_is_said_once(gateway, client):
    gateway.answers("POST", IMPORTS, json_answer({"job_id": "ingest-1"}, 202))
    due_at = datetime(2026, 12, 1, 17, tzinfo=UTC)

    await result_of(client.import_samples("support", [{"external_id": "a"}], due_at=due_at))

    [sent] = gateway.requests
    assert dict(sent.url.params) == {"due_at": "2026-12-01T17:00:00+00:00", "on_conflict": "refuse"}


async def test_lines_of_an_iterator_are_all_sent_again(gateway, client):
    answers = (httpx2.ReadError("reset"), problem(503, "unavailable"), json_answer({"job_id": "ingest-1"}, 202))
    gateway.answers("POST", IMPORTS, *answers)

    job_id = await result_of(client.import_samples("support", ({"external_id": f"s{n}"} for n in range(20_000))))

    bodies = [each.content for each in gateway.sent("POST", IMPORTS)]
    assert job_id == "ingest-1"
    assert bodies[0].count(b"\n") == 20_000
    assert bodies[0] == bodies[1] == bodies[2]
    assert len({each.headers["idempotency-key"] for each in gateway.requests}) == 1


async def test_lines_that_were_broken_off_go_on_where_they_were(gateway, client):
    def breaks_off(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.WriteError("reset")

    gateway.answers("POST", IMPORTS, breaks_off, json_answer({"job_id": "ingest-1"}, 202))
    lines = iter([b"x" * 100_000, b"y" * 100_000])

    await result_of(client.import_samples("support", lines))

    assert gateway.requests[-1].content == b"x" * 100_000 + b"\n" + b"y" * 100_000 + b"\n"


async def test_a_file_goes_to_the_signed_address_without_our_key(gateway, client, tmp_path: Path):
    upload = {"upload_id": "u1", "method": "PUT", "url": "http://store.test/media/u1?signature=abc"}
    gateway.answers("POST", "/v1/uploads", json_answer(upload, 201))
    gateway.answers("PUT", "/media/u1", httpx2.Response(503), httpx2.Response(200))
    path = tmp_path / "blood.jpg"
    path.write_bytes(b"\xff\xd8" * 1_000_000)

    sent = await result_of(client.upload_file("support", path))

    asked, _, stored = gateway.requests
    assert sent.upload_id == "u1"
    assert b'"size":2000000' in asked.content
    assert asked.headers["authorization"] == "Bearer lm_id_secret"
    assert stored.content == path.read_bytes()
    assert stored.headers["content-length"] == "2000000"
    assert "authorization" not in stored.headers
    assert "transfer-encoding" not in stored.headers


async def test_a_large_file_goes_in_parts_and_is_completed(gateway, client, tmp_path: Path):
    parts = [{"number": n, "size": size, "url": f"http://store.test/u1?part={n}"} for n, size in ((1, 4), (2, 3))]
    upload = {"upload_id": "u1", "url": None, "part_size": 4, "parts": parts, "token": "t"}
    gateway.answers("POST", "/v1/uploads", json_answer(upload, 201))
    gateway.answers("PUT", "/u1", httpx2.Response(200), httpx2.Response(503), httpx2.Response(200))
    gateway.answers("POST", "/v1/uploads/u1/complete", json_answer({"upload_id": "u1", "size": 7}))
    path = tmp_path / "film.mp4"
    path.write_bytes(b"abcdefg")

    await result_of(client.upload_file("support", path))

    _, first, _, second, completed = gateway.requests
    assert (first.content, second.content) == (b"abcd", b"efg")
    assert second.headers["content-length"] == "3"
    assert completed.content == b'{"token":"t"}'


async def test_a_file_that_the_store_refuses_is_told_by_name(gateway, client, tmp_path: Path):
    gateway.answers("POST", "/v1/uploads", json_answer({"upload_id": "u1", "url": "http://store.test/u1"}, 201))
    gateway.answers("PUT", "/u1", httpx2.Response(403, text="SignatureDoesNotMatch"))
    path = tmp_path / "blood.jpg"
    path.write_bytes(b"x")

    with pytest.raises(Exception, match=r"blood\.jpg: SignatureDoesNotMatch"):
        await result_of(client.upload_file("support", path))


async def test_an_export_is_written_whole(gateway, client, tmp_path: Path):
    location = {"location": "http://store.test/exports/e1"}
    gateway.answers("GET", "/v1/exports/e1/download", httpx2.Response(302, headers=location))
    gateway.answers("GET", "/exports/e1", httpx2.ReadError("reset"), httpx2.Response(200, content=b"rows"))

    size = await result_of(client.download_export("e1", tmp_path / "rows.jsonl"))

    assert size == 4
    assert (tmp_path / "rows.jsonl").read_bytes() == b"rows"
    assert "authorization" not in gateway.requests[-1].headers


async def test_an_export_that_breaks_off_leaves_the_file_that_was_there(gateway, client, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"the last export")
    location = {"location": "http://store.test/exports/e1"}
    gateway.answers("GET", "/v1/exports/e1/download", httpx2.Response(302, headers=location))
    gateway.answers("GET", "/exports/e1", httpx2.ReadError("reset"))

    with pytest.raises(UnreachableError, match=r"http://store\.test"):
        await result_of(client.download_export("e1", path))

    assert path.read_bytes() == b"the last export"


async def test_a_job_is_waited_for_from_before_it_can_be_read(gateway, client):
    job = {"job_id": "ingest-1", "done": 1, "total": 2, "failed": 0}
    running, done = job | {"state": "running"}, job | {"state": "done", "done": 2, "outcomes": {"created": 2}}
    gateway.answers("GET", "/v1/jobs/ingest-1", problem(404, "not-found"), json_answer(running), json_answer(done))
    seen: list[int] = []

    found = await result_of(client.wait_for("ingest-1", watch=lambda job: seen.append(job.done)))

    assert (found.state, found.outcomes) == ("done", {"created": 2})
    assert seen == [1, 2]


async def test_a_job_that_takes_too_long_is_told_by_its_id(gateway, client):
    gateway.answers("GET", "/v1/jobs/ingest-1", json_answer({"job_id": "ingest-1", "state": "running"}))

    with pytest.raises(JobTimeoutError, match="ingest-1 is not done after 0 s"):
        await result_of(client.wait_for("ingest-1", timeout=0))


async def test_a_job_that_never_was_is_not_found(gateway, client):
    gateway.answers("GET", "/v1/jobs/nope", problem(404, "not-found"))

    with pytest.raises(NotFoundError):
        await result_of(client.wait_for("nope", timeout=0))


async def test_failed_lines_are_read_as_they_were_sent(gateway, client):
    lines = b'{"line":3,"outcome":"rejected","faults":[]}\n{"line":7,"outcome":"conflict","faults":[]}\n'
    headers = {"content-type": "application/x-ndjson"}
    gateway.answers("GET", "/v1/jobs/j1/errors", httpx2.Response(200, content=lines, headers=headers))
    gateway.answers("GET", "/v1/jobs/j2/errors", httpx2.Response(200, content=b"", headers=headers))

    assert [each["line"] for each in await result_of(client.job_errors("j1"))] == [3, 7]
    assert await result_of(client.job_errors("j2")) == []


def test_both_clients_have_the_same_methods():
    def methods(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert methods(Labelmesh) == methods(AsyncLabelmesh)
