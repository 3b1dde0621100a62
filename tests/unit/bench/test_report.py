"""How benchmark figures are made and written down."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from bench.processes import Memory, Processes, cpu_per_cycle
from bench.report import describe_machine, percentile, result, size_name, write


def test_percentiles_are_values_that_were_measured():
    values = [15.0, 20.0, 35.0, 40.0, 50.0]

    found = [percentile(list(reversed(values)), share) for share in (0.05, 0.3, 0.4, 0.5, 1.0)]

    assert found == [15.0, 20.0, 20.0, 35.0, 50.0]  # the worked example of the nearest-rank method


def test_the_99th_percentile_of_a_hundred_leaves_one_out():
    assert percentile([float(number) for number in range(1, 101)], 0.99) == 99.0


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_an_error(values: list[float], share: float):
    with pytest.raises(ValueError, match="A percentile needs"):
        percentile(values, share)


def test_sizes_are_named_as_in_the_figures():
    assert [size_name(each) for each in (5, 1000, 1500, 100_000, 1_000_000)] == ["5", "1k", "1500", "100k", "1m"]


def test_cpu_is_told_for_each_process_and_for_all_together():
    before, after = {"gateway": 100.0, "mongo": 10.0}, {"gateway": 300.0, "mongo": 110.0}

    assert cpu_per_cycle(before, after, cycles=100) == {
        "cpu_ms_per_cycle": 3.0,
        "cpu_ms_per_cycle_gateway": 2.0,
        "cpu_ms_per_cycle_mongo": 1.0,
    }
    assert cpu_per_cycle(before, after, cycles=0) == {}
    assert cpu_per_cycle({}, {}, cycles=100) == {}


def test_a_result_says_all_that_is_needed_to_read_it(tmp_path: Path):
    found = result(
        "claims",
        {"cycles_per_s_1_at_1k": 123.456, "claims": 20_037.0},
        {"kafka_sends_per_s": 9876.5},
        describe_machine(),
    )

    written = json.loads(write(found, tmp_path / "results").read_text())

    assert written.keys() == {"name", "command", "measured_at", "machine", "versions", "figures", "reference"}
    assert written["figures"] == {"cycles_per_s_1_at_1k": 123.5, "claims": 20_037.0}
    assert written["reference"] == {"kafka_sends_per_s": 9876.0}
    assert written["command"].startswith("python -m deploy.local run python -m bench")
    assert {"processor", "cores", "memory_gb", "load_average_before"} <= written["machine"].keys()
    assert {"labelmesh", "python", "pymongo"} <= written["versions"].keys()


async def test_memory_is_told_by_its_peak_and_by_whether_it_grew():
    resident = iter([100.0, 120.0, 110.0, 180.0])

    class FakeProcesses(Processes):
        def rss_mb(self, name: str) -> float | None:
            return next(resident) if name == "ingest" else None

    memory = Memory(FakeProcesses({}), ["ingest", "gateway"])
    with suppress(StopIteration, RuntimeError):
        await memory.watch(0)

    assert memory.peaks() == {"ingest": 180.0}
    assert memory.growth() == {"ingest": 1.5}
