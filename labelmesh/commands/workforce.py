"""``labelmesh late`` and ``workload``: what is late, and what people have done."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import typer

from labelmesh import api, workforce
from labelmesh.commands.console import AsJson, Key, Url, connected, fail, show_json, show_list

LATE = ("external_id", "due_at", "late", "priority", "open")
WORKED = ("annotator_id", "from", "to", "project", "stage", "counted", "surplus", "reviewed", "rejected", "voided")

Which = Annotated[
    Literal["overdue", "forecast"] | None, typer.Option(help="Only what is past its due date, or will be.")
]
Most = Annotated[int | None, typer.Option(help="List at most so many samples.", min=1)]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="By default a month before the last day.")
]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day; by default today.")]
By = Annotated[Literal["day", "period"], typer.Option(help="A row for each day, or one for all.")]
Project = Annotated[str | None, typer.Option(help="Only in this project.")]
Annotator = Annotated[str | None, typer.Option(help="Only this person's.")]
Stage = Annotated[str | None, typer.Option(help="Only in this stage.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, with all counts.")]


def late(
    project: str, which: Which = None, most: Most = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List the samples that are past their due date or will be, what is due first first."""
    with connected(url, key) as client:
        found = client.everything(lambda cursor: api.late(project, which, cursor), most=most)
    if as_json:
        show_json(found)
    else:
        show_list([{**each, "open": "; ".join(map(_open, each["tasks"]))} for each in found], LATE, as_json=False)


def workload(
    first: First = None,
    last: Last = None,
    by: By = "day",
    project: Project = None,
    annotator: Annotator = None,
    stage: Stage = None,
    url: Url = None,
    key: Key = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show what people have done, day by day (UTC), for their pay."""
    if as_csv and as_json:
        fail("--csv and --json exclude each other.")
    days = _day(first), _day(last)

    def page(cursor: str | None) -> api.Ask[api.Page]:
        return workforce.workload(*days, by=by, project=project, annotator=annotator, stage=stage, cursor=cursor)

    with connected(url, key) as client:
        found = client.everything(page)
    if as_csv and found:
        table = csv.DictWriter(sys.stdout, list(found[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(found)
    elif not as_csv:
        show_list(found, WORKED, as_json=as_json)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _open(task: Mapping[str, Any]) -> str:
    held = f", held by {', '.join(task['held_by'])}" if task["held_by"] else ""
    return f"{task['stage']}: {task['missing']} missing{held}"
