"""Claims, as the gateway asks for them: those that came together in one request, each answered by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from services.task_assignment.claims import ClaimRequest
from services.task_assignment.parts import Parts
from services.task_assignment.task_views import task_views
from shared import telemetry
from shared.claims import CLAIMS_PATH, AskedClaim, AskedClaims, answers_body
from shared.direct import DirectRoute
from shared.events.tasks import Stage
from shared.http import InternalError, OrjsonResponse, foreseen, misshapen, problem_at
from shared.security import WORKERS, Principal

log = structlog.get_logger()

CLAIM: Final = "/v1/tasks/claim"
"""Where clients claim; problems are told as of there."""


class ClaimBody(BaseModel):
    """What somebody asks for."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(1, ge=1, le=20, description="How many tasks at most, those already held included.")
    project: str | None = Field(None, description="Only this project.")
    stages: list[Stage] = Field([], description="Only these stages; empty: all that your roles allow.")
    languages: list[str] = Field([], description="Only samples in these languages; empty: all that you speak.")


def create_direct_routes(parts: Parts) -> list[DirectRoute]:
    """Return the route of claims, which is answered beside the framework; see ``DirectRoutes``."""

    async def claims(_request: Request, body: bytes, _: Mapping[str, str]) -> Response:
        try:
            asked = AskedClaims.model_validate_json(body).claims
        except ValidationError as error:
            raise misshapen(error) from error
        answers = await asyncio.gather(*(_answer(parts, each) for each in asked))
        told = answers_body([(each.status_code, each.headers, bytes(each.body)) for each in answers])
        return Response(told, media_type="application/json")

    return [DirectRoute(CLAIMS_PATH, claims)]


async def _answer(parts: Parts, asked: AskedClaim) -> Response:
    """Answer one of several claims; what is wrong with it is its own."""
    request_id = ""
    try:
        caller, request_id = parts.service.holder(asked.token)
        with telemetry.span(f"POST {CLAIM}", asked.traceparent):
            return await _claim(parts, caller, request_id, asked)
    except Exception as error:
        if (problem := foreseen(error)) is None:
            log.exception("claim_failed", claim_request_id=request_id)
            problem = InternalError()
        return problem_at(CLAIM, request_id, problem)


async def _claim(parts: Parts, caller: Principal, request_id: str, asked: AskedClaim) -> Response:
    try:
        body = ClaimBody.model_validate_json(asked.body)
    except ValidationError as error:
        raise misshapen(error) from error
    caller.require(WORKERS, body.project)
    answer = await parts.desk.claim(
        ClaimRequest(
            principal=caller,
            count=body.count,
            project=body.project,
            stages=frozenset(body.stages),
            languages=frozenset(body.languages),
            request_id=request_id,
            answered=frozenset(asked.answered),
        )
    )
    tasks = await task_views(answer.granted, parts, caller, asked.accept_language)
    wait = max(1, round(answer.retry_after.total_seconds()))
    empty = {} if tasks else {"reason": answer.reason or "no-open-tasks", "retry_after": wait}
    return OrjsonResponse({"tasks": tasks, **empty})
