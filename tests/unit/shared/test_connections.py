"""Connections to services: kept, given up when they break, and never made to carry a second request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared import connections
from shared.connections import Connections, NoAnswerError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: plain\r\n\r\nok"


@asynccontextmanager
async def a_service(*answers: bytes | None) -> AsyncIterator[tuple[str, list[bytes], list[int]]]:
    """Serve these answers, one a request on however many connections; None closes the connection instead."""
    left = list(answers)
    heard: list[bytes] = []
    opened: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(len(heard))
        while left:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)
            heard.append(head + await reader.readexactly(length))
            answer = left.pop(0)
            if answer is None:
                break
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard, opened
    finally:
        server.close()


async def test_one_connection_carries_one_request_after_the_other():
    sent = Connections()

    async with a_service(OK, OK) as (url, heard, opened):
        first = await sent.request("POST", url, "/v1/x?a=b", {"authorization": "Bearer t"}, b"{}")
        second = await sent.request("GET", url, "/v1/y", {}, None)
        sent.close()

    assert first == second == (200, {"content-length": "2", "x-kind": "plain"}, b"ok")
    assert len(opened) == 1
    assert heard[0].startswith(b"POST /v1/x?a=b HTTP/1.1\r\nhost: 127.0.0.1:")
    assert heard[0].endswith(b"authorization: Bearer t\r\ncontent-length: 2\r\n\r\n{}")
    assert b"content-length" not in heard[1]


async def test_requests_at_the_same_time_have_a_connection_each():
    sent = Connections()

    async with a_service(OK, OK, OK) as (url, _, opened):
        answers = await asyncio.gather(*(sent.request("GET", url, "/", {}, None) for _ in range(3)))
        sent.close()

    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert len(opened) == 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", (200, b"abc")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, (200, b"ok")),
        (b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (503, b"")),
    ],
)
async def test_answers_in_every_form_are_read(raw: bytes, expected: tuple[int, bytes]):
    sent = Connections()

    async with a_service(raw) as (url, _, _):
        status, _, body = await sent.request("GET", url, "/", {}, None)
        sent.close()

    assert (status, body) == expected


async def test_a_connection_that_the_service_will_close_is_not_used_again():
    sent = Connections()
    closing = OK.replace(b"X-Kind: plain", b"Connection: close")

    async with a_service(closing, OK) as (url, _, opened):
        await sent.request("GET", url, "/", {}, None)
        await sent.request("GET", url, "/", {}, None)
        sent.close()

    assert len(opened) == 2


async def test_what_only_reads_is_sent_again_when_the_kept_connection_was_closed():
    sent = Connections()

    async with a_service(OK, None, OK) as (url, heard, _):
        await sent.request("GET", url, "/", {}, None)
        status, _, _ = await sent.request("GET", url, "/", {}, None)
        sent.close()

    assert status == 200
    assert len(heard) == 3


async def test_what_writes_is_not_sent_again_by_us():
    sent = Connections()

    async with a_service(OK, None, OK) as (url, heard, _):
        await sent.request("POST", url, "/", {}, b"")
        with pytest.raises(NoAnswerError):
            await sent.request("POST", url, "/", {}, b"")
        sent.close()

    assert len(heard) == 2


async def test_a_service_that_is_away_or_speaks_something_else_gives_no_answer():
    sent = Connections()

    async with a_service(b"SSH-2.0-OpenSSH\r\n\r\n") as (url, _, _):
        with pytest.raises(NoAnswerError):
            await sent.request("GET", url, "/", {}, None)
    with pytest.raises(NoAnswerError):
        await sent.request("GET", "http://127.0.0.1:1", "/", {}, None)


async def test_a_service_that_keeps_us_waiting_gives_no_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.05)
    sent = Connections()

    async with a_service(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", OK) as (url, _, opened):
        with pytest.raises(NoAnswerError):
            await sent.request("GET", url, "/", {}, None)
        status, _, body = await sent.request("GET", url, "/", {}, None)
        sent.close()

    assert (status, body, len(opened)) == (200, b"ok", 2), "the half answer's connection is not used again"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a\r\nX: y", {}),
        ("/a b", {}),
        ("/a", {"x": "1\r\ny: 2"}),
        ("/a", {"x": "1\n"}),
        ("/a", {"x\r\ny": "2"}),
    ],
)
async def test_nothing_that_would_be_a_second_request_is_sent(path: str, headers: dict[str, str]):
    async with a_service(OK) as (url, heard, _):
        with pytest.raises(ValueError, match="cannot be sent"):
            await Connections().request("GET", url, path, headers, None)

    assert heard == []
