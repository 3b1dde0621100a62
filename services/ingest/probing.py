"""Probe files in worker processes, so that a hostile file costs one worker and never the service."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from services.ingest.domain.finding import Finding, Preview
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.probe_worker import LENGTH
from shared.errors import UnavailableError
from shared.labels.facts import AssetFacts
from shared.labels.pii.model import PiiFinding
from shared.labels.policies import PiiPolicy

logger = logging.getLogger(__name__)

_START_LIMIT = timedelta(seconds=60)
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_PREVIEWS = 300
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""Of the service's environment a worker sees these alone: the rest holds passwords."""


class _Request(NamedTuple):
    path: str
    modality: str
    filename: str
    declared_media_type: str | None
    pii: dict[str, Any] | None


class _Answer(NamedTuple):
    """What a worker said: facts or a reason, and the previews that it made."""

    told: dict[str, Any]
    previews: Sequence[Preview] = ()


class _WorkerDiedError(Exception):
    """The process ended without an answer."""


@dataclass(frozen=True)
class _Worker:
    """One process, how many files it has read, and since when (the loop's time) it has had nothing to do."""

    process: Process
    files: int = 0
    idle_since: float = 0.0

    async def ask(self, message: bytes) -> _Answer:
        """Send one request and wait for its answer, without a limit of its own."""
        assert self.process.stdin is not None  # noqa: S101 - both were asked for as pipes
        try:
            self.process.stdin.write(LENGTH.pack(len(message)) + message)
            await self.process.stdin.drain()
            head = await self.hear(_MAX_ANSWER_BYTES)
            left = _MAX_ANSWER_BYTES - len(head)
            answer: dict[str, Any] = json.loads(head)
            previews = []
            for told in answer.get("previews", ())[:_MAX_PREVIEWS]:
                previews.append(Preview(told["name"], told["media_type"], await self.hear(left)))
                left -= len(previews[-1].content)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError, TypeError) as error:
            raise _WorkerDiedError from error
        return _Answer(answer, previews)

    async def hear(self, limit: int = 1024) -> bytes:
        """Read one message of the worker, of at most ``limit`` bytes."""
        assert self.process.stdout is not None  # noqa: S101 - as above
        (length,) = LENGTH.unpack(await self.process.stdout.readexactly(LENGTH.size))
        if length > limit:
            raise ValueError("a worker's answer is larger than any facts and previews")
        return await self.process.stdout.readexactly(length)

    async def end(self) -> int:
        """Kill the process, whatever it does, and return its exit status (negative: the signal)."""
        if self.process.returncode is None:
            try:
                self.process.kill()
            except ProcessLookupError:
                logger.debug("the worker had ended by itself")
        return await self.process.wait()


