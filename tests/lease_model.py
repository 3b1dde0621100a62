"""Every interleaving of claims, answers, ends of leases and changes of owner, within bounds, over the real functions.

An explicit-state search, breadth first: a state is what the store, the log and each process know; an action is one
atomic step of one of them. What decides is the code that runs in production: the step of the fold, the rule by which
leases are taken back, the function that says what is in time; and the compare-and-sets as ``tests/memory_tasks.py`` has
them, which pass the same tests as those on the server. So model and code cannot differ.

    .venv/bin/python -m tests.lease_model --leases 4 --answers 4 --steps 8

prints the bounds, and how many states and transitions there are within them.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.task_assignment.domain.answering import on_annotation_submitted
from services.task_assignment.domain.eligibility import may_take
from services.task_assignment.domain.picks import DueLease, DueReturn, Pick
from services.task_assignment.domain.taking_back import taken_back_before
from services.task_assignment.domain.tasks import Returning, SampleTasks, ingest
from shared.security import Lease, in_time
from tests.builders import TENANT, a_parsed_spec, a_sample_ingested, an_annotation_submitted
from tests.memory_tasks import extended, given_back, let_return, taken, taken_back

STEP_MS = 5_000
"""Time passes in steps of the grace."""
LEASE_MS = 2 * STEP_MS
PEOPLE = ("ana", "bo")
SKEWS_MS = (0, -STEP_MS, STEP_MS)
"""How far the clocks of those who serve claims may be off: a whole step, more than any that is kept at all."""
KEY = "first_pass-1"

TakenBackBefore = Callable[[Iterable[int]], int]


class Record(NamedTuple):
    """A record of the log: an answer, or, without a lease, a tick."""

    stamp_ms: int
    lease: Lease | None


class Replica(NamedTuple):
    """What one process that believes to own the sample knows."""

    position: int = 0
    """Of the next record that it reads."""
    folded_ms: int = 0


class State(NamedTuple):
    """Everything there is."""

    now_ms: int
    sample: int
    """Which of the samples that were met."""
    applied: int = -1
    """The offset of the last record that the sample's document has applied."""
    log: tuple[Record, ...] = ()
    promised: frozenset[str] = frozenset()
    """Leases that were answered in time, in records that nobody reads any more."""
    tokens: tuple[Lease, ...] = ()
    """The tokens that were given out, until any use of them is certainly too late."""
    leases: int = 0
    prolonged: int = 0
    answered: int = 0
    ticked: int = 0
    skipped: int = 0
    replicas: tuple[Replica, ...] = (Replica(),)
    restarts: int = 0


@dataclass(frozen=True)
class Bounds:
    """How far the search goes."""

    slots: int = 1
    replicas: int = 1
    """How many processes believe to own the sample, each reading the log at its own pace."""
    skews: int = 1
    """How many of ``SKEWS_MS`` there are."""
    leases: int = 2
    answers: int = 2
    ticks: int = 1
    steps: int = 6
    heartbeats: int = 1
    skips: int = 0
    """How often somebody skips the task; they may have it again after a step of time."""
    restarts: int = 1


@dataclass
class Found:
    """What a search has seen."""

    states: int = 0
    transitions: int = 0
    fault: str | None = None
    path: list[str] = field(default_factory=list)
    """The actions that lead to the fault."""


