"""Erasure: a sample that is to be forgotten everywhere, and who has done so."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.events.base import Event

ErasingService = Literal["ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback"]

ERASING: frozenset[str] = frozenset({"ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback"})
"""The services that keep something of samples; an erasure is done when each of them has said so."""


class SampleErased(Event):
    """Somebody wants a sample forgotten: whatever comes of it later changes nothing."""

    topic: ClassVar[str] = "sample.erased.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = ERASING

    sample_id: str
    project_id: str
    job_id: str
    erased_by: str
    datasets: list[str] = Field([], exclude=True)
    """Frozen datasets that hold the sample; added by versioning as it reads, never on the wire."""


class SampleForgotten(Event):
    """A service keeps nothing of an erased sample any more but its id."""

    topic: ClassVar[str] = "sample.forgotten.v1"
    producers: ClassVar[frozenset[str]] = ERASING
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    sample_id: str
    project_id: str
    service: ErasingService


class DatasetAffected(Event):
    """A frozen dataset holds a sample that was erased since."""

    topic: ClassVar[str] = "dataset.affected.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"versioning"})
    consumers: ClassVar[frozenset[str]] = frozenset({"versioning", "ingest"})
    key_field: ClassVar[str] = "dataset_id"

    dataset_id: str
    project_id: str
    sample_id: str
    job_id: str