class ProbePool:
    """Worker processes that probe files, each with limits of time and memory.

    Workers are started when first needed and kept while they are needed: each has decoders of 100 MB in memory, so one
    that had nothing to do for ``idle_limit`` is ended. One that crashes, hangs or has read ``files_per_worker`` files is
    replaced; the file it crashed on is tried once more in a fresh worker, since a worker may also be killed from outside.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        time_limit: timedelta = timedelta(seconds=60),
        memory_limit: int = 2 * 1024**3,
        files_per_worker: int = 2000,
        idle_limit: timedelta = timedelta(seconds=60),
        probe: str = "services.ingest.domain.probe:probe",
    ) -> None:
        """Set the limits; nothing is started yet.

        Args:
            workers: Processes that may run at a time; the number of cores when None.
            time_limit: For one file, once a worker has it.
            memory_limit: Bytes of address space of a worker (RLIMIT_AS); libraries alone map about 300 MB.
            files_per_worker: After so many files a worker is replaced, which bounds what decoders leak.
            idle_limit: After so long without a file a worker is ended.
            probe: ``module:function`` called in the worker, with the signature of ``domain.probe.probe``.
        """
        self._size = workers or os.cpu_count() or 1
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._files_per_worker = files_per_worker
        self._idle_limit = idle_limit.total_seconds()
        self._retirement: asyncio.Task[None] | None = None
        self._probe = probe
        self._slots = asyncio.Semaphore(self._size)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def probe(
        self,
        path: Path,
        modality: str,
        filename: str,
        declared_media_type: str | None,
        pii: PiiPolicy | None = None,
    ) -> Finding:
        """Find the facts of a file and make its previews; waits while all workers are busy.

        Args:
            path: The file, on this machine's disk.
            modality: What the slot asks for: text, image, audio, video, sensor or document.
            filename: The name the client gave.
            declared_media_type: The media type the client gave, or None.
            pii: What becomes of personal data in a text; None where it is not looked for.

        Raises:
            MediaRejectedError: The file cannot be used. Beside the codes of ``domain.probe``: ``probe-timeout``,
                ``probe-out-of-memory``, ``probe-crashed`` (twice) and ``probe-failed``.
            UnavailableError: No worker can be started, the file is not readable here, or the pool is closed; this
                says nothing about the file, so try again later.
        """
        policy = None if pii is None else pii.model_dump(mode="json")
        request = _Request(str(path), modality, filename, declared_media_type, policy)
        async with self._slots:
            answer = await self._ask_some_worker(request)
        return self._judge(answer, filename)

    async def close(self) -> None:
        """End all workers; files being probed raise ``UnavailableError``. Harmless when called twice."""
        self._closed = True
        if self._retirement is not None:
            self._retirement.cancel()
            await asyncio.gather(self._retirement, return_exceptions=True)
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(worker.end() for worker in workers))

    async def _ask_some_worker(self, request: _Request) -> _Answer:
        for attempt in (1, 2):
            worker = self._idle.pop() if self._idle and attempt == 1 else await self._start()
            try:
                return await self._ask(worker, request)
            except _WorkerDiedError:
                status = await worker.end()
                self._require_open()
                logger.warning("a probe worker died", extra={"status": status, "attempt": attempt})
        return _Answer({"rejected": "probe-crashed"})

    async def _ask(self, worker: _Worker, request: _Request) -> _Answer:
        """Ask one worker; only after a full answer may it be asked again, so whatever else happens ends it."""
        message = json.dumps(request._asdict()).encode()
        self._busy.add(worker)
        answered = False
        try:
            async with asyncio.timeout(self._time_limit.total_seconds()):
                answer = await worker.ask(message)
            answered = True
        except TimeoutError:
            return _Answer({"rejected": "probe-timeout"})
        finally:
            self._busy.discard(worker)
            if answered and not self._closed and worker.files + 1 < self._files_per_worker:
                self._rest(_Worker(worker.process, worker.files + 1, asyncio.get_running_loop().time()))
            else:
                await worker.end()
        return answer

    def _rest(self, worker: _Worker) -> None:
        self._idle.append(worker)
        if self._retirement is None or self._retirement.done():
            self._retirement = asyncio.create_task(self._retire_idle(), name="retire idle probe workers")

    async def _retire_idle(self) -> None:
        """End each worker that has been idle for long; the last used is the first to be asked, so the rest wait below."""
        while self._idle:
            due = self._idle[0].idle_since + self._idle_limit
            now = asyncio.get_running_loop().time()
            if due > now:
                await asyncio.sleep(due - now)
            else:
                await self._idle.pop(0).end()

    async def _start(self) -> _Worker:
        self._require_open()
        worker = _Worker(
            await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=PIPE,
                stdout=PIPE,
                env=_environment(),
                start_new_session=True,  # the terminal's Ctrl-C is for the service, which then ends its workers itself
            )
        )
        self._busy.add(worker)
        ready = False
        try:
            async with asyncio.timeout(_START_LIMIT.total_seconds()):
                await worker.hear()
            ready = True
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise UnavailableError(
                "No probe worker could be started; look at the memory limit and the logs."
            ) from error
        finally:
            self._busy.discard(worker)
            if not ready or self._closed:
                await worker.end()
        self._require_open()
        return worker

    def _command(self) -> list[str]:
        # The worker's own alarm comes well after our limit: it is for the case that we are gone.
        alarm = math.ceil(self._time_limit.total_seconds() * 2) + 10
        return [
            sys.executable, "-P", "-m", "services.ingest.probe_worker",
            "--probe", self._probe,
            "--memory-bytes", str(self._memory_limit),
            "--alarm-seconds", str(alarm),
        ]  # fmt: skip

    def _require_open(self) -> None:
        if self._closed:
            raise UnavailableError("Ingest is stopping; the file will be probed after its restart.")

    def _judge(self, answer: _Answer, filename: str) -> Finding:
        told = answer.told
        if "facts" in told:
            return Finding(
                AssetFacts.model_validate(told["facts"]),
                answer.previews,
                [PiiFinding.model_validate(each) for each in told["pii"]],
                told["is_masked"],
                told["sha256"],
            )
        if "unreadable" in told:
            raise UnavailableError(f"The file {filename} could not be read for probing: {told['unreadable']}.")
        code = told["rejected"]
        if code == "probe-failed":
            logger.error("a probe failed unexpectedly", extra={"trace": told["trace"]})
        raise MediaRejectedError(code, told.get("detail") or self._explain(code))

    def _explain(self, code: str) -> str:
        reasons = {
            "probe-timeout": f"Reading the file took more than {self._time_limit.total_seconds():g} s",
            "probe-out-of-memory": f"Reading the file takes more than {self._memory_limit // 1024**2} MiB of memory",
            "probe-crashed": "The file makes its decoder crash",
            "probe-failed": "The file could not be examined",
        }
        return f"{reasons[code]}; export it again, smaller or in another format."


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
