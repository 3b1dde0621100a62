"""Kept HTTP/1.1 connections to the services: the least that one hop can cost.

A general client looks through its pool, builds URLs, timers and streams for each request, which took longer than all
of the gateway's own work on a claim. Parsing is left to httptools, which the HTTP server uses too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 4.0
"""How long an unused connection is trusted: uvicorn closes it after five."""
MAX_CONNECTIONS: Final = 512
"""Requests under way at once; others wait."""

Address = tuple[str, int, bool]
"""Host, port, whether by TLS."""


class NoAnswerError(Exception):
    """The service cannot be reached, or went away before it answered."""


class Connections:
    """Sends requests over connections that are kept."""

    def __init__(self) -> None:
        self._idle: dict[Address, deque[_Connection]] = defaultdict(deque)
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._addresses: dict[str, tuple[Address, str]] = {}

    async def request(
        self, method: str, base: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request and read its answer.

        Args:
            method: The HTTP method.
            base: ``http://host:port`` of the service, or ``https://…``.
            path: Path and query, percent-encoded.
            headers: Header lines.
            body: The body, if any.

        Returns:
            Status, headers by lower-case name, body.

        Raises:
            NoAnswerError: There was no answer, or not within ``ANSWER_SECONDS``.
            ValueError: Path or headers hold what would end their line; that would be a second request.
        """
        address, host = self._address(base)
        raw = _request_bytes(method, path, host, headers, body)
        async with self._free:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._exchange(address, raw, may_repeat=method in {"GET", "HEAD"})
            except (OSError, TimeoutError, httptools.HttpParserError) as error:
                raise NoAnswerError(f"{base} did not answer {method} {path}: {error!r}") from error

    def close(self) -> None:
        """Close what is not in use."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    async def _exchange(self, address: Address, raw: bytes, *, may_repeat: bool) -> tuple[int, dict[str, str], bytes]:
        connection = self._kept(address)
        if connection is not None and may_repeat:
            try:
                return await self._ask(connection, address, raw)
            except ConnectionError:  # it was closed while it lay there; what only reads may be sent again
                connection = None
        return await self._ask(connection or await _connect(address), address, raw)

    async def _ask(self, connection: _Connection, address: Address, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            answer = await connection.ask(raw)
        except BaseException:
            connection.close()
            raise
        if connection.is_usable:
            self._idle[address].append(connection)
        return answer

    def _kept(self, address: Address) -> _Connection | None:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.is_usable and connection.idle_seconds < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _address(self, base: str) -> tuple[Address, str]:
        found = self._addresses.get(base)
        if found is None:
            parts = urlsplit(base)
            secure = parts.scheme == "https"
            address = (parts.hostname or "", parts.port or (443 if secure else 80), secure)
            found = self._addresses[base] = (address, parts.netloc)
        return found


async def _connect(address: Address) -> _Connection:
    host, port, secure = address
    loop = asyncio.get_running_loop()
    opening = loop.create_connection(_Connection, host, port, ssl=True if secure else None)
    return (await asyncio.wait_for(opening, CONNECT_SECONDS))[1]


def _request_bytes(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    if " " in path or any("\r" in line or "\n" in line for line in lines):
        raise ValueError(f"{method} {path!r} cannot be sent: its path or a header would end the line.")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b"")


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, dict[str, str], bytes]] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._keeps = True
        self._idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return self._keeps and self._transport is not None and not self._transport.is_closing()

    @property
    def idle_seconds(self) -> float:
        """How long it has been out of use."""
        return self._loop.time() - self._idle_since

    async def ask(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers and body."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        self._answer = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body = {}, []
        self._transport.write(raw)
        return await self._answer

    def close(self) -> None:
        """Close it."""
        self._keeps = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take in a part of the answer."""
        if self._parser is None or self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            if not self._answer.done():
                self._answer.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer that is not complete never will be."""
        self._keeps = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the service closed the connection"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header line."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Take in a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._parser is None or self._answer is None or self._answer.done():
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._headers, self._body = {}, []  # "100 Continue" and the like come before the answer
            return
        self._keeps = self._parser.should_keep_alive()
        self._idle_since = self._loop.time()
        self._answer.set_result((status, self._headers, b"".join(self._body)))
