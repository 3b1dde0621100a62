"""POSTs that are sent again: for a day, an Idempotency-Key gives the answer that was given before.

A request with a key first reserves it, with the hash of its body and with the id that all ids of its facts follow from.
So wherever a process dies, the same request sent again tells the same facts under the same ids, and another body is
refused before it has told any. What was answered is kept beside the reservation; the first answer stays.

A refusal (4xx) is not kept: nothing was accepted, and the corrected body may come under the same key. Neither is the
answer to a request whose outcome is not known (5xx): it is tried again, under the same ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pymongo.errors import DuplicateKeyError, PyMongoError
from starlette.exceptions import HTTPException

from shared.clock import Clock
from shared.errors import ConflictError, IdempotencyConflictError, LabelmeshError
from shared.ids import derived_id, new_id
from shared.mongo import Database
from shared.security import Principal

log = structlog.get_logger()

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEPT_FOR: Final = timedelta(hours=24)
FORGOTTEN_AT_ONCE: Final = 1000
MAX_FORGETTING_ROUNDS: Final = 100
"""So many times a thousand are forgotten a minute, which is more than the gateway can take in."""

STREAMED: Final = ("/imports", "/predictions")
"""Ends of paths whose bodies are streams of lines. They are hashed as they pass, so the hash is known at the end only:
a stream that was answered is compared before any of its lines counts anew, one that broke off goes on under its ids."""

OF_THE_MOMENT: Final = frozenset(
    {
        "/v1/tasks/claim",  # returns what is held already before anything new; an old answer would give ended leases
        "/v1/tasks/{task_id}/heartbeat",  # prolongs from now on; an old answer would give the old end
        "/v1/projects/{project}/check",  # changes nothing
    }
)
"""Routes that take no key: repeating them does no harm, and what counts is how things are now."""

Handle = Callable[[Request], Awaitable[Response]]
Authenticate = Callable[[Request], Awaitable[Principal]]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered; without a body where it held a secret."""

    status: int
    body: bytes | None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A key that somebody has used."""

    id: str
    tenant_id: str
    expires_at: datetime
    body_hash: str | None
    """SHA-256 in hex; None while a stream has not been read to its end."""
    cause: str
    """What the ids of all facts of the request follow from; a new one once the key has expired."""
    answer: KeptAnswer | None = None


class Answers(Protocol):
    """What is remembered of requests with a key."""

    async def reserve(self, record: Record, now: datetime) -> Record:
        """Keep a record unless one is there that has not expired; return what is kept."""

    async def keep(self, record: Record) -> Record:
        """Add hash and answer to a reservation that has none yet; return what is kept."""

    async def release(self, record: Record) -> None:
        """Drop a reservation that has no answer."""

    async def forget(self, now: datetime, limit: int) -> int:
        """Drop at most ``limit`` records that have expired, and return how many."""


class MongoAnswers:
    """Records in the gateway's database, found by ``_id`` alone."""

    def __init__(self, database: Database) -> None:
        self._records = database["idempotency"]

    async def ensure_indexes(self) -> None:
        """Make the index by which what has expired is found."""
        await self._records.create_index([("expires_at", 1)], name="expired")

    async def reserve(self, record: Record, now: datetime) -> Record:
        """Keep a record unless one is there that has not expired; return what is kept."""
        document = _document(record)
        while True:
            try:  # a live record fails the guard, and the upsert then fails at its id
                await self._records.replace_one({"_id": record.id, "expires_at": {"$lte": now}}, document, upsert=True)
            except DuplicateKeyError:
                found = await self._records.find_one({"_id": record.id})
                if found is not None:
                    return _record(found)
            else:
                return record

    async def keep(self, record: Record) -> Record:
        """Add hash and answer to a reservation that has none yet; return what is kept."""
        document = _document(record)
        unanswered = {"_id": record.id, "cause": record.cause, "answer": None}
        added = {name: document[name] for name in ("body_hash", "answer")}
        result = await self._records.update_one(unanswered, {"$set": added})
        if result.matched_count == 1:
            return record
        found = await self._records.find_one({"_id": record.id})
        return record if found is None else _record(found)

    async def release(self, record: Record) -> None:
        """Drop a reservation that has no answer."""
        await self._records.delete_one({"_id": record.id, "cause": record.cause, "answer": None})

    async def forget(self, now: datetime, limit: int) -> int:
        """Drop at most ``limit`` records that have expired, and return how many."""
        expired = self._records.find({"expires_at": {"$lte": now}}, {"_id": 1}, limit=limit)
        ids = [found["_id"] async for found in expired]
        if ids:
            await self._records.delete_many({"_id": {"$in": ids}, "expires_at": {"$lte": now}})
        return len(ids)


async def forget_expired(answers: Answers, clock: Clock) -> None:
    """Drop what has expired, a bounded number of bounded rounds."""
    for _ in range(MAX_FORGETTING_ROUNDS):
        if await answers.forget(clock(), FORGOTTEN_AT_ONCE) < FORGOTTEN_AT_ONCE:
            return


