"""``python -m bench``: measure the running stack, for a few minutes, and write down what was found."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from bench.benchmarks import BENCHMARKS, chosen
from bench.client import BenchError
from bench.page import write_page
from bench.project import BenchSettings
from bench.report import Figures, describe_machine, result, write

RESULTS: Final = Path(__file__).resolve().parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that were asked for.

    Args:
        arguments: The command line without the program's name; that of this process when None.

    Returns:
        The exit status: 0, or 1 when the stack did not do what a benchmark needs.
    """
    asked = _parser().parse_args(arguments)
    if asked.full:
        asked.tasks, asked.queue, asked.runs = [1000, 100_000, 1_000_000], [1000, 100_000, 1_000_000], 5
        asked.samples, asked.volume_mb = 1_000_000, 2000
    try:
        for name in chosen(asked.benchmark, asked.full):
            print(f"{name} ...", flush=True)
            machine = describe_machine()
            figures, reference = asyncio.run(BENCHMARKS[name].measure(asked, BenchSettings))
            found = result(name, figures, reference, machine)
            _show(found.figures, found.reference)
            print(f"  written to {write(found, asked.results)}", flush=True)
            if asked.results == RESULTS:
                write_page(RESULTS)
    except BenchError as error:
        print(f"\n{error}\nIs the stack up? `make status` tells.", file=sys.stderr)
        return 1
    return 0


def _show(figures: Figures, reference: Figures) -> None:
    for name, value in figures.items():
        print(f"  {name:45} {value:12,.2f}")
    for name, value in reference.items():
        print(f"  reference: {name:34} {value:12,.2f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benchmark", nargs="*", choices=[*BENCHMARKS, []], help="which; by default all but exactness")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1000], help="claims: open tasks to begin with")
    parser.add_argument("--runs", type=int, default=1, help="claims: runs of the most annotators; medians are told")
    parser.add_argument("--queue", type=int, nargs="+", default=[1000, 100_000], help="ready: open tasks in the queue")
    parser.add_argument(
        "--full", action="store_true", help="exactness too, and every size and run that we state bars for"
    )
    parser.add_argument("--annotators", type=int, nargs="+", default=[1, 16, 64], help="claims, submit: how many work")
    parser.add_argument("--seconds", type=float, default=10.0, help="claims: how long a run lasts at most")
    parser.add_argument("--samples", type=int, default=20_000, help="ingest: texts to import")
    parser.add_argument("--volume-mb", type=int, default=0, help="ingest: MB of long texts to import besides")
    parser.add_argument("--line-kb", type=int, default=100, help="ingest: length of a line of those, in kB")
    parser.add_argument("--rounds", type=int, default=2, help="submit: how often everybody submits twenty answers")
    parser.add_argument("--claims", type=int, default=20_000, help="exactness: claims that are made at least")
    parser.add_argument("--checks", type=int, default=3000, help="validate: how often the answer is checked")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
