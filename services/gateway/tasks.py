"""Work: claimed, kept, given back, answered, reviewed."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.answers import checked_answer, origin_of
from services.gateway.context import Context, read_body, refuse
from services.gateway.facts import TaskFacts, read_facts
from services.gateway.idempotency import HEADER
from services.gateway.inner import poll
from shared.catalog import ProjectVersion
from shared.clock import from_ms
from shared.direct import DirectRoute, is_plain_json
from shared.errors import ForbiddenError, LabelmeshError, LeaseExpiredError
from shared.events.origin import Origin, role_in
from shared.events.tasks import REVIEW_STAGES, AnnotationSubmitted, ReviewIssue, ReviewSubmitted, Submission
from shared.http import OrjsonResponse
from shared.ids import born_at, derived_id, sample_of_task
from shared.labels.canonical import content_hash
from shared.labels.faults import Fault
from shared.labels.verdicts import RuleVerdict
from shared.languages import preferred_languages
from shared.security import WORKERS, Lease, Principal, in_time, read_lease

MAX_WAIT_SECONDS: Final = 30.0
MAX_CLAIM_BYTES: Final = 64 * 1024
MAX_CLIENT_CHARS: Final = 200


class AnnotationBody(BaseModel):
    """An annotator's answer."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, Any] = Field(description="A value per field, by the project's answer schema.")
    confidence: float | None = Field(None, ge=0, le=1)
    seconds_spent: float | None = Field(None, ge=0, le=7 * 24 * 3600)


class ReviewBody(BaseModel):
    """A reviewer's verdict on the proposal of the task."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["accept", "fix", "reject"]
    fields: dict[str, Any] | None = Field(None, description="The corrected fields; with `fix` alone.")
    issues: list[ReviewIssue] = []
    seconds_spent: float | None = Field(None, ge=0, le=7 * 24 * 3600)


class Submitted(BaseModel):
    """The answer is in the log, in time: it counts."""

    annotation_id: str
    warnings: list[RuleVerdict] = Field([], description="Rules of the project that the answer does not meet.")


class Reviewed(BaseModel):
    """The verdict is in the log, in time: it counts."""

    review_id: str


LeaseToken = Annotated[str, Header(alias="Lease-Token", description="The token of the claim or the last heartbeat.")]


def create_router(context: Context) -> APIRouter:
    """Return the routes of those who label and review."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"], route_class=context.route)
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/claim")
    async def claim(caller: Caller, request: Request) -> Response:
        """Return the caller's live leases that match, with fresh tokens, then new ones."""
        caller.require(WORKERS)
        return await _claim(context, caller, request, await read_body(request, MAX_CLAIM_BYTES))

    @router.post("/{task_id}/heartbeat")
    async def heartbeat(task_id: str, caller: Caller, request: Request, _token: LeaseToken) -> Response:
        """Keep a task: the new token replaces the old one, and media links are renewed."""
        return await context.inner.forward_to_owner(task_id, caller, request)

    @router.post("/{task_id}/release", status_code=204)
    async def release(task_id: str, caller: Caller, request: Request, token: LeaseToken) -> Response:
        """Give a task back."""
        return await _give_back(context, task_id, caller, request, token)

    @router.post("/{task_id}/skip", status_code=204)
    async def skip(task_id: str, caller: Caller, request: Request, token: LeaseToken) -> Response:
        """Give a task back and do not get it again; the body says why."""
        return await _give_back(context, task_id, caller, request, token)

    @router.post("/{task_id}/annotations", status_code=202)
    async def annotate(
        task_id: str, body: AnnotationBody, caller: Caller, request: Request, token: LeaseToken
    ) -> Response:
        """Submit an answer; 202 promises that it counts. A second body on a live lease is its revision 2."""
        return await _annotate(context, task_id, body, caller, request, token)

    @router.post("/{task_id}/reviews", status_code=202)
    async def review(task_id: str, body: ReviewBody, caller: Caller, request: Request, token: LeaseToken) -> Reviewed:
        """Submit a verdict on the proposal; 202 promises that it counts."""
        caller.require({"reviewer", "adjudicator"})
        lease = _lease(context, token, caller, task_id)
        if lease.stage not in REVIEW_STAGES:
            raise ForbiddenError(f"Task {task_id} is no review; POST …/annotations with the fields instead.")
        version, facts = await _judged_by(context, caller, request, lease)
        refuse(_review_faults(body), "The review")
        fields = None if body.fields is None else checked_answer(version, facts, body.fields, _languages(request))[0]
        review_id = derived_id("review", lease.lease_id)
        event = ReviewSubmitted(
            **context.envelope(caller, request, *_cause(request, "review", lease, body)),
            **_submission(lease, body.seconds_spent),
            origin=_origin(caller, request, lease, version, facts),
            review_id=review_id,
            verdict=body.verdict,
            fields=fields,
            issues=body.issues,
        )
        await _write_in_time(context, event, lease)
        context.answered.note(caller, lease.lease_id)
        return Reviewed(review_id=review_id)

    return router


