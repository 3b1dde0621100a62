"""Valid events of ``shared.events.tasks``."""

from typing import Any

from shared.events import tasks
from shared.events.origin import Origin
from tests.builders.base import MORNING, an_event

_SUBMISSION: dict[str, Any] = {"lease_id": "lease-1", "lease_expires_ms": 1_795_507_200_000, "seconds_spent": 12.0}
_ANSWER: dict[str, Any] = _SUBMISSION | {"annotation_id": "annotation-1", "fields": {"intent": "refund"}}
_REVIEW: dict[str, Any] = _SUBMISSION | {"stage": "peer_review", "review_id": "review-1", "verdict": "accept"}


def an_origin(**changes: Any) -> Origin:
    known = {"role": "annotator", "started_at": MORNING, "client": "labelmesh-python/0.1.0", "guideline_version": 1}
    return Origin(**(known | {"validation": "valid", "language": "en"} | changes))


def an_annotation_submitted(**changes: Any) -> tasks.AnnotationSubmitted:
    return an_event(tasks.AnnotationSubmitted, changes, **_ANSWER)


def an_annotation_counted(**changes: Any) -> tasks.AnnotationCounted:
    return an_event(tasks.AnnotationCounted, changes, **_ANSWER)


def an_annotation_surplus(**changes: Any) -> tasks.AnnotationSurplus:
    return an_event(tasks.AnnotationSurplus, changes, **_ANSWER, reason="lease-expired")


def an_annotation_offered(**changes: Any) -> tasks.AnnotationOffered:
    who = changes.get("annotator_id", "ana")
    special = {"annotation_id": f"annotation-of-{who}", "fields": {"intent": "refund"}}
    return an_event(tasks.AnnotationOffered, changes, **special)


def a_review_submitted(**changes: Any) -> tasks.ReviewSubmitted:
    return an_event(tasks.ReviewSubmitted, changes, **_REVIEW)


def a_review_counted(**changes: Any) -> tasks.ReviewCounted:
    return an_event(tasks.ReviewCounted, changes, **_REVIEW)


def a_tick(**changes: Any) -> tasks.Ticked:
    return an_event(tasks.Ticked, changes)


def a_task_created(**changes: Any) -> tasks.TaskCreated:
    return an_event(tasks.TaskCreated, changes, overlap=3)


def a_task_leased(**changes: Any) -> tasks.TaskLeased:
    return an_event(tasks.TaskLeased, changes, lease_id="lease-1", expires_ms=_SUBMISSION["lease_expires_ms"])


def a_task_released(**changes: Any) -> tasks.TaskReleased:
    return an_event(tasks.TaskReleased, changes, lease_id="lease-1", reason="expired")


def a_task_contested(**changes: Any) -> tasks.TaskContested:
    return an_event(tasks.TaskContested, changes, skipped=["ana", "bo"])


def a_task_completed(**changes: Any) -> tasks.TaskCompleted:
    return an_event(tasks.TaskCompleted, changes, annotators=["ana", "bo", "chi"])


def an_annotator_profile(**changes: Any) -> tasks.AnnotatorProfile:
    return tasks.AnnotatorProfile(**({"name": "Ana", "languages": ["en"]} | changes))


def an_annotator_voided(**changes: Any) -> tasks.AnnotatorVoided:
    return an_event(tasks.AnnotatorVoided, changes, reason="guesses", job_id="task_assignment-1")


def an_annotation_voided(**changes: Any) -> tasks.AnnotationVoided:
    return an_event(tasks.AnnotationVoided, changes, annotation_id="annotation-1")


def a_review_voided(**changes: Any) -> tasks.ReviewVoided:
    special = {"stage": "peer_review", "review_id": "review-1", "annotator_id": "rita"}
    return an_event(tasks.ReviewVoided, changes, **special)


def an_annotator_declared(**changes: Any) -> tasks.AnnotatorDeclared:
    return an_event(tasks.AnnotatorDeclared, changes, profile=an_annotator_profile())


def an_annotator_updated(**changes: Any) -> tasks.AnnotatorUpdated:
    return an_event(tasks.AnnotatorUpdated, changes, profile=an_annotator_profile())


def a_member_announced(**changes: Any) -> tasks.AssignmentMemberAnnounced:
    special = {"member_id": "member-1", "address": "http://127.0.0.1:18082", "partitions": [0, 1, 2]}
    return an_event(tasks.AssignmentMemberAnnounced, changes, **special)
