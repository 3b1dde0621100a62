"""Quality: what is decided about labels and about those who make them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from shared.events.annotations import LabelProvenance
from shared.events.base import Event
from shared.events.tasks import Stage


class QaWorkRequested(Event):
    """Somebody has to look at the sample (again): the only way that work is opened."""

    topic: ClassVar[str] = "qa.work_requested.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"qa", "feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    project_id: str
    project_version: int
    stage: Stage
    slots: int = 1
    """How many more answers are wanted; in the stage's open task if there is one, else in a new task."""
    reason: str
    proposal: dict[str, Any] | None = None
    """The fields that a reviewer is asked to judge."""
    finding_id: str | None = None


class LabelFinalized(Event):
    """QA decided what is true of the sample."""

    topic: ClassVar[str] = "label.finalized.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"qa"})
    consumers: ClassVar[frozenset[str]] = frozenset({"annotation_store", "task_assignment"})

    sample_id: str
    project_id: str
    project_version: int
    fields: dict[str, Any]
    provenance: LabelProvenance


class AnnotatorAssessed(Event):
    """One annotator's answer was compared with the sample's final label."""

    topic: ClassVar[str] = "annotator.assessed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"qa"})
    consumers: ClassVar[frozenset[str]] = frozenset({"qa"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    project_id: str
    sample_id: str
    scores: dict[str, float]
    """Per field, 0 (as far off as can be) to 1 (the same)."""
    replaced: dict[str, float] = Field(default_factory=dict)
    """The scores of the same annotator on the same sample that these take the place of; empty at the first time."""


class AnnotatorScored(Event):
    """An annotator's skill in a project changed."""

    topic: ClassVar[str] = "annotator.scored.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"qa"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    project_id: str
    accuracy: float
    """Mean over fields, 0 to 1."""
    assessed: int
    """Over how many answers."""


class ConsistencyMeasured(Event):
    """What the rules say of a sample's answers and label has changed; added up by project and partition."""

    topic: ClassVar[str] = "consistency.measured.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"qa"})
    consumers: ClassVar[frozenset[str]] = frozenset({"qa"})
    key_field: ClassVar[str] = "counter_id"

    counter_id: str
    """``<project>/<partition of the sample-keyed topics>``."""
    project_id: str
    sample_id: str
    changes: dict[str, dict[str, int]]
    """By rule and its hash (``<rule id>@<hash>``), by ``<answers or label>_<outcome>``: how many more, or fewer."""
    errors: dict[str, str] = Field(default_factory=dict)
    """By rule and its hash: why it could not be run."""
