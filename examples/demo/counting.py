"""Counts what happened, by asking the gateway."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from examples.demo.accuracies import LabeledSample, compare
from examples.demo.datasets import Frozen
from examples.demo.figures import ExportFigures, FieldFigures, ProjectFigures, RuleFigures, Sent
from examples.demo.plan import Run, spec_of
from examples.demo.setup import Imported
from examples.model import DemoSample
from labelmesh import AsyncLabelmesh, api

READS_AT_ONCE = 8


class Answers(NamedTuple):
    """A project's annotations."""

    by_sample: Mapping[str, Sequence[Mapping[str, Any]]]
    """Fields of the answers of the first pass, by external id."""
    counted: Mapping[str, int]
    """By stage."""
    late: int


class Evidence(NamedTuple):
    """What is known of a project beside its counts."""

    imported: Imported
    first: Frozen
    second: Frozen | None
    exports: Sequence[ExportFigures]


async def read_answers(client: AsyncLabelmesh, dataset: Frozen) -> Answers:
    """Read all annotations of a dataset's samples, as their owner may."""
    free = asyncio.Semaphore(READS_AT_ONCE)

    async def read(sample_id: str) -> list[dict[str, Any]]:
        async with free:
            items: list[dict[str, Any]] = []
            cursor: str | None = None
            while True:
                page = await client.ask(api.annotations(sample_id, cursor))
                items += page["items"]
                cursor = page["next"]
                if cursor is None:
                    return items

    found = await asyncio.gather(*(read(row["sample_id"]) for row in dataset.rows))
    by_sample = dict(zip((row["external_id"] for row in dataset.rows), found, strict=True))
    counted = [each for items in found for each in items if each["surplus"] is None]
    return Answers(
        by_sample={
            name: [each["fields"] for each in items if each["stage"] == "first_pass" and each["surplus"] is None]
            for name, items in by_sample.items()
        },
        counted=Counter(each["stage"] for each in counted),
        late=sum(len(items) for items in found) - len(counted),
    )


async def count_project(
    client: AsyncLabelmesh, run: Run, project: str, samples: Mapping[str, DemoSample], evidence: Evidence
) -> ProjectFigures:
    """Ask for all figures of a project.

    Args:
        client: With an owner's key.
        run: This run.
        project: The name of the project's folder.
        samples: All samples that were sent, by external id.
        evidence: What was gathered before.
    """
    project_id = run.project_id(project)
    progress = await client.ask(api.progress(project_id))
    agreement = await client.ask(api.quality(project_id, "agreement"))
    consistency = await client.ask(api.quality(project_id, "consistency"))
    answers = await read_answers(client, evidence.first)
    own = [sample for sample in samples.values() if sample.project == project]
    imported = evidence.imported
    return ProjectFigures(
        project=project,
        project_id=project_id,
        title=spec_of(project)["title"],
        sent=Sent(
            samples=sum(sample.truth is not None for sample in own),
            corrupt=sum(sample.truth is None for sample in own),
            malformed=imported.malformed,
        ),
        lines=imported.job.total or 0,
        ingested=imported.job.outcomes.get("created", 0),
        failed_lines=imported.job.failed,
        faults=[fault["message"] for error in imported.errors for fault in error["faults"]],
        states=progress.samples,
        tasks={stage: sum(counts.values()) for stage, counts in progress.tasks.items()},
        slots=progress.slots,
        leases_expired=progress.leases_expired,
        annotations=answers.counted,
        late=answers.late,
        reviews=agreement["counts"]["reviews"],
        decided_by=agreement["counts"]["decided_by"],
        fields=[_field(each, evidence, answers, samples) for each in agreement["fields"]],
        rules=[
            RuleFigures(
                rule=each["rule_id"],
                severity=each["severity"],
                passed=each["answers"]["passed"],
                warned=each["answers"]["failed"],
                labels=each["labels"]["n"],
                labels_passed=each["labels"]["passed"],
            )
            for each in consistency["rules"]
            if each["is_current"]
        ],
        datasets=[each.figures for each in (evidence.first, evidence.second) if each],
        exports=evidence.exports,
    )


def _field(
    told: Mapping[str, Any], evidence: Evidence, answers: Answers, samples: Mapping[str, DemoSample]
) -> FieldFigures:
    name, kind = told["field"], told["kind"]
    first = labeled(evidence.first, answers)
    agreed = [each for each in first if each.decided_by == "consensus"]
    record = compare(name, kind, first, samples)
    if record is None:
        raise LookupError(f"No sample has a truth for {name}; examples/compose.py should give one.")
    second = compare(name, kind, labeled(evidence.second, answers), samples) if evidence.second else None
    shown = ("alpha", "low", "high", "undefined", "pairwise", "units")
    return FieldFigures(
        field=name,
        kind=kind,
        record=record,
        consensus=compare(name, kind, agreed, samples),
        second=None if second is None else second.label,
        **{key: told[key] for key in shown},
    )


def labeled(dataset: Frozen, answers: Answers) -> list[LabeledSample]:
    """Put a dataset's labels beside the answers behind them."""
    return [
        LabeledSample(
            external_id=row["external_id"],
            fields=row["fields"],
            decided_by=row["provenance"]["decided_by"],
            answers=answers.by_sample.get(row["external_id"], ()),
        )
        for row in dataset.rows
    ]
