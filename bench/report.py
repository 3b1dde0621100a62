"""What a benchmark found, on which machine, and how it is written down."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson

LIBRARIES: Final = (
    "aiokafka",
    "fastapi",
    "faststream",
    "httptools",
    "orjson",
    "pillow",
    "pydantic",
    "pymongo",
    "starlette",
    "uvicorn",
)
CHECKOUT: Final = Path(__file__).resolve().parent.parent

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """One benchmark's figures, and the reference that was taken in the same run."""

    name: str
    command: str
    measured_at: str
    machine: Mapping[str, str | float]
    versions: Mapping[str, str]
    figures: Figures
    reference: Figures
    """The raw ceiling of the servers or of the bare library, on the same machine and in the same minutes."""


def result(name: str, figures: Figures, reference: Figures, machine: Mapping[str, str | float]) -> Result:
    """Return figures with all that is needed to read them.

    Args:
        name: The benchmark.
        figures: What was measured, by name; rounded here.
        reference: What the servers or the library do without us, by name; rounded here.
        machine: As ``describe_machine`` found it before the run.
    """
    return Result(
        name=name,
        command=command_line(sys.argv[1:]),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        versions=_versions(),
        figures=_rounded(figures),
        reference=_rounded(reference),
    )


def write(found: Result, folder: Path) -> Path:
    """Write ``<folder>/<name>.json`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.name}.json"
    path.write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2) + b"\n")
    return path


def command_line(arguments: Sequence[str]) -> str:
    """Return the command that makes the same measurement again."""
    return " ".join(["python -m deploy.local run python -m bench", *arguments])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all values do not exceed (nearest rank).

    Args:
        values: In any order; at least one.
        share: Above 0 and at most 1; 0.5 is the median, 0.99 what one in a hundred exceeds.

    Raises:
        ValueError: There are no values, or ``share`` is out of range.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 7.2.6.2, in its nearest-rank form.
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"A percentile needs values and a share in (0, 1], not {len(values)} values and {share}.")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def size_name(count: int) -> str:
    """Return a size as it stands in a figure's name: ``1k``, ``100k``, ``1m``."""
    for unit, name in ((1_000_000, "m"), (1000, "k")):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{name}"
    return str(count)


def describe_machine() -> dict[str, str | float]:
    """Return what tells this machine from another, and how busy it was before the run."""
    return {
        "processor": _processor(),
        "cores": float(os.cpu_count() or 1),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - the git that developers have
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {"labelmesh": commit, "python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _rounded(figures: Figures) -> dict[str, float]:
    """Four significant digits, for no run of ours is more exact; what was counted stays whole."""
    return {name: value if float(value).is_integer() else float(f"{value:.4g}") for name, value in figures.items()}
