"""The door for labeling tools that publish to Kafka: what they say is checked as requests are, then passed on.

A record may be read twice. What follows from it has an id that follows from the tool's own id and the content, so the
second time says the same again, and counts once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import orjson
from aiokafka import ConsumerRecord
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.answers import checked_answer, origin_of
from services.gateway.context import Context, refuse
from services.gateway.facts import TaskFacts, read_facts
from services.gateway.feedback import PredictionBody, check_prediction
from shared import telemetry
from shared.clock import from_ms
from shared.errors import InvalidBodyError, LabelmeshError, NotFoundError, UnavailableError
from shared.events import Event
from shared.events.external import (
    AnnotationRefused,
    ExternalAnnotationReceived,
    ExternalPredictionReceived,
    ExternalRecord,
)
from shared.events.feedback import PredictionSubmitted
from shared.events.tasks import AnnotationOffered
from shared.ids import derived_id, sample_id_of
from shared.labels.canonical import content_hash
from shared.labels.faults import Fault
from shared.labels.json_values import check_json, read_json
from shared.labels.values import LanguageTag
from shared.ledger import Delivery
from shared.lines import shape_faults
from shared.routes import Reaction
from shared.security import Principal

BATCH_RECORDS: Final = 100
M = TypeVar("M", bound=BaseModel)


class ExternalAnnotation(BaseModel):
    """Somebody's answer to a sample, as a tool publishes it."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        None, min_length=1, max_length=200, description="The tool's own; the same again counts once."
    )
    project: str = Field(max_length=100)
    sample_id: str | None = Field(None, max_length=200)
    external_id: str | None = Field(None, max_length=300)
    annotator_id: str = Field(pattern=r"^[\w.@:-]{1,200}$", description="Who labeled it in the tool.")
    fields: dict[str, Any]
    confidence: float | None = Field(None, ge=0, le=1)
    seconds_spent: float | None = Field(None, ge=0, le=7 * 24 * 3600)
    languages: list[LanguageTag] = Field([], max_length=20, description="BCP 47; of the messages of rules.")


class ExternalPrediction(PredictionBody):
    """A model's prediction, as a tool publishes it."""

    id: str | None = Field(None, min_length=1, max_length=200)
    project: str = Field(max_length=100)


def read_record(kind: type[ExternalRecord]) -> Callable[[ConsumerRecord[Any, Any]], Sequence[ExternalRecord]]:
    """Return what makes an event of a tool's record; nothing in a record can make it fail."""

    def read(record: ConsumerRecord[Any, Any]) -> Sequence[ExternalRecord]:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        headers = {str(name).lower(): value or b"" for name, value in record.headers}
        event = kind(
            event_id=derived_id("external", place),
            tenant_id="",
            occurred_at=from_ms(record.timestamp),
            record=place,
            body=(record.value or b"").decode("utf-8", "replace"),
            credential=headers.get("authorization", b"").decode("utf-8", "replace"),
        )
        return [event]

    return read