def create_direct_routes(context: Context) -> list[DirectRoute]:
    """Return the two hot routes as they are answered beside the framework; see ``DirectRoutes``."""

    async def claim(request: Request, body: bytes, _: Mapping[str, str]) -> Response | None:
        caller = await context.keys.authenticate(request)
        caller.require(WORKERS)
        return await _claim(context, caller, request, body) if len(body) <= MAX_CLAIM_BYTES else None

    async def annotate(request: Request, body: bytes, path: Mapping[str, str]) -> Response | None:
        token = request.headers.get("lease-token")
        if token is None or HEADER in request.headers or not is_plain_json(request):
            return None
        try:
            answer = AnnotationBody.model_validate_json(body)
        except ValidationError:
            return None
        caller = await context.keys.authenticate(request)
        return await _annotate(context, path["task_id"], answer, caller, request, token)

    return [DirectRoute("/v1/tasks/claim", claim), DirectRoute("/v1/tasks/{task_id}/annotations", annotate)]


async def _claim(context: Context, caller: Principal, request: Request, body: bytes) -> Response:
    answered = context.answered.of(caller)
    answer = await context.claiming.claim(caller, request, body or b"{}", answered)
    if answer.ok:
        context.answered.forget(caller, answered)
        for task in answer.json()["tasks"]:
            context.facts.put(caller.tenant_id, task["task"], task)
    return answer.response()


async def _annotate(
    context: Context, task_id: str, body: AnnotationBody, caller: Principal, request: Request, token: str
) -> Response:
    caller.require(WORKERS)
    lease = _lease(context, token, caller, task_id)
    if lease.stage in REVIEW_STAGES:
        raise ForbiddenError(f"Task {task_id} is a review; POST …/reviews with a verdict instead.")
    version, facts = await _judged_by(context, caller, request, lease)
    fields, verdicts = checked_answer(version, facts, body.fields, _languages(request))
    annotation_id = derived_id("annotation", lease.lease_id)
    event = AnnotationSubmitted(
        **context.envelope(caller, request, *_cause(request, "annotation", lease, body)),
        **_submission(lease, body.seconds_spent),
        origin=_origin(caller, request, lease, version, facts, verdicts),
        annotation_id=annotation_id,
        fields=fields,
        confidence=body.confidence,
        verdicts=verdicts,
    )
    await _write_in_time(context, event, lease)
    context.answered.note(caller, lease.lease_id)
    stored = await _wait_for(context, caller, request, event)
    answer = Submitted(annotation_id=annotation_id, warnings=[each for each in verdicts if each.passed is False])
    return OrjsonResponse(answer.model_dump(mode="json"), 201 if stored else 202)


async def _give_back(context: Context, task_id: str, caller: Principal, request: Request, token: str) -> Response:
    lease = _lease(context, token, caller, task_id)
    answer = await context.inner.forward_to_owner(task_id, caller, request)
    if answer.status_code < 300:
        context.ended.note(lease.lease_id)
    return answer


def _lease(context: Context, token: str, caller: Principal, task_id: str) -> Lease:
    return read_lease(context.settings.lease_secret.get_secret_value(), token, caller, task_id)


