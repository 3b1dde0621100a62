"""HTTP as every process speaks it: problem documents, request ids, measured routes, callers that are known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import mongo, telemetry
from shared.errors import InvalidBodyError, LabelmeshError, MalformedBodyError, UnauthenticatedError, UnavailableError
from shared.ids import new_id
from shared.labels.faults import Fault
from shared.security import Principal, read_internal

log = structlog.get_logger()

REQUEST_ID = "x-request-id"
NEXT_LINE = "next-line"
"""A service tells the gateway after which line the next page of a job's lines begins; absent on the last page."""
MAX_REQUEST_ID = 100


class OrjsonResponse(JSONResponse):
    """A JSON answer, written by orjson; OpenAPI shows the models of such answers only."""

    def render(self, content: Any) -> bytes:
        """Return the content as JSON bytes."""
        return orjson.dumps(content)


class Measured:
    """ASGI middleware: gives each request an id, measures it, and binds both to the logs."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(REQUEST_ID.encode(), b"").decode("ascii", "ignore")[:MAX_REQUEST_ID]
        request_id = given if given.isprintable() and given else new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.encode(), request_id.encode())]
            await send(message)

        parent = headers.get(b"traceparent", b"").decode("ascii", "ignore")
        structlog.contextvars.bind_contextvars(
            request_id=request_id
        )  # each request has a task, and a context, of its own
        with telemetry.span(f"{scope['method']} {scope['path']}", parent):
            try:
                await self._app(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                seconds = time.perf_counter() - started
                telemetry.HTTP_SECONDS.labels(self._service, scope["method"], route, str(status)).observe(seconds)
                if route not in {"/healthz", "/readyz", "/metrics"}:
                    log.info("request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))


def install_problems(app: FastAPI) -> None:
    """Render every error of ``app`` as an RFC 9457 problem document."""

    @app.exception_handler(LabelmeshError)
    async def _ours(request: Request, error: LabelmeshError) -> Response:
        return problem_response(request, error)

    @app.exception_handler(RequestValidationError)
    async def _shape(request: Request, error: RequestValidationError) -> Response:
        return problem_response(request, misshapen(error))

    @app.exception_handler(HTTPException)
    async def _starlette(request: Request, error: HTTPException) -> Response:
        return problem_response(request, _of_framework(error))

    @app.exception_handler(PyMongoError)
    async def _store(request: Request, error: PyMongoError) -> Response:
        if (problem := foreseen(error)) is None:
            return await _unexpected(request, error)
        return problem_response(request, problem)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, exc_info=error)
        return problem_response(request, InternalError())


def misshapen(error: RequestValidationError | ValidationError) -> LabelmeshError:
    """Return what to tell a client whose body is not of the shape that it should have."""
    found: Sequence[Any] = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return MalformedBodyError("The body is no JSON; check its quotes and commas.")
    faults = [
        Fault(pointer=pointer_of_location(each["loc"]), code=each["type"].replace("_", "-"), message=each["msg"])
        for each in found
    ]
    return InvalidBodyError("The request has faults; see errors.", faults=faults)


def foreseen(error: Exception) -> LabelmeshError | None:
    """Return what to tell a client of an error; None where the fault is ours."""
    if isinstance(error, LabelmeshError):
        return error
    if mongo.is_transient(error):
        return UnavailableError("The store does not answer; send the same request again.")
    return None


def problem_response(request: Request, error: LabelmeshError) -> Response:
    """Return the problem document of ``error`` as an answer to ``request``."""
    return problem_at(request.url.path, getattr(request.state, "request_id", ""), error)


def problem_at(path: str, request_id: str, error: LabelmeshError) -> Response:
    """Return the problem document of ``error`` as an answer to what was asked at a path."""
    headers = {} if error.retry_after is None else {"retry-after": f"{max(1, round(error.retry_after))}"}
    if isinstance(error, UnauthenticatedError):
        headers["www-authenticate"] = "Bearer"
    return Response(
        orjson.dumps(error.problem(instance=path, request_id=request_id)),
        error.status if not isinstance(error, _PlainHttpError) else error.code,
        headers,
        "application/problem+json",
    )


def caller(request: Request, secret: str) -> Principal:
    """Return who calls a service through the gateway.

    Raises:
        UnauthenticatedError: The request carries no internal token of ours.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("This address is for the gateway alone; call the gateway instead.")
    principal, request_id = read_internal(secret, token)
    request.state.request_id = request_id
    return principal


class InternalError(LabelmeshError):
    """Something that we did not foresee."""

    status, title = 500, "Our fault"

    def __init__(self) -> None:
        super().__init__("This is our fault; report it with the request id.")

    @classmethod
    def slug(cls) -> str:
        """Return the last part of the problem's type."""
        return "internal"


class _PlainHttpError(LabelmeshError):
    """An error that the HTTP framework found: an unknown path, a wrong method."""

    title = "The request does not fit the API"

    @classmethod
    def slug(cls) -> str:
        return "request"

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code

    def problem(self, *, instance: str, request_id: str) -> dict[str, Any]:
        return super().problem(instance=instance, request_id=request_id) | {"status": self.code}


def _of_framework(error: HTTPException) -> LabelmeshError:
    """Return an error of the framework as one of ours; it wraps whatever went wrong while it read the body."""
    if isinstance(error.__cause__, LabelmeshError):
        return error.__cause__
    if isinstance(error.__cause__, UnicodeDecodeError):
        return MalformedBodyError("The body is no UTF-8 text; JSON always is.")
    if isinstance(error.__cause__, RecursionError):
        return MalformedBodyError("The body is nested too deeply; send it flatter.")
    return _plain(error)


def _plain(error: HTTPException) -> _PlainHttpError:
    sentence = {
        404: "There is nothing at this path; see /docs.",
        405: "This path does not take this method; see /docs.",
    }
    return _PlainHttpError(error.status_code, sentence.get(error.status_code, str(error.detail)))


def pointer_of_location(location: tuple[int | str, ...]) -> str:
    """Return a pydantic location as a JSON pointer (RFC 6901) into the body."""
    parts = location[1:] if location and location[0] == "body" else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
