"""Objects that the store tells of below prefixes that are followed: looked at soon, without listing the whole.

A notice is kept until what it tells of is in the log, so none is lost while a prefix is being listed. A notification
that never came is made good by the next listing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

from services.ingest.domain.prefix import name_of
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.references.buckets import Buckets
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.errors import NotFoundError
from shared.events import Event
from shared.events.imports import ImportContinued
from shared.events.uploads import ObjectPut
from shared.ids import derived_id
from shared.jobs import Follow, JobPart, read_head
from shared.ledger import Delivery, Ledger
from shared.routes import Reaction

NOTICES_AT_ONCE: Final = 500


class Notice(NamedTuple):
    """An object that was put below a prefix that a job follows."""

    tenant_id: str
    job_id: str
    object: str
    etag: str
    at_ms: int


class Followed(NamedTuple):
    """A job, and the prefix that it follows."""

    job_id: str
    prefix: str


class Notices(Protocol):
    """What was told of and is not looked at yet."""

    async def followed(self, tenant_id: str) -> Sequence[Followed]:
        """Return the prefixes of a tenant that are followed."""

    async def keep(self, notices: Sequence[Notice]) -> None:
        """Keep notices; of an object that is told of again, the last."""

    async def some(self, after: str, limit: int) -> Sequence[Notice]:
        """Return notices by tenant, job and object, of which the first comes after ``after``."""

    async def forget(self, tenant_id: str, job_id: str, noticed: Mapping[str, str]) -> None:
        """Let go of objects, by their etags; not of one that was put again since."""


class Noticing:
    """Keeps what the store tells of, and has it looked at once it is quiet."""

    def __init__(
        self,
        notices: Notices,
        buckets: Buckets,
        jobs: Ledger[JobPart],
        catalog: Catalog,
        publish: Callable[[Sequence[Event]], Awaitable[Any]],
        clock: Clock,
        settles: timedelta,
    ) -> None:
        """Prepare it.

        Args:
            notices: What was told of.
            buckets: What the tenants may list.
            jobs: Tells which prefixes are followed, and how far.
            catalog: The versions of projects.
            publish: Puts facts into the log.
            clock: The present time.
            settles: For how long nothing may have been put under a sample's name before it is looked at: its objects
                come one by one.
        """
        self._notices = notices
        self._buckets = buckets
        self._jobs = jobs
        self._catalog = catalog
        self._publish = publish
        self._clock = clock
        self._settles_ms = settles / timedelta(milliseconds=1)
        self._after = ""

    def routes(self) -> list[Reaction]:
        """Return what hears of objects."""
        return [Reaction(ObjectPut, self.on_objects_put)]

    async def on_objects_put(self, deliveries: Sequence[Delivery]) -> None:
        """Keep a notice for each job that follows the object's prefix. Told twice, it is kept once."""
        put = [each.event for each in deliveries if isinstance(each.event, ObjectPut)]
        now_ms = to_ms(self._clock())
        kept: list[Notice] = []
        for tenant_id in {event.tenant_id for event in put}:
            followed = [
                (each.job_id, beginning)
                for each in await self._notices.followed(tenant_id)
                if (beginning := self._name(tenant_id, each.prefix)) is not None
            ]
            kept += [
                Notice(tenant_id, job_id, event.object, event.etag, now_ms)
                for event in put
                if event.tenant_id == tenant_id
                for job_id, beginning in followed
                if event.object.startswith(beginning)
            ]
        if kept:
            await self._notices.keep(kept)

    async def look_at_quiet(self) -> None:
        """Have the next part of an import be what was noticed; begun twice, it is read once.

        Where a listing is due or under way its turn comes after that, for the parts of an import follow each other.
        """
        found = await self._notices.some(self._after, NOTICES_AT_ONCE)
        last = found[-1] if len(found) == NOTICES_AT_ONCE else None
        self._after = "" if last is None else f"{last.tenant_id}/{last.job_id}/{last.object}"
        now = self._clock()
        for (tenant_id, job_id), some in groupby(found, key=lambda each: (each.tenant_id, each.job_id)):
            notices = list(some)
            head = await read_head(self._jobs, tenant_id, job_id)
            if head is None or head.follow is None or head.is_cancelled:
                await self._notices.forget(tenant_id, job_id, {each.object: each.etag for each in notices})
                continue
            noticed = _quiet(notices, to_ms(now) - self._settles_ms)
            begun = self._begun(tenant_id, head, head.follow, noticed, now)
            if begun is not None:
                await self._publish([begun])

    def _begun(
        self, tenant_id: str, head: JobPart, follow: Follow, noticed: Mapping[str, str], now: datetime
    ) -> ImportContinued | None:
        if not noticed or follow.due_ms <= to_ms(now):
            return None
        try:
            version = self._catalog.latest(tenant_id, head.project_id).number
        except NotFoundError:
            return None  # the next listing ends the import
        return ImportContinued(
            event_id=derived_id("noticed", tenant_id, head.job_id, str(follow.cursor.chunk)),
            tenant_id=tenant_id,
            occurred_at=now,
            job_id=head.job_id,
            project_id=head.project_id,
            project_version=version,
            source=follow.source,
            on_conflict=follow.on_conflict,
            due_at=follow.due_at,
            cursor=follow.cursor.model_copy(update={"noticed": dict(noticed)}),
        )

    def _name(self, tenant_id: str, prefix: str) -> str | None:
        try:
            return self._buckets.name(tenant_id, prefix)
        except MediaRejectedError:
            return None  # it was registered once


def _quiet(notices: Iterable[Notice], until_ms: float) -> dict[str, str]:
    """Return objects and etags of the samples of which nothing was told since ``until_ms``."""
    latest: dict[str, int] = {}
    for each in notices:
        name = name_of(each.object)[0]
        latest[name] = max(latest.get(name, 0), each.at_ms)
    return {each.object: each.etag for each in notices if latest[name_of(each.object)[0]] <= until_ms}
