"""The manager's hand: leases looked at, taken away, given to somebody else, and answers opened again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.task_assignment.domain.annotator import Answered, with_offered
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.eligibility import group_of, is_diverse, may_take, most_leases, most_of_a_group
from services.task_assignment.domain.hand import leased_slots, may_reopen, with_lease, without_leases
from services.task_assignment.domain.skips import is_contested, without_free_slots
from services.task_assignment.domain.tasks import SampleTasks, Task, key_of_task
from services.task_assignment.holdings import Held
from services.task_assignment.leases import lease_of, leased, live_leases, new_lease, released
from services.task_assignment.limits import count_answers
from services.task_assignment.store import Store, StoredSample
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.errors import ConflictError, NotFoundError, UnavailableError
from shared.events import Event
from shared.events.tasks import TaskContested
from shared.ids import derived_id, sample_of_task
from shared.kafka import Producer
from shared.security import Lease, Principal

MAX_TRIES: Final = 10
"""How often a change is tried again when somebody else has written the sample meanwhile."""

Change = Callable[[SampleTasks], SampleTasks]


class CannotTakeError(ConflictError):
    """Somebody cannot be given the task."""

    title = "They cannot take this task"


class AlreadyJudgedError(ConflictError):
    """The answer was judged, and is not its author's to change any more."""

    title = "Already judged"


class Workload(BaseModel):
    """What somebody has done of a project's work, and holds of it."""

    model_config = ConfigDict(frozen=True)

    answers: int = Field(description="Tasks that they answered, labels and verdicts alike.")
    answers_on_last_day: int = Field(description="Of these, on the last day (UTC) on which they gave any.")
    last_day: str = Field(description="That day; empty where there was none.")
    held: int = Field(description="Live leases.")


