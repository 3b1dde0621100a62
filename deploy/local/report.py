"""What a person asks of a running stack: who runs, and what do the logs say."""

import sys
import time
from collections.abc import Sequence

from rich.table import Table

from deploy.local.console import Progress
from deploy.local.operations import show_operations
from deploy.local.stack import PROCESSES, Stack

FIRST_LINES = 20


def show_standing(stack: Stack, progress: Progress) -> None:
    """Print a table of processes, then what the operator's tool knows, when everything is up.

    Args:
        stack: The stack.
        progress: Where to print.
    """
    standings = stack.standing()
    table = Table("process", "pid", "ports", "state", box=None, pad_edge=False)
    for standing in standings:
        state = "ready" if standing.ready else "starting or not ready" if standing.pid else "down"
        pid = str(standing.pid) if standing.pid else "-"
        table.add_row(standing.name, pid, ", ".join(map(str, standing.ports)), state)
    progress.console.print(table)
    if all(standing.ready for standing in standings):
        show_operations(stack.environment())


def follow_logs(stack: Stack, names: Sequence[str], follow: bool) -> None:
    """Print the last lines of the logs, each with the name of its process.

    Args:
        stack: The stack.
        names: Which processes; all when empty.
        follow: Go on printing what is added, until interrupted.
    """
    chosen = tuple(names) or PROCESSES
    positions: dict[str, int] = {}
    for name in chosen:
        log = stack.log(name)
        text = log.read_bytes() if log.exists() else b""
        positions[name] = len(text)
        _print_lines(name, text.decode(errors="replace").splitlines()[-FIRST_LINES:])
    while follow:
        time.sleep(0.5)
        for name in chosen:
            positions[name] = _print_added(stack, name, positions[name])


def _print_added(stack: Stack, name: str, position: int) -> int:
    log = stack.log(name)
    if not log.exists() or log.stat().st_size <= position:
        return position
    with log.open("rb") as file:
        file.seek(position)
        added = file.read()
    complete, newline, _rest = added.rpartition(b"\n")
    if not newline:
        return position
    _print_lines(name, complete.decode(errors="replace").splitlines())
    return position + len(complete) + 1


def _print_lines(name: str, lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{name:17} {line}\n" for line in lines))
    sys.stdout.flush()
