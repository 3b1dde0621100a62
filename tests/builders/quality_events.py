"""Valid events of ``shared.events.quality``."""

from typing import Any

from shared.events import quality
from tests.builders.annotation_events import a_provenance
from tests.builders.base import an_event


def a_qa_work_requested(**changes: Any) -> quality.QaWorkRequested:
    return an_event(quality.QaWorkRequested, changes, reason="no quorum")


def a_label_finalized(**changes: Any) -> quality.LabelFinalized:
    return an_event(quality.LabelFinalized, changes, fields={"intent": "refund"}, provenance=a_provenance())


def an_annotator_assessed(**changes: Any) -> quality.AnnotatorAssessed:
    return an_event(quality.AnnotatorAssessed, changes, scores={"intent": 1.0})


def an_annotator_scored(**changes: Any) -> quality.AnnotatorScored:
    return an_event(quality.AnnotatorScored, changes, accuracy=0.9, assessed=10)


def a_consistency_measured(**changes: Any) -> quality.ConsistencyMeasured:
    rules = {"no-dates@0123456789abcdef": {"answers_passed": 1}}
    return an_event(quality.ConsistencyMeasured, {"changes": rules} | changes, counter_id="support/0")
