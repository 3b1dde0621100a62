"""Claims, answers, releases, ends of leases and new work, in any order: what always holds of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from services.task_assignment.domain.tasks import Task
from shared.clock import to_ms
from shared.errors import LeaseLostError
from shared.events.tasks import AnnotationCounted, AnnotationVoided, ReviewCounted, ReviewVoided, Submission
from shared.ids import sample_id_of
from shared.security import Lease
from tests.builders import (
    PROJECT,
    TENANT,
    a_label_finalized,
    a_qa_work_requested,
    a_sample_ingested,
    an_annotator_voided,
)
from tests.fakes import CrashError, Fuse
from tests.unit.task_assignment.work_under_test import ALL_ROLES, WorkUnderTest, a_work_catalog

R = TypeVar("R")

PEOPLE = ("ana", "bo", "chi", "dee")
EXTERNAL = ("s1", "s2")
OVERLAP = 2
MAX_LEASES = 2
STAGES = ("first_pass", "peer_review", "senior_qa", "adjudication")
RETURN_AFTER = 30
CLAIM_CALLS = 6
"""Places in a claim at which a process may die: before each call of the store."""

SKIP = {"then": "return_later", "return_after_seconds": RETURN_AFTER}

replicas = st.integers(0, 1)
stages = st.sampled_from(STAGES)
externals = st.sampled_from(EXTERNAL)


class Work(RuleBasedStateMachine):
    """Two replicas that both believe to own the samples; the first one reads the log."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.lost: set[str] = set()
        """Leases that their holders gave back, or a manager ended."""
        self.promised: dict[str, Submission] = {}
        self.folded: set[str] = set()
        self.room: Counter[tuple[str, str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.work = WorkUnderTest(self.wait(a_work_catalog(OVERLAP, assignment={"skip": SKIP})), replicas=2)
        for name in EXTERNAL:
            self.work.log.append(a_sample_ingested(external_id=name))
        for who in PEOPLE:
            self.wait(self.work.declare(who, max_leases=MAX_LEASES))
        self.wait(self.work.start())
        self.wait(self.work.fold())
        self.wait(self.work.replicas[1].keeper.repair())

    @rule(
        target=tokens,
        who=st.sampled_from(PEOPLE),
        count=st.integers(1, 3),
        replica=replicas,
        only=st.sampled_from([(), *((stage,) for stage in STAGES)]),
    )
    def claim(self, who: str, count: int, replica: int, only: tuple[str, ...]) -> Any:
        answered = frozenset(each.lease_id for each in self.in_flight() if each.annotator_id == who)
        stages = frozenset(only)
        answer = self.wait(self.work.claim(who, count, replica=replica, answered=answered, stages=stages))
        assert len(answer.granted) <= count
        assert len({each.lease.task_id for each in answer.granted}) == len(answer.granted)
        for granted in answer.granted:
            [slot] = [s for s in self.task(granted.lease).slots.values() if s.lease_id == granted.lease.lease_id]
            assert (slot.annotator_id, slot.expires_ms) == (who, granted.lease.expires_ms)
        return multiple(*(each.lease for each in answer.granted))

    @rule(people=st.permutations(PEOPLE))
    def claim_all_at_once(self, people: list[str]) -> None:
        async def race() -> list[Any]:
            claims = [self.work.claim(who, 1, replica=index % 2) for index, who in enumerate(people)]
            return await asyncio.gather(*claims)

        granted = [each.lease for answer in self.wait(race()) for each in answer.granted]
        assert len({(lease.task_id, lease.slot) for lease in granted}) == len(granted)

    @rule(who=st.sampled_from(PEOPLE), dies_at=st.integers(0, CLAIM_CALLS), replica=replicas)
    def claim_and_die(self, who: str, dies_at: int, replica: int) -> None:
        self.work.store.fuse = Fuse(dies_at)
        try:
            self.wait(self.work.claim(who, 2, replica=replica))
        except CrashError:
            pass
        finally:
            self.work.store.fuse = Fuse()
        if replica == 0:
            self.wait(self.work.restart())

    @rule(lease=tokens)
    def answer(self, lease: Lease) -> None:
        submission, accepted = self.work.submit(lease, number=len(self.promised))
        if accepted and lease.lease_id not in self.lost:
            self.promised[submission.event_id] = submission

    @rule(lease=tokens, skipped=st.booleans())
    def give_back(self, lease: Lease, skipped: bool) -> None:
        if lease.lease_id in {each.lease_id for each in self.in_flight()}:
            return  # the gateway knows that it has been answered
        try:
            self.wait(self.work.give_back(lease, "skipped" if skipped else "released"))
        except LeaseLostError:
            return
        self.lost.add(lease.lease_id)

    @rule(target=tokens, lease=tokens)
    def heartbeat(self, lease: Lease) -> Any:
        prolonged = self.wait(self.work.heartbeat(lease))
        return multiple() if prolonged is None else prolonged

    @rule(seconds=st.sampled_from([0.5, 5, 20, 61, 75]))
    def time_passes(self, seconds: float) -> None:
        self.work.clock.advance(seconds)

    @rule(skew=st.sampled_from([-3000, 0, 3000]))
    def clocks_differ(self, skew: int) -> None:
        self.work.log.skew_ms = skew

    @rule(data=st.data(), most=st.integers(1, 3))
    def fold_some(self, data: st.DataObject, most: int) -> None:
        topics = sorted(topic for topic, waiting in self.work.log.waiting.items() if waiting)
        if topics:
            self.fold(data.draw(st.sampled_from(topics)), most)

    @rule()
    def fold_all(self) -> None:
        self.fold()

    @rule()
    def redeliver(self) -> None:
        self.wait(self.work.redeliver())

    @rule()
    def duplicate(self) -> None:
        for submission in list(self.promised.values())[-1:]:
            self.work.log.append(submission)

    @rule()
    def take_back(self) -> None:
        self.wait(self.work.take_back())

    @rule(replica=replicas)
    def let_return(self, replica: int) -> None:
        """Whoever skipped a task comes back, at one replica or at both."""
        self.wait(self.work.replicas[replica].keeper.let_return())

    @rule(replica=replicas)
    def repair(self, replica: int) -> None:
        self.wait(self.work.replicas[replica].keeper.repair())

    @rule(replica=replicas)
    def keep_an_image(self, replica: int) -> None:
        """Either replica leaves an image, from which the next one begins."""
        self.wait(self.work.replicas[replica].imager.keep())

    @rule(name=externals, stage=stages, slots=st.integers(1, 2))
    def want_more(self, name: str, stage: str, slots: int) -> None:
        self.work.log.append(a_qa_work_requested(external_id=name, stage=stage, slots=slots))
        self.room[sample_of(name), stage] += slots

    @rule(who=st.sampled_from(PEOPLE), replica=replicas)
    def void(self, who: str, replica: int) -> None:
        """A manager drops all that somebody has given; what is on its way from them comes too late."""
        self.wait(self.work.replicas[replica].voiding.receive(an_annotator_voided(annotator_id=who)))
        self.promised = {id_: each for id_, each in self.promised.items() if each.annotator_id != who}
        for sample in self.work.samples().values():
            for task in sample.tasks.values():
                assert who not in task.annotators
                self.lost |= {ended.lease_id for ended in task.ended if ended.annotator_id == who}

    @invariant()
    def each_answer_that_was_dropped_is_told_of_as_one(self) -> None:
        told = [*self.work.log.of(AnnotationVoided), *self.work.log.of(ReviewVoided)]
        dropped = [
            ended.annotation_id
            for sample in self.work.samples().values()
            for task in sample.tasks.values()
            for ended in task.ended
            if ended.how == "voided"
        ]
        assert len(set(dropped)) == len(dropped) == len({each.event_id for each in told})
        assert set(dropped) == {getattr(each, "annotation_id", None) or each.review_id for each in told}

    @rule(name=externals)
    def finalize(self, name: str) -> None:
        self.work.log.append(a_label_finalized(external_id=name))

    @invariant()
    def nobody_has_two_slots_of_a_sample_and_the_lists_say_who_has_which(self) -> None:
        for sample in self.work.samples().values():
            holders: Counter[str] = Counter()
            for key, task in sample.tasks.items():
                taken = [slot.annotator_id for slot in task.slots.values() if slot.state != "free"]
                assert Counter(taken) == Counter(task.annotators), key
                assert all((slot.lease_id is None) == (slot.state == "free") for slot in task.slots.values())
                holders.update(task.annotators)
                assert {each.annotator_id for each in task.returning} <= set(task.skipped)
                assert not set(task.skipped) & set(task.annotators), "they hold what they do not get"
            assert set(holders) <= set(sample.contributors)
            assert max(holders.values(), default=0) <= 1, "somebody would review their own work"

    @invariant()
    def no_task_has_more_slots_than_were_asked_for(self) -> None:
        for sample_id, sample in self.work.samples().items():
            slots: Counter[str] = Counter()
            for task in sample.tasks.values():
                slots[task.stage] += len(task.slots)
            for stage, number in slots.items():
                assert number <= self.room[sample_id, stage] + (OVERLAP if stage == "first_pass" else 0)

    @invariant()
    def nobody_holds_more_than_their_bound(self) -> None:
        now_ms = to_ms(self.work.clock())
        answered = {each.lease_id for each in self.in_flight()}
        held = Counter(
            slot.annotator_id
            for sample in self.work.samples().values()
            for task in sample.tasks.values()
            for slot in task.slots.values()
            if slot.state == "leased" and slot.expires_ms > now_ms and slot.lease_id not in answered
        )
        assert max(held.values(), default=0) <= MAX_LEASES

    @invariant()
    def whatever_was_promised_to_count_counts_as_soon_as_it_is_folded(self) -> None:
        counted = self.work.counted_causes()
        for event_id, submission in self.promised.items():
            if event_id in self.folded:
                kind = ReviewCounted if submission.stage in {"peer_review", "senior_qa"} else AnnotationCounted
                body = submission.model_dump(exclude={"event_id"})
                assert kind.caused_by(submission, **body).event_id in counted
                assert submission.lease_id in {s.lease_id for s in self.task(submission).slots.values()}

    def teardown(self) -> None:
        try:
            if hasattr(self, "work"):
                self.everything_comes_to_rest()
                self.wait(self.work.stop())
        finally:
            self.runner.close()

    def everything_comes_to_rest(self) -> None:
        """Whatever was going on: leases end, all that was accepted counts, and what is free can be claimed."""
        self.work.log.skew_ms = 0
        for _ in range(3):
            self.fold()
            self.work.clock.advance(120)
            self.wait(self.work.replicas[0].keeper.repair())
            self.wait(self.work.take_back())
            self.wait(self.work.replicas[0].keeper.let_return())
        self.whatever_was_promised_to_count_counts_as_soon_as_it_is_folded()
        samples = self.work.samples().values()
        tasks = [task for sample in samples for task in sample.tasks.values()]
        assert {slot.state for task in tasks for slot in task.slots.values()} <= {"free", "done"}
        assert not [task for task in tasks if task.open and task.returning], "somebody waits for ever"
        free = {task.task_id for task in tasks if task.free}
        claimed = set()
        for number in range(len(free)):
            self.wait(self.work.declare(f"new-{number}", max_leases=1))
            answer = self.wait(self.work.claim(f"new-{number}", 1, roles=tuple(ALL_ROLES)))
            claimed |= {each.lease.task_id for each in answer.granted}
        assert len(claimed) > 0 or not free

    def wait(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(coroutine)

    def fold(self, topic: str | None = None, most: int | None = None) -> None:
        for name in [topic] if topic else list(self.work.log.waiting):
            self.folded |= {each.event_id for each in self.work.log.waiting[name][:most]}
            self.wait(self.work.fold(name, most))

    def in_flight(self) -> list[Submission]:
        return [each for id_, each in self.promised.items() if id_ not in self.folded]

    def task(self, of: Lease | Submission) -> Task:
        [task] = [
            task
            for sample in self.work.samples().values()
            for task in sample.tasks.values()
            if task.task_id == of.task_id
        ]
        return task


def sample_of(external_id: str) -> str:
    return sample_id_of(TENANT, PROJECT, external_id)


TestWork = Work.TestCase
TestWork.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestWork.pytestmark = [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
