"""kill -9 of any service during work, then a restart: the loop finishes, and nothing accepted is missing."""

from __future__ import annotations

import pytest

from deploy.local.environment import SERVICES
from deploy.local.stack import Stack
from tests.e2e.reduced_loop import CORRUPT, OVERLAP, SAMPLES, Loop, Outcome, assert_nothing_accepted_is_missing

SENT_BEFORE_EACH_KILL = 2


def test_the_loop_finishes_when_nothing_happens(undisturbed: Outcome):
    labeled = {str(number): number for number in range(SAMPLES) if number not in CORRUPT}

    assert undisturbed.samples == {"final": SAMPLES - len(CORRUPT), "rejected": len(CORRUPT)}
    assert undisturbed.tasks == {"first_pass": {"done": SAMPLES - len(CORRUPT)}}
    assert undisturbed.labels == dict.fromkeys(labeled, "ask")
    assert undisturbed.answers == dict.fromkeys(labeled, OVERLAP)


@pytest.mark.timeout(400, func_only=True)
def test_the_loop_finishes_when_each_service_is_killed_in_turn(stack: Stack, loop: Loop, undisturbed: Outcome):
    with loop.workforce():
        for service in SERVICES:
            loop.send(SENT_BEFORE_EACH_KILL)
            stack.kill(service)
            stack.start(service)
        loop.send()
        outcome = loop.outcome()

    assert loop.failures == []
    assert outcome == undisturbed
    assert_nothing_accepted_is_missing(loop)
