"""How the gateway asks the services: one hop, as the caller, with a short-lived token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import Request
from fastapi.responses import Response

from services.gateway.settings import GatewaySettings
from shared.claims import CLAIMS_PATH, AskedClaim, AskedClaims, read_answers
from shared.clock import Clock
from shared.connections import Connections, NoAnswerError
from shared.errors import UnavailableError
from shared.events import Event
from shared.events.tasks import AssignmentMemberAnnounced
from shared.health import Health
from shared.http import REQUEST_ID
from shared.ids import sample_of_task
from shared.kafka import partition_of
from shared.log_reader import LogReader
from shared.members import owners_of
from shared.security import Principal, sign_internal

_PASSED_ON: Final = (
    "lease-token",
    "if-match",
    "if-none-match",
    "prefer",
    "content-type",
    "traceparent",
    "accept-language",
)
_JSON: Final = {"content-type": "application/json"}
_SAFE_IN_PATHS: Final = "/:@!$&'()*+,;=~"
_PASSED_BACK: Final = ("content-type", "etag", "link", "retry-after")


class Answer:
    """What a service answered."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, decoded: Any = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._decoded = decoded

    @property
    def ok(self) -> bool:
        """Whether the service did what it was asked."""
        return self.status < 400

    def json(self) -> Any:
        """Return the body, decoded once."""
        if self._decoded is None:
            self._decoded = orjson.loads(self.body)
        return self._decoded

    def response(self) -> Response:
        """Return the answer as ours; the problem documents of services are the gateway's own."""
        headers = {name: self.headers[name] for name in _PASSED_BACK if name in self.headers}
        return Response(self.body, self.status, headers)


class Members(LogReader):
    """Which replica of task assignment serves which partitions."""

    def __init__(self, settings: GatewaySettings, health: Health) -> None:
        super().__init__(settings, health, "members", (AssignmentMemberAnnounced,), self._on_announced)
        self._said: dict[str, AssignmentMemberAnnounced] = {}
        self._owners: dict[int, str] = {}

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses of all replicas that own a partition, sorted."""
        return sorted(set(self._owners.values()))

    def owner_of(self, partition: int) -> str | None:
        """Return the address of the replica that serves a partition's samples; None where nobody says so."""
        return self._owners.get(partition)

    async def _on_announced(self, event: Event) -> None:
        if isinstance(event, AssignmentMemberAnnounced):
            self._said[event.member_id] = event
            self._owners = owners_of(self._said.values())


class Inner:
    """Asks services over HTTP with kept connections."""

    def __init__(self, settings: GatewaySettings, members: Members, clock: Clock) -> None:
        self._settings = settings
        self._secret = settings.internal_secret.get_secret_value()
        self._members = members
        self._clock = clock
        self._connections = Connections()

    async def stop(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        principal: Principal,
        request: Request,
        *,
        body: bytes | None = None,
        address: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask a service as the caller.

        Args:
            service: Its name in the design.
            method: The HTTP method.
            path: Path and query.
            principal: Who asks.
            request: Gives the request id and the headers that are passed on.
            body: The body, if any.
            address: A replica's address; the service's own by default.
            extra_headers: What the gateway itself tells the service.

        Raises:
            UnavailableError: The service does not answer.
        """
        headers = {name: value for name in _PASSED_ON if (value := request.headers.get(name)) is not None}
        token = self.token(principal, request)
        # The id stands in the token, but a body may be refused before the token is read.
        headers |= {"authorization": f"Bearer {token}", REQUEST_ID: request.state.request_id, **(extra_headers or {})}
        base = address or self._settings.url_of(service)
        try:
            return Answer(*await self._connections.request(method, base, path, headers, body))
        except NoAnswerError as error:
            name = service.replace("_", " ")
            raise UnavailableError(f"The {name} service does not answer; send the same request again.") from error

    async def forward(self, service: str, principal: Principal, request: Request) -> Response:
        """Pass a request on as it is, and its answer back."""
        path = quote(request.url.path, safe=_SAFE_IN_PATHS) + (f"?{request.url.query}" if request.url.query else "")
        body = await request.body() if request.method in {"POST", "PUT", "PATCH"} else None
        return (await self.ask(service, request.method, path, principal, request, body=body)).response()

    async def forward_to_owner(self, task_id: str, principal: Principal, request: Request) -> Response:
        """Pass a request about a task on to the replica that serves its sample; any other would do, a little slower.

        A replica that died has not said so. Then the service's own address is asked.
        """
        owner = self._members.owner_of(partition_of(sample_of_task(task_id), self._settings.partitions))
        if owner is None:
            return await self.forward("task_assignment", principal, request)
        path, body = quote(request.url.path, safe=_SAFE_IN_PATHS), await request.body()
        for address in (owner, None):
            try:
                answer = await self.ask(
                    "task_assignment", request.method, path, principal, request, body=body, address=address
                )
            except UnavailableError:
                if address is None:
                    raise
            else:
                return answer.response()
        raise UnavailableError("Task assignment does not answer; send the same request again.")

    async def claim(self, address: str, claims: Sequence[AskedClaim]) -> list[Answer]:
        """Ask a replica of task assignment for several claims at once.

        Raises:
            UnavailableError: It does not answer.
        """
        body = AskedClaims(claims=list(claims)).model_dump_json().encode()
        try:
            status, _, told = await self._connections.request("POST", address, CLAIMS_PATH, _JSON, body)
        except NoAnswerError as error:
            raise UnavailableError("Task assignment does not answer; send the same request again.") from error
        if status != 200:
            raise UnavailableError(f"Task assignment answers {status}; send the same request again.")
        return [Answer(status, headers, orjson.dumps(body), body) for status, headers, body in read_answers(told)]

    def token(self, principal: Principal, request: Request) -> str:
        """Return the token with which services are asked for somebody."""
        return sign_internal(self._secret, principal, request.state.request_id, self._clock())


async def poll(seconds: float, look: Any, interval: float = 0.05) -> Any:
    """Call ``look`` until it returns something, for at most ``seconds``; None when it never does."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await look()
        if found is not None or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(interval)
