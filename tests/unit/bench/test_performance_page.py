"""The page on performance says what the results say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.benchmarks import BENCHMARKS
from bench.page import PAGE, read_results, render, write_page
from bench.report import describe_machine, result, write

RESULTS = PAGE.parents[1] / "bench" / "results"


def test_the_page_in_docs_says_what_the_last_results_say():
    assert PAGE.read_text() == render(read_results(RESULTS)), "run `make bench`; the page is written by it alone"


def test_each_result_has_its_figures_its_reference_and_how_it_was_made(tmp_path: Path):
    found = result("claims", {"cpu_ms_per_cycle": 1.5}, {"sends": 9876.0}, MACHINE)
    write(found, tmp_path)

    write_page(tmp_path, tmp_path / "page.md")

    page = (tmp_path / "page.md").read_text()
    assert f"## claims\n\n{BENCHMARKS['claims'].about} Measured at {found.measured_at} by `{found.command}`." in page
    assert "| cpu_ms_per_cycle | 1.5 |" in page
    assert "| sends | 9,876 |" in page


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_result_lies_under_the_name_of_its_benchmark(path: Path):
    [found] = [each for each in read_results(RESULTS) if each.name == path.stem]

    assert found.figures


MACHINE = describe_machine()
