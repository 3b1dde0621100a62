"""Valid events of ``shared.events.duplicates``."""

from typing import Any

from shared.events import duplicates
from tests.builders.base import an_event


def a_content_met(**changes: Any) -> duplicates.ContentMet:
    return an_event(duplicates.ContentMet, changes, content_id="content-1", attempt="attempt-1")


def a_content_compared(**changes: Any) -> duplicates.ContentCompared:
    return an_event(duplicates.ContentCompared, changes, content_id="content-1", attempt="attempt-1", first="another")


def a_content_released(**changes: Any) -> duplicates.ContentReleased:
    return an_event(duplicates.ContentReleased, changes, content_id="content-1")
