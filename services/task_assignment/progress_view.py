"""How far a project is and what is to be expected of it, as clients see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from services.task_assignment.domain.alarms import Alarms
from services.task_assignment.domain.figures import Figures
from services.task_assignment.domain.forecast import COVERAGE
from services.task_assignment.domain.outlook import Outlook
from shared.clock import from_ms


class Throughput(BaseModel):
    """How fast a stage was worked on in the last while."""

    answers_per_hour: float
    answers: int = Field(description="Answers that were seen.")
    window_seconds: float = Field(
        description="How long they were seen for: minutes where many come, days where few do."
    )


class ForecastView(BaseModel):
    """When the open work of a stage ends, if its pace goes on; null where too little was seen to say."""

    remaining: int = Field(description="Answers that are missing.")
    finish_at: datetime | None = Field(description="As probably earlier as later.")
    earliest_at: datetime | None
    latest_at: datetime | None
    coverage: float = Field(COVERAGE, description="How probable it is that the end lies between the last two.")


class StageSla(BaseModel):
    """The due dates of a stage's open tasks."""

    due: int = Field(description="Open tasks with a due date.")
    overdue: int = Field(description="Those past it.")
    projected_late: int = Field(description="Those that will be, by the forecast.")
    burn: float = Field(description="The share of the last two in the first.")
    next_due_at: datetime | None = Field(description="The next due date to come.")
    miss_probability: float | None = Field(description="Of the due date most in danger, of those to come.")
    alarms: list[str] = Field(description="remaining, forecast, due: why it is at risk, or late.")


class SlaView(BaseModel):
    """A project's due dates."""

    met: int = Field(description="Samples whose first label of record came in time.")
    late: int = Field(description="Samples whose first label of record came too late.")
    stages: dict[str, StageSla]


class Progress(BaseModel):
    """How far a project is, counted by the service that gives out its work."""

    project: str
    samples: dict[str, int] = Field(description="Samples by state: open, judging, final, rejected.")
    languages: dict[str, int] = Field(description="Samples by language (und: none given).")
    tasks: dict[str, dict[str, int]] = Field(description="Tasks by stage, open and done.")
    slots: dict[str, dict[str, int]] = Field(description="Slots by stage: free, leased, done.")
    leases_expired: int = Field(description="Leases that ended without an answer and were taken back.")
    finalizations: int = Field(description="How often a label was finalized.")
    throughput: dict[str, Throughput] = Field(description="By stage with open work of which anything was seen.")
    forecast: dict[str, ForecastView] = Field(description="By stage with open work.")
    sla: SlaView


def progress_of(project: str, figures: Figures, alarms: Alarms, now_ms: int) -> Progress:
    """Return how far a project is."""
    counts = figures.counts
    outlooks = figures.outlooks(now_ms, None)
    return Progress(
        project=project,
        samples=_below(counts, "samples"),
        languages=_below(counts, "languages"),
        tasks=_by_stage(counts, "tasks"),
        slots=_by_stage(counts, "slots"),
        leases_expired=counts.get("leases.expired", 0),
        finalizations=counts.get("finalizations", 0),
        throughput={
            each.stage: Throughput(
                answers_per_hour=round(each.seen.answers / each.seen.span_ms * 3_600_000, 3),
                answers=each.seen.answers,
                window_seconds=each.seen.span_ms / 1000,
            )
            for each in outlooks
            if each.seen is not None
        },
        forecast={each.stage: _forecast(each) for each in outlooks},
        sla=_sla(counts, outlooks, alarms),
    )


def _forecast(outlook: Outlook) -> ForecastView:
    return ForecastView(
        remaining=outlook.remaining,
        finish_at=_moment(outlook.finish_ms),
        earliest_at=_moment(outlook.earliest_ms),
        latest_at=_moment(outlook.latest_ms),
    )


def _sla(counts: Mapping[str, int], outlooks: Sequence[Outlook], alarms: Alarms) -> SlaView:
    stages = {
        each.stage: StageSla(
            due=each.due,
            overdue=each.overdue,
            projected_late=each.projected,
            burn=round(each.burn, 4),
            next_due_at=_moment(each.next_due_ms),
            miss_probability=None if each.miss_probability is None else round(each.miss_probability, 4),
            alarms=alarms.raised(each.stage),
        )
        for each in outlooks
        if each.due
    }
    return SlaView(met=counts.get("due.met", 0), late=counts.get("due.late", 0), stages=stages)


def _below(counts: Mapping[str, int], name: str) -> dict[str, int]:
    return {key.removeprefix(f"{name}."): n for key, n in counts.items() if key.startswith(f"{name}.")}


def _by_stage(counts: Mapping[str, int], name: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, n in _below(counts, name).items():
        stage, state = key.split(".")
        found.setdefault(stage, {})[state] = n
    return found


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
