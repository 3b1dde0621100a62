"""Whatever is wrong with a request, its sender reads a problem document that lists all of it, and nothing is left."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import httpx2
import jwt
import pytest

from shared.ids import new_id
from shared.security import LEASE_GRACE
from tests.e2e.gateway import (
    MEDIA,
    PICTURE,
    PROBLEM_TYPE,
    a_spec,
    answer,
    assert_problem,
    claim_one,
    codes,
    found,
    in_state,
    until,
)

ALBUM = a_spec(
    title="Album",
    assets={"chat": {"modality": "text"}, "photo": {"modality": "image", "max_bytes": 100_000}},
    fields={
        "intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]},
        "quality": {"kind": "rating", "asset": "chat", "minimum": 1, "maximum": 5, "step": 1},
        "animals": {"kind": "regions", "asset": "photo", "shapes": ["box"], "labels": ["gecko"]},
    },
    quality={"overlap": 1},
)


@pytest.fixture(scope="module")
def album(gateway) -> str:
    """A project of pictures with chats."""
    return gateway.publish(ALBUM)


@pytest.fixture(scope="module")
def ana(gateway):
    """An annotator's HTTP client."""
    with gateway.http(gateway.key_of(f"ana-{new_id()}")) as client:
        yield client


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer nonsense", "Basic dTpw", f"Bearer lm_{'0' * 16}_{'0' * 64}"]
)
def test_no_key_and_a_bad_key_are_401(gateway, authorization):
    headers = {} if authorization is None else {"authorization": authorization}

    response = httpx2.get(f"{gateway.url}/v1/projects", headers=headers)

    assert_problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_401(gateway, owner):
    made = owner.post("/v1/api-keys", json={"subject": "gone", "roles": ["viewer"]}).json()
    with gateway.http(made["key"]) as gone:
        assert gone.get("/v1/projects").status_code == 200

        assert owner.delete(f"/v1/api-keys/{made['id']}").status_code == 204

        refused = until(lambda: (r := gone.get("/v1/projects")).status_code == 401 and r, "a refusal", seconds=15)
    assert_problem(refused, 401, "unauthenticated")
    assert_problem(owner.delete(f"/v1/api-keys/{made['id']}"), 404, "not-found")


def test_a_wrong_role_or_project_is_403_and_nobody_makes_a_key_for_more_than_they_may(gateway, chats, ana):
    with (
        gateway.http(gateway.key_of("vi", "viewer")) as viewer,
        gateway.http(gateway.key_of("mo", "manager", projects=("another-project",))) as manager,
    ):
        refusals = [
            viewer.put(f"/v1/projects/{chats}", json=a_spec()),
            viewer.post("/v1/tasks/claim", json={}),
            ana.post(f"/v1/projects/{chats}/samples", json={"external_id": "x", "assets": {"chat": {"text": "x"}}}),
            ana.post("/v1/api-keys", json={"subject": "x", "roles": ["viewer"]}),
            ana.get(f"/v1/projects/{chats}/annotators"),
            manager.get(f"/v1/projects/{chats}"),
            manager.post(f"/v1/projects/{chats}/datasets", json={}),
        ]
        beyond = [
            manager.post("/v1/api-keys", json={"subject": "x", "roles": ["owner"], "projects": ["another-project"]}),
            manager.post("/v1/api-keys", json={"subject": "x", "roles": ["viewer"], "projects": [chats]}),
        ]

    for refusal in refusals:
        assert_problem(refusal, 403, "forbidden")
    assert codes(assert_problem(beyond[0], 422, "invalid-body")) == {"/roles": "beyond-your-roles"}
    assert codes(assert_problem(beyond[1], 422, "invalid-body")) == {"/projects": "beyond-your-projects"}


