"""What every command does alike: connects, shows answers, tells refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from labelmesh.client import Labelmesh
from labelmesh.errors import ApiError
from labelmesh.settings import connection

ATTEMPTS: Final = 5
"""Fewer than programs have: somebody sits and waits."""

Url = Annotated[str | None, typer.Option("--url", help="The gateway's address [env: LABELMESH_URL].")]
Key = Annotated[str | None, typer.Option("--key", help="An API key [env: LABELMESH_API_KEY].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at the most.", min=0)]
InputFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]

console = Console()
problems = Console(stderr=True)


@contextmanager
def connected(url: str | None, key: str | None) -> Iterator[Labelmesh]:
    """Connect; tell a refusal in full and leave with exit code 1."""
    try:
        where = connection(url, key)
    except LookupError as error:
        fail(str(error))
    try:
        with Labelmesh(where.url, where.key, attempts=ATTEMPTS) as client:
            yield client
    except OSError as error:
        fail(str(error))
    except ApiError as error:
        tell(error.title, error.detail, error.errors)
        raise typer.Exit(1) from error


def fail(message: str) -> NoReturn:
    """Say what is wrong and leave with exit code 1.

    Raises:
        Exit: Always.
    """
    problems.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def tell(title: str, detail: str, faults: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print a problem with all its faults, each with its pointer."""
    problems.print(f"{title}: {detail}", style="red", markup=False, soft_wrap=True)
    for fault in faults:
        problems.print(f"  {line_of(fault)}", markup=False, soft_wrap=True)


def line_of(fault: Mapping[str, Any]) -> str:
    """Return a fault as one line; the pointer of the whole is empty, and shown as such."""
    return f"{fault.get('pointer') or '(all)'}  {fault.get('code', '')}  {fault.get('message', '')}"


def show_json(answer: Any) -> None:
    """Print an answer for scripts."""
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2, default=str))


def show(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing: as JSON, or as a table of its parts."""
    if as_json:
        show_json(answer)
        return
    table = Table(show_header=False)
    for name, value in answer.items():
        table.add_row(name, cell(value))
    console.print(table)


def show_list(items: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print many things: as JSON, or as a table with these of their parts; ``a.b`` is part ``b`` of ``a``."""
    if as_json:
        show_json(items)
        return
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for item in items:
        table.add_row(*(cell(_part(item, column)) for column in columns))
    console.print(table if items else "There are none.")


def cell(value: Any) -> str:
    """Return a value as the text of a table's cell, in which nothing is markup."""
    if value is None:
        return ""
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _part(item: Mapping[str, Any], column: str) -> Any:
    found: Any = item
    for name in column.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
