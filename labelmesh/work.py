"""Labeling by script: tasks are claimed and answered from what is known already."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from labelmesh.client import Labelmesh
from labelmesh.errors import InvalidBodyError, LeaseExpiredError, LeaseLostError
from labelmesh.models import ClaimedTask

IDLE_CLAIMS: Final = 3
"""After so many claims without a task there is taken to be no more work."""
TASKS_AT_ONCE: Final = 5
MAX_IDLE_SECONDS: Final = 1.0
COUNTING_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that the gateway did not take, and why."""

    external_id: str
    detail: str
    errors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    answered: int = 0
    skipped: int = 0
    """Tasks that there was no answer for."""
    late: int = 0
    """Answers whose lease was over; the gateway keeps them as drafts."""
    refusals: tuple[Refusal, ...] = field(default=())
    """Answers with faults; their tasks were skipped."""


def work_off(
    client: Labelmesh,
    project: str,
    answers: Mapping[str, Mapping[str, Any]],
    *,
    stages: Sequence[str] = ("first_pass",),
    watch: Callable[[Done], None] | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Done:
    """Claim tasks of a project until there are none, and answer each from ``answers``.

    Args:
        client: Connected with an annotator's key.
        project: The project.
        answers: Fields by external id; a task of a sample that is not here is skipped.
        stages: The stages to work in; not those of reviews, whose answer is a verdict.
        watch: Is told what came of it so far, after each task.
        sleep: Waits for some seconds.

    Returns:
        What became of the tasks.

    Raises:
        ApiError: The gateway refused something other than an answer.
    """
    done = Done()
    idle = 0
    seen: set[str] = set()
    while idle < IDLE_CLAIMS:
        claim = client.claim(TASKS_AT_ONCE, project, stages)
        # An answered task is still held until its answer is counted, a moment after it was accepted.
        fresh = [task for task in claim.tasks if task.task not in seen]
        idle = 0 if claim.tasks else idle + 1
        if not fresh and idle < IDLE_CLAIMS:
            sleep(COUNTING_SECONDS if claim.tasks else min(claim.retry_after, MAX_IDLE_SECONDS))
        for task in fresh:
            seen.add(task.task)
            done = _answer(client, task, answers.get(task.sample.external_id), done)
            if watch is not None:
                watch(done)
    return done


def _answer(client: Labelmesh, task: ClaimedTask, fields: Mapping[str, Any] | None, done: Done) -> Done:
    try:
        if fields is None:
            client.skip(task, "no answer in the file")
            return replace(done, skipped=done.skipped + 1)
        client.submit(task, fields)
    except (LeaseExpiredError, LeaseLostError):
        return replace(done, late=done.late + 1)
    except InvalidBodyError as error:
        client.skip(task, error.detail[:1000])
        refusal = Refusal(task.sample.external_id, error.detail, error.errors)
        return replace(done, refusals=(*done.refusals, refusal))
    return replace(done, answered=done.answered + 1)
