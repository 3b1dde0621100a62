"""Feedback: what the model says, where it errs, and what is labeled next because of it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from shared.events.base import Event
from shared.events.imports import LineOutcome
from shared.labels.faults import Fault
from shared.labels.pii.model import PiiFinding


class PredictionSubmitted(Event):
    """A model's prediction for one sample, checked like an answer."""

    topic: ClassVar[str] = "prediction.submitted.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})

    sample_id: str
    project_id: str
    project_version: int
    model: str
    model_version: str
    fields: dict[str, Any]
    score: float | None = None
    prompt: str | None = None
    pii: list[PiiFinding] = []
    """Where personal data stands in fields and prompt, or stood before it was masked."""
    job_id: str | None = None
    line: int | None = None


class PredictionsReceived(Event):
    """The last line of a batch of predictions has been read; the job knows its total."""

    topic: ClassVar[str] = "predictions.received.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    project_id: str
    lines: int
    last_line: int = 0
    """The number of the last line; blank lines have numbers too, and are not counted in ``lines``."""


class PredictionLineFinished(Event):
    """One line of a batch of predictions has its outcome."""

    topic: ClassVar[str] = "prediction.line_finished.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway", "feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    key_field: ClassVar[str] = "job_id"

    job_id: str
    line: int
    outcome: LineOutcome
    external_id: str | None = None
    sample_id: str | None = None
    faults: list[Fault] = Field(default_factory=list)
    source: str | None = None

    def without_content(self) -> Self:
        """Return the event without the line that it quotes."""
        return self.model_copy(update={"source": None})


class PredictionJudged(Event):
    """A prediction was compared with the label of record."""

    topic: ClassVar[str] = "prediction.judged.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    key_field: ClassVar[str] = "model_key"

    model_key: str
    """``tenant/project/model/model_version``: all judgements of one model version arrive in order."""
    sample_id: str
    project_id: str
    project_version: int
    model: str
    model_version: str
    label_revision: int
    sequence: int
    """Grows with each judgement of the sample: of two judgements of one model version, the higher one stands."""
    errors: dict[str, float]
    """Per field: 0 (as the label) to 1 (as far off as can be)."""
    confusions: dict[str, tuple[str, str]] = Field(default_factory=dict)
    """Per choice field that differs: (label, prediction)."""


class FindingOpened(Event):
    """The model errs in a way that people should look at; the samples it shows on are sent back to work."""

    topic: ClassVar[str] = "finding.opened.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback", "gateway"})
    key_field: ClassVar[str] = "finding_id"

    finding_id: str
    project_id: str
    project_version: int
    model: str
    model_version: str
    field: str
    slice: str
    """Where the errors concentrate, as ``<label> -> <prediction>`` or the whole field."""
    error_rate: float
    judged: int
    samples: list[str]


class FindingSampleAwaited(Event):
    """A finding waits until the sample's label was looked at again."""

    topic: ClassVar[str] = "finding.sample_awaited.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})

    sample_id: str
    project_id: str
    finding_id: str
    reason: str
    """What the reviewer is told."""


class FindingProgressed(Event):
    """A sample of a finding has been looked at again: its label has a new revision."""

    topic: ClassVar[str] = "finding.progressed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    key_field: ClassVar[str] = "finding_id"

    finding_id: str
    sample_id: str
    changed: bool
    """Whether the label's content changed, or was only confirmed."""


class FindingDismissed(Event):
    """A manager decided that a finding needs no work."""

    topic: ClassVar[str] = "finding.dismissed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"gateway"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    key_field: ClassVar[str] = "finding_id"

    finding_id: str
    reason: str
    dismissed_by: str


class FindingClosed(Event):
    """All samples of a finding were worked off, or it was dismissed."""

    topic: ClassVar[str] = "finding.closed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"feedback", "gateway"})
    key_field: ClassVar[str] = "finding_id"

    finding_id: str
    project_id: str
    model_key: str
    """``tenant/project/model/model_version``: whose errors it was about."""
    outcome: Literal["worked_off", "dismissed"]
    changed: int
    confirmed: int


class TaskPriorityChanged(Event):
    """A sample should be served earlier, or later."""

    topic: ClassVar[str] = "task.priority_changed.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"feedback"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})

    sample_id: str
    project_id: str
    priority: int
    """Higher is sooner; 0 is the default."""
    reason: str
