"""Valid events of ``shared.events.sla``."""

from typing import Any

from shared.events import sla
from tests.builders.base import an_event


def an_sla_at_risk(**changes: Any) -> sla.SlaAtRisk:
    return an_event(sla.SlaAtRisk, changes, cause="forecast", episode=1, due=12, projected=3)


def an_sla_breached(**changes: Any) -> sla.SlaBreached:
    return an_event(sla.SlaBreached, changes, cause="due", episode=1, due=12, overdue=1)


def an_sla_recovered(**changes: Any) -> sla.SlaRecovered:
    return an_event(sla.SlaRecovered, changes, cause="due", episode=1)
