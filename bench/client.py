"""The gateway's client for a benchmark, and processes of their own to run it in, so that load does not measure itself."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

import aiohttp
import orjson

from shared.connections import Connections, NoAnswerError

START_SECONDS: Final = 2.0
"""What load processes have to import themselves before they begin together."""

A = TypeVar("A")
R = TypeVar("R")


class BenchError(Exception):
    """The stack did not do what the benchmark needs; the message says what."""


class Answer(NamedTuple):
    """What the gateway answered, and how long that took."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return the decoded body."""
        return orjson.loads(self.body)

    def expect(self, *statuses: int) -> Answer:
        """Return this answer if it has one of ``statuses``.

        Raises:
            BenchError: It has another.
        """
        if self.status not in statuses:
            raise BenchError(f"The gateway answered {self.status}, not {statuses}: {self.body[:500].decode()}")
        return self


class Client:
    """Calls the gateway with one key over kept connections."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connections = Connections()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=600),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its whole answer; a body that is an iterator is streamed.

        Raises:
            BenchError: The gateway does not answer.
        """
        if self._session is None:
            raise BenchError("The client was not opened; use it in `async with`.")
        sent = self._headers if headers is None else {**self._headers, **headers}
        started = time.perf_counter()
        if body is None or isinstance(body, bytes):
            try:
                status, _, found = await self._connections.request(method, self._url, path, sent, body)
            except NoAnswerError as error:
                raise BenchError(str(error)) from error
            return Answer(status, found, time.perf_counter() - started)
        async with self._session.request(method, self._url + path, data=body, headers=sent) as answer:
            found = await answer.read()
            return Answer(answer.status, found, time.perf_counter() - started)


def run_in_processes(work: Callable[[A], Coroutine[Any, Any, R]], shares: Sequence[A]) -> list[R]:
    """Run ``work`` for each share in a process of its own, and return what each found.

    Args:
        work: A function of a module, for its name is what travels.
        shares: What each process does.
    """
    with ProcessPoolExecutor(len(shares), mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_run, [work] * len(shares), shares))


def _run(work: Callable[[A], Coroutine[Any, Any, R]], share: A) -> R:
    return asyncio.run(work(share))
