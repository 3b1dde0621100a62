"""What people have done, as far as their workload is counted from it."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from shared.events.base import Event
from shared.events.tasks import Stage

Work = Literal["counted", "revised", "surplus", "skipped", "reviewed", "rejected", "voided"]
"""counted, revised, surplus: an answer that takes its slot, one that replaces their own, one that does not count.
skipped: a task. reviewed, rejected: somebody judged their answer; a rejected one was reviewed, too. voided: an answer."""


class AnnotatorWorked(Event):
    """An annotator has done a piece of work, or what became of one of theirs. It does not say of which sample."""

    topic: ClassVar[str] = "annotator.worked.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    consumers: ClassVar[frozenset[str]] = frozenset({"task_assignment"})
    key_field: ClassVar[str] = "annotator_id"

    annotator_id: str
    project_id: str
    stage: Stage
    """In which the work was done."""
    what: Work
    seconds_spent: float = 0
    """As it was stated with the answer."""
    is_leased: bool = True
    """Whether it was done under a lease; what a labeling tool brings was not."""
    taken_from: date | None = None
    """The day (UTC) on which it was counted, if it is taken back; None: it is counted."""
