"""What every route of the gateway works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from services.gateway.answered import AnsweredLeases
from services.gateway.claiming import Claiming
from services.gateway.ended import EndedLeases
from services.gateway.facts import FactsCache
from services.gateway.inner import Inner
from services.gateway.keys import KeyStore
from services.gateway.settings import GatewaySettings
from shared import telemetry
from shared.catalog import Catalog, ProjectVersion
from shared.clock import Clock
from shared.errors import BodyTooLargeError, ConflictError, InvalidBodyError
from shared.events import Event
from shared.ids import derived_id, new_id
from shared.kafka import Producer, Receipt
from shared.labels.faults import Fault
from shared.media import Media
from shared.security import Principal


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway's parts."""

    settings: GatewaySettings
    catalog: Catalog
    producer: Producer
    media: Media
    keys: KeyStore
    inner: Inner
    claiming: Claiming
    clock: Clock
    facts: FactsCache
    route: type[APIRoute]
    """The class of routes whose POSTs may be sent again under the same Idempotency-Key."""
    answered: AnsweredLeases = field(default_factory=AnsweredLeases)
    ended: EndedLeases = field(default_factory=EndedLeases)

    def envelope(self, principal: Principal, request: Request, *causes: str) -> dict[str, Any]:
        """Return what every event of ours begins with; its id follows from ``causes``, or is new without any."""
        return {
            "event_id": derived_id(principal.tenant_id, *causes) if causes else new_id(),
            "tenant_id": principal.tenant_id,
            "occurred_at": self.now(),
            "request_id": request.state.request_id,
            "traceparent": telemetry.traceparent(),
        }

    def now(self) -> datetime:
        """Return the present time."""
        return self.clock()

    async def write(self, *events: Event) -> Sequence[Receipt]:
        """Put facts into the log; the client may be answered when this returns."""
        return await self.producer.answer_for(events)

    async def active_project(self, principal: Principal, project_id: str) -> ProjectVersion:
        """Return the newest version of a project that takes work.

        Raises:
            NotFoundError: There is no such project.
            ConflictError: It is paused or archived.
        """
        version = await self.catalog.newest(principal.tenant_id, project_id)
        state = self.catalog.state(principal.tenant_id, project_id)
        if state != "active":
            raise ConflictError(f"Project {project_id!r} is {state}; POST /v1/projects/{project_id}/resume first.")
        return version


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body.

    Raises:
        BodyTooLargeError: It is longer than ``limit`` bytes.
    """
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > limit:
            raise BodyTooLargeError(f"The body is longer than {limit} bytes; send less at once.")
    return bytes(found)


def refuse(faults: Sequence[Fault], what: str) -> None:
    """Raise all faults of a body together, if there are any.

    Raises:
        InvalidBodyError: There are.
    """
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InvalidBodyError(f"{what} has {count}; errors lists what and where.", faults=faults)
