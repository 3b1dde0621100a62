"""Claims at the replicas of task assignment: those that come while requests are under way go together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from zlib import crc32

import orjson
from fastapi import Request

from services.gateway.inner import Answer, Inner, Members
from services.gateway.settings import GatewaySettings
from shared.claims import AskedClaim
from shared.connections import ANSWER_SECONDS
from shared.errors import MalformedBodyError, UnavailableError
from shared.security import Principal

AT_ONCE: Final = 2
"""Requests to a replica under way: while it serves one, the next lies ready."""
MOST_TOGETHER: Final = 100
MOST_CHARS: Final = 1024 * 1024
"""Of what clients send: JSON may take six bytes for each, and task assignment reads no more than 16 MB."""

Send = Callable[[Sequence[AskedClaim]], Awaitable[Sequence[Answer]]]
Waiting = tuple[AskedClaim, asyncio.Future[Answer]]
"""A claim, and who waits for its answer."""


class Claiming:
    """Claims for whoever asks, at the replicas that there are."""

    def __init__(self, inner: Inner, members: Members, settings: GatewaySettings) -> None:
        self._inner = inner
        self._members = members
        self._settings = settings
        self._lines: dict[str, Line] = {}

    async def claim(self, principal: Principal, request: Request, body: bytes, answered: Sequence[str]) -> Answer:
        """Claim at a replica chosen by the annotator, and go on to the next while there is less than they ask for.

        A replica gives out what it owns. The next one tells of what was given just now as well, for these leases are
        live; so the fullest answer has them all.

        Args:
            principal: Who claims.
            request: Their request.
            body: What they ask for.
            answered: Leases whose answers are in the log, though perhaps not folded yet.

        Raises:
            MalformedBodyError: The body is no text.
            UnavailableError: No replica answers.
        """
        asked = self._asked(principal, request, body, answered)
        addresses = self._members.addresses or [self._settings.url_of("task_assignment")]
        first = crc32(principal.subject.encode()) % len(addresses)
        wanted = _count_in(body) if len(addresses) > 1 else 1
        fullest: Answer | None = None
        unavailable: UnavailableError | None = None
        for address in [*addresses[first:], *addresses[:first]]:
            try:
                answer = await self._line(address).ask(asked)
            except UnavailableError as error:
                unavailable = error  # a replica that died has not said so; another may have work
                continue
            if not answer.ok:
                return fullest or answer
            if fullest is None or len(answer.json()["tasks"]) >= len(fullest.json()["tasks"]):
                fullest = answer
            if len(fullest.json()["tasks"]) >= wanted:
                break
        if fullest is None:
            raise unavailable or UnavailableError("Task assignment does not answer; send the same request again.")
        return fullest

    def _asked(self, principal: Principal, request: Request, body: bytes, answered: Sequence[str]) -> AskedClaim:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise MalformedBodyError("The body is no UTF-8 text; JSON always is.") from error
        return AskedClaim(
            token=self._inner.token(principal, request),
            body=text,
            answered=list(answered),
            accept_language=request.headers.get("accept-language", ""),
            traceparent=request.headers.get("traceparent", ""),
        )

    def _line(self, address: str) -> Line:
        """Return the line before a replica; those before replicas that left are forgotten."""
        if address not in self._lines:
            known = {*self._members.addresses, address}
            self._lines = {each: line for each, line in self._lines.items() if each in known}
            self._lines[address] = Line(lambda claims: self._inner.claim(address, claims))
        return self._lines[address]


class Line:
    """Where claims wait for a replica, and are sent together once it has time for more."""

    def __init__(self, send: Send, patience: float = ANSWER_SECONDS) -> None:
        """Begin with nothing.

        Args:
            send: Sends claims and returns their answers, in their order.
            patience: After how many seconds somebody asks elsewhere, though others are before them in line.
        """
        self._send = send
        self._patience = patience
        self._waiting: list[Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, claim: AskedClaim) -> Answer:
        """Return the answer to a claim.

        Raises:
            UnavailableError: The replica does not answer.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, answer))
        if len(self._under_way) < AT_ONCE:
            self._under_way.add(asyncio.create_task(self._send_waiting(), name="claims"))
        try:
            return await asyncio.wait_for(answer, self._patience)
        except TimeoutError as error:
            raise UnavailableError("Task assignment does not answer in time; send the same request again.") from error

    async def _send_waiting(self) -> None:
        try:
            while together := self._next_together():
                await self._send_together(together)
        finally:  # not by a callback: who asks before that is called would wait for a task that has ended
            if (task := asyncio.current_task()) is not None:
                self._under_way.discard(task)

    async def _send_together(self, together: Sequence[Waiting]) -> None:
        try:
            answers = await self._send([claim for claim, _ in together])
            answered = list(zip(together, answers, strict=True))
        except Exception as error:
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), told in answered:
            if not answer.done():
                answer.set_result(told)

    def _next_together(self) -> list[Waiting]:
        """Take what goes in one request: of those who still wait one at least, whatever they have put in their claim."""
        waiting = [each for each in self._waiting if not each[1].done()]
        count = held = 0
        for claim, _ in waiting[:MOST_TOGETHER]:
            held += len(claim.body) + len(claim.accept_language)
            if count and held > MOST_CHARS:
                break
            count += 1
        self._waiting = waiting[count:]
        return waiting[:count]


def _count_in(body: bytes) -> int:
    """Return how many tasks a claim asks for; 1 where it does not say so in a way that can be read here."""
    try:
        count = orjson.loads(body)["count"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 1
    return count if isinstance(count, int) else 1