class Door:
    """Takes what tools publish."""

    def __init__(self, context: Context, pace: Pace) -> None:
        self._context = context
        self._pace = pace

    def reactions(self) -> list[Reaction]:
        """Return what is done with each kind of record."""
        return [
            Reaction(ExternalAnnotationReceived, self.on_annotations),
            Reaction(ExternalPredictionReceived, self.on_predictions),
        ]

    async def on_annotations(self, deliveries: Sequence[Delivery]) -> None:
        """Pass on what may be taken, refuse the rest; again, it says the same."""
        await self._answer(deliveries, "annotation", self._annotation)

    async def on_predictions(self, deliveries: Sequence[Delivery]) -> None:
        """Pass on what may be taken, refuse the rest; again, it says the same."""
        await self._answer(deliveries, "prediction", self._prediction)

    async def _answer(
        self, deliveries: Sequence[Delivery], kind: str, check: Callable[[ExternalRecord, Principal], Awaitable[Event]]
    ) -> None:
        await self._pace.take(len(deliveries))
        records = [each.event for each in deliveries if isinstance(each.event, ExternalRecord)]
        answers = await asyncio.gather(*(self._answered(record, kind, check) for record in records))
        await self._context.producer.publish(answers)

    async def _answered(
        self, record: ExternalRecord, kind: str, check: Callable[[ExternalRecord, Principal], Awaitable[Event]]
    ) -> Event:
        tenant_id = ""
        try:
            caller = await self._context.keys.holder(record.credential)
            tenant_id = caller.tenant_id
            return await check(record, caller)
        except LabelmeshError as error:
            if error.retryable:
                raise  # a service is away; the record is read again
            return _refusal(record, kind, tenant_id, error)

    async def _annotation(self, record: ExternalRecord, caller: Principal) -> Event:
        body = _parsed(record, ExternalAnnotation)
        caller.require({"integration"}, body.project)
        await self._context.active_project(caller, body.project)
        sample_id = _sample_of(caller, body.project, body.sample_id, body.external_id)
        facts = await self._facts(caller, body.project, sample_id, record)
        if not self._context.catalog.knows(caller.tenant_id, facts.project_id, facts.project_version):
            raise UnavailableError("The project's version is not read yet; the record is read again.")
        version = self._context.catalog.version(caller.tenant_id, facts.project_id, facts.project_version)
        fields, verdicts = await asyncio.to_thread(checked_answer, version, facts, body.fields, body.languages)
        content = content_hash(body.model_dump(mode="json"))
        return AnnotationOffered(
            **self._envelope(record, caller, "external-annotation", body.id or record.record, content),
            sample_id=sample_id,
            project_id=facts.project_id,
            project_version=facts.project_version,
            annotator_id=body.annotator_id,
            annotation_id=derived_id("external-annotation", caller.tenant_id, sample_id, body.annotator_id),
            fields=fields,
            confidence=body.confidence,
            seconds_spent=body.seconds_spent,
            # The key is the tool's, so its name is what is known of the program; when work began is not.
            origin=origin_of(version, facts, verdicts, channel="tool", client=caller.subject, role="annotator"),
            verdicts=verdicts,
        )

    async def _prediction(self, record: ExternalRecord, caller: Principal) -> Event:
        body = _parsed(record, ExternalPrediction)
        caller.require({"integration"}, body.project)
        version = await self._context.catalog.newest(caller.tenant_id, body.project)
        checked = await asyncio.to_thread(check_prediction, version, body)
        refuse(checked.faults, "The prediction")
        content = content_hash(body.model_dump(mode="json"))
        return PredictionSubmitted(
            **self._envelope(record, caller, "external-prediction", body.id or record.record, content),
            sample_id=_sample_of(caller, body.project, body.sample_id, body.external_id),
            project_id=body.project,
            project_version=version.number,
            model=body.model,
            model_version=body.version,
            fields=checked.fields,
            score=body.score,
            prompt=checked.prompt,
            pii=list(checked.findings),
        )

    async def _facts(self, caller: Principal, project: str, sample_id: str, record: ExternalRecord) -> TaskFacts:
        facts = self._context.facts.get(caller.tenant_id, sample_id)
        if facts is None:
            path = f"/v1/samples/{sample_id}/facts"
            answer = await self._context.inner.ask("task_assignment", "GET", path, caller, _as_request(record))
            if answer.status >= 500:
                raise UnavailableError("Task assignment does not answer; the record is read again.")
            if answer.ok:
                self._context.facts.put(caller.tenant_id, sample_id, answer.json())
                facts = read_facts(answer.json())
        if facts is None or facts.project_id != project:
            message = f"Project {project} has no sample {sample_id} to label; publish again once it is ingested."
            raise NotFoundError(message)
        return facts

    def _envelope(self, record: ExternalRecord, caller: Principal, *causes: str) -> dict[str, Any]:
        return {
            "event_id": derived_id(caller.tenant_id, caller.subject, *causes),
            "tenant_id": caller.tenant_id,
            "occurred_at": record.occurred_at,
            "request_id": record.event_id,
            "traceparent": telemetry.traceparent(),
        }


class Pace:
    """Lets so much through in a second; who is ahead of it waits, and meanwhile the records wait in the log."""

    def __init__(
        self,
        per_second: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = per_second
        self._now = now
        self._sleep = sleep
        self._free_at = 0.0

    async def take(self, count: int) -> None:
        """Wait until ``count`` more may pass."""
        start = max(self._now(), self._free_at)
        self._free_at = start + count / self._per_second
        if (ahead := start - self._now()) > 0:
            await self._sleep(ahead)


def _parsed(record: ExternalRecord, model: type[M]) -> M:
    try:
        raw = read_json(record.body)
    except orjson.JSONDecodeError as error:
        faults = [Fault(pointer="", code="invalid-json", message=f"The record is no JSON: {error}.")]
        raise InvalidBodyError("The record is no JSON.", faults=faults) from error
    refuse(check_json(raw).faults, "The record")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = shape_faults(error)
        raise InvalidBodyError(f"The record has {len(faults)} faults.", faults=faults) from error


def _sample_of(caller: Principal, project: str, sample_id: str | None, external_id: str | None) -> str:
    if (sample_id is None) == (external_id is None):
        message = "Name the sample by either sample_id or external_id."
        refuse([Fault(pointer="/sample_id", code="missing", message=message)], "The record")
    return sample_id or sample_id_of(caller.tenant_id, project, external_id or "")


def _refusal(record: ExternalRecord, kind: str, tenant_id: str, error: LabelmeshError) -> AnnotationRefused:
    faults = list(error.faults) if isinstance(error, InvalidBodyError) else []
    said = _said_in(record)
    return AnnotationRefused(
        event_id=derived_id("refused", record.record),
        tenant_id=tenant_id,
        occurred_at=record.occurred_at,
        request_id=record.event_id,
        traceparent=telemetry.traceparent(),
        record=record.record,
        kind="annotation" if kind == "annotation" else "prediction",
        id=said("id"),
        project_id=said("project"),
        faults=faults or [Fault(pointer="", code=error.slug(), message=error.detail)],
    )


def _said_in(record: ExternalRecord) -> Callable[[str], str | None]:
    """Return what reads short names from a record that may be anything."""
    try:
        body = orjson.loads(record.body)
    except orjson.JSONDecodeError:
        body = None

    def read(name: str) -> str | None:
        value = body.get(name) if isinstance(body, dict) else None
        return value if isinstance(value, str) and len(value) <= 200 else None

    return read


def _as_request(record: ExternalRecord) -> Request:
    """Return a request on behalf of a record, by which a service is asked."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {"request_id": record.event_id}}
    return Request(scope)
