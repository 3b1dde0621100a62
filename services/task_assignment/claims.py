"""What a claim is on its way through the desk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from services.task_assignment.domain.eligibility import SOON
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import Seeker
from services.task_assignment.holdings import Holdings
from services.task_assignment.leases import Granted
from shared.security import Lease, Principal


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What somebody asks for."""

    principal: Principal
    count: int
    project: str | None = None
    stages: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    request_id: str = ""
    answered: frozenset[str] = frozenset()
    """Leases whose answers are in the log and count, though they may not be folded yet: they are held no more."""


@dataclass(slots=True)
class ClaimAnswer:
    """The leases that somebody has, why there are not more, and when to ask again."""

    granted: list[Granted] = field(default_factory=list)
    reason: str | None = None
    retry_after: timedelta = SOON


@dataclass(slots=True)
class Claim:
    """A request that waits for its answer."""

    request: ClaimRequest
    done: asyncio.Future[ClaimAnswer]
    tries: int = 0


@dataclass(slots=True)
class Round:
    """One claim while its batch is served."""

    claim: Claim
    seeker: Seeker
    holdings: Holdings
    live: list[Granted]
    picks: list[tuple[Pick, Lease]] = field(default_factory=list)
    reason: str | None = None
    retry_after: timedelta = SOON
    most_held: dict[str, int] = field(default_factory=dict)
    """By project: how many more leases of it the caller may hold."""
    has_struck_off: bool = False
    """Answered leases were on the holder's list, and the gateway will not tell of them again."""