def test_everything_of_another_tenant_is_404(gateway, elsewhere, chats, ana):
    sample_id = gateway.submit(chats)
    task = claim_one(ana, chats)
    annotation_id = answer(ana, task, {"intent": "ask"}, prefer="wait=10").json()["annotation_id"]
    paths = [
        *(f"/v1/projects/{chats}{rest}" for rest in ("", "/versions", "/versions/1", "/progress", "/agreement")),
        *(f"/v1/projects/{chats}/{rest}" for rest in ("annotators", "consistency", "audit", "datasets", "findings")),
        f"/v1/projects/{chats}/errors",
        *(f"/v1/samples/{sample_id}{rest}" for rest in ("", "/label", "/label/history", "/assets/chat")),
        f"/v1/annotations/{annotation_id}",
        f"/v1/annotations/{annotation_id}/revisions",
    ]

    with elsewhere.http() as stranger, elsewhere.http(elsewhere.key_of("ana")) as worker:
        answers = [stranger.get(path) for path in paths]
        answers += [
            stranger.post(f"/v1/projects/{chats}/samples", json={"external_id": "x", "assets": {}}),
            stranger.post(f"/v1/projects/{chats}/imports", content=b"{}\n"),
            stranger.post(f"/v1/projects/{chats}/datasets", json={}),
            stranger.post(f"/v1/projects/{chats}/predictions", content=b"{}\n"),
            stranger.post(f"/v1/projects/{chats}/pause"),
            stranger.post("/v1/uploads", json={"project": chats, "filename": "x.jpg", "size": 1}),
        ]
        listed = stranger.get(f"/v1/samples/{sample_id}/annotations")
        claimed = worker.post("/v1/tasks/claim", json={"project": chats})
        taken = answer(worker, task, {"intent": "ask"})

    for response in answers:
        assert_problem(response, 404, "not-found")
    assert listed.status_code == 404 or listed.json()["items"] == []
    assert claimed.status_code == 404 or claimed.json()["tasks"] == []
    assert_problem(taken, 409, "lease-lost")


# --- how they ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/projects/{project}", b'{"title": '),
        ("PUT", "/v1/projects/{project}", b"title: [unclosed"),
        ("PUT", "/v1/projects/{project}", b"\xff\xfe\x00"),
        ("POST", "/v1/projects/{project}/check", b"a: b: c"),
        ("POST", "/v1/projects/{project}/samples", b"{'single': 'quotes'}"),
        ("POST", "/v1/projects/{project}/samples", b'{"external_id": "a", "assets": {}} trailing'),
        ("POST", "/v1/projects/{project}/datasets", b"{"),
        ("POST", "/v1/api-keys", b"\xff"),
        ("POST", "/v1/uploads", b"nonsense"),
        ("POST", "/v1/tasks/claim", b"{"),
    ],
)
def test_a_body_that_cannot_be_read_is_400(gateway, owner, ana, chats, method, path, body):
    sender = ana if path.endswith("claim") else owner

    headers = {"content-type": "application/json"}
    response = sender.request(method, path.format(project=chats), content=body, headers=headers)

    assert_problem(response, 400, "malformed-body")


def test_an_unknown_path_is_404_and_a_wrong_method_405(owner, chats):
    assert_problem(owner.get("/v1/nothing/here"), 404, "request")
    assert_problem(owner.get("/"), 404, "request")
    assert_problem(owner.patch(f"/v1/projects/{chats}", json={}), 405, "request")
    assert_problem(owner.delete("/v1/uploads"), 405, "request")


def test_an_oversized_body_is_413_whether_or_not_its_length_is_declared(owner, ana, chats):
    big = b'{"external_id": "big", "assets": {"chat": {"text": "' + b"x" * 5_000_000 + b'"}}}'
    headers = {"content-type": "application/json"}
    path = f"/v1/projects/{chats}/samples"

    declared = owner.post(path, content=big, headers=headers)
    chunked = owner.post(path, content=iter([big[:2_000_000], big[2_000_000:]]), headers=headers)
    claimed = ana.post("/v1/tasks/claim", content=b" " * 100_000, headers=headers)

    for response in (declared, chunked, claimed):
        assert_problem(response, 413, "body-too-large")


def test_a_request_id_comes_back_and_one_is_made_where_there_is_none(owner):
    given, made = owner.get("/v1/nothing", headers={"x-request-id": "mine-1"}), owner.get("/v1/nothing")

    assert given.headers["x-request-id"] == given.json()["request_id"] == "mine-1"
    assert made.json()["request_id"]


# --- what they send ---------------------------------------------------------------------------------------------------


def test_a_spec_with_many_faults_is_refused_with_all_of_them_and_no_version_is_made(owner):
    project = f"faulty-{new_id()}"
    spec = a_spec(
        fields={
            "intent": {"kind": "choice", "asset": "nowhere", "options": ["ask"]},
            "shape": {"kind": "circle"},
        },
        quality={"overlap": 3, "max_overlap": 2},
        surprise=1,
    )

    problem = assert_problem(owner.put(f"/v1/projects/{project}", json=spec), 422, "invalid-body")

    about = {pointer.split("/")[1] for pointer in codes(problem)}
    assert {"fields", "quality", "surprise"} <= about
    assert {"/fields/intent/asset", "/fields/shape/kind"} <= codes(problem).keys()
    assert_problem(owner.get(f"/v1/projects/{project}"), 404, "not-found")


