"""What may pass is tried again: 503 and its kind, and connections that fail.

Every call may be sent twice. Reads and PUTs change nothing the second time, and each POST carries one
``Idempotency-Key`` for all its attempts.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, Final, NamedTuple, TypeVar

import httpx2

from labelmesh.errors import UnreachableError
from labelmesh.requests import Call
from labelmesh.transport import Transfer

A = TypeVar("A")

RETRIED: Final = frozenset({429, 502, 503, 504})
ATTEMPTS: Final = 16
"""As many as a gateway needs that is away for half a minute."""
FIRST_PAUSE: Final = 0.2
MAX_PAUSE: Final = 5.0
MAX_TOLD_PAUSE: Final = 60.0
"""Whoever is told to come back later than this is better told so than kept waiting."""

_HOPELESS: Final = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
"""Faults of the request itself."""


class Pause(NamedTuple):
    """Wait."""

    seconds: float


Effect = Call | Transfer | Pause
"""What steps ask their client to do."""
Steps = Generator[Effect, Any, A]
"""Several calls as one: yields what is to be done, is sent what came of it, and returns its own result."""
Outcome = httpx2.Response | httpx2.TransportError


def persistent(steps: Steps[A], attempts: int, base_url: str) -> Steps[A]:
    """Take the steps, each call up to ``attempts`` times; they see only what became of the last attempt.

    Raises:
        UnreachableError: The last attempt had no answer.
    """
    outcome: httpx2.Response | None = None
    while True:
        try:
            effect = steps.send(outcome)
        except StopIteration as done:
            result: A = done.value
            return result
        if isinstance(effect, Pause):
            yield effect
            outcome = None
        else:
            outcome = yield from _insist(effect, attempts, base_url)


def _insist(effect: Call | Transfer, attempts: int, base_url: str) -> Steps[httpx2.Response]:
    attempt = 0
    while True:
        outcome: Outcome = yield effect
        attempt += 1
        seconds = _pause(attempt, outcome)
        if attempt >= attempts or seconds is None:
            break
        yield Pause(seconds)
    if isinstance(outcome, httpx2.Response):
        return outcome
    raise UnreachableError(base_url if isinstance(effect, Call) else effect.host, _told(outcome)) from outcome


def _pause(attempt: int, outcome: Outcome) -> float | None:
    """Return how many seconds to wait before the next attempt, None where another would not help.

    As long as Retry-After says, else twice as long each time; a random part of it keeps clients from coming at once.
    """
    if isinstance(outcome, _HOPELESS):
        return None
    if isinstance(outcome, httpx2.Response):
        if outcome.status_code not in RETRIED:
            return None
        told = outcome.headers.get("retry-after", "")
        if told.isdecimal():
            return float(told) * random.uniform(1, 1.1) if float(told) <= MAX_TOLD_PAUSE else None  # noqa: S311 - no secret
    return float(min(MAX_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1))  # noqa: S311 - as above


def _told(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__