def repeatable(authenticate: Authenticate, answers: Answers, clock: Clock) -> type[APIRoute]:
    """Return the class of routes whose POSTs may be sent again under the same Idempotency-Key."""

    class RepeatableRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()
            if not takes_key(self.path, self.methods or ()):
                return handle
            once = _stream_once if self.path.endswith(STREAMED) else _once

            async def answer(request: Request) -> Response:
                key = request.headers.get(HEADER)
                if not key:
                    return await handle(request)
                principal = await authenticate(request)
                return await once(answers, _reservation(principal, request, key, clock()), clock(), request, handle)

            return answer

    return RepeatableRoute


def takes_key(path: str, methods: Collection[str]) -> bool:
    """Return whether a route heeds the Idempotency-Key."""
    return "POST" in methods and path not in OF_THE_MOMENT


def cause_of(request: Request) -> tuple[str, ...]:
    """Return what the ids of a request's facts follow from: its Idempotency-Key; nothing where it has none."""
    return getattr(request.state, "cause", ())


def _reservation(principal: Principal, request: Request, key: str, now: datetime) -> Record:
    names = derived_id("idempotency", principal.subject, request.method, request.url.path, key)
    id_ = f"{principal.tenant_id}/{names}"
    return Record(id_, principal.tenant_id, now + KEPT_FOR, body_hash=None, cause=new_id())


async def _once(answers: Answers, record: Record, now: datetime, request: Request, handle: Handle) -> Response:
    """Answer a request whose body is known before it is handled."""
    record = replace(record, body_hash=hashlib.sha256(await request.body()).hexdigest())
    kept = await answers.reserve(record, now)
    _require_same_body(record, kept)
    if kept.answer is not None:
        return _replay(kept.answer)
    return await _answer(answers, replace(record, cause=kept.cause), request, handle)


async def _stream_once(answers: Answers, record: Record, now: datetime, request: Request, handle: Handle) -> Response:
    """Answer a stream of lines; one that was answered before is read to its end first, and nothing in it counts."""
    hashed = _HashedRequest(request.scope, request.receive)
    kept = await answers.reserve(record, now)
    if kept.answer is None:
        return await _answer(answers, replace(record, cause=kept.cause), hashed, handle)
    async for _ in hashed.stream():
        pass
    _require_same_body(replace(record, body_hash=hashed.digest.hexdigest()), kept)
    return _replay(kept.answer)


async def _answer(answers: Answers, record: Record, request: Request, handle: Handle) -> Response:
    request.state.cause = ("idempotency", record.cause)
    try:
        response = await handle(request)
    except (LabelmeshError, HTTPException, RequestValidationError) as error:
        if _is_refusal(error):
            await answers.release(record)
        raise
    if response.status_code >= 400:
        if response.status_code < 500:
            await answers.release(record)
        return response
    if isinstance(request, _HashedRequest):
        record = replace(record, body_hash=request.digest.hexdigest())
    record = replace(record, answer=_answer_of(response))
    try:
        kept = await answers.keep(record)
    except PyMongoError as error:  # what was accepted is in the log: the client has to know
        log.warning("answer_not_kept", error=repr(error))
        return response
    if kept.cause != record.cause:
        return response  # it took longer than answers are kept
    _require_same_body(record, kept)
    # Of two that were under way together, both get the answer that was there first.
    return response if kept.answer is None or kept.answer == record.answer else _replay(kept.answer)


def _answer_of(response: Response) -> KeptAnswer:
    is_secret = "no-store" in response.headers.get("cache-control", "")
    body = None if is_secret else bytes(response.body)
    return KeptAnswer(response.status_code, body, response.headers.get("content-type"))


def _replay(answer: KeptAnswer) -> Response:
    if answer.body is None:
        raise ConflictError(
            f"This {HEADER} has done its work, and the answer, which is shown once, is not kept; undo what it made "
            "and send the request under a new key."
        )
    headers = {REPLAYED: "true"} | ({} if answer.media_type is None else {"content-type": answer.media_type})
    return Response(answer.body, answer.status, headers)


def _require_same_body(asked: Record, kept: Record) -> None:
    if kept.body_hash not in {asked.body_hash, None}:
        raise IdempotencyConflictError(
            f"This {HEADER} was used for another body on this path in the last {KEPT_FOR.total_seconds() / 3600:.0f} "
            "hours; send this body under a new key."
        )


def _is_refusal(error: LabelmeshError | HTTPException | RequestValidationError) -> bool:
    status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 422)
    return int(status) < 500


class _HashedRequest(Request):
    """A request that hashes its body as it is read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.digest = hashlib.sha256()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        async for chunk in super().stream():
            self.digest.update(chunk)
            yield chunk


def _document(record: Record) -> dict[str, Any]:
    answer = record.answer
    return {
        "_id": record.id,
        "tenant_id": record.tenant_id,
        "expires_at": record.expires_at,
        "body_hash": record.body_hash,
        "cause": record.cause,
        "answer": None if answer is None else [answer.status, answer.body, answer.media_type],
    }


def _record(document: dict[str, Any]) -> Record:
    answer = None if document["answer"] is None else KeptAnswer(*document["answer"])
    return Record(
        id=document["_id"],
        tenant_id=document["tenant_id"],
        expires_at=document["expires_at"],
        body_hash=document["body_hash"],
        cause=document["cause"],
        answer=answer,
    )