def test_an_unknown_project_is_404(owner, ana):
    sample = {"external_id": "x", "assets": {"chat": {"text": "x"}}}

    for response in (
        owner.get("/v1/projects/nowhere"),
        owner.post("/v1/projects/nowhere/samples", json=sample),
        owner.post("/v1/projects/nowhere/imports", content=b"{}\n"),
        owner.post("/v1/uploads", json={"project": "nowhere", "filename": "x", "size": 1}),
        owner.get("/v1/projects/nowhere/progress"),
        owner.get("/v1/samples/nowhere"),
        owner.get("/v1/datasets/nowhere"),
        owner.get("/v1/jobs/ingest-nowhere"),
        owner.get("/v1/jobs/nobody-nowhere"),
        owner.get("/v1/exports/nowhere/download"),
        owner.get("/v1/annotations/nowhere"),
        ana.get("/v1/tasks/nowhere/draft"),
    ):
        assert_problem(response, 404, "not-found")


def test_a_sample_with_faults_is_refused_with_all_of_them(owner, album):
    sample = {"external_id": "x", "assets": {"chat": {"text": "  "}, "foto": {"upload": "u"}}}
    shapeless = {"external_id": 7, "assets": {"chat": "text"}, "language": "no such", "extra": True}

    faults = codes(assert_problem(owner.post(f"/v1/projects/{album}/samples", json=sample), 422, "invalid-body"))
    shape = codes(assert_problem(owner.post(f"/v1/projects/{album}/samples", json=shapeless), 422, "invalid-body"))

    assert faults == {
        "/assets/chat/text": "empty",
        "/assets/photo": "missing-asset",
        "/assets/foto": "unknown-asset",
    }
    assert shape.keys() == {"/external_id", "/assets/chat", "/language", "/extra"}


def test_an_import_refuses_its_bad_lines_one_by_one_and_lists_them_to_be_corrected(gateway, owner):
    project = gateway.publish(a_spec())
    lines = [
        b'{"external_id": "good", "assets": {"chat": {"text": "Good."}}}',
        b'{"external_id": "unread',
        b'{"external_id": "empty", "assets": {"chat": {"text": ""}}}',
        b'{"external_id": "huge", "assets": {"chat": {"text": "' + b"x" * 1_100_000 + b'"}}}',
    ]

    job_id = owner.post(f"/v1/projects/{project}/imports", content=b"\n".join(lines)).json()["job_id"]
    with gateway.client() as client:
        job = client.wait_for(job_id)
        errors = owner.get(f"/v1/jobs/{job_id}/errors")

    listed = [json.loads(line) for line in errors.text.splitlines()]
    assert (job.done, job.failed, job.outcomes) == (4, 3, {"created": 1, "rejected": 3})
    assert {each["line"]: each["faults"][0]["code"] for each in listed} == {
        2: "invalid-json",
        3: "empty",
        4: "line-too-long",
    }


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("torn.jpg", PICTURE.read_bytes()[:4000], "truncated"),
        ("noise.jpg", PICTURE.read_bytes()[:600] + bytes(8000), None),
        ("speech.jpg", (MEDIA / "audio/fsdd/0_lucas_6.wav").read_bytes(), "wrong-type"),
        ("notes.jpg", b"These are words, not pixels.", "wrong-type"),
        ("large.png", (MEDIA / "images/camera.png").read_bytes(), "too-many-bytes"),
    ],
)
def test_a_corrupt_or_mislabeled_file_rejects_its_sample_and_the_corrected_one_is_taken(
    gateway, owner, album, tmp_path, name, content, code
):
    bad = tmp_path / name
    bad.write_bytes(content)
    assets = {"chat": {"text": "Look!"}, "photo": gateway.upload(album, bad)}

    sample_id = gateway.submit(album, external_id=name, assets=assets)
    rejected = until(lambda: in_state(owner, sample_id, "rejected"), "a rejected sample")
    again = gateway.submit(album, external_id=name, assets=assets | {"photo": gateway.upload(album, PICTURE)})
    taken = until(lambda: in_state(owner, sample_id, "ingested"), "an ingested sample")

    [fault] = rejected["faults"]
    assert fault["pointer"].startswith("/assets/photo")
    assert fault["message"]
    assert code is None or fault["code"] == code
    assert again == sample_id
    assert (taken["assets"]["photo"]["width"], taken["faults"]) == (320, [])


