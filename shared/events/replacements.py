"""Other assets for a sample that is in: asked for by ingest, decided where its tasks are."""

from __future__ import annotations

from typing import ClassVar

from shared.events.base import Event


class ReplacementProposed(Event):
    """A sample was sent with other assets, to take the place of those it has; its tasks may not allow that."""

    topic: ClassVar[str] = "replacement.proposed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    attempt: str


class ReplacementDecided(Event):
    """It is decided whether a sample may have other assets; where it may, its tasks rest until it has them."""

    topic: ClassVar[str] = "replacement.decided.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    attempt: str
    granted: bool
    reason: str = ""
    """Why not."""
