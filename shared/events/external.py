"""What labeling tools publish themselves, and what they are answered; the gateway checks it before anybody trusts it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.base import Event
from shared.labels.faults import Fault


class ExternalRecord(Event):
    """A record as a tool wrote it. Its tenant is not known before its credential has been looked up."""

    producers: ClassVar[frozenset[str]] = frozenset({"tools"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "record"
    broker_stamped: ClassVar[bool] = True

    record: str
    """``<topic>/<partition>/<offset>``: where it stands in the log."""
    body: str
    """The record's value as it came; it may be no JSON at all."""
    credential: str = Field("", exclude=True)
    """The ``authorization`` header; it goes nowhere from here, not even to the dead letters."""


class ExternalAnnotationReceived(ExternalRecord):
    """A labeling tool has somebody's answer to a sample."""

    topic: ClassVar[str] = "external.annotation.v1"


class ExternalPredictionReceived(ExternalRecord):
    """A tool has a model's prediction for a sample."""

    topic: ClassVar[str] = "external.prediction.v1"


class AnnotationRefused(Event):
    """The gateway does not take what a tool published, for all these reasons."""

    topic: ClassVar[str] = "annotation.refused.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    key_field: ClassVar[str] = "record"

    record: str
    """``<topic>/<partition>/<offset>`` of what is refused."""
    kind: Literal["annotation", "prediction"]
    id: str | None = None
    """The ``id`` that the tool gave it, where that could be read."""
    project_id: str | None = None
    faults: list[Fault]
