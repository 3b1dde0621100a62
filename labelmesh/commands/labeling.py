"""``labelmesh work`` and ``labelmesh key``: answers by script, and the keys that annotators work with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from labelmesh import workforce
from labelmesh.commands.console import AsJson, Key, Url, connected, fail, show, show_list, tell
from labelmesh.work import work_off

key_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


def work(
    project: str,
    answers: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="JSON: {external_id: {field: value}}.", show_default=False)
    ],
    stage: Annotated[list[str] | None, typer.Option(help="Stages to work in; by default first_pass.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Claim tasks and answer them from a file; tasks without an answer are skipped. The key is an annotator's.

    Exits with 1 when answers were refused, each with its faults.
    """
    known = _answers(answers)
    with connected(url, key) as client:
        done = work_off(client, project, known, stages=stage or ["first_pass"])
    show(
        asdict(done)
        if as_json
        else {
            "answered": done.answered,
            "skipped, no answer": done.skipped,
            "too late": done.late,
            "refused": len(done.refusals),
        },
        as_json=as_json,
    )
    for refusal in done.refusals:
        tell(refusal.external_id, refusal.detail, refusal.errors)
    if done.refusals:
        raise typer.Exit(1)


@key_app.command("create")
def create_key(
    subject: str,
    role: Annotated[list[str], typer.Option(help="Repeat it for more: annotator, reviewer, manager, ...")],
    project: Annotated[list[str] | None, typer.Option(help="Only for these projects; by default all.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    with connected(url, key) as client:
        show(client.create_key(subject, role, project or ()), as_json=as_json)


@key_app.command("list")
def list_keys(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's keys, without their secrets."""
    with connected(url, key) as client:
        columns = ("id", "subject", "roles", "projects", "created_at")
        show_list(client.everything(workforce.keys), columns, as_json=as_json)


@key_app.command("revoke")
def revoke_key(key_id: str, url: Url = None, key: Key = None) -> None:
    """Revoke a key; it stops working within ten seconds."""
    with connected(url, key) as client:
        client.delete_key(key_id)
    typer.echo(f"Key {key_id} is revoked.")


def _answers(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        fail(f"{path} is no JSON: {error}.")
    if not isinstance(found, dict) or not all(isinstance(fields, dict) for fields in found.values()):
        fail(f"{path} must be an object {{external_id: {{field: value}}}}.")
    return found