@dataclass(frozen=True, slots=True)
class Hand:
    """What managers do by hand. Each change is one write under the revision of the sample's document."""

    store: Store
    board: Board
    catalog: Catalog
    producer: Producer
    clock: Clock

    async def leases(self, caller: Principal, annotator: str | None, after: str, limit: int) -> tuple[list[Lease], str]:
        """Return live leases, person by person, and behind whom the next page begins (empty: there is none).

        Args:
            caller: Who asks; only leases of their projects are shown.
            annotator: Only those of one person.
            after: The person behind whom the page begins.
            limit: How many people's leases at most.
        """
        if annotator is not None:
            id_ = f"{caller.tenant_id}/{annotator}"
            people = [(await self.store.holdings([id_]))[id_]]
        else:
            people = await self.store.held_by_many(caller.tenant_id, after, limit)
        tasks = {(held.task_id, held.lease_id) for each in people for held in each.leases}
        samples = await self.store.samples({f"{caller.tenant_id}/{sample_of_task(task_id)}" for task_id, _ in tasks})
        now_ms = to_ms(self.clock())
        found = [each.lease for one in people for each in live_leases(one, samples, caller.tenant_id, now_ms)]
        shown = [lease for lease in found if not caller.projects or lease.project_id in caller.projects]
        more = annotator is None and len(people) == limit
        return shown, people[-1].id.partition("/")[2] if more else ""

    async def force_release(self, caller: Principal, task_id: str, annotator: str | None) -> list[Lease]:
        """End the leases of a task, or one person's; asked again, it finds nothing more to end."""
        for _ in range(MAX_TRIES):
            stored, key, task = await self._task(caller, task_id)
            names = leased_slots(task, annotator)
            leases = [lease for name in names if (lease := lease_of(stored.sample, key, name)) is not None]
            if not leases or await self._write(stored, without_leases(stored.sample, key, names, "forced")):
                await self.producer.publish([released(lease, "forced", self.clock()) for lease in leases])
                return leases
        raise _busy(task_id)

    async def end_all(self, tenant_id: str, annotator: str) -> list[Lease]:
        """End every lease of somebody who gets no work any more; twice is as once."""
        id_ = f"{tenant_id}/{annotator}"
        holdings = (await self.store.holdings([id_]))[id_]
        wanted = {f"{tenant_id}/{sample_of_task(held.task_id)}" for held in holdings.leases}
        samples = await self.store.samples(wanted)
        leases = [each.lease for each in live_leases(holdings, samples, tenant_id, to_ms(self.clock()))]
        ended = [lease for lease in leases if await self.store.give_back(lease, "forced")]
        for stored in (await self.store.samples(wanted)).values():
            self.board.put(stored.sample, stored.revision)
        await self.producer.publish([released(lease, "forced", self.clock()) for lease in ended])
        return ended

    async def after_skip(self, lease: Lease) -> None:
        """Take a task out that too many have skipped, and tell of it first: told twice, it is told once."""
        id_ = f"{lease.tenant_id}/{sample_of_task(lease.task_id)}"
        for _ in range(MAX_TRIES):
            stored = (await self.store.samples([id_])).get(id_)
            key = key_of_task(lease.task_id)
            task = None if stored is None else stored.sample.tasks.get(key)
            if stored is None or task is None or not task.free:
                return
            sample = stored.sample
            spec = self.catalog.version(sample.tenant_id, sample.project_id, sample.project_version).spec
            if not is_contested(task, spec.assignment.skip):
                return
            await self.producer.publish([_contested(sample, task, self.clock)])
            if await self._write(stored, without_free_slots(sample, key)):
                return
        raise _busy(lease.task_id)

    async def workload(self, tenant_id: str, annotator: str) -> dict[str, Workload]:
        """Return, by project, what somebody has answered and holds."""
        id_, now = f"{tenant_id}/{annotator}", self.clock()
        holdings = (await self.store.holdings([id_]))[id_]
        samples = await self.store.samples({f"{tenant_id}/{sample_of_task(held.task_id)}" for held in holdings.leases})
        known = (await self.store.annotators([id_])).get(id_)
        answered = with_offered(count_answers(holdings, samples, (), tenant_id, now), known)
        held = Counter(each.lease.project_id for each in live_leases(holdings, samples, tenant_id, to_ms(now)))
        return {
            project: Workload(
                answers=answered.get(project, Answered()).total,
                answers_on_last_day=answered.get(project, Answered()).today,
                last_day=answered.get(project, Answered()).day,
                held=held[project],
            )
            for project in sorted(answered.keys() | held.keys())
        }

    async def reassign(self, caller: Principal, task_id: str, holder: str | None, to: str) -> Lease:
        """Give a task to somebody: a slot that is free, or the one that somebody holds. They find it at their next claim.

        Raises:
            CannotTakeError: They may not have it: their own work, their profile, their leases.
        """
        for _ in range(MAX_TRIES):
            stored, key, task = await self._task(caller, task_id)
            if (name := next(iter(leased_slots(task, to)), None)) is not None:
                lease = lease_of(stored.sample, key, name)
                if lease is not None:
                    return lease  # asked again
            name = _slot_to_give(task, holder)
            before = lease_of(stored.sample, key, name)
            sample = stored.sample if before is None else without_leases(stored.sample, key, [name], "reassigned")
            lease, group = await self._lease_for(sample, key, name, to)
            if await self._write(stored, with_lease(sample, key, lease, group)):
                events: list[Event] = [] if before is None else [released(before, "reassigned", self.clock())]
                await self.producer.publish([*events, leased(lease, self.clock())])
                return lease
        raise _busy(task_id)

    async def reopen(self, caller: Principal, task_id: str, annotation_id: str) -> tuple[Lease, SampleTasks]:
        """Return a fresh lease on the slot of the caller's own answer, under which a further revision of it counts.

        Nothing is written: the slot is theirs, and stays answered while they change their mind.

        Raises:
            AlreadyJudgedError: It was compared with others, or is for somebody else to look at, or is a day old.
            NotFoundError: The caller has no such answer.
        """
        stored, key, task = await self._task(caller, task_id)
        own = (
            (name, slot)
            for name, slot in task.slots.items()
            if slot.state == "done" and slot.annotator_id == caller.subject and slot.lease_id is not None
        )
        found = next((each for each in own if derived_id("annotation", each[1].lease_id or "") == annotation_id), None)
        if found is None:
            raise NotFoundError(f"You have no answer {annotation_id!r} that counts.")
        name, slot = found
        if not may_reopen(stored.sample, task, slot, to_ms(self.clock())):
            raise AlreadyJudgedError(f"Task {task_id} has all its answers and was judged; yours stands as it is.")
        lease = self._lease(stored.sample, key, name, caller.subject)
        return lease.model_copy(update={"lease_id": slot.lease_id}), stored.sample

    async def _task(self, caller: Principal, task_id: str) -> tuple[StoredSample, str, Task]:
        id_ = f"{caller.tenant_id}/{sample_of_task(task_id)}"
        stored = (await self.store.samples([id_])).get(id_)
        found = None if stored is None else stored.sample.find(task_id)
        if stored is None or found is None:
            raise NotFoundError(f"There is no task {task_id!r}.")
        caller.require(caller.roles, stored.sample.project_id)
        return stored, *found

    async def _write(self, stored: StoredSample, changed: SampleTasks) -> bool:
        written = await self.store.change(stored, changed)
        if written:
            self.board.put(changed, stored.revision + 1)
        return written

    async def _lease_for(self, sample: SampleTasks, key: str, name: str, to: str) -> tuple[Lease, str | None]:
        """Note a lease on somebody's list, which bounds how many they hold, and return it and their group."""
        task, id_ = sample.tasks[key], f"{sample.tenant_id}/{to}"
        if not may_take(sample, task, to):
            raise CannotTakeError(f"{to} has had a part in sample {sample.sample_id}, or gave this task back for good.")
        annotator = (await self.store.annotators([id_])).get(id_)
        profile = None if annotator is None else annotator.profile
        if profile is not None and (profile.paused or profile.banned or task.stage not in profile.stages):
            idle = "paused" if profile.paused else "banned"
            what = f"is {idle}" if profile.paused or profile.banned else f"does not work in the stage {task.stage}"
            raise CannotTakeError(f"By their profile, {to} {what}; PUT /v1/annotators/{to} changes it.")
        spec = self.catalog.latest(sample.tenant_id, sample.project_id).spec
        diversity, group = spec.assignment.diversity, group_of(profile, spec.assignment.diversity)
        if diversity is not None and not is_diverse(task, group, most_of_a_group(diversity, spec.quality.overlap)):
            raise CannotTakeError(f"The {diversity.by} {group} of {to} has given its share of this task's labels.")
        holdings = (await self.store.holdings([id_]))[id_]
        wanted = {f"{sample.tenant_id}/{sample_of_task(held.task_id)}" for held in holdings.leases}
        live = live_leases(holdings, await self.store.samples(wanted), sample.tenant_id, to_ms(self.clock()))
        if len(live) >= (most := most_leases(profile)):
            raise CannotTakeError(f"{to} holds {len(live)} tasks already, and may hold {most}.")
        lease = self._lease(sample, key, name, to)
        kept = tuple(held for held in holdings.leases if held.lease_id in {each.lease.lease_id for each in live})
        version = self.catalog.version(lease.tenant_id, lease.project_id, lease.project_version)
        noted = Held(
            lease.lease_id,
            lease.task_id,
            lease.expires_ms,
            version.guideline_version,
            project_id=lease.project_id,
        )
        if await self.store.write_holdings([holdings._replace(leases=(*kept, noted))]):
            raise _busy(task.task_id)
        return lease, group

    def _lease(self, sample: SampleTasks, key: str, name: str, to: str) -> Lease:
        spec = self.catalog.version(sample.tenant_id, sample.project_id, sample.project_version).spec
        return new_lease(sample, key, name, to, spec.workflow, to_ms(self.clock()))


def _slot_to_give(task: Task, holder: str | None) -> str:
    held = leased_slots(task, holder)
    if holder is not None and not held:
        raise CannotTakeError(f"{holder} does not hold task {task.task_id}; GET /v1/leases tells who does.")
    if holder is None and task.free:
        return task.free[0]
    if len(held) != 1:
        what = "nothing of it is open" if not held else "several people hold it: name one as `holder`"
        raise CannotTakeError(f"Task {task.task_id} cannot be given to anybody: {what}.")
    return held[0]


def _contested(sample: SampleTasks, task: Task, clock: Clock) -> TaskContested:
    return TaskContested(
        event_id=derived_id("task-contested", task.task_id),
        tenant_id=sample.tenant_id,
        occurred_at=clock(),
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        project_version=sample.project_version,
        task_id=task.task_id,
        stage=task.stage,
        skipped=task.skippers,
    )


def _busy(task_id: str) -> UnavailableError:
    return UnavailableError(f"Task {task_id} is being written by others at the moment; send the same request again.")
