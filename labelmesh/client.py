"""The Python client: ``Labelmesh`` for scripts, ``AsyncLabelmesh`` for programs that do many things at once.

>>> from labelmesh import Labelmesh
>>> with Labelmesh("http://127.0.0.1:18080", key) as client:
...     [task] = client.claim(project="support").tasks
...     client.submit(task, {"intent": "refund"})

Each function of ``labelmesh.api``, ``labelmesh.workforce`` and ``labelmesh.steps`` is a method of both; of
``AsyncLabelmesh``, to be awaited.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import update_wrapper
from importlib import metadata
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, Self, TypeVar, overload

import httpx2

from labelmesh import api, steps, workforce
from labelmesh.api import Ask
from labelmesh.feed import FEED, FeedEvent, check_feed, feed_headers, read_event
from labelmesh.requests import Call
from labelmesh.retry import ATTEMPTS, Outcome, Pause, Steps, persistent
from labelmesh.transport import FILE_CHUNK, TIMEOUT, Transfer, request_of, transfer_request

A = TypeVar("A")
P = ParamSpec("P")

RECONNECT_SECONDS: Final = 1.0


class Method(Generic[P, A]):
    """A call or several steps as a method, of whichever client it is looked up on."""

    def __init__(self, make: Callable[P, Ask[A]] | Callable[P, Steps[A]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Labelmesh, owner: type) -> Callable[P, A]: ...
    @overload
    def __get__(self, client: AsyncLabelmesh, owner: type) -> Callable[P, Coroutine[Any, Any, A]]: ...

    def __get__(self, client: Labelmesh | AsyncLabelmesh | None, owner: type) -> Any:
        if client is None:
            return self
        take, make = client.take, self._make

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            made = make(*args, **kwargs)
            return take(steps.ask(made) if isinstance(made, Ask) else made)

        return update_wrapper(call, make)


class Methods:
    """What both clients can do, each told once."""

    ask = Method(steps.ask)
    everything = Method(steps.everything)

    publish_project = Method(api.publish_project)
    check_project = Method(api.check_project)
    projects = Method(api.projects)
    project = Method(api.project)
    set_project_state = Method(api.set_project_state)
    delete_project = Method(api.delete_project)
    progress = Method(api.progress)
    audit = Method(api.audit)
    late = Method(api.late)

    publish_taxonomy = Method(api.publish_taxonomy)
    taxonomies = Method(api.taxonomies)
    taxonomy = Method(api.taxonomy)
    migrations = Method(api.migrations)
    migrate_taxonomy = Method(api.migrate_taxonomy)
    try_migration = Method(api.try_migration)
    roll_back_migration = Method(api.roll_back_migration)
    try_rollback = Method(api.try_rollback)

    create_upload = Method(api.create_upload)
    upload_file = Method(steps.upload_file)
    resume_upload = Method(api.resume_upload)
    complete_upload = Method(api.complete_upload)
    submit_sample = Method(api.submit_sample)
    import_samples = Method(steps.import_samples)
    import_prefix = Method(api.import_prefix)
    job = Method(api.job)
    job_errors = Method(api.job_errors)
    cancel_job = Method(api.cancel_job)
    wait_for = Method(steps.wait_for)
    sample = Method(api.sample)
    label = Method(api.label)
    label_history = Method(api.label_history)
    annotations = Method(api.annotations)
    annotation = Method(api.annotation)

    claim = Method(api.claim)
    held = Method(api.held)
    heartbeat = Method(api.heartbeat)
    release = Method(api.release)
    skip = Method(api.skip)
    submit = Method(api.submit)
    review = Method(api.review)
    draft = Method(api.draft)
    put_draft = Method(api.put_draft)

    quality = Method(api.quality)
    annotators = Method(workforce.annotators)
    annotator = Method(workforce.annotator)
    declare_annotator = Method(workforce.declare_annotator)
    workload = Method(workforce.workload)
    create_key = Method(workforce.create_key)
    keys = Method(workforce.keys)
    delete_key = Method(workforce.delete_key)

    freeze = Method(api.freeze)
    datasets = Method(api.datasets)
    dataset = Method(api.dataset)
    diff = Method(api.diff)
    tag = Method(api.tag)
    export = Method(api.export)
    export_formats = Method(api.export_formats)
    download_export = Method(steps.download_export)

    predict = Method(steps.predict)
    errors = Method(api.errors)
    findings = Method(api.findings)
    finding = Method(api.finding)
    dismiss = Method(api.dismiss)


class Labelmesh(Methods):
    """A connection to the gateway. Faults that pass are retried; what is refused raises ``ApiError``."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        attempts: int = ATTEMPTS,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Prepare a connection.

        Args:
            url: The gateway's address.
            key: An API key.
            attempts: How often a call is sent at the most.
            transport: A transport of httpx2, for tests.
            sleep: Waits for some seconds.
        """
        self._url = url
        self._attempts = attempts
        self._sleep = sleep
        self._http = httpx2.Client(base_url=url, headers=_headers(key), timeout=TIMEOUT, transport=transport)
        self._store = httpx2.Client(timeout=TIMEOUT, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._store.close()

    def take(self, steps: Steps[A]) -> A:
        """Take steps to their end and return their result."""
        persisting = persistent(steps, self._attempts, self._url)
        outcome: Outcome | None = None
        while True:
            try:
                effect = persisting.send(outcome)
            except StopIteration as done:
                result: A = done.value
                return result
            if isinstance(effect, Pause):
                self._sleep(effect.seconds)
                outcome = None
            else:
                outcome = self._outcome(effect)

    def events(self, last_event_id: str | None = None) -> Iterator[FeedEvent]:
        """Yield what happens in the tenant, from now on, without end; a connection that breaks is made again.

        Args:
            last_event_id: The ``id`` of an event; the feed goes on after it where the gateway still can.

        Raises:
            ApiError: The gateway refused.
        """
        while True:
            try:
                with self._http.stream("GET", FEED, headers=feed_headers(last_event_id)) as response:
                    if response.status_code >= 400:
                        response.read()
                    check_feed(response)
                    for each in httpx2.EventSource(response):
                        if (event := read_event(each)) is not None:
                            last_event_id = event.id or last_event_id
                            yield event
            except httpx2.TransportError:
                pass
            self._sleep(RECONNECT_SECONDS)

    def _outcome(self, effect: Call | Transfer) -> Outcome:
        try:
            if isinstance(effect, Call):
                return self._http.send(request_of(self._http, effect))
            request = transfer_request(self._store, effect)
            return self._download(request, effect) if effect.method == "GET" else self._store.send(request)
        except httpx2.TransportError as error:
            return error

    def _download(self, request: httpx2.Request, transfer: Transfer) -> httpx2.Response:
        response = self._store.send(request, stream=True)
        try:
            if response.status_code >= 400:
                response.read()
                return response
            with transfer.part.open("wb") as file:
                for chunk in response.iter_bytes(FILE_CHUNK):
                    file.write(chunk)
        finally:
            response.close()
        transfer.part.replace(transfer.file)
        return response


class AsyncLabelmesh(Methods):
    """As ``Labelmesh``, with awaitable methods."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        attempts: int = ATTEMPTS,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Prepare a connection; the arguments are those of ``Labelmesh``."""
        self._url = url
        self._attempts = attempts
        self._sleep = sleep
        self._http = httpx2.AsyncClient(base_url=url, headers=_headers(key), timeout=TIMEOUT, transport=transport)
        self._store = httpx2.AsyncClient(timeout=TIMEOUT, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._store.aclose()

    async def take(self, steps: Steps[A]) -> A:
        """Take steps to their end and return their result."""
        persisting = persistent(steps, self._attempts, self._url)
        outcome: Outcome | None = None
        while True:
            try:
                effect = persisting.send(outcome)
            except StopIteration as done:
                result: A = done.value
                return result
            if isinstance(effect, Pause):
                await self._sleep(effect.seconds)
                outcome = None
            else:
                outcome = await self._outcome(effect)

    async def events(self, last_event_id: str | None = None) -> AsyncIterator[FeedEvent]:
        """Yield what happens in the tenant, as ``Labelmesh.events``."""
        while True:
            try:
                async with self._http.stream("GET", FEED, headers=feed_headers(last_event_id)) as response:
                    if response.status_code >= 400:
                        await response.aread()
                    check_feed(response)
                    async for each in httpx2.EventSource(response):
                        if (event := read_event(each)) is not None:
                            last_event_id = event.id or last_event_id
                            yield event
            except httpx2.TransportError:
                pass
            await self._sleep(RECONNECT_SECONDS)

    async def _outcome(self, effect: Call | Transfer) -> Outcome:
        try:
            if isinstance(effect, Call):
                return await self._http.send(request_of(self._http, effect))
            request = transfer_request(self._store, effect)
            return await (self._download(request, effect) if effect.method == "GET" else self._store.send(request))
        except httpx2.TransportError as error:
            return error

    async def _download(self, request: httpx2.Request, transfer: Transfer) -> httpx2.Response:
        response = await self._store.send(request, stream=True)
        try:
            if response.status_code >= 400:
                await response.aread()
                return response
            with transfer.part.open("wb") as file:
                async for chunk in response.aiter_bytes(FILE_CHUNK):
                    await asyncio.to_thread(file.write, chunk)
        finally:
            await response.aclose()
        transfer.part.replace(transfer.file)
        return response


def _headers(key: str) -> dict[str, str]:
    """Return what goes with every request; what sent an answer is kept with it."""
    return {"authorization": f"Bearer {key}", "user-agent": f"labelmesh-python/{_version()}"}


def _version() -> str:
    try:
        return metadata.version("labelmesh")
    except metadata.PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
