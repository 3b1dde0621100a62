"""Valid events of ``shared.events.replacements``."""

from typing import Any

from shared.events import replacements
from tests.builders.base import an_event


def a_replacement_proposed(**changes: Any) -> replacements.ReplacementProposed:
    return an_event(replacements.ReplacementProposed, changes, attempt="attempt-2")


def a_replacement_decided(**changes: Any) -> replacements.ReplacementDecided:
    return an_event(replacements.ReplacementDecided, changes, attempt="attempt-2", granted=True)
