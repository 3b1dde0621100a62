"""``labelmesh import``, ``predictions``, ``upload``, ``job`` and ``cancel``: what comes in, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from labelmesh.client import Labelmesh
from labelmesh.commands.console import (
    AsJson,
    InputFile,
    Key,
    Timeout,
    Url,
    connected,
    line_of,
    problems,
    show,
    show_json,
)
from labelmesh.models import Job

Watch = Callable[[int], None]
Source = Annotated[str, typer.Argument(help="A file, or s3://bucket/path/.", show_default=False)]
FollowSeconds = Annotated[int | None, typer.Option("--follow", min=10, help="List it again so many seconds later.")]
Replace = Annotated[bool, typer.Option("--replace", help="What has changed replaces what was there before.")]
DueAt = Annotated[
    str | None,
    typer.Option(help="When samples are due whose lines do not say it: 2026-12-01T18:00:00+01:00.", show_default=False),
]


def import_file(
    project: str,
    source: Source,
    follow: FollowSeconds = None,
    replace: Replace = False,
    due_at: DueAt = None,
    timeout: Timeout = 600,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Import samples from an NDJSON, CSV or Parquet file, or the objects below s3://bucket/path/ of a registered bucket.

    Tells the lines that failed, and exits with 1 when there are any. With --follow the command ends when the first
    listing is through; the job goes on until it is cancelled.
    """
    due = None if due_at is None else _moment(due_at)
    if source.startswith("s3://"):
        with connected(url, key) as client:
            job_id = client.import_prefix(project, source, follow, replace_changed=replace, due_at=due)
            with _bar() as bar:
                job = _waited_for(client, job_id, timeout, bar)
            _tell(client, job, as_json=as_json)
        return
    if follow is not None:
        raise typer.BadParameter("--follow is for s3:// addresses.")
    file = Path(source)
    if not file.is_file():
        raise typer.BadParameter(f"There is no file {source}; name one, or a prefix like s3://bucket/path/.")

    def send(watch: Watch) -> str:
        return client.import_samples(project, file, watch, due_at=due, replace_changed=replace)

    with connected(url, key) as client:
        _follow(client, file, send, timeout, as_json=as_json)


def predictions(
    project: str, file: InputFile, timeout: Timeout = 600, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Send a model's predictions from an NDJSON file; as import, exits with 1 when lines failed."""
    with connected(url, key) as client:
        _follow(client, file, lambda watch: client.predict(project, file, watch), timeout, as_json=as_json)


def upload(project: str, file: InputFile, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Upload a file and print the id by which a sample names it."""
    with connected(url, key) as client:
        sent = client.upload_file(project, file)
    if as_json:
        show_json(sent.model_dump(mode="json"))
    else:
        typer.echo(sent.upload_id)


def job(job_id: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show how far a job is."""
    with connected(url, key) as client:
        show(client.job(job_id).model_dump(mode="json"), as_json=as_json)


def cancel(job_id: str, url: Url = None, key: Key = None) -> None:
    """Stop an import; what it has brought stays."""
    with connected(url, key) as client:
        client.cancel_job(job_id)


def _follow(client: Labelmesh, file: Path, send: Callable[[Watch], str], timeout: float, *, as_json: bool) -> None:
    """Send a file of lines, wait for its job, and tell what came of the lines."""
    with _bar() as bar:
        sending = bar.add_task("bytes sent", total=file.stat().st_size)
        job_id = send(lambda sent: bar.update(sending, completed=sent))
        job = _waited_for(client, job_id, timeout, bar)
    _tell(client, job, as_json=as_json)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date and time; write it like 2026-12-01T18:00:00+01:00.") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} lacks its zone; write it like {moment.isoformat()}+01:00, or with Z.")
    return moment


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=problems, transient=True)


def _waited_for(client: Labelmesh, job_id: str, timeout: float, bar: Progress) -> Job:
    working = bar.add_task(f"lines of job {job_id}", total=None)
    return client.wait_for(job_id, timeout, lambda seen: bar.update(working, completed=seen.done, total=seen.total))


def _tell(client: Labelmesh, job: Job, *, as_json: bool) -> None:
    failed = client.job_errors(job.job_id) if job.failed else []
    if as_json:
        show_json({**job.model_dump(mode="json"), "errors": failed})
    else:
        show(_summary(job), as_json=False)
        for line in failed:
            name = f" ({line['external_id']})" if line.get("external_id") else ""
            problems.print(f"line {line['line']}{name}: {line['outcome']}", style="red", markup=False, soft_wrap=True)
            for fault in line.get("faults", []):
                problems.print(f"  {line_of(fault)}", markup=False, soft_wrap=True)
    if job.failed or job.state == "failed":
        raise typer.Exit(1)


def _summary(job: Job) -> dict[str, object]:
    return {"job": job.job_id, "state": job.state, "lines": job.total, **job.outcomes}
