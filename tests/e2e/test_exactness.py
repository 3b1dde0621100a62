"""Four replicas of task assignment under a crowd, while they die, stall and disagree on the time; then the audit."""

from __future__ import annotations

import asyncio

import pytest

from bench import exactness
from bench.project import BenchSettings
from deploy.local.stack import Stack
from tests.e2e.gateway import Gateway

CLAIMS = 2_000


@pytest.mark.timeout(1500, func_only=True)
def test_whatever_happens_what_was_accepted_counts_and_nothing_counts_twice(
    stack: Stack, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)

    figures, _ = asyncio.run(exactness.measure(BenchSettings(), CLAIMS))

    print(figures)  # noqa: T201 - for the record
    assert figures["wrong"] == 0
    assert figures["claims"] >= CLAIMS
    assert figures["answers_that_count"] == figures["samples"] * exactness.OVERLAP
    assert min(figures[name] for name in ("kills", "stalls", "duplicates", "deaths", "leases_expired")) >= 1
    assert figures["submissions_audited"] >= figures["answers_that_count"]
