"""The demo: ``make demo``, or ``python -m examples.demo`` with the stack's settings in the environment."""

import asyncio
import os
import sys
from datetime import UTC, datetime

from rich.console import Console

from examples.demo.datasets import JobFailedError
from examples.demo.expectations import check
from examples.demo.plan import DemoSettings, NotConfiguredError, Run
from examples.demo.progress import Narrator
from examples.demo.report import show_report, write_report
from examples.demo.story import UnfinishedError, tell
from examples.demo.workforce import WorkerFailedError
from labelmesh import ApiError

EXPLAINED = (ApiError, JobFailedError, NotConfiguredError, UnfinishedError, WorkerFailedError)


def main() -> int:
    """Run the demo.

    Returns:
        The exit status: 0, or 1 when an expectation was not met or the run could not be finished.
    """
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        settings = DemoSettings.read(os.environ)
        report = asyncio.run(tell(settings, Run.at(datetime.now(UTC)), Narrator(console)))
    except EXPLAINED as error:
        console.print(f"\n[bold red]The demo stopped.[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    outcomes = check(report)
    path = settings.home / "demo.json"
    write_report(report, outcomes, path)
    show_report(report, outcomes, console)
    console.print(f"  {'report':24} {path}", highlight=False)
    failed = [outcome for outcome in outcomes if not outcome.met]
    for outcome in failed:
        console.print(f"[bold red]Not as expected:[/] {outcome.sentence} ({outcome.found})", highlight=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
