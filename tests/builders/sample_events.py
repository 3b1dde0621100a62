"""Valid events of ``shared.events.samples``."""

from typing import Any

from shared.events import samples
from shared.labels.faults import Fault
from tests.builders.base import CHAT, an_event, text_facts


def a_sample_submitted(**changes: Any) -> samples.SampleSubmitted:
    assets = {"chat": samples.AssetSource(text=CHAT)}
    return an_event(samples.SampleSubmitted, changes, assets=assets, language="en")


def a_sample_ingested(**changes: Any) -> samples.SampleIngested:
    return an_event(samples.SampleIngested, changes, assets={"chat": text_facts()}, language="en")


def a_sample_rejected(**changes: Any) -> samples.SampleRejected:
    fault = Fault(pointer="/assets/chat", code="missing", message="The asset chat is missing; send it.")
    return an_event(samples.SampleRejected, changes, faults=[fault])
