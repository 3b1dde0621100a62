"""Answers without a lease: a free slot if there is one, else surplus; never more than the task has room for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.task_assignment.domain.finalizing import on_label_finalized
from services.task_assignment.domain.offers import on_annotation_offered
from services.task_assignment.domain.tasks import SampleTasks, Slot, ingest
from shared.events.tasks import AnnotationCounted, AnnotationSurplus, TaskCompleted
from shared.ledger import Step
from tests.builders import a_label_finalized, a_parsed_spec, a_sample_ingested, an_annotation_offered
from tests.fakes import run_step

SPEC = a_parsed_spec()


def a_sample(**leases: str) -> SampleTasks:
    """Return an ingested sample; a keyword per slot that somebody holds: ``slot_1="bo"``."""
    state = ingest(None, a_sample_ingested(), SPEC, 0).state
    assert state is not None
    [(key, task)] = state.tasks.items()
    for slot, who in leases.items():
        held = Slot(state="leased", lease_id=f"lease-of-{who}", annotator_id=who, expires_ms=1)
        task = task.model_copy(
            update={"slots": task.slots | {slot.removeprefix("slot_"): held}, "annotators": [*task.annotators, who]}
        )
    return state.with_task(key, task)


def offered(sample: SampleTasks | None, *people: str, **changes: Any) -> Step[SampleTasks]:
    events = [an_annotation_offered(annotator_id=who, **changes) for who in people]
    return run_step(on_annotation_offered, sample, *events)


def reasons(step: Step[SampleTasks]) -> list[str]:
    return [each.reason for each in step.emitted if isinstance(each, AnnotationSurplus)]


def counted(step: Step[SampleTasks]) -> list[str]:
    return [each.annotator_id for each in step.emitted if isinstance(each, AnnotationCounted)]


def the_task(sample: SampleTasks | None) -> Any:
    assert sample is not None
    [task] = sample.tasks.values()
    return task


def test_an_answer_takes_a_free_slot_and_its_author_is_a_contributor():
    step = offered(a_sample(slot_0="bo"), "ana")

    assert counted(step) == ["ana"]
    assert step.state is not None
    assert (the_task(step.state).slots["1"].state, step.state.contributors) == ("done", ["ana"])
    assert the_task(step.state).open


def test_the_last_slot_completes_the_task():
    step = offered(a_sample(), "ana", "bo", "chi")

    [completed] = [each for each in step.emitted if isinstance(each, TaskCompleted)]
    assert completed.annotators == ["ana", "bo", "chi"]
    assert not the_task(step.state).open


def test_where_all_slots_are_taken_the_work_is_surplus():
    step = offered(a_sample(slot_0="bo", slot_1="chi", slot_2="dan"), "ana")

    assert (counted(step), reasons(step)) == ([], ["no-slot"])


def test_who_holds_a_lease_of_the_task_or_has_skipped_it_gets_no_other_slot():
    skipped = a_sample()
    [(key, task)] = skipped.tasks.items()
    skipped = skipped.with_task(key, task.model_copy(update={"skipped": ["ana"]}))

    assert reasons(offered(a_sample(slot_0="ana"), "ana")) == ["already-assigned"]
    assert reasons(offered(skipped, "ana")) == ["already-assigned"]


def test_the_same_annotators_next_answer_is_a_revision_in_the_same_slot():
    step = offered(a_sample(), "ana", "ana")

    assert (counted(step), reasons(step)) == (["ana", "ana"], [])
    assert [slot.state for slot in the_task(step.state).slots.values()] == ["done", "free", "free"]
    assert {each.annotation_id for each in step.emitted if isinstance(each, AnnotationCounted)} == {"annotation-of-ana"}


def test_once_the_label_is_final_nothing_counts_any_more():
    done = offered(a_sample(), "ana", "bo", "chi").state
    assert done is not None
    final = on_label_finalized(done, a_label_finalized()).state

    assert reasons(offered(final, "ana", "dan")) == ["task-closed", "task-closed"]


def test_an_answer_that_overtakes_its_sample_waits():
    assert offered(None, "ana").waits


@pytest.mark.parametrize("stage", ["peer_review", "adjudication"])
def test_tools_answer_the_first_pass_alone(stage: str):
    sample = a_sample()
    [(key, task)] = sample.tasks.items()
    other = task.model_copy(update={"stage": stage, "task_id": f"{sample.sample_id}.{stage}.1"})
    closed = task.model_copy(update={"open": False, "slots": {}})
    sample = sample.model_copy(update={"tasks": {key: closed, f"{stage}-1": other}})

    assert reasons(offered(sample, "ana")) == ["task-closed"]


@given(people=st.lists(st.sampled_from(["ana", "bo", "chi", "dan", "eve"]), max_size=12), held=st.integers(0, 3))
def test_no_more_slots_are_taken_than_there_are_and_nobody_has_two(people: list[str], held: int):
    leases = {f"slot_{number}": who for number, who in enumerate(["ana", "zoe", "yan"][:held])}

    step = offered(a_sample(**leases), *people)

    slots = the_task(step.state).slots if people else the_task(a_sample(**leases)).slots
    holders = [slot.annotator_id for slot in slots.values() if slot.state != "free"]
    assert len(slots) == 3
    assert len(holders) == len(set(holders))
    assert len(set(counted(step))) <= 3 - held
    assert len(counted(step)) + len(reasons(step)) == len(people)
