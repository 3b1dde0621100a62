"""Valid events of ``shared.events.annotations``."""

from typing import Any

from shared.events import annotations
from tests.builders.base import MORNING, an_event, text_facts
from tests.builders.task_events import an_origin


def an_annotation_stored(**changes: Any) -> annotations.AnnotationStored:
    who = changes.get("annotator_id", "ana")
    special = {"annotation_id": f"annotation-of-{who}", "revision": 1, "fields": {"intent": "refund"}}
    return an_event(annotations.AnnotationStored, changes, **special)


def a_review_stored(**changes: Any) -> annotations.ReviewStored:
    special = {"stage": "peer_review", "review_id": "review-1", "annotator_id": "rita", "revision": 1}
    return an_event(annotations.ReviewStored, changes, **special, verdict="accept")


def a_provenance(**changes: Any) -> annotations.LabelProvenance:
    known = {"decided_by": "consensus", "annotators": ["ana", "bo", "chi"]}
    return annotations.LabelProvenance(**(known | changes))


def a_contribution(**changes: Any) -> annotations.Contribution:
    who = changes.get("annotator_id", "ana")
    known = {"annotator_id": who, "stage": "first_pass", "source_id": f"annotation-of-{who}", "revision": 1}
    known |= {"project_version": 1, "submitted_at": MORNING, "seconds_spent": 12.0, "confidence": 0.9}
    return annotations.Contribution(**(dict(an_origin()) | known | changes))


def a_sample_described(**changes: Any) -> annotations.SampleDescribed:
    return an_event(annotations.SampleDescribed, changes, assets={"chat": text_facts()}, language="en")


def a_label_recorded(**changes: Any) -> annotations.LabelRecorded:
    special = {"revision": 1, "fields": {"intent": "refund"}, "content_hash": "content-1", "language": "en"}
    return an_event(annotations.LabelRecorded, changes, **special, provenance=a_provenance())


def a_label_barrier(**changes: Any) -> annotations.LabelBarrier:
    return an_event(annotations.LabelBarrier, changes, dataset_job_id="job-1", partition=0)


def a_label_recheck_continued(**changes: Any) -> annotations.LabelRecheckContinued:
    return an_event(annotations.LabelRecheckContinued, changes)


def a_label_check_requested(**changes: Any) -> annotations.LabelCheckRequested:
    return an_event(annotations.LabelCheckRequested, changes)


def a_label_checked(**changes: Any) -> annotations.LabelChecked:
    return an_event(annotations.LabelChecked, changes, revision=1)


def a_label_rechecked(**changes: Any) -> annotations.LabelRechecked:
    return an_event(annotations.LabelRechecked, changes, outcome="checked")
