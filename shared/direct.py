"""Hot routes, answered beside the framework: its routing, dependencies and response models cost more than our work.

A direct route takes the plain case alone. It hands on whatever else a request may be (another shape of body, a header
that asks for more) by returning None; the framework's route of the same path then answers as if nothing had been
tried, so no error, limit or document of the API is known in two places.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import foreseen, problem_response

Handle = Callable[[Request, bytes, Mapping[str, str]], Awaitable[Response | None]]
"""``(request, body, path parameters) -> answer``; None leaves the request to the framework. The body has been read."""

_PARAMETER = re.compile(r"\{(\w+)\}")


class DirectRoute:
    """A POST that is answered beside the framework."""

    def __init__(self, path: str, handle: Handle) -> None:
        """Make a route.

        Args:
            path: As the framework writes it, e.g. ``/v1/tasks/{task_id}/annotations``; metrics are kept under it.
            handle: Answers, or returns None.
        """
        self.path = path
        self.handle = handle
        self._pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", path))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the path's parameters, None where it is another path."""
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groupdict()


class DirectRoutes:
    """ASGI middleware: offers POSTs with a JSON body to direct routes, the innermost of all, next to the framework."""

    def __init__(self, app: ASGIApp, routes: Sequence[DirectRoute]) -> None:
        self._app = app
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            for route in self._routes:
                parameters = route.match(scope["path"])
                if parameters is not None:
                    await self._offer(route, parameters, scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _offer(
        self, route: DirectRoute, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        request = Request(scope)
        response: Response | None
        replayed = _Replayed(receive)
        scope["route"] = route
        try:
            body = await replayed.read()
            response = None if body is None else await route.handle(request, body, parameters)
        except Exception as error:
            if (problem := foreseen(error)) is None:
                raise
            response = problem_response(request, problem)
        if response is None:
            del scope["route"]
            await self._app(scope, replayed, send)
        else:
            await response(scope, receive, send)


@dataclass(slots=True)
class _Replayed:
    """A request's messages, read once here and once more by the framework where it has to answer after all."""

    receive: Receive
    read_messages: list[Message] = field(default_factory=list)

    async def read(self) -> bytes | None:
        """Return the whole body; None when the client went away."""
        while True:
            message = await self.receive()
            self.read_messages.append(message)
            if message["type"] != "http.request":
                return None
            if not message.get("more_body", False):
                return b"".join(each.get("body", b"") for each in self.read_messages)

    async def __call__(self) -> Message:
        """Return the next message, those that were read here first."""
        if self.read_messages:
            return self.read_messages.pop(0)
        return await self.receive()


def is_plain_json(request: Request) -> bool:
    """Return whether a request says that its body is JSON, in the way that needs no further look."""
    return request.headers.get("content-type", "") in {"application/json", "application/json; charset=utf-8"}
