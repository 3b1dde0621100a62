"""Which benchmarks run."""

from __future__ import annotations

from bench.benchmarks import BENCHMARKS, chosen


def test_what_takes_long_is_measured_only_when_it_is_named_or_everything_is():
    assert "exactness" not in chosen([], full=False)
    assert chosen(["exactness"], full=False) == ["exactness"]
    assert chosen([], full=True) == list(BENCHMARKS)
