"""Valid events of ``shared.events.external``."""

from typing import Any

import orjson

from shared.events import external
from shared.labels.faults import Fault
from tests.builders.base import PROJECT, an_event


def an_external_annotation(**changes: Any) -> external.ExternalAnnotationReceived:
    body = {"project": PROJECT, "external_id": "sample-1", "annotator_id": "ana", "fields": {"intent": "refund"}}
    special = {"record": "external.annotation.v1/0/0", "body": orjson.dumps(body).decode()}
    return an_event(external.ExternalAnnotationReceived, changes, **special)


def an_external_prediction(**changes: Any) -> external.ExternalPredictionReceived:
    body = {"project": PROJECT, "external_id": "sample-1", "model": "m", "version": "1", "fields": {"intent": "refund"}}
    special = {"record": "external.prediction.v1/0/0", "body": orjson.dumps(body).decode()}
    return an_event(external.ExternalPredictionReceived, changes, **special)


def an_annotation_refused(**changes: Any) -> external.AnnotationRefused:
    fault = Fault(pointer="", code="unauthenticated", message="There is no API key in the record.")
    known = {"record": "external.annotation.v1/0/0", "kind": "annotation", "faults": [fault]}
    return an_event(external.AnnotationRefused, known | changes)
