"""Due dates that are in danger or missed: what managers are told, once each time."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from shared.events.base import Event
from shared.events.tasks import Stage

SlaCause = Literal["remaining", "forecast", "due"]
"""``remaining``: work is due within the policy's time of warning. ``forecast``: at the pace of the last while a due date
will more probably be missed than met. ``due``: work is past its due date."""


class SlaEvent(Event):
    """What every event about the due dates of a stage says. It tells of the stage as a whole, never of one sample."""

    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "project_id"

    project_id: str
    stage: Stage
    cause: SlaCause
    episode: int
    """The how-manieth time this is, of this stage and cause; what begins and what ends an episode name the same."""
    due: int = 0
    """Open tasks with a due date."""
    overdue: int = 0
    """Those past it."""
    projected: int = 0
    """Those that will be, by the forecast."""
    next_due_at: datetime | None = None
    finish_at: datetime | None = None
    """When the stage's open work is probably done; None where too little was seen to say."""
    latest_finish_at: datetime | None = None


class SlaAtRisk(SlaEvent):
    """Due dates of a stage are in danger; there is time yet."""

    topic: ClassVar[str] = "sla.at_risk.v1"


class SlaBreached(SlaEvent):
    """Work of a stage is past its due date."""

    topic: ClassVar[str] = "sla.breached.v1"


class SlaRecovered(SlaEvent):
    """What an earlier warning or breach told of is over."""

    topic: ClassVar[str] = "sla.recovered.v1"
