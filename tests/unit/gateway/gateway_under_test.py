"""The gateway over fakes: its own routes, errors and limits, with a log, keys and services that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import httpx2
import orjson
from aiokafka.errors import KafkaConnectionError
from fastapi import FastAPI, Request
from pymongo.errors import DuplicateKeyError

from services.gateway.claiming import Claiming
from services.gateway.context import Context
from services.gateway.facts import FactsCache
from services.gateway.feed import Feed
from services.gateway.idempotency import STREAMED, repeatable
from services.gateway.inner import Answer, Inner, Members
from services.gateway.keys import KeyBody, KeyStore
from services.gateway.main import add_routes
from services.gateway.settings import GatewaySettings
from shared.body_limit import BodyLimit
from shared.catalog import Catalog
from shared.claims import AskedClaim
from shared.clock import to_ms
from shared.errors import UnavailableError
from shared.events import Event
from shared.http import Measured, OrjsonResponse, install_problems
from shared.ids import sample_id_of, task_id_of
from shared.kafka import Producer, Receipt
from shared.media import Media
from shared.mongo import Database
from shared.security import Lease, Principal, Role, sign_lease
from tests.answer_rules import MemoryAnswers
from tests.builders import PROJECT, TENANT, a_catalog, text_facts
from tests.fakes import FakeClock

E = TypeVar("E", bound=Event)

CLAIM = "/v1/tasks/claim"
LEASE_SECRET = "a lease secret that is long enough for HS256"
SAMPLE = sample_id_of(TENANT, PROJECT, "sample-1")
TASK = task_id_of(SAMPLE, "first_pass", 1)


def gateway_settings(**changes: Any) -> GatewaySettings:
    services = ("ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback")
    known = {
        "kafka_bootstrap": "kafka:9092",
        "mongo_url": "mongodb://mongo:27017",
        "minio_endpoint": "minio:9000",
        "minio_access_key": "access",
        "minio_secret_key": "secret",
        "media_public_url": "http://media.example.org",
        "internal_secret": "an internal secret that is long enough for HS256",
        "lease_secret": LEASE_SECRET,
        "api_key_pepper": "pepper",
        "gateway_port": 18080,
        "outcome_seconds": 0.02,
        "max_body_bytes": 20_000,
        "max_line_bytes": 1_000,
    }
    return GatewaySettings(**(known | {f"{name}_url": f"http://{name}" for name in services} | changes))


class StampedLog(Producer):
    """A broker that stamps records with a clock of the test; it can be away, or slow to acknowledge."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.events: list[Event] = []
        self.is_away = False
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()
        self.on_event: Callable[[Event], Any] | None = None
        self.offered = asyncio.Semaphore(0)

    async def publish(self, events: Sequence[Event]) -> list[Receipt]:
        if self.is_away:
            raise KafkaConnectionError("no broker")
        self.offered.release()
        await self.acknowledges.wait()
        self.events += events
        if self.on_event is not None:
            for event in events:
                await self.on_event(event)
        return [Receipt(0, offset, to_ms(self._clock())) for offset, _ in enumerate(events)]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if type(event) is kind]


class MemoryKeys:
    """What the key store asks of its collection."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.reads = 0

    async def insert_one(self, document: dict[str, Any]) -> None:
        if document["_id"] in self.kept:
            raise DuplicateKeyError("E11000", 11000)
        self.kept[document["_id"]] = document

    async def find_one(self, query: Mapping[str, Any]) -> dict[str, Any] | None:
        self.reads += 1
        return self.kept.get(query["_id"])

    async def delete_one(self, query: Mapping[str, Any]) -> Any:
        found = self.kept.get(query["_id"])
        is_there = found is not None and found["tenant_id"] == query["tenant_id"]
        if is_there:
            del self.kept[query["_id"]]
        return type("Deleted", (), {"deleted_count": int(is_there)})

    def find(self, query: Mapping[str, Any]) -> Any:
        after = query.get("_id", {}).get("$gt", "")
        found = sorted((each for each in self.kept.values() if each["_id"] > after), key=lambda each: each["_id"])
        return _Cursor([each for each in found if each["tenant_id"] == query["tenant_id"]])


class _Cursor:
    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    def sort(self, *_by: Any) -> _Cursor:
        return self

    def limit(self, count: int) -> _Cursor:
        return _Cursor(self._found[:count])

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for each in self._found:
            yield each


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the gateway made of a service."""

    service: str
    method: str
    path: str
    tenant_id: str
    body: bytes | None
    address: str | None
    told: Mapping[str, str]


Reply = tuple[int, Any] | Exception


