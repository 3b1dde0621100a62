"""Valid events of ``shared.events.work``."""

from typing import Any

from shared.events import work
from tests.builders.base import an_event


def an_annotator_worked(**changes: Any) -> work.AnnotatorWorked:
    return an_event(work.AnnotatorWorked, changes, what="counted", seconds_spent=12.0)
