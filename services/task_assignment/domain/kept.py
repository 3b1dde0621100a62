"""What the board keeps of a sample: of one that nobody has touched, or on which nothing is left to do, no object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from services.task_assignment.domain.due_book import DueWork, resolved
from services.task_assignment.domain.eligibility import barred_from
from services.task_assignment.domain.ordered import Entry
from services.task_assignment.domain.ready import Place, created_of, due_in
from services.task_assignment.domain.tasks import FREE, SampleTasks, Task, task_key
from shared.ids import task_id_of

Counts = tuple[tuple[str, int], ...]
"""What a sample adds to its project's counts, by name, sorted."""


class Scope(NamedTuple):
    """Whose counts a sample is in."""

    tenant_id: str
    project_id: str
    partition: int


class Fresh(NamedTuple):
    """A sample whose only task nobody has touched, as far as others are the same."""

    project_version: int
    language: str | None
    priority: int
    stage: str
    slots: tuple[str, ...]
    due_ms: int = 0
    """As the book of due dates has it, so that many are the same; the exact one is in its order."""


class Brief(NamedTuple):
    """All that is kept of a sample that nobody works on; one value for all that are alike."""

    scope: Scope
    revision: int
    counts: Counts
    fresh: Fresh | None


@dataclass(slots=True)
class Known:
    """A sample that is being worked on."""

    sample: SampleTasks
    revision: int
    counts: Counts
    work: tuple[DueWork, ...] = ()
    """What is to do until when."""
    taken: set[tuple[str, str]] = field(default_factory=set)
    """Slots picked here whose compare-and-set is under way."""
    places: dict[str, Place] = field(default_factory=dict)
    """Where its tasks stand in line, by key."""

    @property
    def scope(self) -> Scope:
        """Whose counts it is in."""
        return Scope(self.sample.tenant_id, self.sample.project_id, self.sample.partition)


def counted(sample: SampleTasks) -> Counts:
    """Return what one sample adds to its project's counts, by name."""
    counts = Counter({f"samples.{sample.state}": 1, "finalizations": sample.finalized})
    if not sample.rejected and not sample.erased:
        counts[f"languages.{sample.language or 'und'}"] += 1
    if sample.due_ms and sample.finalized:
        counts[f"due.{'late' if sample.late else 'met'}"] += 1
    for task in sample.tasks.values():
        counts[f"tasks.{task.stage}.{'open' if task.open else 'done'}"] += 1
        counts["leases.expired"] += task.expired
        for slot in task.slots.values():
            counts[f"slots.{task.stage}.{slot.state}"] += 1
    return tuple(sorted(counts.items()))


def counts_of(known: Brief | Known | None) -> Counts:
    """Return what a sample adds to its project's counts."""
    return () if known is None else known.counts


def task_of(entry: Entry) -> str:
    """Return the id of the task of an entry of the backlog."""
    _, id_, key = entry
    return task_id_of(id_.partition("/")[2], key.rpartition("-")[0], 1)


def is_in_work(sample: SampleTasks) -> bool:
    """Return whether somebody works on a sample, or can begin to."""
    return any(
        task.open or any(slot.state == "leased" for slot in task.slots.values()) for task in sample.tasks.values()
    )


def leases_in(sample: SampleTasks, key: str) -> dict[str, tuple[str, int]]:
    """Return the leases of a task by slot: their ids, and when they end, in ms since 1970."""
    task = sample.tasks.get(key)
    if task is None:
        return {}
    return {
        name: (slot.lease_id, slot.expires_ms)
        for name, slot in task.slots.items()
        if slot.state == "leased" and slot.lease_id is not None
    }


def fresh_of(sample: SampleTasks) -> Fresh | None:
    """Return what a sample is alike with others in, if it has one task, which nobody has touched or is barred from."""
    if len(sample.tasks) != 1 or sample.contributors or sample.reviewers or sample.finalized or sample.rejected:
        return None
    [(key, task)] = sample.tasks.items()
    if key != task_key(task.stage, 1) or len(task.free) < max(1, len(task.slots)) or barred_from(sample, task):
        return None
    slots = tuple(task.slots)
    if task.expired:
        return None
    due_ms = resolved(sample.due_ms, sample.due_ms - sample.created_ms)
    return Fresh(sample.project_version, sample.language, sample.priority, task.stage, slots, due_ms)


def fresh_of_state(state: Mapping[str, Any]) -> Fresh | None:
    """Return the same of a state as it is stored; None also where that cannot be told without making the sample."""
    tasks = state["tasks"]
    if len(tasks) != 1 or state["contributors"] or state.get("reviewers") or state["finalized"] or state["rejected"]:
        return None
    [(key, task)] = tasks.items()
    slots = task["slots"]
    untouched = task["open"] and not (task["annotators"] or task["skipped"] or task["expired"])
    if not (untouched and slots and key == task_key(task["stage"], 1)):
        return None
    if any(slot["state"] != "free" for slot in slots.values()):
        return None
    due_ms = state.get("due_ms", 0)  # a document may be older than due dates
    due_ms = resolved(due_ms, due_ms - state["created_ms"]) if due_ms else 0
    language = state.get("language")  # what is None is not written
    return Fresh(state["project_version"], language, state["priority"], task["stage"], tuple(slots), due_ms)


def made_of(brief: Brief, order: int, id_: str, key: str) -> SampleTasks:
    """Return a sample that nobody has touched from what is kept of it."""
    if (fresh := brief.fresh) is None:
        raise KeyError(id_)
    scope = brief.scope
    sample_id = id_.removeprefix(f"{scope.tenant_id}/")
    slots = dict.fromkeys(fresh.slots, FREE)
    task = Task.model_validate({"task_id": task_id_of(sample_id, fresh.stage, 1), "stage": fresh.stage, "slots": slots})
    return SampleTasks(
        sample_id=sample_id,
        tenant_id=scope.tenant_id,
        project_id=scope.project_id,
        project_version=fresh.project_version,
        external_id="",
        partition=scope.partition,
        priority=fresh.priority,
        created_ms=created_of(order),
        due_ms=due_in(order),
        language=fresh.language,
        tasks={key: task},
    )


def due_work_of(known: Brief | Known | None) -> tuple[DueWork, ...]:
    """Return what of a sample is to do until when."""
    if isinstance(known, Known):
        return known.work
    if known is None or known.fresh is None or not known.fresh.due_ms:
        return ()
    return (DueWork(known.fresh.stage, known.fresh.due_ms, 1, len(known.fresh.slots)),)


@lru_cache(maxsize=10_000)
def counts_of_fresh(fresh: Fresh) -> Counts:
    """Return what a sample that nobody has touched adds to its project's counts."""
    return counted(made_of(Brief(Scope("", "", 0), 0, (), fresh), 0, "", task_key(fresh.stage, 1)))