async def _judged_by(
    context: Context, caller: Principal, request: Request, lease: Lease
) -> tuple[ProjectVersion, TaskFacts]:
    """Return the version that the lease was given under and the facts of its sample.

    Raises:
        NotFoundError: The project was deleted since.
    """
    await context.catalog.newest(caller.tenant_id, lease.project_id)
    facts = context.facts.get(caller.tenant_id, lease.task_id)
    if facts is None:
        answer = await context.inner.ask("task_assignment", "GET", f"/v1/tasks/{lease.task_id}/facts", caller, request)
        if not answer.ok:
            raise LabelmeshError(f"The facts of task {lease.task_id} cannot be read: {answer.body.decode()}")
        context.facts.put(caller.tenant_id, lease.task_id, answer.json())
        facts = read_facts(answer.json())
    return await context.catalog.named(caller.tenant_id, lease.project_id, lease.project_version), facts


def _languages(request: Request) -> list[str]:
    return preferred_languages(request.headers.get("accept-language", ""))


def _review_faults(body: ReviewBody) -> list[Fault]:
    if (body.verdict == "fix") == (body.fields is not None):
        return []
    message = "A `fix` needs the corrected fields." if body.verdict == "fix" else "Only a `fix` has fields; drop them."
    return [Fault(pointer="/fields", code="verdict-and-fields", message=message)]


def _cause(request: Request, kind: str, lease: Lease, body: BaseModel) -> tuple[str, ...]:
    """Return what identifies a submission that may be repeated; nothing without an Idempotency-Key.

    Lease and body alone would not do: who answers A, then B, then A again has changed their mind twice, and the third
    answer is the one that counts. The same content twice in a row is one revision whatever its events' ids are.
    """
    key = request.headers.get("idempotency-key")
    return (kind, lease.lease_id, content_hash(body.model_dump(mode="json")), key) if key else ()


def _submission(lease: Lease, seconds_spent: float | None) -> dict[str, Any]:
    return {
        "sample_id": sample_of_task(lease.task_id),
        "project_id": lease.project_id,
        "project_version": lease.project_version,
        "task_id": lease.task_id,
        "stage": lease.stage,
        "annotator_id": lease.annotator_id,
        "lease_id": lease.lease_id,
        "lease_expires_ms": lease.expires_ms,
        "seconds_spent": seconds_spent,
    }


def _origin(
    caller: Principal,
    request: Request,
    lease: Lease,
    version: ProjectVersion,
    facts: TaskFacts,
    verdicts: Sequence[RuleVerdict] = (),
) -> Origin:
    role, started_at = role_in(lease.stage, caller.roles), born_at(lease.lease_id)
    return origin_of(version, facts, verdicts, role=role, started_at=started_at, client=_client(request))


def _client(request: Request) -> str | None:
    """Return what the program calls itself, as far as it can be printed."""
    told = request.headers.get("user-agent", "")
    return "".join(letter for letter in told if letter.isprintable())[:MAX_CLIENT_CHARS] or None


async def _write_in_time(context: Context, event: Submission, lease: Lease) -> None:
    """Put a submission into the log; the broker's stamp alone says whether it counts.

    Raises:
        LeaseExpiredError: It came too late. An answer is kept as a draft; a verdict has lost its object.
        LeaseLostError: The lease was given back or taken away, as far as is known here; the same holds.
        ForbiddenError: The caller is paused or banned; nothing was written.
    """
    context.ended.refuse_idle(lease)
    [receipt] = await context.write(event)
    kept = " Your work is kept as a draft." if isinstance(event, AnnotationSubmitted) else ""
    context.ended.refuse_ended(lease, kept)
    if not in_time(receipt.timestamp_ms, lease.expires_ms):
        ended = from_ms(lease.expires_ms).isoformat()
        raise LeaseExpiredError(f"Your lease on task {lease.task_id} ended at {ended}.{kept} Claim again.")


async def _wait_for(context: Context, caller: Principal, request: Request, event: AnnotationSubmitted) -> bool:
    """Wait, where the client prefers to, until the annotation is stored."""
    wanted = re.search(r"\bwait=(\d+)", request.headers.get("prefer", ""))
    if wanted is None:
        return False
    wanted_hash = content_hash(event.fields)

    async def look() -> bool | None:
        path = f"/v1/annotations/{event.annotation_id}/revisions"
        answer = await context.inner.ask("annotation_store", "GET", path, caller, request)
        stored = answer.json()["items"] if answer.ok else []
        return True if any(content_hash(each["fields"]) == wanted_hash for each in stored) else None

    return bool(await poll(min(float(wanted[1]), MAX_WAIT_SECONDS), look))
