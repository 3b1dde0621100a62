"""API keys: what is kept of them, and who somebody with one is."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import datetime
from typing import Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.errors import ConflictError, NotFoundError, UnauthenticatedError
from shared.ids import derived_id
from shared.mongo import Database
from shared.security import ApiKey, Principal, Role

CACHE_SECONDS: Final = 10.0
"""How long a revoked key may still work."""
MAX_CACHED: Final = 50_000


class KeyBody(BaseModel):
    """Who a new key is for, and what they may do."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        min_length=1, max_length=200, pattern=r"^[\w.@:-]+$", description="Annotator, person, program."
    )
    roles: list[Role] = Field(min_length=1)
    projects: list[str] = Field([], description="Only these projects; empty: all of the tenant.")


class KeyView(BaseModel):
    """A key without its secret."""

    id: str
    subject: str
    roles: list[Role]
    projects: list[str] = []
    created_at: datetime


class KeyStore:
    """Keys of all tenants; looked up by id alone, and remembered for ten seconds."""

    def __init__(self, database: Database, pepper: str, clock: Clock) -> None:
        self._keys = database["api_keys"]
        self._pepper = pepper
        self._clock = clock
        self._cache: dict[str, tuple[float, Principal]] = {}

    async def authenticate(self, request: Request) -> Principal:
        """Return who calls.

        Raises:
            UnauthenticatedError: There is no key in the request, or not one that we know.
        """
        return await self.holder(request.headers.get("authorization", ""))

    async def holder(self, authorization: str) -> Principal:
        """Return whose key stands in an ``authorization`` header.

        Raises:
            UnauthenticatedError: There is none in it, or not one that we know.
        """
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() not in {"bearer", "token"} or not text:
            raise UnauthenticatedError("Send an API key as `Authorization: Bearer lm_…`; an owner can make you one.")
        cached = self._cache.get(text)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        principal = await self._look_up(ApiKey.parse(text.strip()))
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[text] = (time.monotonic() + CACHE_SECONDS, principal)
        return principal

    async def create(self, tenant_id: str, body: KeyBody, *causes: str) -> tuple[ApiKey, KeyView]:
        """Make a key; it can be read this once.

        Args:
            tenant_id: Whose key it is.
            body: Who it is for.
            *causes: What its id follows from, so that a repeated request makes no second key; without any it is new.

        Raises:
            ConflictError: The key was made before.
        """
        key = ApiKey.new()
        if causes:
            key = key._replace(id=hashlib.sha256(derived_id(tenant_id, *causes).encode()).hexdigest()[:16])
        created_at = self._clock()
        document = {
            "_id": key.id,
            "digest": key.digest(self._pepper),
            "tenant_id": tenant_id,
            "created_at": created_at,
            **body.model_dump(mode="json"),
        }
        try:
            await self._keys.insert_one(document)
        except DuplicateKeyError as error:
            raise ConflictError(
                f"This Idempotency-Key has made the API key {key.id}, which was shown once; DELETE it where its secret "
                "is lost, and send the request again."
            ) from error
        return key, KeyView(id=key.id, created_at=created_at, **body.model_dump())

    async def list(self, tenant_id: str, after: str | None, limit: int) -> list[KeyView]:
        """Return keys of a tenant in order of id, beginning after ``after``."""
        query: dict[str, object] = {"tenant_id": tenant_id}
        if after is not None:
            query["_id"] = {"$gt": after}
        found = self._keys.find(query).sort("_id", 1).limit(limit)
        return [KeyView(id=each["_id"], **each) async for each in found]

    async def delete(self, tenant_id: str, key_id: str) -> None:
        """Revoke a key.

        Raises:
            NotFoundError: The tenant has no such key.
        """
        result = await self._keys.delete_one({"_id": key_id, "tenant_id": tenant_id})
        self._cache.clear()
        if result.deleted_count == 0:
            raise NotFoundError(f"There is no key {key_id!r}; GET /v1/api-keys lists them.")

    async def ensure_indexes(self) -> None:
        """Make the index that listing needs."""
        await self._keys.create_index([("tenant_id", 1), ("_id", 1)], name="of_tenant")

    async def _look_up(self, key: ApiKey) -> Principal:
        found = await self._keys.find_one({"_id": key.id})
        digest = key.digest(self._pepper)
        if found is None or not hmac.compare_digest(found["digest"], digest):
            raise UnauthenticatedError("The API key is not known, or was revoked; ask an owner for a new one.")
        return Principal(
            tenant_id=found["tenant_id"],
            subject=found["subject"],
            roles=frozenset(found["roles"]),
            projects=frozenset(found["projects"]),
        )