class LeaseModel:
    """The states of one sample with one task."""

    def __init__(self, bounds: Bounds, before: TakenBackBefore = taken_back_before) -> None:
        """Make a model.

        Args:
            bounds: How far to go.
            before: The rule by which leases are taken back; another than the real one shows that the search finds it.
        """
        self._bounds = bounds
        self._before = before
        self._samples: list[SampleTasks] = []
        self._numbers: dict[str, int] = {}
        spec = a_parsed_spec(quality={"overlap": bounds.slots, "max_overlap": 5})
        sample = ingest(None, a_sample_ingested(), spec, partition=0).state
        assert sample is not None
        self._task_id = sample.tasks[KEY].task_id
        self.start = State(now_ms=0, sample=self._number(sample), replicas=(Replica(),) * bounds.replicas)

    def search(self) -> Found:
        """Visit every state within the bounds, and stop at the first that must not be."""
        seen = {self.start}
        came_from: dict[State, tuple[State, str]] = {}
        todo = deque([self.start])
        found = Found()
        while todo:
            state = todo.popleft()
            found.states += 1
            fault = self.fault_of(state)
            if fault is not None:
                found.fault, found.path = fault, _path(state, came_from)
                return found
            for action, reached in self.after(state):
                found.transitions += 1
                after = self._forgotten(reached)
                if after not in seen:
                    seen.add(after)
                    came_from[after] = (state, action)
                    todo.append(after)
        return found

    def after(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield every action that is possible, and what comes of it."""
        bounds = self._bounds
        if state.now_ms < bounds.steps * STEP_MS:
            yield "time passes", state._replace(now_ms=state.now_ms + STEP_MS)
        if state.ticked < bounds.ticks:
            yield "tick", self._append(state, None)._replace(ticked=state.ticked + 1)
        yield from self._claims(state)
        for token in state.tokens:
            yield from self._uses(state, token)
        for number in range(bounds.replicas):
            yield from self._work_of(state, number)

    def fault_of(self, state: State) -> str | None:
        """Return what must not be in a state."""
        task = self._samples[state.sample].tasks[KEY]
        holders = [slot.annotator_id for slot in task.slots.values() if slot.state != "free"]
        if len(set(holders)) < len(holders) or sorted(map(str, holders)) != sorted(task.annotators):
            return f"slots of {holders}, list of {task.annotators}"
        counted = {slot.lease_id for slot in task.slots.values() if slot.state == "done"}
        promised = {*state.promised, *_promised(state.log[: state.applied + 1])}
        if both := set(task.skipped) & set(task.annotators):
            return f"{sorted(both)} hold what they skipped"
        if stray := {each.annotator_id for each in task.returning} - set(task.skipped):
            return f"{sorted(stray)} would come back, and have not gone"
        given_up = {ended.lease_id for ended in task.ended if ended.how in {"released", "skipped"}}
        if lost := promised - counted - given_up:
            return f"answers under {sorted(lost)} were accepted, and do not count"
        if late := counted - promised:
            return f"answers under {sorted(map(str, late))} count, and came too late"
        if not self._comes_to_rest(state):
            return "a slot is neither answered nor free again, however long one waits"
        return None

    def _claims(self, state: State) -> Iterator[tuple[str, State]]:
        if state.leases >= self._bounds.leases:
            return
        sample = self._samples[state.sample]
        for who in PEOPLE[: state.leases + 1]:  # the first to claim has the first name, for all are alike
            if not may_take(sample, sample.tasks[KEY], who):
                continue
            for skew in SKEWS_MS[: self._bounds.skews]:
                for slot in sample.tasks[KEY].free[:1]:
                    lease = self._lease(f"l{state.leases}", who, slot, state.now_ms + skew + LEASE_MS)
                    pick = Pick(f"{TENANT}/{sample.sample_id}", KEY, self._task_id, slot, "first_pass")
                    after = taken(sample, pick, lease)
                    if after is not None:
                        claimed = state._replace(tokens=(*state.tokens, lease), leases=state.leases + 1)
                        yield f"{who} claims {slot}, skew {skew}", claimed._replace(sample=self._number(after))

    def _uses(self, state: State, token: Lease) -> Iterator[tuple[str, State]]:
        who = f"{token.annotator_id} with {token.lease_id} until {token.expires_ms}"
        if state.answered < self._bounds.answers:
            yield f"{who} answers", self._append(state, token)._replace(answered=state.answered + 1)
        sample = self._samples[state.sample]
        freed = given_back(sample, token, "released")
        if freed is not None:
            yield f"{who} gives back", state._replace(sample=self._number(freed))
        skipped = given_back(sample, token, "skipped", state.now_ms + STEP_MS)
        if skipped is not None and state.skipped < self._bounds.skips:
            yield f"{who} skips", state._replace(sample=self._number(skipped), skipped=state.skipped + 1)
        if state.prolonged < self._bounds.heartbeats:
            for skew in SKEWS_MS[: self._bounds.skews]:
                until_ms = state.now_ms + skew + LEASE_MS
                prolonged = extended(sample, token, state.now_ms + skew, until_ms)
                if prolonged is not None:
                    newer = token.model_copy(update={"expires_ms": until_ms})
                    kept = state._replace(tokens=(*state.tokens, newer), prolonged=state.prolonged + 1)
                    yield f"{who} prolongs until {until_ms}", kept._replace(sample=self._number(prolonged))

    def _work_of(self, state: State, number: int) -> Iterator[tuple[str, State]]:
        replica = state.replicas[number]
        if replica.position < len(state.log):
            yield f"replica {number} folds", self._folded(state, number)
        if replica.folded_ms and state.restarts < self._bounds.restarts:
            yield f"replica {number} starts anew", _with(state, number, Replica())._replace(restarts=state.restarts + 1)
        sample = self._samples[state.sample]
        for name in sample.tasks[KEY].slots:
            after = self._taken_back(state, number, name)
            if after is not None:
                yield f"replica {number} takes {name} back", after
        for each in sample.tasks[KEY].returning:
            returned = self._let_in(sample, each, state.now_ms)
            if returned is not None:
                yield (
                    f"replica {number} lets {each.annotator_id} in again",
                    state._replace(sample=self._number(returned)),
                )

    def _folded(self, state: State, number: int) -> State:
        replica = state.replicas[number]
        record = state.log[replica.position]
        read = Replica(replica.position + 1, max(replica.folded_ms, record.stamp_ms))
        if record.lease is not None and replica.position > state.applied:
            event = an_annotation_submitted(
                event_id=f"e{replica.position}",
                task_id=self._task_id,
                annotator_id=record.lease.annotator_id,
                lease_id=record.lease.lease_id,
                lease_expires_ms=record.lease.expires_ms,
                appended_at_ms=record.stamp_ms,
            )
            after = on_annotation_submitted(self._samples[state.sample], event).state
            assert after is not None
            state = state._replace(sample=self._number(after), applied=replica.position)
        elif replica.position > state.applied:
            state = state._replace(applied=replica.position)  # a tick changes nothing
        return _with(state, number, read)

    def _taken_back(self, state: State, number: int, name: str) -> State | None:
        """Take a slot back as one replica would, by what it knows: what it knows of the sample may be newer or older."""
        sample = self._samples[state.sample]
        slot = sample.tasks[KEY].slots[name]
        if slot.state != "leased" or slot.lease_id is None or slot.annotator_id is None:
            return None
        if slot.expires_ms >= self._before([state.replicas[number].folded_ms]):
            return None
        due = DueLease(slot.expires_ms, f"{TENANT}/{sample.sample_id}", KEY, name, slot.lease_id)
        freed = taken_back(sample, due, slot.annotator_id)
        return None if freed is None else state._replace(sample=self._number(freed))

    def _let_in(self, sample: SampleTasks, each: Returning, now_ms: int) -> SampleTasks | None:
        """Let somebody have the task again that they skipped, when it is time."""
        due = DueReturn(each.at_ms, f"{TENANT}/{sample.sample_id}", KEY, each.annotator_id)
        return let_return(sample, due) if each.at_ms < now_ms else None

    def _comes_to_rest(self, state: State) -> bool:
        """Return whether every slot is answered or free once the owner has read on, ticked and taken back."""
        state = state._replace(now_ms=state.now_ms + 10 * STEP_MS)
        state = self._append(state, None)
        while state.replicas[0].position < len(state.log):
            state = self._folded(state, 0)
        for name in self._samples[state.sample].tasks[KEY].slots:
            state = self._taken_back(state, 0, name) or state
        return all(slot.state != "leased" for slot in self._samples[state.sample].tasks[KEY].slots.values())

    def _forgotten(self, state: State) -> State:
        """Return the state without what cannot matter any more: states that differ only in it are one."""
        tokens = tuple(each for each in state.tokens if in_time(state.now_ms - STEP_MS, each.expires_ms))
        read = min(replica.position for replica in state.replicas)
        if read == 0 or state.restarts < self._bounds.restarts:
            return state._replace(tokens=tokens)
        return state._replace(
            tokens=tokens,
            promised=state.promised | _promised(state.log[:read]),
            log=state.log[read:],
            applied=state.applied - read,
            replicas=tuple(each._replace(position=each.position - read) for each in state.replicas),
        )

    def _append(self, state: State, lease: Lease | None) -> State:
        return state._replace(log=(*state.log, Record(state.now_ms, lease)))

    def _lease(self, lease_id: str, who: str, slot: str, expires_ms: int) -> Lease:
        return Lease(
            lease_id=lease_id,
            tenant_id=TENANT,
            task_id=self._task_id,
            stage="first_pass",
            slot=slot,
            annotator_id=who,
            project_id="support",
            project_version=1,
            expires_ms=expires_ms,
        )

    def _number(self, sample: SampleTasks) -> int:
        task = sample.tasks[KEY].model_dump_json()
        if task not in self._numbers:
            self._numbers[task] = len(self._samples)
            self._samples.append(sample)
        return self._numbers[task]


def _promised(log: Sequence[Record]) -> frozenset[str]:
    """Return the leases whose answers were told to count."""
    return frozenset(
        lease.lease_id for stamp_ms, lease in log if lease is not None and in_time(stamp_ms, lease.expires_ms)
    )


def _with(state: State, number: int, replica: Replica) -> State:
    return state._replace(replicas=(*state.replicas[:number], replica, *state.replicas[number + 1 :]))


def _path(state: State, came_from: dict[State, tuple[State, str]]) -> list[str]:
    path: list[str] = []
    while state in came_from:
        state, action = came_from[state]
        path.append(action)
    return path[::-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Search within the bounds of the command line; 1 when something is found that must not be."""
    parser = argparse.ArgumentParser(description="Search every interleaving within bounds.")
    for name, default in vars(Bounds()).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    bounds = Bounds(**vars(parser.parse_args(arguments)))
    begun = time.monotonic()
    found = LeaseModel(bounds).search()
    seconds = time.monotonic() - begun
    print(f"{bounds}: {found.states} states, {found.transitions} transitions, {seconds:.1f} s")  # noqa: T201
    print("\n".join([f"FAULT: {found.fault}", *found.path]) if found.fault else "No fault.")  # noqa: T201
    return 1 if found.fault else 0


if __name__ == "__main__":
    raise SystemExit(main())
