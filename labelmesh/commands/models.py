"""``labelmesh findings``, ``errors`` and ``dismiss``: what models err in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labelmesh import api
from labelmesh.commands.console import AsJson, Key, Url, connected, show_json, show_list

FINDINGS = ("finding_id", "state", "model", "model_version", "field", "slice", "error_rate", "judged", "waiting")
ERRORS = ("model", "model_version", "field", "error_rate", "n", "erring")

Model = Annotated[str | None, typer.Option(help="Only of this model.")]


def findings(project: str, model: Model = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List what models err in, the newest first."""
    with connected(url, key) as client:
        found = client.everything(_of(api.findings, model), project)
    show_list(found, FINDINGS, as_json=as_json)


def errors(project: str, model: Model = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show how models do, per version and field."""
    with connected(url, key) as client:
        found = client.everything(_of(api.errors, model), project)
    if as_json:
        show_json(found)
    else:
        show_list([{**each, **field} for each in found for field in each["fields"]], ERRORS, as_json=False)


def dismiss(
    project: str,
    finding_id: str,
    reason: Annotated[str, typer.Option(help="Why it needs no work.")],
    url: Url = None,
    key: Key = None,
) -> None:
    """Close a finding that needs no work."""
    with connected(url, key) as client:
        client.dismiss(project, finding_id, reason)
    typer.echo(f"Finding {finding_id} will be closed in a moment.")


def _of(listing: Any, model: str | None) -> Any:
    return lambda project, cursor: listing(project, model=model, cursor=cursor)
