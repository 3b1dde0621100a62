"""A service's HTTP routes as the gateway calls them, without a process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI, Request

from shared.http import install_problems
from shared.security import Principal, Role
from tests.builders import TENANT


async def principal_of(request: Request) -> Principal:
    """Return who calls, from the headers that ``asking`` sends."""
    return Principal(
        tenant_id=request.headers["x-tenant"],
        subject=request.headers["x-subject"],
        roles=frozenset(request.headers["x-roles"].split()),  # type: ignore[arg-type]  # the tests name real roles
        projects=frozenset(request.headers["x-projects"].split()),
    )


@asynccontextmanager
async def asking(
    create: Callable[..., APIRouter], *parts: Any, who: str = "mo", roles: tuple[Role, ...] = ("manager",), **more: Any
):
    """Yield a client of the routes that ``create(principal_of, *parts)`` returns, as one caller.

    Args:
        create: The service's ``create_router``.
        *parts: What it takes beside the caller.
        who: The caller's id.
        roles: The caller's roles.
        **more: ``tenant`` and ``projects``, where they are not the usual ones.
    """
    app = FastAPI()
    install_problems(app)
    app.include_router(create(principal_of, *parts))
    headers = {
        "x-tenant": more.get("tenant", TENANT),
        "x-subject": who,
        "x-roles": " ".join(roles),
        "x-projects": " ".join(more.get("projects", ())),
    }
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service/v1", headers=headers) as client:
        yield client
