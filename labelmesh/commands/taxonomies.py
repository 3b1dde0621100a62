"""``labelmesh taxonomy``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.tree import Tree

from labelmesh import api
from labelmesh.commands.console import AsJson, InputFile, Key, Timeout, Url, connected, console, show, show_json
from labelmesh.commands.console import show_list as show_items
from labelmesh.models import Job

app = typer.Typer(help="Publish, read and change taxonomies.", no_args_is_help=True)

SHOWN = ("taxonomy", "version", "title", "labels", "published_by", "migration")
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until projects and labels have followed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would be changed, and change nothing.")]


@app.command()
def publish(
    taxonomy: str,
    file: InputFile,
    if_match: int | None = typer.Option(None, help="Only if this is the newest version."),
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Publish a taxonomy (YAML or JSON): a new version when it exists."""
    with connected(url, key) as client:
        found = client.ask(api.publish_taxonomy(taxonomy, file.read_bytes(), if_match))
    show(found if as_json else {name: found.get(name) for name in ("taxonomy", "version")}, as_json=as_json)


@app.command("list")
def list_taxonomies(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's taxonomies."""
    with connected(url, key) as client:
        show_items(client.everything(api.taxonomies), SHOWN, as_json=as_json)


@app.command("show")
def show_taxonomy(
    taxonomy: str,
    version: int | None = typer.Option(None, help="A version; the newest by default."),
    language: str = typer.Option("en", help="Show labels in this language, where they have it."),
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show a taxonomy as a tree: the ids that answers hold, and the names that people read."""
    with connected(url, key) as client:
        found = client.ask(api.taxonomy(taxonomy, version, language))
    if as_json:
        show_json(found)
        return
    console.print(_tree(found), markup=False)


@app.command()
def migrate(
    taxonomy: str,
    file: InputFile,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = 600.0,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change a taxonomy by the operations of a file; the projects bound to it and their labels follow."""
    with connected(url, key) as client:
        if dry_run:
            _show_report(client.ask(api.try_migration(taxonomy, file.read_bytes())), as_json=as_json)
            return
        begun = client.ask(api.migrate_taxonomy(taxonomy, file.read_bytes()))
        _show_job(client.wait_for(begun["job_id"], timeout=timeout) if wait else begun, as_json=as_json)


@app.command()
def rollback(
    taxonomy: str,
    migration: str,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = 600.0,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take the newest migration back; labels that have changed since are left, `labelmesh job --errors` lists them."""
    with connected(url, key) as client:
        if dry_run:
            _show_report(client.ask(api.try_rollback(taxonomy, migration)), as_json=as_json)
            return
        begun = client.ask(api.roll_back_migration(taxonomy, migration))
        _show_job(client.wait_for(begun["job_id"], timeout=timeout) if wait else begun, as_json=as_json)


@app.command()
def migrations(taxonomy: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List a taxonomy's migrations, the newest first."""
    columns = ("migration", "version", "rolls_back", "note", "requested_by", "requested_at")
    with connected(url, key) as client:
        show_items(client.ask(api.migrations(taxonomy))["items"], columns, as_json=as_json)


def _show_job(job: Job | dict[str, Any], *, as_json: bool) -> None:
    """Show a job that has ended; of one that is not waited for, what the answer to its request says."""
    if isinstance(job, dict):
        show(job, as_json=as_json)
        return
    if as_json:
        show_json(job.model_dump(mode="json"))
        return
    show({"job": job.job_id, "state": job.state, "labels": job.total, "outcomes": job.outcomes}, as_json=False)


def _show_report(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(report)
        return
    console.print(f"Nothing was changed. It would be version {report['version']}.", markup=False)
    rows = [
        {"project": name, "labels": found["labels"], "by label": found["by_label"], "faults": found["faults"]}
        for name, found in report["projects"].items()
    ]
    show_items(rows, ("project", "labels", "by label", "faults"), as_json=False)


def _tree(found: dict[str, Any]) -> Tree:
    """Draw the labels in use, each below the one above it."""
    root = Tree(f"{found['content']['title']} (version {found['version']})")
    places: dict[str | None, Tree] = {None: root}
    waiting = [label for label in found["labels"] if "retired" not in label]
    while waiting:
        ready = [label for label in waiting if label["parent"] in places]
        for label in ready:
            places[label["id"]] = places[label["parent"]].add(f"{label['id']}  {label['name']}")
        waiting = [label for label in waiting if label["id"] not in places]
        if not ready:
            break
    return root