class FakeServices(Inner):
    """The services behind the gateway, as far as the test says what they answer."""

    def __init__(self, settings: GatewaySettings, members: Members, clock: FakeClock) -> None:
        super().__init__(settings, members, clock)
        self.asked: list[Asked] = []
        self.replies: dict[str, Reply] = {}
        """By path, or by a replica's address."""

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
        self.asked.append(Asked(service, method, path, principal.tenant_id, body, address, extra_headers or {}))
        return self._reply(path, address)

    def token(self, principal: Principal, request: Request) -> str:
        return principal.tenant_id

    async def claim(self, address: str, claims: Sequence[AskedClaim]) -> list[Answer]:
        for each in claims:
            told = {"answered": ",".join(each.answered)}
            body = each.body.encode()
            self.asked.append(Asked("task_assignment", "POST", CLAIM, each.token, body, address, told))
        return [self._reply(CLAIM, address) for _ in claims]

    def _reply(self, path: str, address: str | None) -> Answer:
        reply = self.replies.get(address or path, self.replies.get(path, (404, {"title": "Not found"})))
        if isinstance(reply, Exception):
            raise reply
        status, content = reply
        return Answer(status, {"content-type": "application/json"}, orjson.dumps(content))


class FakeMembers:
    """The replicas of task assignment."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.owner: str | None = None

    def owner_of(self, _partition: int) -> str | None:
        return self.owner


@dataclass(slots=True)
class GatewayUnderTest:
    """The gateway and the world around it."""

    context: Context
    app: FastAPI
    clock: FakeClock
    log: StampedLog
    answers: MemoryAnswers
    services: FakeServices
    members: FakeMembers
    stored_keys: MemoryKeys
    _credentials: dict[tuple[Any, ...], str] = field(default_factory=dict)

    async def key(self, who: str, roles: Sequence[Role], projects: Sequence[str] = (), tenant: str = TENANT) -> str:
        """Return an API key, the same for the same person."""
        name = (who, *roles, *projects, tenant)
        if name not in self._credentials:
            body = KeyBody(subject=who, roles=list(roles), projects=list(projects))
            self._credentials[name] = str((await self.context.keys.create(tenant, body))[0])
        return self._credentials[name]

    @asynccontextmanager
    async def calling(
        self, who: str = "mo", *roles: Role, projects: Sequence[str] = (), tenant: str = TENANT
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a client that calls as somebody; a manager unless roles say else."""
        key = await self.key(who, roles or ("manager",), projects, tenant)
        async with self.anonymous() as client:
            client.headers["authorization"] = f"Bearer {key}"
            yield client

    @asynccontextmanager
    async def anonymous(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway/v1") as client:
            yield client

    def lease(self, who: str = "ana", seconds: float = 600, **changes: Any) -> Lease:
        """Return a lease on the usual task."""
        known = {
            "lease_id": "lease-1",
            "tenant_id": TENANT,
            "task_id": TASK,
            "stage": "first_pass",
            "slot": "0",
            "annotator_id": who,
            "project_id": PROJECT,
            "project_version": 1,
            "expires_ms": to_ms(self.clock()) + round(seconds * 1000),
        }
        return Lease(**(known | changes))

    def holds(self, who: str = "ana", secret: str = LEASE_SECRET, **changes: Any) -> dict[str, str]:
        """Return the header of somebody who holds the usual task, whose facts task assignment knows."""
        lease = self.lease(who, **changes)
        self.services.replies.setdefault(f"/v1/tasks/{lease.task_id}/facts", (200, the_facts()))
        return {"lease-token": sign_lease(secret, lease)}


def the_facts() -> dict[str, Any]:
    facts = text_facts().model_dump(mode="json")
    return {"project": PROJECT, "project_version": 1, "assets": {"chat": facts}}


async def a_gateway(*known: Event, catalog: Catalog | None = None, **settings: Any) -> GatewayUnderTest:
    """Return a gateway that knows the usual project, or these."""
    clock = FakeClock()
    config = gateway_settings(**settings)
    members = FakeMembers()
    services = FakeServices(config, cast(Members, members), clock)
    stored_keys = MemoryKeys()
    keys = KeyStore(cast(Database, {"api_keys": stored_keys}), "pepper", clock)
    answers = MemoryAnswers()
    log = StampedLog(clock)
    context = Context(
        settings=config,
        catalog=catalog or await a_catalog(*known),
        producer=log,
        media=Media(config),
        keys=keys,
        inner=services,
        claiming=Claiming(services, cast(Members, members), config),
        clock=clock,
        facts=FactsCache(),
        route=repeatable(keys.authenticate, answers, clock),
    )
    app = FastAPI(title="Labelmesh gateway", default_response_class=OrjsonResponse)
    install_problems(app)
    add_routes(app, context, Feed(config))
    app.add_middleware(BodyLimit, max_bytes=config.max_body_bytes, streamed=STREAMED)
    app.add_middleware(Measured, service="gateway")
    return GatewayUnderTest(context, app, clock, log, answers, services, members, stored_keys)


def unavailable() -> UnavailableError:
    return UnavailableError("It does not answer; send the same request again.")
