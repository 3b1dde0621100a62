"""Claims on their way from the gateway to task assignment: those that come together go as one request.

A request costs both sides more than a claim in it does, and task assignment serves together what comes together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import BaseModel

CLAIMS_PATH: Final = "/v1/claims"


class AskedClaim(BaseModel):
    """What one caller asks for."""

    token: str
    """The internal token: who asks, and the id of their request."""
    body: str
    """As they sent it."""
    answered: list[str] = []
    """Leases of the caller whose answers are in the log, though perhaps not folded yet."""
    accept_language: str = ""
    traceparent: str = ""


class AskedClaims(BaseModel):
    """A request's body."""

    claims: list[AskedClaim]


def answers_body(answers: Sequence[tuple[int, Mapping[str, str], bytes]]) -> bytes:
    """Return the answer to claims: of each status, headers and JSON body, in the order of the claims."""
    told = [
        {"status": status, "headers": dict(headers), "body": orjson.Fragment(body)} for status, headers, body in answers
    ]
    return orjson.dumps({"answers": told})


def read_answers(body: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Return the answers to claims: of each status, headers and decoded body."""
    return [(each["status"], each["headers"], each["body"]) for each in orjson.loads(body)["answers"]]
