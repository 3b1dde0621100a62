"""Writes the report: for people on the terminal, for programs as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from examples.demo.expectations import Outcome
from examples.demo.figures import FieldFigures, ProjectFigures, Report
from examples.simulation import ANNOTATORS, MODEL, REVIEWERS

SIMULATED: Final = (
    f"The {len(ANNOTATORS)} annotators, the {len(REVIEWERS)} reviewers and the model are SIMULATED: programs that know the "
    "truth and err at stated rates (examples/simulation.py). Media and texts are real. Every figure was counted by the "
    "services; accuracy compares what they hold with the known truth."
)


def write_report(report: Report, outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = report.model_dump(mode="json")
    for project, figures in zip(told["projects"], report.projects, strict=True):
        project["leases_served_again"] = figures.served_again
    told["passed"] = all(outcome.met for outcome in outcomes)
    told["expectations"] = [outcome.model_dump(mode="json") for outcome in outcomes]
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def show_report(report: Report, outcomes: Sequence[Outcome], console: Console) -> None:
    """Show the report."""
    console.print()
    console.print(Panel(report.simulated, title=f"Labelmesh, run {report.run}: {report.seconds:.0f} s"))
    console.print(_work(report.projects))
    console.print(_quality(report.projects))
    _show_decisions(report.projects, console)
    console.print(_datasets(report.projects))
    _show_model(report, console)
    _show_outcomes(outcomes, console)
    _show_addresses(report.addresses, console)


def _work(projects: Sequence[ProjectFigures]) -> Table:
    table = Table(title="Samples and work", title_justify="left")
    table.add_column("project")
    heads = ("lines", "ingested", "rejected", "refused", "tasks", "answers", "expired", "re-served", "final")
    for head in heads:
        table.add_column(head, justify="right")
    rows = [(project.project, *_work_of(project)) for project in projects]
    for name, *counts in rows:
        table.add_row(str(name), *(str(count) for count in counts))
    table.add_section()
    table.add_row("all", *(str(sum(row[place] for row in map(_work_of, projects))) for place in range(len(heads))))
    return table


def _work_of(project: ProjectFigures) -> tuple[int, ...]:
    rejected = project.states.get("rejected", 0)
    return (
        project.lines,
        project.ingested,
        rejected,
        project.failed_lines - rejected,
        sum(project.tasks.values()),
        project.annotations.get("first_pass", 0),
        project.leases_expired,
        project.served_again,
        project.states.get("final", 0),
    )


def _quality(projects: Sequence[ProjectFigures]) -> Table:
    table = Table(
        title="Agreement (Krippendorff's alpha, 95 % interval) and accuracy against the truth",
        title_justify="left",
        caption="consensus: samples that the consensus alone decided, beside the mean single annotator on the same ones; "
        "label: all samples of the first dataset. Of one sample alpha says nothing.",
        caption_justify="left",
    )
    for head in ("project", "field", "kind"):
        table.add_column(head)
    for head in ("alpha", "n", "single", "consensus", "n", "label", "second"):
        table.add_column(head, justify="right")
    for project in projects:
        for number, field in enumerate(project.fields):
            table.add_row(project.project if number == 0 else "", field.field, field.kind, *_quality_of(field))
        table.add_section()
    return table


def _quality_of(field: FieldFigures) -> list[str]:
    alpha = "—"
    if field.alpha is not None and field.units > 1:
        alpha = f"{field.alpha:.2f} ({field.low or 0:.2f}..{field.high or 0:.2f})"
    agreed = field.consensus
    return [
        alpha,
        str(field.units),
        "—" if agreed is None else f"{agreed.single:.3f}",
        "—" if agreed is None else f"{agreed.label:.3f}",
        "0" if agreed is None else str(agreed.samples),
        f"{field.record.label:.3f}",
        "" if field.second is None else f"{field.second:.3f}",
    ]


def _show_decisions(projects: Sequence[ProjectFigures], console: Console) -> None:
    for project in projects:
        parts = [f"decided by {_counts(project.decided_by)}"]
        if project.reviews:
            parts.append(f"samples by verdict: {_counts(project.reviews)}")
        if project.late:
            parts.append(f"{project.late} answers too late, kept as drafts")
        console.print(f"[bold]{project.project}[/]: {'; '.join(parts)}", highlight=False)
        for rule in project.rules:
            told = f"rule {rule.rule}: {rule.warned} warnings in {rule.warned + rule.passed} answers"
            told += f"; {rule.labels_passed} of {rule.labels} labels of record meet it"
            console.print(f"  {told}", highlight=False)
        for fault in project.faults:
            console.print(f"  refused: {escape(fault)}", highlight=False)
    console.print()


def _datasets(projects: Sequence[ProjectFigures]) -> Table:
    table = Table(title="Datasets and exports", title_justify="left")
    table.add_column("tag")
    table.add_column("dataset")
    table.add_column("samples", justify="right")
    table.add_column("export")
    for project in projects:
        for dataset in project.datasets:
            files = [
                f"{_near(each.path)} ({each.size:,} bytes, {each.records} records)"
                for each in project.exports
                if each.tag == dataset.tag
            ]
            table.add_row(dataset.tag, dataset.dataset_id[:12], str(dataset.samples), escape("\n".join(files)))
    return table


def _show_model(report: Report, console: Console) -> None:
    model = report.model
    stated = f"simulated, stated error {MODEL.error_rate:.0%} and a blind spot"
    console.print(
        f"\n[bold]Model {model.model} {model.version}[/] ({stated}): {model.accepted} predictions taken in",
        highlight=False,
    )
    for each in model.errors:
        console.print(f"  {each.field}: error rate {each.error_rate:.3f} over {each.judged} samples", highlight=False)
    for finding in model.findings:
        console.print(
            f"  finding on {finding.field}, {escape(finding.slice)}: {finding.state}; of {finding.samples} samples "
            f"{finding.changed} corrected, {finding.confirmed} confirmed, {finding.waiting} waiting",
            highlight=False,
        )
    diff = model.diff
    console.print(
        f"  {diff.before} → {diff.after}: {diff.changed} changed ({_counts(diff.fields) or 'no field'}), "
        f"{diff.reverified} confirmed, {diff.unchanged} as before",
        highlight=False,
    )
    for example in diff.examples:
        console.print(f"    {escape(example)}", highlight=False)


def _show_outcomes(outcomes: Sequence[Outcome], console: Console) -> None:
    console.print("\n[bold]Expected[/]")
    for outcome in outcomes:
        mark = "[green]✓[/]" if outcome.met else "[bold red]✗[/]"
        console.print(f"{mark} {outcome.sentence} [dim]{escape(outcome.found)}[/]", highlight=False)


def _show_addresses(addresses: Mapping[str, str], console: Console) -> None:
    console.print("\n[bold]The stack stays up[/] (make down stops it)")
    for name, address in addresses.items():
        console.print(f"  {name:24} {address}", highlight=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _near(path: str) -> str:
    """Return a path as it is seen from the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
