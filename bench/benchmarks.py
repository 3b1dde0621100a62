"""What is measured: each benchmark by its name, with the module that tells what it is."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine, Sequence
from types import ModuleType
from typing import Any, Final, NamedTuple

from bench import claims, exactness, ingest, ready, submit, validate
from bench.project import BenchSettings
from bench.report import Figures
from bench.volume import Volume


class Benchmark(NamedTuple):
    """Something that is measured, and the module that says what it is."""

    module: ModuleType
    measure: Callable[[argparse.Namespace, Callable[[], BenchSettings]], Coroutine[Any, Any, tuple[Figures, Figures]]]
    """(command line, where the running stack is) -> figures and reference; who needs no stack does not ask."""
    only_when_asked: bool = False
    """It takes long, and is left out unless it is named or everything is asked for."""

    @property
    def about(self) -> str:
        """What is measured, in a sentence."""
        return (self.module.__doc__ or "").partition("\n\n")[0]


BENCHMARKS: Final = {
    "claims": Benchmark(
        claims,
        lambda asked, stack: claims.measure(stack(), asked.tasks, asked.annotators, asked.seconds, asked.runs),
    ),
    "ingest": Benchmark(
        ingest,
        lambda asked, stack: ingest.measure(stack(), asked.samples, Volume(asked.volume_mb, asked.line_kb)),
    ),
    "ready": Benchmark(ready, lambda asked, _stack: ready.measure(asked.queue)),
    "validate": Benchmark(validate, lambda asked, stack: validate.measure(asked.checks)),
    "submit": Benchmark(submit, lambda asked, stack: submit.measure(stack(), asked.annotators, asked.rounds)),
    "exactness": Benchmark(
        exactness, lambda asked, stack: exactness.measure(stack(), asked.claims), only_when_asked=True
    ),
}


def chosen(named: Sequence[str], full: bool) -> list[str]:
    """Return the benchmarks to run: those that were named, else all, without those that take long unless ``full``."""
    return list(named) or [name for name, each in BENCHMARKS.items() if full or not each.only_when_asked]
