"""``labelmesh project`` and ``labelmesh progress``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from labelmesh import api
from labelmesh.commands.console import (
    AsJson,
    InputFile,
    Key,
    Url,
    connected,
    console,
    fail,
    line_of,
    show,
    show_json,
)
from labelmesh.commands.console import show_list as show_items
from labelmesh.models import Progress
from labelmesh.templates import TemplateError, join, read_template, write

app = typer.Typer(help="Publish, check and read projects.", no_args_is_help=True)

AUDITED = ("number", "at", "by", "action", "version", "changes")
SHOWN = ("project", "version", "state", "title")


@app.command()
def new(
    templates: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, show_default=False)],
    title: Annotated[str, typer.Option(help="The project's title.")],
    goal: Annotated[str | None, typer.Option(help="What the model shall do in the end.")] = None,
) -> None:
    """Join templates (examples/guidelines holds one a modality) to a project spec, and print it as YAML."""
    try:
        found = {str(path): read_template(path.read_text("utf-8")) for path in templates}
        typer.echo(write(join(found, title, goal)), nl=False)
    except TemplateError as error:
        fail(str(error))


@app.command()
def publish(
    project: str,
    file: InputFile,
    if_match: int | None = typer.Option(None, help="Only if this is the newest version."),
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Publish a project spec (YAML or JSON): a new version when the project exists."""
    with connected(url, key) as client:
        found = client.publish_project(project, file.read_bytes(), if_match)
    show(found if as_json else {name: found[name] for name in SHOWN if name in found}, as_json=as_json)


@app.command()
def check(project: str, file: InputFile, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Check a project spec and change nothing; exit code 1 when it has faults."""
    with connected(url, key) as client:
        found = client.check_project(project, file.read_bytes())
    if as_json:
        show_json(found)
    else:
        _show_findings(found)
    if not found["valid"]:
        raise typer.Exit(1)


@app.command()
def pause(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let a project take no samples and serve no tasks, until it is resumed."""
    with connected(url, key) as client:
        show(client.set_project_state(project, "pause"), as_json=as_json)


@app.command()
def resume(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let a paused or archived project take samples and serve tasks again."""
    with connected(url, key) as client:
        show(client.set_project_state(project, "resume"), as_json=as_json)


@app.command()
def archive(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Put a project away; what was labeled stays readable."""
    with connected(url, key) as client:
        show(client.set_project_state(project, "archive"), as_json=as_json)


@app.command()
def delete(
    project: str,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Delete an archived project, for good; its name is not given again."""
    if not yes:
        typer.confirm(f"Delete {project} for good?", abort=True)
    with connected(url, key) as client:
        show(client.delete_project(project), as_json=as_json)


@app.command()
def audit(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show who changed a project, when, and which parts of its spec; of a deleted one too."""
    with connected(url, key) as client:
        show_items(client.everything(api.audit, project), AUDITED, as_json=as_json)


@app.command("list")
def list_projects(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's projects."""
    with connected(url, key) as client:
        show_items(client.everything(api.projects), SHOWN, as_json=as_json)


@app.command("show")
def show_project(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a project's newest version; with --json, its spec too."""
    with connected(url, key) as client:
        found = client.project(project)
    if as_json:
        show_json(found)
        return
    spec = found["spec"]
    fields = {name: field["kind"] for name, field in spec.get("fields", {}).items()}
    assets = {name: asset["modality"] for name, asset in spec.get("assets", {}).items()}
    published = {name: found.get(name) for name in ("published_by", "published_at")}
    head = {name: found.get(name) for name in SHOWN}
    show({**head, **published, "assets": assets, "fields": fields}, as_json=False)


def progress(project: str, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show how far a project is."""
    with connected(url, key) as client:
        found = client.progress(project)
    if as_json:
        show_json(found.model_dump(mode="json"))
    else:
        console.print(_progress_table(found))


def _progress_table(found: Progress) -> Table:
    table = Table("", "what", "how many", title=found.project)
    groups = {"samples": found.samples, "languages": found.languages}
    groups |= {f"tasks, {stage}": states for stage, states in found.tasks.items()}
    groups |= {f"slots, {stage}": states for stage, states in found.slots.items()}
    for name, counts in groups.items():
        for number, (what, count) in enumerate(counts.items()):
            table.add_row(name if number == 0 else "", what, str(count))
    table.add_row("leases", "expired", str(found.leases_expired))
    table.add_row("labels", "finalized", str(found.finalizations))
    return table


def _show_findings(found: dict[str, Any]) -> None:
    verdict = f"Good: publishing it means {found.get('changes')}." if found["valid"] else "It has faults:"
    console.print(verdict, style="green" if found["valid"] else "red", markup=False)
    for fault in found["faults"]:
        console.print(f"  {line_of(fault)}", markup=False, soft_wrap=True)
    for warning in found["warnings"]:
        console.print(f"  warning: {line_of(warning)}", markup=False, soft_wrap=True)
    for each in found.get("differences", []):
        concerned = "" if each["affected"] is None else f" Labels concerned: {each['affected']}."
        line = f"  {each['effect']}: {each['pointer']}  {each['change']}  {each['message']}{concerned}"
        console.print(line, markup=False, soft_wrap=True)
    if (labels := found.get("labels")) is not None:
        of_all = "all of them" if labels["complete"] else "a sample, so take the counts as shares"
        console.print(f"  Counts are from {labels['looked_at']} labels of record, {of_all}.", markup=False)
