"""The facts by which the services meet. ``EVENTS`` lists them all; ``docs/events.md`` is generated from it."""

from shared.events import (
    annotations,
    datasets,
    duplicates,
    erasure,
    external,
    feedback,
    imports,
    migrations,
    projects,
    quality,
    replacements,
    resemblance,
    samples,
    sla,
    tasks,
    taxonomies,
    uploads,
    work,
)
from shared.events.base import Event, Headers, decode, encode

_MODULES = (
    projects,
    taxonomies,
    migrations,
    samples,
    imports,
    uploads,
    duplicates,
    replacements,
    resemblance,
    tasks,
    work,
    sla,
    annotations,
    quality,
    datasets,
    feedback,
    external,
    erasure,
)

EVENTS: tuple[type[Event], ...] = tuple(
    found
    for module in _MODULES
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, Event) and found.__module__ == module.__name__
    if "topic" in vars(found)
)

SAMPLE_TOPICS: tuple[str, ...] = tuple(sorted({event.topic for event in EVENTS if event.key_field == "sample_id"}))
"""Topics keyed by sample: one partition count for all, so that a sample's events land together."""

DEAD_LETTER_TOPIC = "dead-letters.v1"

__all__ = ["DEAD_LETTER_TOPIC", "EVENTS", "SAMPLE_TOPICS", "Event", "Headers", "decode", "encode"]
