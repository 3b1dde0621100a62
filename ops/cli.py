"""``labelmesh-ops``: what those who run Labelmesh do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich import print as show
from rich.markup import escape
from rich.table import Table

from ops import dead_letters, documents
from ops.audit import audit
from ops.bootstrap import BootstrapSettings, remember_owner_key
from ops.bootstrap import bootstrap as make_owner_key
from ops.provision import provision as make_what_is_missing
from ops.status import look, service_urls
from shared.settings import SharedSettings

SHOWN_WRONG = 100

app = typer.Typer(
    help="Operate a Labelmesh installation. Settings come from LABELMESH_* in the environment.", no_args_is_help=True
)
letters_app = typer.Typer(help="Events that no retry could help.", no_args_is_help=True)
app.add_typer(letters_app, name="dead-letters")


@app.command()
def provision() -> None:
    """Make the topics, buckets and notifications that are missing."""
    made = asyncio.run(make_what_is_missing(SharedSettings()))
    show(f"Made {len(made)}: {', '.join(made)}." if made else "Everything is there already.")


@app.command()
def bootstrap(tenant: str = "default", subject: str = "owner") -> None:
    """Make a tenant's first owner key; for the default tenant it is written into the settings file."""
    settings = BootstrapSettings()
    key, new = asyncio.run(make_owner_key(settings, tenant, subject))
    if not new:
        show("The owner's key in the settings is good.")
        return
    if tenant == "default":
        remember_owner_key(Path(settings.env_file), key)
        show(f"Made the owner's key of tenant {tenant}; it stands in {settings.env_file} as LABELMESH_OWNER_KEY.")
    else:
        show(f"Made the owner's key of tenant {tenant}, shown this once:")
        print(key)  # rich would break it at the edge of the terminal


@app.command()
def status() -> None:
    """Show readiness, lag, catalog age and dead letters; exit code 1 when something is not ready."""
    try:
        found = asyncio.run(look(SharedSettings(), service_urls()))
    except KafkaError as error:
        show(f"Kafka does not answer ({escape(repr(error))}); `make up` starts it, `make logs` tells of it.")
        raise typer.Exit(1) from None
    table = Table("service", "ready", "unread records", "catalog age (s)", "what is wrong")
    for each in found.services:
        age = "-" if each.catalog_age_seconds is None else f"{each.catalog_age_seconds:.1f}"
        wrong = "; ".join(f"{name}: {reason}" for name, reason in each.faults.items())
        table.add_row(each.name, "yes" if each.ready else "no", str(sum(each.unread.values())), age, escape(wrong))
    show(table)
    groups = Table("consumer group", "uncommitted records", "in topics")
    for group in found.groups:
        where = ", ".join(f"{topic} {records}" for topic, records in sorted(group.topics.items()))
        groups.add_row(group.name, str(group.uncommitted), where)
    show(groups)
    dead = ", ".join(f"{group} {letters}" for group, letters in sorted(found.dead.items()))
    show(f"Dead letters: {dead}; `labelmesh-ops dead-letters list` lists them." if dead else "Dead letters: none.")
    if not found.ready:
        raise typer.Exit(1)


@app.command("audit")
def audit_all(
    since: Annotated[
        datetime | None, typer.Option(help="The first submissions to check (UTC); all, unless said.")
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds that a lease which ended may wait.")] = 60,
    tenant: Annotated[str | None, typer.Option(help="Whose samples and answers to check; all, unless said.")] = None,
) -> None:
    """Check log and store against what was promised: who holds what, and what counts; exit code 1 when it does not hold."""
    after = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    try:
        found = asyncio.run(audit(SharedSettings(), since=after, patience=timedelta(seconds=patience), tenant=tenant))
    except (KafkaError, PyMongoError) as error:
        show(f"A server does not answer ({escape(repr(error))}); `make up` starts it, `make logs` tells of it.")
        raise typer.Exit(2) from None
    figures = Table("what", "how many")
    for name, count in sorted(found.figures.items()):
        figures.add_row(name, str(count))
    show(figures)
    for each in found.wrong[:SHOWN_WRONG]:
        print(f"{each.rule}: {each.where}: {each.what}.")
    if found.wrong:
        show(f"{found.figures['wrong']} things are wrong; at most {SHOWN_WRONG} are shown.")
        raise typer.Exit(1)
    show("Nothing is wrong.")


@app.command()
def docs(
    folder: Path = Path("docs"), check: Annotated[bool, typer.Option(help="Only say what is stale.")] = False
) -> None:
    """Write the generated references anew."""
    stale = documents.check(folder) if check else documents.write(folder)
    show(f"{'Stale' if check else 'Written'}: {', '.join(stale)}" if stale else "The references are current.")
    if check and stale:
        raise typer.Exit(1)


@letters_app.command("list")
def dead_letters_list(
    group: Annotated[str, typer.Option(help="Only those that this consumer group set aside.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
) -> None:
    """List dead letters: where they died, and of what."""
    table = Table("offset", "died at", "group", "type", "topic", "error", "replays")
    for each in _letters(group):
        if everything or not each.replays:
            told = [each.header(name) for name in ("dead_group", "ce_type", "dead_topic", "dead_error")]
            died_at = each.died_at.isoformat(timespec="seconds")
            table.add_row(str(each.offset), died_at, *map(escape, told), str(each.replays))
    show(table)


@letters_app.command("show")
def dead_letters_show(offset: int) -> None:
    """Show one dead letter whole."""
    [letter] = _named([offset])
    for name, value in letter.headers:
        print(f"{name}: {value.decode('utf-8', 'replace')}")
    print(f"replays: {letter.replays}")
    print(asyncio.run(dead_letters.body(SharedSettings(), letter)).decode("utf-8", "replace"))


@letters_app.command("replay")
def dead_letters_replay(
    offsets: Annotated[list[int] | None, typer.Argument(help="Offsets, as `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    group: Annotated[str, typer.Option(help="With --all: only those of this consumer group.")] = "",
) -> None:
    """Send dead letters to their original topics again; doing so twice is harmless."""
    if bool(offsets) == everything:
        show("Either name the offsets to replay, or say --all.")
        raise typer.Exit(2)
    chosen = _named(offsets) if offsets else [each for each in _letters(group) if not each.replays]
    sent = asyncio.run(dead_letters.replay(SharedSettings(), chosen))
    show(f"Sent {len(sent)}: {', '.join(str(each.offset) for each in sent) or 'there was nothing to send'}.")


def _letters(group: str = "") -> list[dead_letters.DeadLetter]:
    found = asyncio.run(dead_letters.read(SharedSettings()))
    return [letter for letter in found if not group or letter.header("dead_group") == group]


def _named(offsets: Sequence[int]) -> list[dead_letters.DeadLetter]:
    known = {offset: letter for letter in _letters() for offset in (letter.offset, *letter.also_at)}
    if unknown := [offset for offset in offsets if offset not in known]:
        show(f"There is no dead letter at {unknown}; `labelmesh-ops dead-letters list` lists them.")
        raise typer.Exit(1)
    return list({known[offset].offset: known[offset] for offset in offsets}.values())


if __name__ == "__main__":
    app()
