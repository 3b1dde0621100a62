"""Whether a sample may have other assets: decided beside claims, on the sample's own document."""

from __future__ import annotations

from typing import Any

import pytest

from services.task_assignment.domain.replacing import on_replacement_proposed
from services.task_assignment.domain.tasks import SampleTasks, ingest
from shared.events.replacements import ReplacementDecided
from tests.builders import a_parsed_spec, a_replacement_proposed, a_sample_ingested, text_facts

SPEC = a_parsed_spec()


def a_sample(**slot: Any) -> SampleTasks:
    """Return a sample in its first pass, of which the first slot is in some state."""
    sample = ingest(None, a_sample_ingested(), SPEC, 0).state
    assert sample is not None
    [(key, task)] = sample.tasks.items()
    slots = task.slots | {"0": task.slots["0"].model_copy(update=slot)}
    return sample.with_task(key, task.model_copy(update={"slots": slots}))


def decided(sample: SampleTasks) -> tuple[SampleTasks, ReplacementDecided]:
    step = on_replacement_proposed(sample, a_replacement_proposed())
    [told] = step.emitted
    assert isinstance(told, ReplacementDecided)
    assert step.state is not None
    return step.state, told


def test_as_long_as_nobody_has_begun_its_tasks_rest_until_it_has_its_new_assets():
    resting, told = decided(a_sample())
    again = ingest(resting, a_sample_ingested(assets={"chat": text_facts("Other words.")}), SPEC, 0)

    assert told.granted
    assert [task.free for task in resting.tasks.values()] == [[]]
    assert resting.state == "open"
    assert again.state is not None
    assert again.state.assets["chat"].text == "Other words."
    assert again.state.tasks == a_sample().tasks
    assert (again.state.resting, list(again.emitted)) == ([], [])


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        ({"state": "leased", "lease_id": "l-1", "annotator_id": "ana"}, "somebody is working on it"),
        ({"state": "done"}, "there is an answer about the assets that it has"),
    ],
)
def test_work_that_has_begun_stands_in_the_way(slot, reason):
    sample = a_sample(**slot)

    after, told = decided(sample)

    assert (after, told.granted, told.reason) == (sample, False, reason)


def test_so_does_somebody_who_gave_it_back():
    _, told = decided(a_sample().model_copy(update={"contributors": ["ana"]}))

    assert (told.granted, told.reason) == (False, "somebody has had it before")


def test_so_does_a_label_and_a_sample_that_is_not_known_yet_is_waited_for():
    _, told = decided(a_sample().model_copy(update={"finalized": 1}))

    assert not told.granted
    assert on_replacement_proposed(None, a_replacement_proposed()).waits


def test_asked_once_more_while_its_tasks_rest_it_says_the_same():
    resting, _ = decided(a_sample())

    again, told = decided(resting)

    assert (again, told.granted) == (resting, True)
