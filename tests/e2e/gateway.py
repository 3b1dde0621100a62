"""The gateway as its clients see it: keys, projects, and calls that show what a test is about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from deploy.local.stack import Stack
from labelmesh import Labelmesh, api, workforce
from labelmesh.errors import NotFoundError
from labelmesh.models import Job
from shared.ids import new_id

MEDIA = Path(__file__).parents[2] / "examples" / "media"
PICTURE = MEDIA / "images" / "gecko-320-213.jpg"
"""320 x 213 pixels."""
PROBLEM_TYPE = "application/problem+json"

A = TypeVar("A")


@dataclass(frozen=True)
class Gateway:
    """The gateway of the stack under test, and the key of a tenant's owner."""

    url: str
    owner_key: str

    @classmethod
    def of(cls, stack: Stack) -> Gateway:
        """Return the gateway of a stack, as the owner of its first tenant."""
        settings = stack.settings()
        return cls(settings["LABELMESH_GATEWAY_URL"], settings["LABELMESH_OWNER_KEY"])

    def client(self, key: str | None = None, attempts: int = 40) -> Labelmesh:
        """Return a client that tries again for as long as any fault here lasts."""
        return Labelmesh(self.url, key or self.owner_key, attempts=attempts)

    def http(self, key: str | None = None) -> httpx2.Client:
        """Return a bare HTTP client, which shows every answer as it is."""
        headers = {"authorization": f"Bearer {key or self.owner_key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60)

    def key_of(self, subject: str, *roles: str, projects: tuple[str, ...] = ()) -> str:
        """Make a key and return its secret."""
        with self.client() as owner:
            return str(owner.ask(workforce.create_key(subject, roles or ("annotator",), projects))["key"])

    def publish(self, spec: Mapping[str, Any]) -> str:
        """Publish a project under a name of its own, and return the name."""
        project = f"e2e-{new_id()}"
        with self.client() as owner:
            owner.ask(api.publish_project(project, spec))
        return project

    def submit(self, project: str, **sample: Any) -> str:
        """Send a sample and return its id; without assets it has a chat."""
        sample = {"external_id": new_id(), "assets": {"chat": {"text": "How are you?"}}} | sample
        with self.client() as owner:
            return str(owner.ask(api.submit_sample(project, sample))["sample_id"])

    def upload(self, project: str, file: Path) -> dict[str, str]:
        """Upload a file and return it as an asset of a sample."""
        with self.client() as owner:
            return {"upload": owner.upload_file(project, file).upload_id}


def a_spec(**changes: Any) -> dict[str, Any]:
    """A project of chats with one choice, answered by two annotators; ``changes`` replace top-level parts."""
    return {
        "title": "Chats",
        "objective": {"goal": "Tell.", "output": "predictive", "modalities": ["text"], "downstream": ["training"]},
        "assets": {"chat": {"modality": "text"}},
        "fields": {"intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]}},
        "quality": {"overlap": 2, "max_overlap": 3, "quorum": 0.6},
        "workflow": {"lease_seconds": 30},
    } | changes


def until(look: Callable[[], A | None], what: str, seconds: float = 30) -> A:
    """Return what ``look`` finds, as soon as that is something.

    Raises:
        AssertionError: Nothing was found in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"after {seconds:g} s there is still not: {what}")


def found(response: httpx2.Response) -> Any:
    """Return the decoded body of an answer, None when there is no such thing yet."""
    if response.status_code == 404:
        return None
    response.raise_for_status()
    return response.json()


def job_of(client: Labelmesh, job_id: str) -> Job | None:
    """Return how far a job is, None while the service that counts it has not heard of it."""
    try:
        return client.job(job_id)
    except NotFoundError:
        return None


def in_state(http: httpx2.Client, sample_id: str, state: str) -> dict[str, Any] | None:
    """Return a sample when it is in a state: ``waiting``, ``ingested`` or ``rejected``."""
    sample: dict[str, Any] | None = found(http.get(f"/v1/samples/{sample_id}"))
    return sample if sample is not None and sample["state"] == state else None


def claim_one(http: httpx2.Client, project: str) -> dict[str, Any]:
    """Return a task of a project once there is one for the caller."""

    def look() -> dict[str, Any] | None:
        answer = http.post("/v1/tasks/claim", json={"count": 1, "project": project})
        assert answer.status_code == 200, answer.text
        return next(iter(answer.json()["tasks"]), None)

    return until(look, f"a task of {project}")


def answer(http: httpx2.Client, task: Mapping[str, Any], fields: Mapping[str, Any], **more: Any) -> httpx2.Response:
    """Submit an answer to a claimed task; ``more`` are headers, with ``_`` for ``-``."""
    headers = {"lease-token": task["lease"]["token"]} | {name.replace("_", "-"): each for name, each in more.items()}
    return http.post(f"/v1/tasks/{task['task']}/annotations", json={"fields": fields}, headers=headers)


def assert_problem(response: httpx2.Response, status: int, type_: str) -> dict[str, Any]:
    """Check that an answer is a problem document of RFC 9457 with all our members, and return it."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"] == PROBLEM_TYPE
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "instance", "request_id", "errors"} <= problem.keys()
    assert problem["type"].rsplit("/", 1)[-1] == type_, problem
    assert problem["status"] == status
    assert problem["title"] and problem["detail"]
    assert problem["instance"] == response.request.url.path
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def codes(problem: Mapping[str, Any]) -> dict[str, str]:
    """Return the faults of a problem: code by pointer."""
    return {each["pointer"]: each["code"] for each in problem["errors"]}
