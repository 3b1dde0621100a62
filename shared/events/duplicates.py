"""Samples of one project with the same content: who had it first."""

from __future__ import annotations

from typing import ClassVar

from shared.events.base import Event


class ContentMet(Event):
    """A sample is complete, in a project that wants no content twice; who had it first is to be found out."""

    topic: ClassVar[str] = "content.met.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "content_id"

    content_id: str
    sample_id: str
    attempt: str


class ContentCompared(Event):
    """It is known which sample of the project had a content first."""

    topic: ClassVar[str] = "content.compared.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    content_id: str
    attempt: str
    first: str
    """The sample that had it first, perhaps the same one."""


class ContentReleased(Event):
    """A sample that may have been the first with its content was erased."""

    topic: ClassVar[str] = "content.released.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "content_id"

    content_id: str
    sample_id: str