def test_an_answer_with_faults_is_refused_with_all_of_them_and_the_lease_lives_on(gateway, album):
    gateway.submit(album, assets={"chat": {"text": "Look!"}, "photo": gateway.upload(album, PICTURE)})
    with gateway.http(gateway.key_of("lee")) as lee:
        task = claim_one(lee, album)
        box = {"id": "r", "shape": "box", "label": "lizard", "x": 300, "y": 10, "width": 100, "height": 10}

        refused = answer(lee, task, {"quality": 9, "animals": [box], "mood": "good"})
        held = lee.get("/v1/tasks").json()["items"]
        accepted = answer(lee, task, {"intent": "ask"}, prefer="wait=10")

    faults = codes(assert_problem(refused, 422, "invalid-body"))
    assert faults["/fields/intent"] == "missing-field"
    assert faults["/fields/mood"] == "unknown-field"
    assert {pointer.split("/")[2] for pointer in faults} == {"intent", "mood", "quality", "animals"}
    assert task["task"] in {each["task"] for each in held}
    assert accepted.status_code == 201


# --- whose work it is -------------------------------------------------------------------------------------------------


def test_a_forged_lease_another_s_and_one_for_another_task_are_409(gateway, chats, ana):
    for _ in range(2):
        gateway.submit(chats)
    with gateway.http(gateway.key_of(f"eve-{new_id()}")) as eve:
        hers, mine = claim_one(ana, chats), claim_one(eve, chats)
        claims = jwt.decode(mine["lease"]["token"], options={"verify_signature": False})
        claims["lease"]["expires_ms"] += 10**9
        forged = jwt.encode(claims, "a secret that is long enough but not ours", "HS256")

        refusals = [
            answer(eve, mine | {"lease": {"token": token}}, {"intent": "ask"})
            for token in (forged, "nonsense", hers["lease"]["token"])
        ]
        refusals += [
            eve.post(f"/v1/tasks/{mine['task']}/{verb}", headers={"lease-token": forged}, json={})
            for verb in ("heartbeat", "release", "skip")
        ]
        refusals.append(answer(eve, {"task": f"{mine['task']}0", "lease": mine["lease"]}, {"intent": "ask"}))
        without = eve.post(f"/v1/tasks/{mine['task']}/annotations", json={"fields": {"intent": "ask"}})

        for task, holder in ((hers, ana), (mine, eve)):
            released = holder.post(f"/v1/tasks/{task['task']}/release", headers={"lease-token": task["lease"]["token"]})
            assert released.status_code == 204

    for refusal in refusals:
        assert_problem(refusal, 409, "lease-lost")
    assert "/header/Lease-Token" in codes(assert_problem(without, 422, "invalid-body"))


def test_a_released_lease_is_lost_and_what_is_submitted_under_it_does_not_count(gateway, owner, chats):
    gateway.submit(chats)
    with gateway.http(gateway.key_of(f"kim-{new_id()}")) as kim:
        task = claim_one(kim, chats)
        token = {"lease-token": task["lease"]["token"]}
        kim.post(f"/v1/tasks/{task['task']}/release", headers=token)

        again = kim.post(f"/v1/tasks/{task['task']}/release", headers=token)
        beat = kim.post(f"/v1/tasks/{task['task']}/heartbeat", headers=token)
        refused = answer(kim, task, {"intent": "tell"})

    assert again.status_code == 204, "a release that is sent again has done its work already"
    assert_problem(beat, 409, "lease-lost")
    assert_problem(refused, 409, "lease-lost")


def test_a_stale_lease_is_409_and_the_work_is_kept_as_a_draft_that_does_not_count(gateway, owner):
    project = gateway.publish(a_spec(quality={"overlap": 1}, workflow={"lease_seconds": 5}))
    sample_id = gateway.submit(project)
    with gateway.http(gateway.key_of("dee")) as dee:
        task = claim_one(dee, project)
        ends = datetime.fromisoformat(task["lease"]["expires_at"]) + LEASE_GRACE + timedelta(seconds=0.5)
        time.sleep((ends - datetime.now(UTC)).total_seconds())

        refused = answer(dee, task, {"intent": "tell"})
        draft = until(lambda: found(dee.get(f"/v1/tasks/{task['task']}/draft")), "a draft")

    assert_problem(refused, 409, "lease-expired")
    assert draft["fields"] == {"intent": "tell"}
    assert draft["surplus"] == "lease-expired"
    assert_problem(owner.get(f"/v1/samples/{sample_id}/label"), 404, "not-found")


# --- and the services behind the gateway ------------------------------------------------------------------------------


def test_services_answer_the_gateway_alone(stack, gateway):
    settings = stack.settings()

    for name in ("ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback"):
        url = settings[f"LABELMESH_{name.upper()}_URL"]
        path = {"task_assignment": "/v1/tasks", "ingest": "/v1/samples/x", "annotation_store": "/v1/samples/x/label"}
        response = httpx2.get(
            url + path.get(name, "/v1/projects/x/errors"), headers={"authorization": f"Bearer {gateway.owner_key}"}
        )
        assert response.headers["content-type"] == PROBLEM_TYPE
        assert response.status_code in {401, 404}
