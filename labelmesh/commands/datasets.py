"""``labelmesh dataset``: frozen, listed, compared, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from labelmesh import api
from labelmesh.commands.console import (
    AsJson,
    Key,
    Timeout,
    Url,
    cell,
    connected,
    console,
    fail,
    show,
    show_json,
    show_list,
)
from labelmesh.models import Job

app = typer.Typer(help="Freeze, compare and export dataset versions.", no_args_is_help=True)

LISTED = ("dataset_id", "tags", "frozen_at", "counts.samples", "note")
SHOWN = ("dataset_id", "project_id", "tags", "frozen_at", "requested_by", "note", "filter", "counts", "lineage")


@app.command()
def freeze(
    project: str,
    tag: Annotated[str | None, typer.Option(help="A name that can be moved later.")] = None,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    only: Annotated[str | None, typer.Option("--filter", help='JSON, as in {"languages": ["en"]}.')] = None,
    timeout: Timeout = 120,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Freeze a project's labels, as of now, into a dataset version."""
    chosen = _object(only, "--filter")
    with connected(url, key) as client:
        done = client.wait_for(client.freeze(project, tag, note, chosen)["job_id"], timeout)
    _expect_done(done)
    show(done.result or {"state": done.state}, as_json=as_json)


@app.command("list")
def list_datasets(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List a project's dataset versions, the newest first."""
    with connected(url, key) as client:
        show_list(client.everything(api.datasets, project), LISTED, as_json=as_json)


@app.command("show")
def show_dataset(dataset: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a dataset version, by id or tag."""
    with connected(url, key) as client:
        found = client.dataset(dataset)
    show(found if as_json else {name: found.get(name) for name in SHOWN}, as_json=as_json)


@app.command()
def diff(
    before: str,
    after: str,
    most: Annotated[int, typer.Option(help="List at most so many samples; the counts are of all.", min=0)] = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two dataset versions, by sample and field."""
    with connected(url, key) as client:
        counts = client.diff(before, after)["counts"]
        items = client.everything(api.diff, before, after, most=most)
    if as_json:
        show_json({"counts": counts, "items": items})
        return
    show(counts, as_json=False)
    table = Table("sample", "change", "field", "before", "after")
    for item in items:
        rows = item["fields"].items() or [("", {})]
        for field, values in rows:
            shown = (cell(values.get("before")), cell(values.get("after")))
            table.add_row(item["external_id"], item["change"], field, *shown)
    if items:
        console.print(table)


@app.command()
def tag(dataset: str, name: str, url: Url = None, key: Key = None) -> None:
    """Let a tag point to a dataset version."""
    with connected(url, key) as client:
        client.tag(dataset, name)
    typer.echo(f"Tag {name} will point to {dataset} in a moment.")


@app.command()
def export(
    dataset: str,
    format: Annotated[str, typer.Option(help="As `labelmesh dataset formats` lists them.")] = "jsonl",  # noqa: A002 - the API's word
    out: Annotated[Path | None, typer.Option(help="Where to write it; by default <dataset>.<format>.")] = None,
    options: Annotated[str | None, typer.Option(help="JSON, as the format takes them.")] = None,
    timeout: Timeout = 600,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset as a file and download it."""
    chosen = _object(options, "--options")
    path = out or Path(f"{dataset.replace('/', '_')}.{format}")
    with connected(url, key) as client:
        job_id = client.export(dataset, format, chosen)["job_id"]
        done = client.wait_for(job_id, timeout)
        _expect_done(done)
        size = client.download_export(job_id, path)
    show({"export": job_id, "path": str(path), "bytes": size, **(done.result or {})}, as_json=as_json)


@app.command()
def formats(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the formats of exports."""
    with connected(url, key) as client:
        show_list(client.export_formats()["items"], ("name", "media_type", "description", "options"), as_json=as_json)


def _object(text: str | None, option: str) -> dict[str, object] | None:
    if text is None:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fail(f"{option} is no JSON: {error}.")
    if not isinstance(found, dict):
        fail(f"{option} must be a JSON object.")
    return found


def _expect_done(job: Job) -> None:
    if job.state != "done":
        fail(f"Job {job.job_id} failed: {(job.result or {}).get('failure', 'it gave no reason')}")
