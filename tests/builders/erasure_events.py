"""Valid events of ``shared.events.erasure``."""

from typing import Any

from shared.events import erasure
from tests.builders.base import an_event


def a_sample_erased(**changes: Any) -> erasure.SampleErased:
    return an_event(erasure.SampleErased, changes, erased_by="mo")


def a_sample_forgotten(**changes: Any) -> erasure.SampleForgotten:
    return an_event(erasure.SampleForgotten, changes, service="qa")


def a_dataset_affected(**changes: Any) -> erasure.DatasetAffected:
    return an_event(erasure.DatasetAffected, changes, dataset_id="d" * 64)
