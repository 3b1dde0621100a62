"""What the board serves, against a plain list of all samples that is looked through for every pick."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.task_assignment.domain.ages import MINUTE_MS, Queue, Waiting
from services.task_assignment.domain.board import ON_THE_BOARD, Board
from services.task_assignment.domain.eligibility import may_take
from services.task_assignment.domain.image import from_bytes, to_bytes
from services.task_assignment.domain.kept import counted
from services.task_assignment.domain.packed import Snapshot, pack, sums_of
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import Seeker, Serving
from services.task_assignment.domain.tasks import SampleTasks, Slot, on_qa_work_requested
from shared.events.tasks import judges_others
from shared.ids import sample_id_of
from tests.builders import PROJECT, a_qa_work_requested
from tests.unit.task_assignment.tallied import counts_on
from tests.unit.task_assignment.test_tasks import a_sample

PEOPLE = ("ana", "bo", "chi")
PARTITIONS = (0, 1)
STAGES = ("first_pass", "peer_review", "adjudication")
people = st.sampled_from(PEOPLE)
partitions = st.sampled_from(PARTITIONS)
NAMES = (*(sample_id_of("t", "p", f"s{number}") for number in range(8)), "s8", "s9")
"""Those that are no UUIDs are never packed."""
names = st.sampled_from(NAMES)


def document(sample: SampleTasks, revision: int) -> dict[str, Any]:
    state = sample.model_dump(mode="json", include=set(ON_THE_BOARD))
    return {"_id": f"{sample.tenant_id}/{sample.sample_id}", "revision": revision, "state": state}


@dataclass
class PlainBoard:
    """All samples, and the slots that are held back; a pick looks at every task."""

    samples: dict[str, tuple[SampleTasks, int]] = field(default_factory=dict)
    held_back: set[tuple[str, str, str]] = field(default_factory=set)

    def free(self, id_: str, key: str) -> list[str]:
        return [slot for slot in self.samples[id_][0].tasks[key].free if (id_, key, slot) not in self.held_back]

    def picks(self, seeker: Seeker, exclude: frozenset[str]) -> set[tuple[str, str, str]]:
        """Return the slots of which one is picked: more than one where it is chosen at random."""
        serving = seeker.serving.get(PROJECT, Serving())
        lines: dict[Any, list[Any]] = {}
        for id_, (sample, _) in self.samples.items():
            if seeker.languages and sample.language not in {None, *seeker.languages}:
                continue
            for key, task in sample.tasks.items():
                free = self.free(id_, key)
                if not free or task.stage not in seeker.stages:
                    continue
                begun = len(free) < len(task.slots)
                theirs = task.task_id not in exclude and may_take(sample, task, seeker.annotator_id)
                rank = (-sample.priority, begun) if serving.breadth_first else (not begun, -sample.priority)
                line = rank, task.stage, sample.language
                lines.setdefault(line, []).append((sample.created_ms, id_, key, free[0], theirs))
        begins = [(line[0], each, line) for line, tasks in lines.items() for each in tasks if each[-1]]
        if not begins:
            return set()
        _, first, line = min(begins, key=lambda each: each[:2])
        tasks = sorted(lines[line])
        at = tasks.index(first)
        return {each[1:4] for each in tasks[at : at + max(1, serving.random_within)] if each[-1]}


class Picks(RuleBasedStateMachine):
    """The stored samples change as they may; the board hears of each change, some later and some twice."""

    @initialize()
    def begin(self) -> None:
        self.board = Board(Random(3))
        self.owned = set(PARTITIONS)
        self.board.own(PARTITIONS)
        for partition in PARTITIONS:
            self.board.complete(partition)
        self.snapshots: dict[int, Snapshot] = {}
        self.images: dict[int, tuple[bytes, dict[str, int]]] = {}
        self.plain = PlainBoard()
        self.stored: dict[str, tuple[SampleTasks, int]] = {}
        self.before: dict[str, tuple[SampleTasks, int]] = {}
        """Each sample as it stood at first."""
        self.under_way: list[Pick] = []
        self.leases = 0

    def know(self, sample: SampleTasks, *, load: bool = False) -> None:
        id_ = f"{sample.tenant_id}/{sample.sample_id}"
        revision = self.stored[id_][1] + 1 if id_ in self.stored else 1
        self.before.setdefault(id_, (sample, revision))
        self.stored[id_] = sample, revision
        self.tell(id_, load=load)

    def tell(self, id_: str, *, load: bool = False, before: bool = False) -> None:
        sample, revision = (self.before if before else self.stored)[id_]
        if load:
            self.board.load([document(sample, revision)])
        else:
            self.board.put(sample, revision)
        if sample.partition in self.owned:
            self.plain.samples[id_] = sample, revision

    @rule(
        some=st.sets(names, min_size=1),
        overlap=st.integers(1, 3),
        priority=st.integers(-1, 2),
        created=st.sampled_from([1, 2, MINUTE_MS, 2 * MINUTE_MS]),
        language=st.sampled_from([None, "en", "de"]),
        load=st.booleans(),
    )
    def are_ingested(self, some: set[str], overlap: int, load: bool, **changes: Any) -> None:
        for name in sorted(some):
            sample = a_sample(overlap, sample_id=name, language=changes["language"])
            at = {"priority": changes["priority"], "created_ms": changes["created"]}
            if f"{sample.tenant_id}/{name}" not in self.stored:
                self.know(sample.model_copy(update=at | {"partition": NAMES.index(name) % 2}), load=load)

    @rule(data=st.data(), priority=st.integers(-1, 2))
    def changes_priority(self, data: st.DataObject, priority: int) -> None:
        if self.stored:
            sample, _ = self.stored[data.draw(st.sampled_from(sorted(self.stored)))]
            self.know(sample.model_copy(update={"priority": priority}))

    @rule(data=st.data(), stage=st.sampled_from(STAGES))
    def gets_more_work(self, data: st.DataObject, stage: str) -> None:
        if self.stored:
            sample, _ = self.stored[data.draw(st.sampled_from(sorted(self.stored)))]
            asked = on_qa_work_requested(sample, a_qa_work_requested(stage=stage, slots=1)).state
            assert asked is not None
            self.know(asked)

    @rule(data=st.data(), how=st.sampled_from(["done", "free", "skipped"]))
    def ends_a_lease(self, data: st.DataObject, how: str) -> None:
        held = [
            (id_, key, name)
            for id_, (sample, _) in sorted(self.stored.items())
            for key, task in sample.tasks.items()
            for name, slot in task.slots.items()
            if slot.state == "leased"
        ]
        if not held:
            return
        id_, key, name = data.draw(st.sampled_from(held))
        sample = self.stored[id_][0]
        task = sample.tasks[key]
        who = str(task.slots[name].annotator_id)
        if how == "done":
            slots = task.slots | {name: task.slots[name].model_copy(update={"state": "done"})}
            task = task.model_copy(update={"slots": slots})
            task = task.model_copy(update={"open": task.open and not task.settled})
        else:
            rest = {"slots": task.slots | {name: Slot()}, "annotators": [a for a in task.annotators if a != who]}
            skipped = [*task.skipped, who] if how == "skipped" else task.skipped
            task = task.model_copy(update={**rest, "skipped": skipped})
        self.know(sample.with_task(key, task))

    @rule(
        who=people,
        stages=st.frozensets(st.sampled_from(STAGES), min_size=1),
        languages=st.frozensets(st.sampled_from(["en", "de"])),
        exclude=st.frozensets(names),
        serving=st.builds(Serving, st.booleans(), st.integers(0, 4)),
    )
    def picks(self, who: str, exclude: frozenset[str], serving: Serving, **narrow: frozenset[str]) -> None:
        stages, languages = narrow["stages"], narrow["languages"]
        seeker = Seeker(who, a_sample().tenant_id, stages, None, languages, serving={PROJECT: serving})
        out = frozenset(f"{name}.{stage}.1" for name in exclude for stage in STAGES)

        pick = self.board.pick(seeker, out)

        expected = self.plain.picks(seeker, out)
        assert (pick[0], pick[1], pick[3]) in expected if isinstance(pick, Pick) else not expected
        if isinstance(pick, Pick):
            self.under_way.append(pick)
            self.plain.held_back.add((pick.document_id, pick.task_key, pick.slot))

    @rule(data=st.data(), who=people, wins=st.booleans())
    def is_answered(self, data: st.DataObject, who: str, wins: bool) -> None:
        """The compare-and-set of a pick went through, or not."""
        if not self.under_way:
            return
        pick = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        self.plain.held_back.discard((pick.document_id, pick.task_key, pick.slot))
        self.board.done_with(pick)
        sample = self.stored[pick.document_id][0]
        task = sample.tasks[pick.task_key]
        if wins and may_take(sample, task, who) and pick.slot in task.free:
            self.leases += 1
            slot = Slot(state="leased", lease_id=f"l{self.leases}", annotator_id=who, expires_ms=self.leases)
            task = task.model_copy(
                update={"slots": task.slots | {pick.slot: slot}, "annotators": [*task.annotators, who]}
            )
            seen = {"contributors": sorted({*sample.contributors, who})}
            if judges_others(task.stage):
                seen["reviewers"] = sorted({*sample.reviewers, who})
            self.know(sample.with_task(pick.task_key, task).model_copy(update=seen))

    @rule(data=st.data())
    def is_told_again(self, data: st.DataObject) -> None:
        if self.stored:
            self.tell(data.draw(st.sampled_from(sorted(self.stored))))

    @rule(partition=partitions)
    def begins_to_be_packed(self, partition: int) -> None:
        self.snapshots[partition] = self.board.shelf.snapshot(partition)

    @rule(partition=partitions)
    def is_packed(self, partition: int) -> None:
        snapshot = self.snapshots.pop(partition, None) or self.board.shelf.snapshot(partition)
        self.board.swap(partition, pack(snapshot))

    @rule()
    def are_imaged(self) -> None:
        revisions = {id_: revision for id_, (_, revision) in self.stored.items()}
        for partition in self.owned:
            self.board.swap(partition, pack(self.board.shelf.snapshot(partition)))
            self.images[partition] = to_bytes(self.board.shelf.image(partition)), revisions

    @precondition(lambda self: self.owned and self.stored)
    @rule(data=st.data(), imaged=st.booleans())
    def goes(self, data: st.DataObject, imaged: bool) -> None:
        if imaged:
            self.are_imaged()
        partition = data.draw(st.sampled_from(sorted(self.owned)))
        self.owned.discard(partition)
        self.board.disown([partition])
        gone = {id_ for id_, (sample, _) in self.stored.items() if sample.partition == partition}
        self.under_way = [pick for pick in self.under_way if pick.document_id not in gone]
        self.plain.held_back = {each for each in self.plain.held_back if each[0] not in gone}
        self.plain.samples = {id_: each for id_, each in self.plain.samples.items() if id_ not in gone}

    @precondition(lambda self: len(self.owned) < len(PARTITIONS))
    @rule(data=st.data(), early=st.sets(names), outdated=st.sets(names))
    def comes(self, data: st.DataObject, early: set[str], outdated: set[str]) -> None:
        """Some of its samples are told of before it is read, and all that an image does not have after it."""
        partition = data.draw(st.sampled_from(sorted({*PARTITIONS} - self.owned)))
        self.owned.add(partition)
        self.board.own([partition])
        todo = {id_ for id_, (sample, _) in self.stored.items() if sample.partition == partition}
        for id_ in sorted(id_ for id_ in todo if id_.split("/")[1] in early | outdated):
            self.tell(id_, before=id_.split("/")[1] in outdated)
        if partition in self.images:
            data, revisions = self.images[partition]
            image = from_bytes(data)
            self.board.take_in(partition, image.run, sums_of(image.run))
            current = {id_ for id_ in todo if self.stored[id_][1] == revisions.get(id_)} - set(image.listed)
            self.plain.samples |= {id_: self.stored[id_] for id_ in current}
            todo -= current
        for id_ in sorted(todo):
            self.tell(id_, load=True)
        self.board.complete(partition)

    @invariant()
    def counts_are_those_of_the_samples(self) -> None:
        sums: dict[tuple[str, str, int], dict[str, int]] = {}
        for sample, _ in self.plain.samples.values():
            of = sums.setdefault((sample.tenant_id, sample.project_id, sample.partition), {})
            for name, count in counted(sample):
                of[name] = of.get(name, 0) + count
        assert counts_on(self.board) == {key: {name: n for name, n in of.items() if n} for key, of in sums.items()}

    @invariant()
    def what_waits_is_what_is_free_and_since_when(self) -> None:
        waiting: dict[Queue, Waiting] = {}
        for sample, _ in self.plain.samples.values():
            for task in sample.tasks.values():
                queue = Queue(sample.tenant_id, sample.project_id, task.stage, sample.language or "und")
                if task.free:
                    known = waiting.get(queue, Waiting(0, sample.created_ms))
                    oldest = min(known.oldest_ms, sample.created_ms // MINUTE_MS * MINUTE_MS)
                    waiting[queue] = Waiting(known.slots + len(task.free), oldest)
        assert self.board.waiting() == waiting

    @invariant()
    def late_leases_are_counted(self) -> None:
        ends = [
            slot.expires_ms
            for sample, _ in self.plain.samples.values()
            for task in sample.tasks.values()
            for slot in task.slots.values()
            if slot.state == "leased"
        ]
        middle = self.leases // 2
        assert self.board.late(middle) == sum(end < middle for end in ends)

    @invariant()
    def leases_that_stand_are_known_by_their_ends(self) -> None:
        for partition in self.owned:
            end = self.board.earliest_end(partition)
            standing = [
                slot.expires_ms
                for sample, _ in self.plain.samples.values()
                if sample.partition == partition
                for task in sample.tasks.values()
                for slot in task.slots.values()
                if slot.state == "leased"
            ]
            assert not standing or (end is not None and end <= min(standing))


TestPicks = Picks.TestCase
TestPicks.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_a_backlog_that_nobody_touches_costs_no_object_a_sample():
    board = Board()
    board.own([3])
    board.complete(3)
    ids = [sample_id_of("t", "p", str(number)) for number in range(100)]
    samples = [a_sample(sample_id=id_).model_copy(update={"created_ms": at}) for at, id_ in enumerate(ids)]

    board.load([document(sample, 1) for sample in samples])
    board.swap(3, pack(board.shelf.snapshot(3)))

    assert not list(board.shelf.beside({3}))
    with pytest.raises(KeyError):
        board.sample(f"{samples[0].tenant_id}/{ids[0]}")
    pick = board.pick(Seeker("ana", samples[0].tenant_id, frozenset({"first_pass"}), None, frozenset()))
    assert isinstance(pick, Pick)
    assert board.sample(pick.document_id) == samples[0].model_copy(
        update={"assets": {}, "external_id": "", "tasks": board.sample(pick.document_id).tasks}
    )


def test_what_is_done_costs_no_object_either():
    board = Board()
    board.own([3])
    board.complete(3)
    sample = a_sample(overlap=1, sample_id=sample_id_of("t", "p", "s"))
    task = sample.tasks["first_pass-1"]
    done = task.model_copy(update={"open": False, "slots": {"0": Slot(state="done", lease_id="l", annotator_id="ana")}})

    board.put(sample, 1)
    board.put(sample.with_task("first_pass-1", done), 2)
    board.swap(3, pack(board.shelf.snapshot(3)))

    assert not list(board.shelf.beside({3}))
    assert board.revision(f"{sample.tenant_id}/{sample.sample_id}", 3) == 2
