"""Bodies that are too large are refused before anything reads them whole."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BodyTooLargeError
from shared.http import problem_response


class BodyLimit:
    """ASGI middleware: answers 413 when a body is longer than the limit, declared or not."""

    def __init__(self, app: ASGIApp, max_bytes: int, streamed: tuple[str, ...] = ()) -> None:
        """Wrap an application.

        Args:
            app: What is wrapped.
            max_bytes: The limit.
            streamed: Ends of paths whose bodies are read as they come, under limits of their own.
        """
        self._app = app
        self._streamed = streamed
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].endswith(self._streamed):
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise BodyTooLargeError(self._sentence)
            return message

        await self._app(scope, counted, send)

    @property
    def _sentence(self) -> str:
        return f"The body is longer than {self._max_bytes} bytes; send less at once, and media as uploads."

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = BodyTooLargeError(self._sentence)
        await problem_response(Request(scope), error)(scope, receive, send)
