"""``docs/performance.md``: what the benchmarks found last, written anew after each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import orjson

from bench.benchmarks import BENCHMARKS
from bench.report import CHECKOUT, Figures, Result

PAGE: Final = CHECKOUT / "docs" / "performance.md"

_HEAD: Final = """\
# Performance

Written by `make bench` from `bench/results`; do not edit. Every figure was measured, through the gateway where nothing
else is said, with everything on that a deployment has: authentication, validation, metrics, logs. The load's own
processes ran on the same cores as the services and the servers.

The machines are shared and noisy. So each run has a **reference**: what the bare servers or the bare library do in the
same minutes, without us. Compare ratios to it rather than absolute figures of two days. CPU time a cycle is moved least
by neighbours. Without Docker, MongoDB is the stand-in, which is for trials; its own ceiling is in the reference.
"""


def write_page(results: Path, page: Path = PAGE) -> None:
    """Write the page anew from the results in a folder."""
    page.write_text(render(read_results(results)))


def read_results(folder: Path) -> list[Result]:
    """Return the results in a folder, by the names of their files."""
    return [Result(**orjson.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


def render(results: Iterable[Result]) -> str:
    """Return the page as Markdown: of each result what it is about, how it was made, and its figures."""
    return "\n".join([_HEAD, *(_section(each) for each in results)])


def _section(found: Result) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    return "\n".join(
        [
            f"## {found.name}",
            "",
            f"{BENCHMARKS[found.name].about} Measured at {found.measured_at} by `{found.command}`.",
            "",
            *_table("figure", found.figures),
            *_table("reference", found.reference),
            f"Machine: {_machine(found.machine)}. Versions: {versions}.",
            "",
        ]
    )


def _table(kind: str, figures: Figures) -> list[str]:
    if not figures:
        return []
    rows = [f"| {name} | {value:,.10g} |" for name, value in figures.items()]
    return [f"| {kind} | value |", "|---|---:|", *rows, ""]


def _machine(machine: Mapping[str, str | float]) -> str:
    load = f"load {machine['load_average_before']} before the run"
    return (
        f"{machine['processor']}, {machine['cores']:g} cores, {machine['memory_gb']:g} GB, {machine['system']}, {load}"
    )
