"""When a project's due dates are told to be in danger, missed, and well again: once each time.

An alarm is raised by one look at the project and ends only when it has been calm for a while, so figures that go up and
down do not make it ring again. Between the probabilities at which a forecast raises its alarm and lets it end there is
room for the same reason. Episodes are counted; an event's id follows from its stage, cause and episode, so whoever tells
of an episode, and however often, tells one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from services.task_assignment.domain.outlook import Outlook
from shared.clock import from_ms
from shared.events.sla import SlaAtRisk, SlaBreached, SlaCause, SlaEvent, SlaRecovered
from shared.ids import derived_id

RAISE_AT: Final = 0.5
"""The probability of a missed due date from which a forecast warns."""
CALM_BELOW: Final = 0.2
CALM_MS: Final = 30_000
"""For so long there must be no reason for an alarm before it ends."""
CAUSES: Final[tuple[SlaCause, ...]] = ("remaining", "forecast", "due")


class Alarm(BaseModel):
    """One reason of one stage."""

    model_config = ConfigDict(frozen=True)

    episode: int = 0
    """How often it was raised."""
    is_raised: bool = False
    calm_since_ms: int = 0
    """Since when there has been no reason for it, while it is raised; 0: there is one."""


class Alarms(BaseModel):
    """A project's alarms, and what has to be told of them."""

    model_config = ConfigDict(frozen=True)

    by_name: dict[str, Alarm] = {}
    """By ``<stage>.<cause>``."""
    untold: list[dict[str, Any]] = []
    """Events, with their ``kind``, that are not certainly in the log."""

    def raised(self, stage: str) -> list[str]:
        """Return the causes for which a stage's alarm is raised."""
        return [cause for cause in CAUSES if self.by_name.get(f"{stage}.{cause}", Alarm()).is_raised]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is raised and nothing is to be told."""
        return not self.untold and not any(alarm.is_raised for alarm in self.by_name.values())

    def events(self) -> list[SlaEvent]:
        """Return what has to be told."""
        return [_KINDS[each["kind"]].model_validate(each["event"]) for each in self.untold]


_KINDS: Final = {kind.name(): kind for kind in (SlaAtRisk, SlaBreached, SlaRecovered)}


def looked_at(alarms: Alarms, outlooks: Sequence[Outlook], now_ms: int, tenant_id: str, project_id: str) -> Alarms:
    """Return the alarms after a look at all stages with open work; what was untold has been told by then.

    A stage without an outlook has no open work, so it has no reason for any alarm.
    """
    by_stage = {each.stage: each for each in outlooks}
    stages = {*by_stage, *(name.split(".")[0] for name in alarms.by_name)}
    by_name: dict[str, Alarm] = {}
    untold: list[SlaEvent] = []
    for stage in sorted(stages):
        outlook = by_stage.get(stage) or Outlook(stage, 0, None)
        for cause in CAUSES:
            name = f"{stage}.{cause}"
            before = alarms.by_name.get(name, Alarm())
            now = _next(before, _reason(outlook, cause), now_ms)
            if now != Alarm():
                by_name[name] = now
            if now.is_raised != before.is_raised:
                untold.append(_told(now, outlook, cause, now_ms, tenant_id, project_id))
    told = [{"kind": event.name(), "event": event.model_dump(mode="json")} for event in untold]
    return Alarms(by_name=by_name, untold=told)


def _reason(outlook: Outlook, cause: SlaCause) -> bool | None:
    """Return whether there is reason for an alarm; None where what is raised stays and what is not is not raised."""
    if cause == "due":
        return outlook.overdue > 0
    if cause == "remaining":
        return outlook.soon > 0
    probability = outlook.miss_probability
    if probability is None:
        return None if outlook.next_due_ms is not None else False
    return True if probability >= RAISE_AT else None if probability >= CALM_BELOW else False


def _next(alarm: Alarm, reason: bool | None, now_ms: int) -> Alarm:
    if not alarm.is_raised:
        return Alarm(episode=alarm.episode + 1, is_raised=True) if reason else alarm
    if reason is not False:
        return alarm if alarm.calm_since_ms == 0 else alarm.model_copy(update={"calm_since_ms": 0})
    if alarm.calm_since_ms == 0:
        return alarm.model_copy(update={"calm_since_ms": now_ms})
    return alarm if now_ms - alarm.calm_since_ms < CALM_MS else Alarm(episode=alarm.episode)


def _told(alarm: Alarm, outlook: Outlook, cause: SlaCause, now_ms: int, tenant_id: str, project_id: str) -> SlaEvent:
    values = {
        "event_id": derived_id(
            "sla", tenant_id, project_id, outlook.stage, cause, str(alarm.episode), str(alarm.is_raised)
        ),
        "tenant_id": tenant_id,
        "occurred_at": from_ms(now_ms),
        "project_id": project_id,
        "stage": outlook.stage,
        "cause": cause,
        "episode": alarm.episode,
        "due": outlook.due,
        "overdue": outlook.overdue,
        "projected": outlook.projected,
        "next_due_at": _moment(outlook.next_due_ms),
        "finish_at": _moment(outlook.finish_ms),
        "latest_finish_at": _moment(outlook.latest_ms),
    }
    if not alarm.is_raised:
        return SlaRecovered(**values)
    return SlaBreached(**values) if cause == "due" else SlaAtRisk(**values)


def _moment(milliseconds: int | None) -> Any:
    return None if milliseconds is None else from_ms(milliseconds)
