"""Valid events of ``shared.events.feedback``."""

from typing import Any

from shared.events import feedback
from shared.ids import sample_id_of
from tests.builders.base import PROJECT, TENANT, an_event

_MODEL: dict[str, Any] = {"model": "router", "model_version": "1"}


def a_prediction_submitted(**changes: Any) -> feedback.PredictionSubmitted:
    return an_event(feedback.PredictionSubmitted, changes, **_MODEL, fields={"intent": "delivery"}, score=0.8)


def predictions_received(**changes: Any) -> feedback.PredictionsReceived:
    return an_event(feedback.PredictionsReceived, changes, lines=1)


def a_prediction_line_finished(**changes: Any) -> feedback.PredictionLineFinished:
    return an_event(feedback.PredictionLineFinished, changes, line=0, outcome="created")


def a_finding_dismissed(**changes: Any) -> feedback.FindingDismissed:
    special = {"finding_id": "finding-1", "reason": "The label was wrong.", "dismissed_by": "manager"}
    return an_event(feedback.FindingDismissed, changes, **special)


def a_prediction_judged(**changes: Any) -> feedback.PredictionJudged:
    special = {"model_key": f"{TENANT}/{PROJECT}/router/1", "label_revision": 1, "sequence": 1}
    return an_event(feedback.PredictionJudged, changes, **_MODEL, **special, errors={"intent": 1.0})


def a_finding_sample_awaited(**changes: Any) -> feedback.FindingSampleAwaited:
    return an_event(feedback.FindingSampleAwaited, changes, finding_id="finding-1", reason="The model errs here.")


def a_finding_closed(**changes: Any) -> feedback.FindingClosed:
    special = {"model_key": f"{TENANT}/{PROJECT}/router/1", "outcome": "worked_off", "changed": 1, "confirmed": 0}
    return an_event(feedback.FindingClosed, changes, finding_id="finding-1", **special)


def a_finding_opened(**changes: Any) -> feedback.FindingOpened:
    samples_shown = [sample_id_of(TENANT, PROJECT, "sample-1")]
    special = {"finding_id": "finding-1", "field": "intent", "slice": "refund -> delivery", "samples": samples_shown}
    return an_event(feedback.FindingOpened, changes, **_MODEL, **special, error_rate=0.5, judged=20)


def a_finding_progressed(**changes: Any) -> feedback.FindingProgressed:
    return an_event(feedback.FindingProgressed, changes, finding_id="finding-1", changed=True)


def a_task_priority_changed(**changes: Any) -> feedback.TaskPriorityChanged:
    return an_event(feedback.TaskPriorityChanged, changes, priority=5, reason="The model errs here.")
