"""What task assignment's routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.task_assignment.desk import Desk
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.skips import returns_ms
from services.task_assignment.domain.tasks import EndedHow, SampleTasks, key_of_task
from services.task_assignment.hand import Hand
from services.task_assignment.leases import released, skipped
from services.task_assignment.store import Store
from shared.clock import Clock, to_ms
from shared.errors import LeaseLostError, NotFoundError
from shared.events import Event
from shared.ids import sample_of_task
from shared.security import Lease, Principal, read_lease
from shared.service import Service


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    service: Service
    store: Store
    board: Board
    desk: Desk
    hand: Hand
    lease_secret: str
    clock: Clock

    async def sample_of(self, principal: Principal, task_id: str) -> SampleTasks:
        """Return the sample that a task is about.

        Raises:
            NotFoundError: The tenant has no such task.
        """
        id_ = f"{principal.tenant_id}/{sample_of_task(task_id)}"
        found = (await self.store.samples([id_])).get(id_)
        if found is None or found.sample.find(task_id) is None:
            raise NotFoundError(f"There is no task {task_id!r}; claim one.")
        principal.require(principal.roles, found.sample.project_id)
        return found.sample

    async def known_sample(self, principal: Principal, sample_id: str) -> SampleTasks:
        """Return a sample that has been ingested.

        Raises:
            NotFoundError: The tenant has no such sample, or it has been rejected.
        """
        id_ = f"{principal.tenant_id}/{sample_id}"
        found = (await self.store.samples([id_])).get(id_)
        if found is None or found.sample.rejected:
            raise NotFoundError(f"There is no sample {sample_id!r} to label; it may not be ingested yet.")
        principal.require(principal.roles, found.sample.project_id)
        return found.sample

    async def give_back(self, principal: Principal, token: str, task_id: str, how: EndedHow) -> None:
        """Free the slot that a token is for. Asked again, it tells the same again and changes nothing.

        Raises:
            LeaseLostError: The lease has ended otherwise, or was never the caller's.
        """
        lease = read_lease(self.lease_secret, token, principal, task_id)
        spec = self.service.catalog.version(lease.tenant_id, lease.project_id, lease.project_version).spec
        returns = returns_ms(spec.assignment.skip, to_ms(self.clock()))
        if not await self.store.give_back(lease, how, returns) and not await self._ended_so(lease, how):
            raise LeaseLostError(f"You do not hold task {task_id} any more; there is nothing to give back.")
        await self.look_again(lease)
        told: list[Event] = [released(lease, how, self.clock())]
        await self.service.producer.publish([*told, skipped(lease, self.clock())] if how == "skipped" else told)
        if how == "skipped":
            await self.hand.after_skip(lease)

    async def _ended_so(self, lease: Lease, how: EndedHow) -> bool:
        """Return whether a lease was given back in this very way already."""
        id_ = f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"
        found = (await self.store.samples([id_])).get(id_)
        task = None if found is None else found.sample.tasks.get(key_of_task(lease.task_id))
        ended = None if task is None else task.end_of(lease.lease_id)
        return ended is not None and ended.how == how

    async def look_again(self, lease: Lease) -> None:
        """Bring the board in step with a document that was changed here."""
        for stored in (await self.store.samples([f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"])).values():
            self.board.put(stored.sample, stored.revision)
