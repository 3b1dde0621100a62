"""A gateway that answers as a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import orjson

from labelmesh import AsyncLabelmesh, Labelmesh

URL = "http://gateway.test"
KEY = "lm_id_secret"
Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


def json_answer(content: Any, status: int = 200, **headers: str) -> httpx2.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": "application/json"}
    return httpx2.Response(status, content=orjson.dumps(content), headers=sent)


def problem(status: int, name: str, *faults: dict[str, str], **more: Any) -> httpx2.Response:
    document = {
        "type": f"https://labelmesh.dev/problems/{name}",
        "title": f"Title of {name}",
        "status": status,
        "detail": f"What happened with {name}, and what to do next.",
        "errors": list(faults),
        **more,
    }
    headers = {"content-type": "application/problem+json", "retry-after": "3"} if status == 503 else {}
    return httpx2.Response(status, content=orjson.dumps(document), headers=headers)


class AGateway:
    """Gives its answers to a path in turn; the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)

    def answers(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] += answers

    def sent(self, method: str, path: str) -> Sequence[httpx2.Request]:
        return [each for each in self.requests if (each.method, each.url.path) == (method, path)]

    def client(self, **more: Any) -> Labelmesh:
        def send(request: httpx2.Request) -> httpx2.Response:
            request.read()
            return self._answer(request)

        return Labelmesh(URL, KEY, transport=httpx2.MockTransport(send), sleep=self.slept.append, **more)

    def async_client(self, **more: Any) -> AsyncLabelmesh:
        async def send(request: httpx2.Request) -> httpx2.Response:
            await request.aread()
            return self._answer(request)

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return AsyncLabelmesh(URL, KEY, transport=httpx2.MockTransport(send), sleep=sleep, **more)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        waiting = self._answers[request.method, request.url.path]
        assert waiting, f"nobody told what {request.method} {request.url.path} answers"
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx2.Response):
            return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)
        return answer(request)


async def result_of(made: Any) -> Any:
    """Return what a method of either client gave."""
    return await made if inspect.isawaitable(made) else made


def a_task(**changes: Any) -> dict[str, Any]:
    return {
        "task": "s1.first_pass.1",
        "stage": "first_pass",
        "project": "support",
        "project_version": 3,
        "sample": {"sample_id": "s1", "external_id": "chat-1", "language": "en", "metadata": {"source": "mail"}},
        "assets": {"chat": {"modality": "text", "text": "Where is my parcel?"}, "photo": {"url": "http://old"}},
        "fields": {"intent": {"kind": "choice", "options": ["ask", "refund"]}},
        "guidelines": {"version": 3, "text": {"text": "Read it all."}},
        "predictions": None,
        "proposal": None,
        "reason": "",
        "lease": {"token": "token-1", "expires_at": "2026-11-24T10:00:00+00:00"},
    } | changes
